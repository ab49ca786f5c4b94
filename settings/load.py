"""From two documents to one checked `Settings`: first each alone, then both together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from pydantic import ValidationError

from settings.catalogue import Bundle, Catalogue
from settings.documents import Document
from settings.environment import Environment
from settings.explain import explained
from settings.model import Model
from settings.problems import Problem, SettingsError
from settings.references import Fault, catalogue_faults, listed, store_faults
from settings.stores import (
    SECRET_STORE_SUFFIXES,
    AwsStore,
    AzureStore,
    Identity,
    ProviderHalf,
    Store,
    VaultStore,
)

_Model = TypeVar("_Model", bound=Model)
# Google: a service account's ID; AWS: an IAM role's name.
_LONGEST_IDENTITY_NAME = {"gcp": 30, "aws": 64}


@dataclass(frozen=True)
class Settings:
    """One environment of one platform; the only thing that the rest of the program takes."""

    catalogue: Catalogue
    environment: Environment
    stack_file: str
    """The file's name, for messages."""

    @property
    def namespace(self) -> str:
        env = self.environment
        return env.namespace_name or f"{self.catalogue.platform}-{env.environment}"

    @cached_property
    def default_store(self) -> str | None:
        names = list(self.environment.stores)
        return self.environment.default_store or (names[0] if len(names) == 1 else None)

    def store_name(self, bundle: str) -> str:
        """The store that holds a bundle. Only for `secrets: external`."""
        place = self.environment.bundles.get(bundle)
        name = place.store if place else self.default_store
        if name is None:
            raise LookupError("basic Secrets have no store")
        return name

    def identity_name(self, store: str, identity: Identity) -> str:
        """What the provider calls an identity: a Vault role, an IAM role, a service account.

        A store that is not called after its provider is told apart by two hyphens, which no
        environment's name holds: else `production` with store `eu` were `production-eu`.
        """
        env, platform = self.environment, self.catalogue.platform
        own_name = "" if store == env.stores[store].provider else f"-{store}-"
        return f"{platform}-{env.environment}-{own_name}{identity}"

    def bundles_in(self, store: str) -> dict[str, Bundle]:
        """The bundles that a store holds."""
        return {
            name: bundle
            for name, bundle in self.catalogue.bundles.items()
            if self.store_name(name) == store
        }

    def identities(self, store: str) -> list[Identity]:
        """Who acts on a store: readers always, the rotator and the seeder where they have work."""
        identities: list[Identity] = ["read"]
        generated = any(
            key.is_generated
            for bundle in self.bundles_in(store).values()
            for key in bundle.keys.values()
        )
        if generated and self.environment.rotation == "leader":
            identities.append("rotation")
        if self.environment.seeding == "enabled":
            identities.append("seed")
        return identities


def load(stacks: Sequence[Document], catalogue: Document) -> list[Settings]:
    """Each stack's checked settings. Raises SettingsError with all that is wrong in any file."""
    problems: list[Problem] = []
    parsed: Catalogue | None = None
    try:
        parsed = load_catalogue(catalogue)
    except SettingsError as error:
        problems += error.problems
    found = []
    for stack in stacks:
        env = _parsed(Environment, stack, problems)
        faults = [*store_faults(stack.content), *(_stack_faults(env) if env else ())]
        if parsed and env and not faults:
            settings = Settings(parsed, env, stack.file)
            faults = [*_cross_faults(settings)]
            found.append(settings)
        problems += [stack.problem(*fault) for fault in faults]
    if problems:
        raise SettingsError(problems)
    return found


def load_catalogue(document: Document) -> Catalogue:
    """The checked catalogue alone. Raises SettingsError with all that is wrong in it."""
    problems: list[Problem] = []
    parsed = _parsed(Catalogue, document, problems)
    problems += [document.problem(*fault) for fault in catalogue_faults(document.content)]
    if parsed is None or problems:
        raise SettingsError(problems)
    return parsed


def _parsed(model: type[_Model], document: Document, problems: list[Problem]) -> _Model | None:
    problems += document.problems
    if document.content is None and document.problems:
        return None
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        # A value that could not be read is already a problem, with a better message.
        known = {problem.path for problem in document.problems}
        found = [explained(model, one) for one in error.errors(include_url=False)]
        problems += [document.problem(path, text) for path, text in found if path not in known]
        return None


def _stack_faults(env: Environment) -> Iterator[Fault]:
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


def _cross_faults(settings: Settings) -> Iterator[Fault]:
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
    for name, store in stores.items():
        yield from _store_faults(settings, name, store)


def _store_faults(settings: Settings, name: str, store: Store) -> Iterator[Fault]:
    path = ("stores", name)
    if isinstance(store, ProviderHalf) and store.shared == "own" and store.backend != "declare":
        yield (*path, "shared"), "`own` needs `backend: declare`"
    if isinstance(store, VaultStore) and store.needs_issuer and store.cluster_issuer is None:
        yield (*path, "cluster-issuer"), "is missing: Vault trusts the tokens of this issuer"
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


def _aws_faults(store: AwsStore, path: tuple[str, str], is_protected: bool) -> Iterator[Fault]:
    days = store.recovery_window_days
    if store.oidc_issuer is None:
        yield (*path, "oidc-issuer"), "is missing: the roles trust the tokens of this issuer"
    if 0 < days < 7:
        yield (*path, "recovery-window-days"), "must be 0, or 7 to 30"
    if days == 0 and is_protected:
        yield (*path, "recovery-window-days"), "0 needs `protect: false`"
