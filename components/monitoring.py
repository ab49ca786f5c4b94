"""What Prometheus watches."""

from typing import Unpack

from platform_secrets.manifests.monitoring.objects import monitoring_manifests
from platform_secrets.settings import Settings

from .declare import Part, Placed


class Monitoring(Part):
    """Declares `monitoring_manifests`."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        objects = monitoring_manifests(settings)
        super().__init__("platform-secrets:monitoring:Monitoring", name, objects, placed)
