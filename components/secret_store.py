"""A SecretStore with the identity that it acts as."""

from typing import Unpack

from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.settings import Identity, Settings

from .declare import Part, Placed


class SecretStore(Part):
    """Declares `store_manifests`; ready once the operator has validated the store."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        store: str,
        identity: Identity,
        **placed: Unpack[Placed],
    ) -> None:
        objects = store_manifests(settings, store, identity)
        super().__init__("platform-secrets:stores:SecretStore", name, objects, placed)
