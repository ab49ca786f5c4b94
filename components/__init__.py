"""The Pulumi shell: one ComponentResource per part, no Kubernetes field of its own."""

from .secrets_layer import SecretsLayer, SecretsLayerArgs

__all__ = ["SecretsLayer", "SecretsLayerArgs"]
