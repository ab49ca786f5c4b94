"""Vault or OpenBao, where this stack installs it."""

from typing import Unpack

from pulumi import Resource

from platform_secrets.manifests.vault_server import server_manifests, server_release
from platform_secrets.settings import Settings, VaultServer

from .declare import Part, Placed, declare_release


class VaultServers(Part):
    """The servers' namespace, and their chart as a Helm release.

    Protected always: every environment's values are there. The release is not waited for, since the
    servers become ready only once people have initialised them.
    """

    def __init__(
        self, name: str, *, settings: Settings, server: VaultServer, **placed: Unpack[Placed]
    ) -> None:
        objects = server_manifests(settings, server)
        super().__init__("platform-secrets:vault:VaultServers", name, objects, placed, protect=True)
        self.namespace = self.ready
        release = declare_release(self, server_release(server), after=self.namespace, protect=True)
        self.ready: list[Resource] = [release]
