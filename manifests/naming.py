"""Every shared name, label and annotation, and every entry in a store."""

from dataclasses import dataclass
from typing import Any, Literal

from settings import AwsStore, Identity, PostgresDatabase, Settings, VaultStore
from settings.stores import SECRET_STORE_SUFFIXES

Manifest = dict[str, Any]
"""A Kubernetes object in Kubernetes' own spelling."""

PROJECT = "platform-secrets"
OPERATOR_RELEASE = "external-secrets"
VAULT_RELEASE = "vault"

# Argo CD and Flux leave such an object where it is, whatever happens to the tree around it. To Argo
# CD it is then no difference: one that it may not take away would have it sync without end.
NEVER_PRUNED = {
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


# `urlquery` writes a space as a form does, which a URL's account would keep as a plus.
URL_ENCODED = 'urlquery | replace "+" "%20"'
"""How a template encodes the parts of a URL's account."""

Side = Literal["a", "b"]
"""One of a database's two accounts."""
SIDES: tuple[Side, Side] = ("a", "b")


@dataclass(frozen=True)
class Entry:
    """Where a store keeps a value: `property` is None where the entry is the value itself."""

    key: str
    property: str | None


def wave_part(wave: str) -> str:
    """A wave's name without its number."""
    return wave.lstrip("0123456789-")


def labels(settings: Settings, component: str) -> dict[str, str]:
    """The labels of every object; `component` is the part of the layer that declares it."""
    return {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": PROJECT,
        "app.kubernetes.io/part-of": settings.catalogue.platform,
        f"{PROJECT}/environment": settings.environment.environment,
    }


def metadata(
    settings: Settings,
    name: str,
    component: str,
    annotations: dict[str, str] | None = None,
    namespace: str | None = None,
) -> Manifest:
    """Metadata of an object in `namespace`, or in the environment's own."""
    found: Manifest = {"name": name, "namespace": namespace or settings.namespace}
    found["labels"] = labels(settings, component)
    if annotations:
        found["annotations"] = dict(annotations)
    return found


def secret_store(store: str, identity: Identity) -> str:
    """The SecretStore through which an identity acts, and that identity's ServiceAccount."""
    return f"{store}-{SECRET_STORE_SUFFIXES[identity]}"


def overlap_secret(secret: str) -> str:
    """The Secret with a bundle's derived keys, where they can't be in the bundle's own."""
    return f"{secret}-overlap"


def derived_keys(key: str) -> tuple[str, str]:
    """The keys that exist beside one with `overlap`: the value to come and the one before."""
    return f"{key}-next", f"{key}-previous"


def entry(settings: Settings, bundle: str, key: str) -> Entry:
    """Where the store of `bundle` keeps `key`, which may be a derived key."""
    store = settings.environment.stores[settings.store_name(bundle)]
    platform, environment = settings.catalogue.platform, settings.environment.environment
    if store.layout == "bundle":
        return Entry(bundle_entry(settings, bundle), key)
    if isinstance(store, VaultStore):
        return Entry(f"{platform}/{environment}/{key}", "value")
    if isinstance(store, AwsStore):
        return Entry(f"{platform}/{environment}/{key}", None)
    return Entry(_by_pattern(settings, store.entry_pattern, key), None)


def bundle_entry(settings: Settings, bundle: str) -> str:
    """The entry that holds a whole bundle; the bundle `shared` is the environment's own."""
    store = settings.environment.stores[settings.store_name(bundle)]
    if not isinstance(store, VaultStore | AwsStore):
        return _by_pattern(settings, store.entry_pattern, bundle)
    parts = [settings.catalogue.platform, settings.environment.environment]
    return "/".join(parts if bundle == "shared" else [*parts, bundle])


def _by_pattern(settings: Settings, pattern: str, key: str) -> str:
    platform, environment = settings.catalogue.platform, settings.environment.environment
    return pattern.format(platform=platform, environment=environment, key=key)


def entries(settings: Settings, bundle: str) -> dict[str, Entry]:
    """Every key of a bundle, derived ones too, with its entry: what is read, seeded and checked.

    Not the key that a database engine provides, whose value is in no entry; nor the one that
    Secrets Manager rotates: nobody here writes its entry.
    """
    found: dict[str, Entry] = {}
    of_database = (settings.database_key(bundle), settings.rotated_key(bundle))
    for name, key in settings.catalogue.bundles[bundle].keys.items():
        if name in of_database:
            continue
        for each in (name, *(derived_keys(name) if key.overlap else ())):
            found[each] = entry(settings, bundle, each)
    return found


def rotated_entry(settings: Settings, key: str) -> str:
    """The entry of a key that Secrets Manager rotates: its own, in either layout."""
    return f"{settings.catalogue.platform}/{settings.environment.environment}/{key}"


def identity_entries(settings: Settings, store: str, identity: Identity) -> dict[str, str]:
    """The entries of a store that an identity is for, each under its bundle's or its key's name:
    that is the same in every environment, which the entry's own is not."""
    is_whole = settings.environment.stores[store].layout == "bundle"
    found: dict[str, str] = {}
    for bundle, content in settings.bundles_in(store).items():
        for key, kept in entries(settings, bundle).items():
            is_generated = key not in content.keys or content.keys[key].is_generated
            if identity != "rotation" or is_generated:
                found[bundle if is_whole else key] = kept.key
        rotated = settings.rotated_key(bundle)
        if rotated and identity == "read":
            found[rotated] = rotated_entry(settings, rotated)
    return found


def written_entries(settings: Settings, store: str) -> dict[str, str]:
    """Those that the operator may write, as rotation or as seed; it refuses entries without its
    mark."""
    found: dict[str, str] = {}
    for identity in settings.identities(store):
        if identity != "read":
            found |= identity_entries(settings, store, identity)
    return found


def expected_entries(settings: Settings) -> dict[str, dict[str, list[str]]]:
    """What the stores must hold: by store and entry, the keys that are read from it."""
    found: dict[str, dict[str, list[str]]] = {name: {} for name in settings.environment.stores}
    for bundle in settings.catalogue.bundles if settings.environment.stores else ():
        of_store = found[settings.store_name(bundle)]
        for key, kept in entries(settings, bundle).items():
            of_store.setdefault(kept.key, []).append(key)
        if rotated := settings.rotated_key(bundle):
            of_store[rotated_entry(settings, rotated)] = [rotated]
    return found


def has_overlap_secret(settings: Settings, bundle: str) -> bool:
    """Whether derived keys need a Secret of their own: in layout `per-key` a missing entry fails
    the whole sync, and they must never stop the bundle's own."""
    store = settings.environment.stores[settings.store_name(bundle)]
    keys = settings.catalogue.bundles[bundle].keys.values()
    return store.layout == "per-key" and any(key.overlap for key in keys)


def database_pointer(key: str) -> str:
    """The ConfigMap that says which of a database's two accounts is in use."""
    return f"{key}-active"


def database_keys(settings: Settings) -> dict[str, str]:
    """Every key that a database engine provides, with its bundle."""
    bundles = settings.catalogue.bundles if settings.environment.stores else ()
    keys = {settings.database_key(bundle): bundle for bundle in bundles}
    return {key: bundle for key, bundle in keys.items() if key}


def secrets_manager_keys(settings: Settings) -> dict[str, str]:
    """Every key that AWS Secrets Manager rotates, with its bundle."""
    bundles = settings.catalogue.bundles if settings.environment.stores else ()
    keys = {settings.rotated_key(bundle): bundle for bundle in bundles}
    return {key: bundle for key, bundle in keys.items() if key}


def database_pointers(settings: Settings) -> list[str]:
    """Every pointer of an environment."""
    return [database_pointer(key) for key in database_keys(settings)]


def database_generator(key: str, side: Side) -> str:
    """The generator that reads the password of one of a database's two accounts."""
    return f"{key}-{side}"


def pointer_content(database: PostgresDatabase, side: Side) -> str:
    """The template of the services' URL, which is all that a pointer may hold: one per side."""
    fields = ("username", "password")
    user, password = (f"{{{{ .{side}_{field} | {URL_ENCODED} }}}}" for field in fields)
    place = f"{database.host}:{database.port}/{database.name}"
    return f"postgresql://{user}:{password}@{place}?sslmode={database.ssl_mode}"


def role_binding(
    settings: Settings, name: str, component: str, subjects: list[Manifest]
) -> Manifest:
    """Binds the Role of the same name."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata(settings, name, component),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": subjects,
    }
