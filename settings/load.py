"""From two documents to one checked `Settings`: first each alone, then both together."""

from collections import Counter
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
from settings.problems import Path, Problem, SettingsError
from settings.stores import AwsStore, AzureStore, GcpStore, Identity, Store

_Model = TypeVar("_Model", bound=Model)
Fault = tuple[Path, str]


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
        """What the provider calls an identity: a Vault role, an IAM role, a service account."""
        env, platform = self.environment, self.catalogue.platform
        several = store != env.stores[store].provider
        parts = [platform, env.environment, *([store] if several else []), identity]
        return "-".join(parts)

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
        if env is None:
            continue
        faults = [*_stack_faults(env)]
        if parsed and not faults:
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
    if parsed:
        problems += [document.problem(*fault) for fault in _catalogue_faults(parsed)]
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


def _catalogue_faults(catalogue: Catalogue) -> Iterator[Fault]:
    bundles = catalogue.bundles
    secrets = Counter(bundle.secret for bundle in bundles.values())
    keys = Counter(key for bundle in bundles.values() for key in bundle.keys)
    accounts = Counter(service.account for service in catalogue.services.values())
    workloads = Counter(service.workload for service in catalogue.services.values())
    for name, bundle in bundles.items():
        if secrets[bundle.secret] > 1:
            yield ("bundles", name, "secret"), "two bundles make a Secret of this name"
        for key in bundle.keys:
            if keys[key] > 1:
                yield ("bundles", name, "keys", key), "is in two bundles; a key's name is unique"
    for name, service in catalogue.services.items():
        for place, read in enumerate(service.reads):
            path = ("services", name, "reads", place)
            if read not in bundles:
                yield path, f"no such bundle; there are: {_listed(bundles)}"
            elif read in service.reads[:place]:
                yield path, "is there twice"
        if accounts[service.account] > 1:
            yield ("services", name), "two services use one ServiceAccount; each has its own"
        if workloads[service.workload] > 1:
            yield ("services", name, "workload"), "two services name this workload"


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
    if env.secrets == "basic":
        return
    declared = f"no such store; declared: {_listed(stores)}"
    if env.default_store and env.default_store not in stores:
        yield ("default-store",), declared
    for name, place in env.bundles.items():
        if name not in settings.catalogue.bundles:
            message = (
                f"no such bundle in the catalogue; there are: {_listed(settings.catalogue.bundles)}"
            )
            yield ("bundles", name), message
        if place.store not in stores:
            yield ("bundles", name, "store"), declared
    unplaced = [name for name in settings.catalogue.bundles if name not in env.bundles]
    if unplaced and settings.default_store is None:
        yield ("default-store",), f"is missing; it is one of: {_listed(stores)}"
        return
    used = {settings.store_name(bundle) for bundle in settings.catalogue.bundles}
    if not used <= set(stores):
        return
    for name, store in stores.items():
        yield from _store_faults(settings, name, store)


def _store_faults(settings: Settings, name: str, store: Store) -> Iterator[Fault]:
    if not settings.bundles_in(name):
        yield ("stores", name), "holds no bundle; remove it, or place a bundle in it"
    limit = 30 if isinstance(store, GcpStore) else 64 if isinstance(store, AwsStore) else None
    for identity in settings.identities(name):
        identity_name = settings.identity_name(name, identity)
        if limit and len(identity_name) > limit:
            length = f"{identity_name!r} has {len(identity_name)} characters"
            yield ("stores", name), f"{length}; {store.provider} allows {limit}"
    if isinstance(store, AzureStore):
        for identity in settings.identities(name):
            if getattr(store.client_ids, identity) is None:
                path = ("stores", name, "client-ids", identity)
                yield path, f"is missing: the {identity} identity needs its client ID"


def _listed(names: object) -> str:
    return ", ".join(sorted(names)) or "none"  # type: ignore[call-overload]
