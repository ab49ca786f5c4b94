"""The secrets layer of a Kubernetes platform as one Pulumi program."""
