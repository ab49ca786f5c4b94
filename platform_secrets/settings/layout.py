"""The plan of each key, made once: what kind it is, where its values are kept, who reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from platform_secrets.settings.entries import Entry, Kept, kept
from platform_secrets.settings.key import Key
from platform_secrets.settings.resolved import Settings


class Kind(Enum):
    """Who changes a key's value."""

    GENERATED = "generate"
    """The rotator: the operator makes it."""
    ENGINE = "database"
    """Vault's database engine, when the rotator asks for it."""
    SECRETS_MANAGER = "aws"
    """AWS Secrets Manager, when the rotator asks for it."""
    BY_HAND = "hand"
    """People; its age is watched."""
    PLAIN = "plain"
    """People; nobody watches it."""
    ISSUED = "issued"
    """Whoever issues it, each time the operator asks."""
    BORROWED = "same-as"
    """Whoever changes the key whose value it has."""

    @property
    def is_rotated(self) -> bool:
        """Whether the rotator changes it, rather than only looks at its age."""
        return self in (Kind.GENERATED, Kind.ENGINE, Kind.SECRETS_MANAGER)


@dataclass(frozen=True)
class PlannedKey:
    """One key of one environment with stores."""

    bundle: str
    name: str
    id: str
    """What its objects and its entry in the memory are called after."""
    key: Key
    kind: Kind
    store: str
    secret: str
    overlap_secret: str | None
    """The Secret with its derived keys, where they can't be in `secret`."""
    bundles: dict[str, str]
    """The bundles whose Secrets have its value, each with its name there: its own bundle first, and
    those that borrow it."""
    readers: list[str]
    """The workloads that read those, as Kind/name, or Kind/namespace/name."""
    kept: list[Kept]
    """Its values in the store: its own and the derived ones. None of a key that an engine or
    Secrets Manager provides."""

    @property
    def current(self) -> Entry | None:
        return self.kept[0].entry if self.kept else None

    @property
    def next(self) -> Entry | None:
        return self.kept[1].entry if self.kept[1:] else None

    @property
    def previous(self) -> Entry | None:
        return self.kept[2].entry if self.kept[2:] else None


def planned_keys(settings: Settings) -> Iterator[PlannedKey]:
    """Every key in the catalogue's order; none for an environment without stores."""
    if not settings.environment.stores:
        return
    for bundle, content in settings.catalogue.bundles.items():
        store = settings.store_name(bundle)
        values: dict[str, list[Kept]] = {name: [] for name in content.keys}
        for value in kept(settings, bundle):
            values[value.key].append(value)
        for name, key in content.keys.items():
            is_apart = any(value.is_apart for value in values[name])
            bundles = settings.catalogue.bundles_of.get(key.id, {bundle: name})
            readers = [one for each in bundles for one in settings.readers.get(each, [])]
            yield PlannedKey(
                bundle=bundle,
                name=name,
                id=key.id,
                key=key,
                kind=_kind(settings, bundle, name, key),
                store=store,
                secret=content.secret,
                overlap_secret=overlap_secret(content.secret) if is_apart else None,
                bundles=bundles,
                readers=[*dict.fromkeys(readers)],
                kept=values[name],
            )


def overlap_secret(secret: str) -> str:
    """The Secret with a bundle's derived keys, where they can't be in the bundle's own."""
    return f"{secret}-overlap"


def _kind(settings: Settings, bundle: str, name: str, key: Key) -> Kind:
    if key.same_as:
        return Kind.BORROWED
    if settings.store_of(bundle).outputs:
        return Kind.ISSUED
    if key.is_generated:
        return Kind.GENERATED
    if settings.database_key(bundle) == name:
        return Kind.ENGINE
    if settings.rotated_key(bundle) == name:
        return Kind.SECRETS_MANAGER
    return Kind.BY_HAND if key.rotate else Kind.PLAIN
