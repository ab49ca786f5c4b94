"""A database key: a generator for each of its two accounts, and the pointer to the one in use.

Both accounts work at any time. A rotation changes the idle one's password, then moves the pointer,
so that no service ever holds a password that the database refuses.
"""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import SIDES, Manifest, Side
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import PostgresDatabase, Settings
from platform_secrets.settings.operator_releases import GENERATORS_API

_COMPONENT = "database"
# Flux makes the pointer and then leaves it to the rotation.
_FIRST_CONTENT_ONLY = {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}


def database_manifests(settings: Settings, bundle: str) -> list[Manifest]:
    """The bundle's two generators and their pointer; nothing where no engine provides a key."""
    key, name = settings.database_key(bundle), settings.store_name(bundle)
    database = settings.environment.stores[name].engine
    if key is None or database is None:
        return []
    id = settings.catalogue.bundles[bundle].keys[key].id
    generators = [_generator(settings, name, database, id, side) for side in SIDES]
    annotations = _FIRST_CONTENT_ONLY
    if settings.environment.protect:
        annotations = {**naming.NEVER_PRUNED, **annotations}
    pointer = naming.database_pointer(id)
    return [
        *generators,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": naming.metadata(settings, pointer, _COMPONENT, annotations),
            "data": {key: naming.pointer_content(database, "a")},
        },
    ]


def _generator(
    settings: Settings,
    name: str,
    database: PostgresDatabase,
    key: str,
    side: Side,
) -> Manifest:
    """Logs in as the SecretStore of the *read* identity does."""
    account, role = naming.secret_store(name, "read"), settings.identity_name(name, "read")
    provider = provider_of(settings.environment.stores[name]).spec(account, role)["vault"]
    del provider["path"]
    return {
        "apiVersion": GENERATORS_API,
        "kind": "VaultDynamicSecret",
        "metadata": naming.metadata(settings, naming.database_generator(key, side), _COMPONENT),
        "spec": {
            "method": "GET",
            "path": f"{database.mount}/static-creds/{settings.name_at_provider(name, side)}",
            "resultType": "Data",
            "provider": provider,
        },
    }
