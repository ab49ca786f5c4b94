"""A catalogue and a stack file that are there already: what they call things, and what is new.
Nothing that they say is changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from platform_secrets.importing.found import WantedSecret, mapping, sequence
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import Document, Settings, load

Place = tuple[str, str]


@dataclass(frozen=True)
class OtherStack:
    """Another stack of the catalogue."""

    document: Document
    settings: Settings

    @property
    def file(self) -> str:
        return self.document.file

    @property
    def environment(self) -> str:
        return self.settings.environment.environment

    @property
    def left_out(self) -> list[str]:
        """The bundles that its stack file leaves out."""
        return self.settings.environment.without.bundles

    def namespace_of(self, bundle: str) -> str:
        return self.settings.namespace_of(bundle)


@dataclass(frozen=True)
class Existing:
    """The files' contents, the stack file's empty for a new environment, and the names in them of
    Secrets, given by namespace and name, and of stores, given by kind and name."""

    catalogue: Mapping[str, Any] = field(default_factory=dict)
    stack: Mapping[str, Any] = field(default_factory=dict)
    bundles: Mapping[Place, str] = field(default_factory=dict)
    stores: Mapping[tuple[str, str], str] = field(default_factory=dict)
    derived: frozenset[Place] = frozenset()
    """Secrets that are made beside a bundle's."""
    own_namespace: str | None = None
    is_basic: bool = False
    others: Sequence[OtherStack] = ()
    """Those of other environments."""
    beside: Sequence[OtherStack] = ()
    """Those of the same environment: one stack leads its rotation, the others follow."""

    @property
    def left_out(self) -> list[str]:
        """The bundles that the stack file leaves out."""
        return sequence(mapping(self.stack.get("without")).get("bundles"))

    def bundle_names(self, wanted: Iterable[WantedSecret]) -> dict[Place, str]:
        """The bundles that these Secrets are already."""
        return {one.place: self.bundles[one.place] for one in wanted if one.place in self.bundles}

    def service_name(self, namespace: str, workload: str) -> str | None:
        """The service that a workload is already."""
        return self._services.get((namespace, workload)) or self._services.get(("", workload))

    @cached_property
    def _services(self) -> dict[tuple[str, str], str]:
        """Each by its namespace, if its bundles tell that, and workload."""
        spaces = {name: space for (space, _), name in self.bundles.items()}
        found: dict[tuple[str, str], str] = {}
        for name, service in mapping(self.catalogue.get("services")).items():
            for workload in (service.get("workload"), *sequence(service.get("workloads"))):
                for read in sequence(service.get("reads")):
                    found[spaces.get(read, ""), workload] = name
        return found


def existing(
    stack: Document | None, catalogue: Document, others: Sequence[Document] = ()
) -> Existing:
    """What these files say; without a stack file, for a new environment. Raises SettingsError with
    all that is wrong in them."""
    documents = [*([stack] if stack else []), *others]
    found = load(documents, catalogue)
    pairs = [*zip(documents, found, strict=True)][len(documents) - len(others) :]
    there = [OtherStack(document, settings) for document, settings in pairs]
    if stack is None:
        return Existing(mapping(catalogue.content), others=there)
    settings, own = found[0], found[0].environment.environment
    is_basic = settings.environment.secrets == "basic"
    bundles: dict[Place, str] = {}
    derived: set[Place] = set()
    stores: dict[tuple[str, str], str] = {}
    for view in settings.by_namespace:
        for name, bundle in view.bundles.items():
            bundles[view.namespace, bundle.secret] = name
            if is_basic:
                continue
            stores[_store(view, name)] = view.store_name(name)
            for manifest in external_secret_manifests(view, name):
                secret = manifest["spec"]["target"]["name"]
                if secret != bundle.secret:
                    derived.add((view.namespace, secret))
    for name in settings.environment.without.bundles:
        secret = mapping(catalogue.content)["bundles"][name]["secret"]
        bundles.setdefault((settings.namespace_of(name), secret), name)
    for name, store in settings.environment.stores.items():
        reference = provider_of(store).reference(name)
        stores.setdefault((reference["kind"], reference["name"]), name)
    return Existing(
        mapping(catalogue.content),
        mapping(stack.content),
        bundles,
        stores,
        frozenset(derived),
        settings.own_namespace,
        is_basic,
        [one for one in there if one.environment != own],
        [one for one in there if one.environment == own],
    )


def _store(settings: Settings, bundle: str) -> tuple[str, str]:
    store = settings.store_name(bundle)
    reference = provider_of(settings.environment.stores[store]).reference(store)
    return reference["kind"], reference["name"]


def with_added(there: Any, added: Any) -> Any:
    """What is there with what is new: entries of mappings, and items of lists."""
    if isinstance(there, Mapping) and isinstance(added, Mapping):
        merged = dict(there)
        for name, value in added.items():
            merged[name] = with_added(there[name], value) if name in there else value
        return merged
    if isinstance(there, list) and isinstance(added, list):
        return [*there, *added]
    return there
