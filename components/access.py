"""Rights on Secrets: of each service, and of people."""

from typing import Unpack

from platform_secrets.manifests.access import reader_manifests, service_manifests
from platform_secrets.settings import Settings

from .declare import Part, Placed


class ServiceAccess(Part):
    """Declares `service_manifests`: what one service may read, and as whom.

    Its ServiceAccount has a logical name of its own, `account`, which stays when the service gets
    another one.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        service: str,
        account: str,
        **placed: Unpack[Placed],
    ) -> None:
        super().__init__(
            "platform-secrets:access:ServiceAccess",
            name,
            service_manifests(settings, service, settings.catalogue.services[service]),
            placed,
            names={"ServiceAccount": account},
        )


class SecretsReader(Part):
    """Declares `reader_manifests`: what people may read."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        objects = reader_manifests(settings)
        super().__init__("platform-secrets:access:SecretsReader", name, objects, placed)
