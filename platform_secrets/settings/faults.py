"""What does not go together within a stack, and between a stack and its catalogue."""

import re
from collections.abc import Iterator
from datetime import timedelta

from platform_secrets.settings.any_store import SECRET_STORE_SUFFIXES
from platform_secrets.settings.environment import Environment
from platform_secrets.settings.limits import limit_faults
from platform_secrets.settings.migration_faults import migration_faults
from platform_secrets.settings.namespace_faults import namespace_faults
from platform_secrets.settings.place_faults import place_faults
from platform_secrets.settings.problems import did_you_mean, listed
from platform_secrets.settings.references import Fault
from platform_secrets.settings.resolved import Settings
from platform_secrets.settings.rotator import AGE_CHECK, ROTATION
from platform_secrets.settings.stores import Store
from platform_secrets.settings.token_faults import token_faults
from platform_secrets.settings.vault_server import VaultServer


def stack_faults(env: Environment) -> Iterator[Fault]:
    if env.secrets == "basic":
        for key, is_set in (
            ("stores", env.stores),
            ("bundles", env.bundles),
            ("default-store", env.default_store),
            ("vault-server", env.vault_server),
            ("migrating", env.migrating),
            ("monitoring", env.monitoring),
            ("refuse-deletion", env.refuse_deletion),
            ("operator-scope", env.operator_scope == "namespace"),
            ("admission", env.admission),
        ):
            if is_set:
                yield (key,), "has no meaning with `secrets: basic`; remove it"
    elif not env.stores:
        yield ("stores",), "at least one store is needed, or `secrets: basic`"
    elif env.operator is None:
        yield ("operator",), "is missing; allowed: install, existing"
    elif env.operator == "existing":
        for key, is_set in (
            ("operator-scope", env.operator_scope == "namespace"),
            ("operator-crds", env.operator_crds == "existing"),
        ):
            if is_set:
                yield (key,), "is up to whoever installs the operator: it needs `operator: install`"
    elif env.operator_scope == "namespace":
        yield from _scope_faults(env)
    if env.operator == "install" and (fault := env.chart.fault):
        yield ("chart", "version"), fault
    if env.refuse_deletion and not env.protect:
        yield ("refuse-deletion",), "is for what is protected: it needs `protect: true`"
    if env.delivery == "gitops":
        message = "is for `delivery: pulumi`; name a repository for GitOps"
        if env.chart.path:
            yield ("chart", "path"), message
        if env.vault_server and env.vault_server.chart.path:
            yield ("vault-server", "chart", "path"), message
    others = env.gitops.environments if env.gitops else []
    for place, name in enumerate(others):
        if name in (env.environment, *others[:place]):
            yield ("gitops", "environments", place), "is there already"
    if env.delivery == "gitops" and env.gitops is None:
        yield ("gitops",), "is missing: `delivery: gitops` needs the repository's address"


def _scope_faults(env: Environment) -> Iterator[Fault]:
    """Where an operator serves the environment's own namespace alone."""
    right = "or `operator-scope: cluster`"
    if "operator_namespace" not in env.model_fields_set:
        message = "is missing: with `operator-scope: namespace` each operator has one of its own"
        yield ("operator-namespace",), f"{message}, such as external-secrets-{env.environment}"
    if env.namespaces:
        message = "would be served by nobody: the operator serves one namespace; right: an"
        yield ("namespaces",), f"{message} environment for each of them, {right}"
    for name, store in env.stores.items():
        if store.is_cluster_wide:
            message = "is a ClusterSecretStore, which an operator of one namespace can't read"
            yield ("stores", name, "kind"), f"{message}; right: a SecretStore of others, {right}"


def cross_faults(settings: Settings) -> Iterator[Fault]:
    env, stores = settings.environment, settings.environment.stores
    bundles = settings.catalogue.bundles
    if settings.namespace == env.operator_namespace:
        yield ("operator-namespace",), "is the environment's own namespace; it has one of its own"
    if env.secrets == "basic":
        for name in [one for one, content in bundles.items() if content.whole_entry]:
            message = f"{name} has a whole entry, and basic Secrets have none"
            yield ("without", "bundles"), f"{message}: leave it out here"
        yield from namespace_faults(settings)
        return
    for name in env.bundles:
        if name not in bundles:
            hint = did_you_mean(name, bundles)
            message = f"no such bundle in the catalogue{hint}; it has: {listed(bundles)}"
            yield ("bundles", name), message
    placed = {name for name, place in env.bundles.items() if place.store}
    if settings.default_store is None and not set(bundles) <= placed:
        yield ("default-store",), f"is missing; it is one of: {listed(stores)}"
        return
    taken = (ROTATION, AGE_CHECK) if settings.has_rotation else ()
    for name, service in settings.catalogue.services.items():
        if service.account in taken:
            yield (), f"the rotator's ServiceAccount and the one of service {name} have one name"
    for name, store in stores.items():
        yield from _store_faults(settings, name, store)
    is_writable = any(not (store.is_others or store.outputs) for store in stores.values())
    if env.seeding and not is_writable:
        yield ("seeding",), "has nothing to write: every store here is others', or of tokens"
    yield from namespace_faults(settings)
    yield from place_faults(settings)
    yield from limit_faults(settings)
    yield from migration_faults(settings)
    if env.vault_server:
        yield from _server_faults(settings, env.vault_server)


def _store_faults(settings: Settings, name: str, store: Store) -> Iterator[Fault]:
    path = ("stores", name)
    identities = {view.namespace: view.identities(name) for view in settings.by_namespace}
    for inner, message in store.faults(identities, protect=settings.environment.protect):
        yield (*path, *inner), message
    if store.outputs:
        yield from token_faults(settings, name)
    if store.engine or store.rotated_database:
        yield from _database_faults(settings, name)
    if store.declares_backend and store.rotated_database:
        yield from _schedule_faults(settings, name, store.rotated_database.schedule)
    if not settings.bundles_in(name):
        yield path, "holds no bundle; remove it, or place a bundle in it"
    suffixes = () if store.is_others else SECRET_STORE_SUFFIXES.values()
    accounts = {f"{name}-{suffix}" for suffix in suffixes}
    for service, content in settings.catalogue.services.items():
        if content.account in accounts:
            yield path, f"its ServiceAccounts and the one of service {service} have one name"
    for view, identity in settings.all_identities(name):
        length = len(view.identity_name(name, identity))
        most = store.longest_identity_name or length
        if length > most:
            message = f"the {identity} identity's name has {length} characters"
            yield path, f"{message}; {store.provider} allows {most}"


def _database_faults(settings: Settings, store: str) -> Iterator[Fault]:
    bundles, config = settings.bundles_in(store), settings.environment.stores[store]
    is_whole_in_aws = config.rotated_database and config.layout == "bundle"
    found = {
        name: key
        for bundle in bundles.values()
        for name, key in bundle.keys.items()
        if key.is_of_database
    }
    if len(found) != 1:
        message = f"needs one key with `by: database` in its bundles; there are: {listed(found)}"
        yield ("stores", store, "database"), message
    elif [key for key in found.values() if key.format != "postgres-url"]:
        message = f"provides a PostgreSQL URL; {listed(found)} needs `format: postgres-url`"
        yield ("stores", store, "database"), message
    elif is_whole_in_aws and bundles.keys() & {key.id for key in found.values()}:
        yield ("stores", store, "database"), f"{listed(found)} and a bundle have one name"


def _server_faults(settings: Settings, server: VaultServer) -> Iterator[Fault]:
    env = settings.environment
    if server.namespace in (settings.namespace, env.operator_namespace):
        yield ("vault-server", "namespace"), "is in use by another part; the servers have their own"
    for name, store in env.stores.items():
        if server.product == "openbao" and store.makes_audit_device_on(server.host):
            message = "OpenBao's audit device is in its configuration; here: existing"
            yield ("stores", name, "audit"), message


def _schedule_faults(settings: Settings, store: str, schedule: str | None) -> Iterator[Fault]:
    """A cron expression's own interval is not computed."""
    path, every = ("stores", store, "database", "schedule"), settings.database_rotation(store)
    match = re.fullmatch(r"rate\(([0-9]+) (hours|days)\)", schedule or "")
    if every is None:
        return
    if schedule is None and (every % timedelta(days=1) or every.days > 1000):
        yield path, "is missing: the catalogue's `every` is not 1 to 1000 whole days"
    if match and timedelta(**{match[2]: int(match[1])}) > every:
        yield path, "is rarer than the catalogue's `every`"
