"""The environment's namespace."""

from pulumi import ComponentResource, ResourceOptions

from platform_secrets.manifests.namespace import namespace_manifests
from platform_secrets.settings import Settings

from .declare import declare


class EnvironmentNamespace(ComponentResource):
    """Declares `namespace_manifests`; retained always, since it holds more than is ours."""

    def __init__(
        self, name: str, *, settings: Settings, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("platform-secrets:namespace:EnvironmentNamespace", name, None, opts)
        protect = settings.environment.protect
        self.ready = declare(self, namespace_manifests(settings), protect=protect, retain=True)
        self.register_outputs({})
