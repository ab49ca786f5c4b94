"""Rights on Secrets: of each service, and of people."""

from collections.abc import Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from platform_secrets.manifests.access import reader_manifests, service_manifests
from platform_secrets.settings import Settings

from .declare import declare


class ServiceAccess(ComponentResource):
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
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:access:ServiceAccess", name, None, opts)
        declare(
            self,
            service_manifests(settings, service, settings.catalogue.services[service]),
            after=after,
            names={"ServiceAccount": account},
        )
        self.register_outputs({})


class SecretsReader(ComponentResource):
    """Declares `reader_manifests`: what people may read."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:access:SecretsReader", name, None, opts)
        declare(self, reader_manifests(settings), after=after)
        self.register_outputs({})
