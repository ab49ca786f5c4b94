"""Who acts on a store for an environment, as the provider calls it, and what it may do there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from platform_secrets.describing.secret_contents import Place, database_paths
from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import identity_entries, rotated_entry
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import Identity, Settings
from platform_secrets.settings.layout import Kind
from platform_secrets.settings.rotator import ROTATION

May = Literal["reads", "reads and writes", "has changed"]
"""What an identity may do with an entry. What it has changed it does not read."""
_MAY: dict[Identity, May] = {
    "read": "reads",
    "rotation": "reads and writes",
    "seed": "reads and writes",
}


@dataclass(frozen=True)
class ProviderIdentity:
    """One identity of one store."""

    name: str
    """What the provider calls it."""
    store: str
    provider: str
    account: str
    """The ServiceAccount that acts as it, by namespace and name."""
    address: object
    """The provider's."""
    rights: dict[str, May]
    """What it may do, by entry."""

    def reads(self, place: Place) -> bool:
        """Whether it can read what is kept there."""
        address, entry, _ = place
        return address == self.address and self.rights.get(entry, "has changed") != "has changed"


def provider_identities(settings: Settings) -> Iterator[ProviderIdentity]:
    """Every identity of every store that the environment has of its own."""
    for name, store in settings.environment.stores.items():
        address = provider_of(store).address
        for view, identity in settings.all_identities(name):
            rights: dict[str, May] = {}
            for entry in identity_entries(view, name, identity).values():
                rights[entry] = _MAY[identity]
            if any(view.database_key(bundle) for bundle in view.bundles_in(name)):
                may: dict[Identity, May] = {"read": "reads", "rotation": "has changed"}
                if identity in may:
                    rights |= dict.fromkeys(database_paths(settings, name), may[identity])
            if store.outputs:
                for bundle in view.bundles_in(name):
                    rights[f"token of {bundle}"] = "reads"
            account = f"{view.namespace}/{naming.secret_store(name, identity)}"
            called = view.identity_name(name, identity)
            yield ProviderIdentity(called, name, store.provider, account, address, rights)
    for key in settings.keys_of(Kind.SECRETS_MANAGER) if settings.has_rotation else ():
        address = provider_of(settings.environment.stores[key.store]).address
        rights = {rotated_entry(settings, key.bundle, key.name): "has changed"}
        called = settings.name_at_provider(key.store, "rotator")
        account = f"{settings.own_namespace}/{ROTATION}"
        provider = settings.environment.stores[key.store].provider
        yield ProviderIdentity(called, key.store, provider, account, address, rights)


def made_entries(settings: Settings) -> dict[str, bool]:
    """The entries that this stack makes and so could destroy, as store: entry; whether each stays
    when it is no longer declared. Vault's are never deleted, Azure's are made by no stack."""
    from platform_secrets.manifests import entries

    return {
        f"{name}: {entry}": settings.environment.protect
        for name, store in settings.environment.stores.items()
        if store.declares_backend and store.provider in ("aws", "gcp")
        for entry in entries.made_entries(settings, name).values()
    }
