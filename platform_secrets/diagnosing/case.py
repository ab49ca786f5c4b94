"""What every check is given, and what it says."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

from platform_secrets.describing.secret_contents import HeldSecret, held_secrets
from platform_secrets.diagnosing.rotating import is_rotating
from platform_secrets.diagnosing.snapshot import Snapshot, condition
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import kept


class At(NamedTuple):
    """An object in the cluster."""

    kind: str
    namespace: str
    """Empty for one of the whole cluster."""
    name: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, "/".join(filter(None, self[1:])))))


def at(manifest: Manifest) -> At:
    """Which object a manifest is."""
    metadata = manifest["metadata"]
    return At(manifest["kind"], metadata.get("namespace") or "", metadata["name"])


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or that somebody should know."""

    check: str
    """The check's id, which is a heading of docs/troubleshooting.md."""
    at: At
    what: str
    step: str
    """What to do next, with the command."""
    key: str = ""
    """As bundle/key, where it is about one."""
    is_fault: bool = True


@dataclass(frozen=True)
class Case:
    """An environment as its settings want it, and as it was found."""

    settings: Settings
    snapshot: Snapshot
    log: tuple[str, ...] = ()
    """The operator's newest lines, where they could be read."""
    refusal: str = ""
    """What the API server said to a try to change an ExternalSecret, where it refused it."""

    @cached_property
    def declared(self) -> dict[At, Manifest]:
        """Every object that the settings declare."""
        # The rotator's program, whose name is its digest, is not among what is asked for here.
        return {at(one): one for wave in waves(self.settings, {}) for one in wave.objects}

    def declared_of(
        self, *kinds: str, component: str | None = None
    ) -> Iterator[tuple[At, Manifest]]:
        """Those of some kinds, of one part of the layer or of all."""
        for place, one in self.declared.items():
            labels = one["metadata"].get("labels", {})
            if place.kind in kinds and component in (
                None,
                labels.get("app.kubernetes.io/component"),
            ):
                yield place, one

    def live(self, place: At) -> Manifest | None:
        """The object as it was found."""
        return self.snapshot.get(*place)

    def is_missing(self, place: At) -> bool:
        """Whether it is not there; what could not be looked at is not missing."""
        return self.snapshot.is_missing(*place)

    @cached_property
    def secrets(self) -> dict[At, HeldSecret]:
        """Every Secret that the settings ask for."""
        found = held_secrets(self.settings).items()
        return {At("Secret", *address.split("/")): held for address, held in found}

    @cached_property
    def readers(self) -> dict[At, list[str]]:
        """Every workload that reads, with its bundles."""
        found: dict[At, list[str]] = {}
        for view in self.settings.by_namespace:
            for service in view.services.values():
                for one in service.all_workloads if service.reads else ():
                    kind, _, name = one.partition("/")
                    found.setdefault(At(kind, view.namespace, name), []).extend(service.reads)
        return found

    @cached_property
    def used_kinds(self) -> set[str]:
        """The kinds that the environment has to do with."""
        stores = self.settings.environment.stores
        others = {str(provider_of(one).reference(name)["kind"]) for name, one in stores.items()}
        of_jobs = {"Job"} if self.settings.has_rotation else set[str]()
        return {place.kind for place in (*self.declared, *self.readers)} | others | of_jobs

    @cached_property
    def is_rotating(self) -> bool:
        """Whether values are being changed and readers restarted now."""
        return is_rotating(self.settings, self.snapshot)

    @cached_property
    def events(self) -> dict[At, list[Manifest]]:
        """The warnings about each object, the newest first."""
        found: dict[At, list[Manifest]] = {}
        for one in self.snapshot.of("Event"):
            about = one.get("involvedObject") or one.get("regarding") or {}
            if one.get("type") == "Warning":
                place = At(about.get("kind", ""), about.get("namespace", ""), about.get("name", ""))
                found.setdefault(place, []).append(one)
        for some in found.values():
            some.sort(key=_happened, reverse=True)
        return found

    def seconds_since(self, text: str | None) -> float | None:
        """How long before the snapshot a moment was, in Kubernetes' spelling."""
        when = moment(text)
        return None if when is None else (self.snapshot.taken_at - when).total_seconds()

    @cached_property
    def bundle_of(self) -> dict[At, str]:
        """Every ExternalSecret that is declared, with its bundle."""
        return {
            At("ExternalSecret", view.namespace, one["metadata"]["name"]): bundle
            for view in self.settings.by_namespace
            for bundle in (view.bundles if view.environment.stores else ())
            for one in external_secret_manifests(view, bundle)
        }

    def is_younger(self, live: Manifest, seconds: float) -> bool:
        """Whether an object was made so few seconds before the snapshot."""
        age = self.seconds_since(live["metadata"].get("creationTimestamp"))
        return age is not None and age < seconds

    def keys_of(self, bundle: str) -> list[str]:
        """The keys of a bundle that people put in, as bundle/key."""
        return list(
            dict.fromkeys(
                f"{bundle}/{one.key}" for one in kept(self.settings, bundle) if not one.is_borrowed
            )
        )

    def view(self, namespace: str) -> Settings:
        """What the environment has in one of its namespaces."""
        found = (one for one in self.settings.by_namespace if one.namespace == namespace)
        return next(found, self.settings)

    @property
    def apply(self) -> str:
        """How what is declared comes into the cluster."""
        env = self.settings.environment
        if env.delivery == "gitops":
            return "have Argo CD or Flux apply the environment again"
        return f"apply the environment again: `pulumi up --stack {env.environment}`"

    @property
    def env(self) -> str:
        """The option by which a command is told the environment."""
        return f"--env {self.settings.environment.environment}"


def ready(obj: Manifest | None) -> Manifest | None:
    """An object's condition Ready."""
    return condition(obj, "Ready")


def moment(text: object) -> datetime | None:
    """A moment in Kubernetes' spelling; None for what is none."""
    try:
        read = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _happened(event: Manifest) -> datetime:
    series = event.get("series") or {}
    for text in (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    ):
        if when := moment(text):
            return when
    return datetime.min.replace(tzinfo=UTC)


def differences(declared: object, live: object, path: str = "") -> Iterator[str]:
    """The fields that are declared and are not so in what was found; it may have more fields."""
    if isinstance(declared, dict) and isinstance(live, dict):
        for name, content in declared.items():
            yield from differences(content, live.get(name), f"{path}.{name}" if path else name)
    elif isinstance(declared, list) and isinstance(live, list) and len(declared) == len(live):
        for number, (one, other) in enumerate(zip(declared, live, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif declared != live and (declared or live):
        yield path


def changed_rights(declared: Manifest, live: Manifest) -> Iterator[str]:
    """The parts of a Role, a binding or the like that are not as declared, in whatever order."""
    for part in ("rules", "roleRef", "subjects"):
        if part in declared:
            yield from differences(_ordered(declared[part]), _ordered(live.get(part)), part)


def _ordered(part: Any) -> Any:
    """The same with each list in one order; the API server adds `apiGroup` to a subject."""
    if isinstance(part, dict):
        return {name: _ordered(one) for name, one in part.items()}  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(part, list):
        return part
    found: list[Any] = [_ordered(one) for one in part]  # pyright: ignore[reportUnknownVariableType]
    return sorted(found, key=_words)


def _words(one: Any) -> str:
    if not isinstance(one, dict):
        return str(one)
    return str(sorted((name, each) for name, each in one.items() if name != "apiGroup"))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
