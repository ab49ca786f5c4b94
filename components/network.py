"""NetworkPolicies of the pods that this program installs."""

from collections.abc import Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from platform_secrets.manifests.network import operator_policies, rotation_policy, vault_policies
from platform_secrets.settings import Settings, VaultServer

from .declare import declare


class OperatorNetwork(ComponentResource):
    """Declares `operator_policies`."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:network:OperatorNetwork", name, None, opts)
        declare(self, operator_policies(settings), after=after)
        self.register_outputs({})


class VaultNetwork(ComponentResource):
    """Declares `vault_policies`."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        server: VaultServer,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:network:VaultNetwork", name, None, opts)
        declare(self, vault_policies(settings, server), after=after)
        self.register_outputs({})


class RotationNetwork(ComponentResource):
    """Declares `rotation_policy`: the rotator's pods reach the API server alone."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:network:RotationNetwork", name, None, opts)
        self.ready = declare(self, [rotation_policy(settings)], after=after)
        self.register_outputs({})
