"""A SecretStore with the identity that it acts as."""

from collections.abc import Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.settings import Identity, Settings

from .declare import declare


class SecretStore(ComponentResource):
    """Declares `store_manifests`; ready once the operator has validated the store."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        store: str,
        identity: Identity,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:stores:SecretStore", name, None, opts)
        self.ready = declare(self, store_manifests(settings, store, identity), after=after)
        self.register_outputs({})
