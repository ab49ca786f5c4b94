"""The secrets layer of a Kubernetes platform as one Pulumi program."""

__version__ = "0.2.0"
