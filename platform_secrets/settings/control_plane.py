"""What whoever runs a cluster's API server is to give it, of this layer's concern."""

from platform_secrets.settings.model import Model


class ControlPlane(Model):
    """Files beside the rendered tree's waves, for the API server's own flags. Managed clusters have
    settings of their provider's instead (docs/audit.md)."""

    audit: bool = False
    """Whether there is an audit policy: who read, wrote or asked for what, without any content."""
