"""Vault or OpenBao, where this stack installs it."""

from pulumi import ComponentResource, Resource, ResourceOptions

from platform_secrets.manifests.vault_server import server_manifests, server_release
from platform_secrets.settings import Settings, VaultServer

from .declare import declare, declare_release


class VaultServers(ComponentResource):
    """The servers' namespace, and their chart as a Helm release.

    Protected always: every environment's values are there. The release is not waited for, since the
    servers become ready only once people have initialised them.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        server: VaultServer,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:vault:VaultServers", name, None, opts)
        self.namespace = declare(self, server_manifests(settings, server), protect=True)
        release = declare_release(self, server_release(server), after=self.namespace, protect=True)
        self.ready: list[Resource] = [release]
        self.register_outputs({})
