"""NetworkPolicies of the pods that this program installs."""

from typing import Unpack

from platform_secrets.manifests.network import operator_policies, rotation_policy, vault_policies
from platform_secrets.settings import Settings, VaultServer

from .declare import Part, Placed


class OperatorNetwork(Part):
    """Declares `operator_policies`."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        objects = operator_policies(settings)
        super().__init__("platform-secrets:network:OperatorNetwork", name, objects, placed)


class VaultNetwork(Part):
    """Declares `vault_policies`."""

    def __init__(
        self, name: str, *, settings: Settings, server: VaultServer, **placed: Unpack[Placed]
    ) -> None:
        objects = vault_policies(settings, server)
        super().__init__("platform-secrets:network:VaultNetwork", name, objects, placed)


class RotationNetwork(Part):
    """Declares `rotation_policy`: the rotator's pods reach the API server alone."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        objects = [rotation_policy(settings)]
        super().__init__("platform-secrets:network:RotationNetwork", name, objects, placed)
