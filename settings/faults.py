"""What does not go together within a stack, and between a stack and its catalogue."""

from collections.abc import Iterator

from settings.environment import Environment
from settings.references import Fault, listed
from settings.resolved import Settings
from settings.rotator import AGE_CHECK, ROTATION
from settings.stores import (
    SECRET_STORE_SUFFIXES,
    AwsStore,
    AzureStore,
    ProviderHalf,
    Store,
    VaultStore,
)

# Google: a service account's ID; AWS: an IAM role's name.
_LONGEST_IDENTITY_NAME = {"gcp": 30, "aws": 64}


def stack_faults(env: Environment) -> Iterator[Fault]:
    if env.secrets == "basic":
        for key, is_set in (("stores", env.stores), ("bundles", env.bundles)):
            if is_set:
                yield (key,), "has no meaning with `secrets: basic`; remove it"
        if env.default_store:
            yield ("default-store",), "has no meaning with `secrets: basic`; remove it"
    elif not env.stores:
        yield ("stores",), "at least one store is needed, or `secrets: basic`"
    elif env.operator is None:
        yield ("operator",), "is missing; allowed: install, existing"
    if env.chart.path and env.delivery == "gitops":
        yield ("chart", "path"), "is for `delivery: pulumi`; name a repository for GitOps"
    if env.delivery == "gitops" and env.gitops is None:
        yield ("gitops",), "is missing: `delivery: gitops` needs the repository's address"


def cross_faults(settings: Settings) -> Iterator[Fault]:
    env, stores = settings.environment, settings.environment.stores
    bundles = settings.catalogue.bundles
    if settings.namespace == env.operator_namespace:
        yield ("operator-namespace",), "is the environment's own namespace; it has one of its own"
    if env.secrets == "basic":
        return
    for name in env.bundles:
        if name not in bundles:
            yield ("bundles", name), f"no such bundle in the catalogue; it has: {listed(bundles)}"
    if settings.default_store is None and not set(bundles) <= set(env.bundles):
        yield ("default-store",), f"is missing; it is one of: {listed(stores)}"
        return
    for name, service in settings.catalogue.services.items():
        if settings.has_rotation and service.account in (ROTATION, AGE_CHECK):
            yield (), f"the rotator's ServiceAccount and the one of service {name} have one name"
    for name, store in stores.items():
        yield from _store_faults(settings, name, store)


def _store_faults(settings: Settings, name: str, store: Store) -> Iterator[Fault]:
    path = ("stores", name)
    if isinstance(store, ProviderHalf) and store.shared == "own" and store.backend != "declare":
        yield (*path, "shared"), "`own` needs `backend: declare`"
    if isinstance(store, VaultStore) and store.needs_issuer and store.cluster_issuer is None:
        yield (*path, "cluster-issuer"), "is missing: Vault trusts the tokens of this issuer"
    if isinstance(store, VaultStore) and store.database:
        yield from _database_faults(settings, name)
    if isinstance(store, AzureStore):
        for setting in store.missing:
            yield (*path, setting), "is missing: `backend: declare` needs it"
        if store.shared == "own":
            yield (*path, "shared"), "has no meaning with Azure: each environment has its own vault"
    if isinstance(store, AwsStore) and store.backend == "declare":
        yield from _aws_faults(store, path, settings.environment.protect)
    if not settings.bundles_in(name):
        yield path, "holds no bundle; remove it, or place a bundle in it"
    accounts = {f"{name}-{suffix}" for suffix in SECRET_STORE_SUFFIXES.values()}
    for service, content in settings.catalogue.services.items():
        if content.account in accounts:
            yield path, f"its ServiceAccounts and the one of service {service} have one name"
    for identity in settings.identities(name):
        length = len(settings.identity_name(name, identity))
        most = _LONGEST_IDENTITY_NAME.get(store.provider, length)
        if length > most:
            message = f"the {identity} identity's name has {length} characters"
            yield path, f"{message}; {store.provider} allows {most}"
        if isinstance(store, AzureStore) and getattr(store.client_ids, identity) is None:
            message = f"is missing: the {identity} identity needs its client ID"
            yield (*path, "client-ids", identity), message


def _database_faults(settings: Settings, store: str) -> Iterator[Fault]:
    bundles = settings.bundles_in(store).values()
    found = {
        name: key for bundle in bundles for name, key in bundle.keys.items() if key.is_of_database
    }
    if len(found) != 1:
        message = f"needs one key with `by: database` in its bundles; there are: {listed(found)}"
        yield ("stores", store, "database"), message
    elif [key for key in found.values() if key.format != "postgres-url"]:
        message = f"provides a PostgreSQL URL; {listed(found)} needs `format: postgres-url`"
        yield ("stores", store, "database"), message


def _aws_faults(store: AwsStore, path: tuple[str, str], is_protected: bool) -> Iterator[Fault]:
    days = store.recovery_window_days
    if store.oidc_issuer is None:
        yield (*path, "oidc-issuer"), "is missing: the roles trust the tokens of this issuer"
    if 0 < days < 7:
        yield (*path, "recovery-window-days"), "must be 0, or 7 to 30"
    if days == 0 and is_protected:
        yield (*path, "recovery-window-days"), "0 needs `protect: false`"
