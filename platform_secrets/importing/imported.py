"""From manifests to a catalogue and a stack file, and a verdict on each manifest."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from platform_secrets.importing.charts import Unseen, unseen
from platform_secrets.importing.comparing import Difference, differences
from platform_secrets.importing.documents import Documents, documents
from platform_secrets.importing.existing import Existing, with_added
from platform_secrets.importing.external_secrets import wanted_secrets
from platform_secrets.importing.found import Manifest, NotTakenError, WantedSecret, mapping
from platform_secrets.importing.kustomizations import placed
from platform_secrets.importing.native_stores import store_settings, with_native_stores
from platform_secrets.importing.readers import Reader, readers
from platform_secrets.importing.roles import wide_bindings
from platform_secrets.importing.stack_file import Target
from platform_secrets.importing.wanting import wanted_of
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.settings import Document, Problem, Settings, SettingsError, load

STORES = ("SecretStore", "ClusterSecretStore")
_CATALOGUE, _STACK = "the catalogue", "the stack file"
# Of these every property can be read either way: with its whole entry, or by itself.
_EITHER_WAY = {"vault", "aws", "gcpsm", "azurekv", "kubernetes", "onepassword"}

Outcome = Literal["exact", "different", "left out"]


@dataclass(frozen=True)
class Verdict:
    """What became of one manifest."""

    manifest: Manifest
    outcome: Outcome
    details: Sequence[Difference] = ()
    """The fields that are not the same, or why it is not taken and what to do."""
    becomes: str | None = None
    """The name that its ExternalSecret gets, where that is another one."""


@dataclass(frozen=True)
class Imported:
    """The two files' contents, what of it is new, and what is said of it."""

    catalogue: dict[str, Any]
    stack: dict[str, Any]
    new_in_catalogue: dict[str, Any]
    new_in_stack: dict[str, Any]
    new_in_others: dict[str, dict[str, Any]]
    """What the stack files of other environments leave out, by file."""
    absent: Sequence[str]
    """The catalogue's bundles that a new environment does not have."""
    verdicts: list[Verdict]
    unseen: Unseen
    """What of readers no manifest tells."""
    suggestions: Mapping[tuple[str, str], str]
    """What manifests let suppose of keys, by bundle and key."""
    settings_of_stores: Mapping[str, dict[str, Any]]
    """What the stack file could say of stores of others, as stores of this program's own."""


def imported(
    manifests: Sequence[Manifest], target: Target, existing: Existing | None = None
) -> Imported:
    """What these manifests are in a catalogue and a stack file, or add to those that are there.

    What the settings refuse of it is left out, with their own message, until all of it is right.
    """
    manifests = placed(manifests)
    existing = existing or Existing()
    wanted, refused = wanted_of(manifests, target.namespace)
    verdicts = [_left_out(manifest, error) for manifest, error in refused]
    wanted = [one for one in wanted if one.place not in existing.derived]
    known = [*readers(manifests, target.namespace)]
    found, settings = _accepted(wanted, known, target, existing, verdicts)
    kinds = {_reference(one): _provider(one) for one in manifests if one.kind in STORES}
    is_any_way = lambda store: kinds.get(store) in _EITHER_WAY  # noqa: E731
    if settings is not None:
        compared = [*_compared(found, settings, is_any_way)]
        native = None if existing.stack else with_native_stores(found, manifests)
        # As one of ours a store must change nothing.
        if native and [*_compared(*native, is_any_way)] == compared:
            found = native[0]
        verdicts += compared
        for reader, service, bundles in found.missing_reads:
            why = f"it reads {', '.join(bundles)} too, which `reads` of service {service} does not "
            verdicts.append(
                Verdict(reader.source, "different", [Difference("reads", f"{why}name")])
            )
    is_taken = settings is not None
    return Imported(
        found.catalogue,
        found.stack,
        found.new_in_catalogue if is_taken else {},
        found.new_in_stack if is_taken else {},
        found.new_in_others if is_taken else {},
        found.absent if is_taken else (),
        verdicts,
        unseen(manifests, wide_bindings(manifests, target.namespace)),
        {
            (bundle, key): text
            for bundle, one in found.bundles.items()
            for key, text in one.suggestions.items()
        },
        _settings_of_stores(found, manifests),
    )


def _settings_of_stores(
    found: Documents, manifests: Sequence[Manifest]
) -> dict[str, dict[str, Any]]:
    there = {_reference(one): one for one in manifests if one.kind in STORES}
    known: dict[str, dict[str, Any]] = {}
    for name, store in mapping(found.new_in_stack.get("stores")).items():
        one = there.get((str(store.get("kind")), str(store.get("name"))))
        settings = store_settings(one, manifests) if one else None
        known |= {name: settings} if settings else {}
    return known


def _accepted(
    wanted: list[WantedSecret],
    known: list[Reader],
    target: Target,
    existing: Existing,
    verdicts: list[Verdict],
) -> tuple[Documents, Settings | None]:
    while True:
        found = documents(wanted, known, target, existing)
        for one, error in found.refused:
            verdicts.append(_left_out(one.source, error))
        if not found.bundles:
            return found, None
        stack = Document(_STACK, found.stack)
        others = [
            Document(one.file, with_added(one.document.content, found.new_in_others[one.file]))
            for one in existing.others
            if one.file in found.new_in_others
        ]
        others += [
            Document(one.file, with_added(one.document.content, found.new_in_stack))
            for one in existing.beside
        ]
        try:
            settings, *_ = load([stack, *others], Document(_CATALOGUE, found.catalogue))
            return found, settings
        except SettingsError as error:
            blamed = _blamed(found, error.problems)
            sources = {**found.services, **found.bundles}
            for name, why in blamed.items():
                copies = getattr(sources[name], "copies", ())
                verdicts += [_left_out(one, why) for one in (sources[name].source, *copies)]
            wanted = [one for name, one in found.bundles.items() if name not in blamed]
            known = [one for one in known if one not in [found.services.get(n) for n in blamed]]


def _blamed(found: Documents, problems: Iterable[Problem]) -> dict[str, NotTakenError]:
    """The bundles and services of which the problems are. Raises SettingsError where one is of
    none."""
    blamed: dict[str, NotTakenError] = {}
    for problem in problems:
        is_others = problem.file not in (_STACK, _CATALOGUE)
        names = [] if is_others else [*_bundles_at(found, problem.path)]
        if not names or not {*names} <= {*found.bundles, *found.services}:
            raise SettingsError([problem])
        field = ".".join(str(part) for part in problem.path[2:])
        for name in names:
            blamed.setdefault(name, NotTakenError(field, problem.message))
    return blamed


def _bundles_at(found: Documents, path: tuple[str | int, ...]) -> Iterator[str]:
    match path:
        case ("bundles" | "services", str(name), *_):
            yield name
        case ("namespaces", str(name), *_):
            yield from found.stack["namespaces"][name]["bundles"]
        case ("stores", str(name), *_):
            store = found.stack["stores"][name]
            reference = store["kind"], store["name"]
            yield from (each for each, one in found.bundles.items() if one.store == reference)
        case _:
            return


def _compared(
    found: Documents, settings: Settings, is_any_way: Callable[[tuple[str, str]], bool]
) -> Iterator[Verdict]:
    views = {view.namespace: view for view in settings.by_namespace}
    worst: dict[int, tuple[Manifest, list[Difference], str | None]] = {}
    for name, before in found.bundles.items():
        is_left_out = name not in settings.catalogue.bundles
        if is_left_out or settings.environment.secrets == "basic":
            why = _kept_back(name, before, is_left_out)
            for source in (before.source, *before.copies):
                yield Verdict(source, "different", [why])
            continue
        if before.is_plain:
            yield Verdict(before.source, "exact")
            continue
        is_renamed = before.external_secret != before.secret
        first = before.source, list[Difference](), before.secret if is_renamed else None
        _, details, _ = worst.setdefault(id(before.source), first)
        for copy in before.copies:
            worst[id(copy)] = copy, details, first[2]
        rendered = external_secret_manifests(views[before.namespace], name)[0]
        try:
            [after] = wanted_secrets(Manifest(rendered, "", 0), before.namespace)
            details += differences(before, after, is_any_way)
            details += [Difference(*note) for note in before.notes]
        except NotTakenError as error:
            why = f"the bundle {name} does more than an import can compare: {error.why}"
            details.append(Difference(error.field, why))
    for manifest, details, becomes in worst.values():
        told = [*dict.fromkeys(details)]
        yield Verdict(manifest, "different" if told else "exact", told, becomes)


_NO_STORE = {
    "ExternalSecret": "its values are a generator's",
    "SecretProviderClass": "a CSI driver makes it",
}


def _kept_back(bundle: str, before: WantedSecret, is_left_out: bool) -> Difference:
    migrate = f"`secretsctl migrate {bundle}` (docs/migrating.md)"
    if not is_left_out:
        why = "its values are taken from secrets.env: fill them in (secretsctl example); or, in an "
        why += f"environment with a store, have them taken from the cluster by {migrate}"
    elif before.is_plain:
        why = _NO_STORE.get(before.source.kind, "its values are in no store")
        why += ", so the stack file leaves its bundle out (`without`). "
        why += "Once a store of yours is to have them, take it out of there, name the store in "
        why += f"`bundles`, and {migrate} copies them"
    else:
        why = "the stack file leaves its bundle out (`without`): remove it from there, and say "
        why += "in `bundles` where its values are"
    return Difference("data", why)


def _left_out(manifest: Manifest, error: NotTakenError) -> Verdict:
    return Verdict(manifest, "left out", [Difference(error.field, error.why)])


def _reference(store: Manifest) -> tuple[str, str]:
    return store.kind, store.name


def _provider(store: Manifest) -> str:
    return next(iter(mapping(store.spec.get("provider"))), "")
