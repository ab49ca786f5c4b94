"""An environment in plain values: the one place that answers who can read what, and by what."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from platform_secrets.describing.access import Access, accesses
from platform_secrets.describing.identities import (
    ProviderIdentity,
    made_entries,
    provider_identities,
)
from platform_secrets.describing.provider_reads import Reads, provider_reads
from platform_secrets.describing.rotation_plans import rotation_plans
from platform_secrets.describing.secret_contents import (
    EVERYTHING,
    HeldSecret,
    Place,
    held_secrets,
    key_places,
    passing_secrets,
)
from platform_secrets.manifests.entries import rotated_entry
from platform_secrets.manifests.layer import charts, kustomizations, waves
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import kept


@dataclass(frozen=True)
class Described:
    """One environment; without anything of a kind, an environment that is not there."""

    places: dict[str, frozenset[Place]] = field(default_factory=dict)
    """Where each key's values are, by bundle/key."""
    secrets: dict[str, HeldSecret] = field(default_factory=dict)
    passing: dict[str, frozenset[Place]] = field(default_factory=dict)
    """Whose values the Secrets hold that exist during a rotation alone."""
    accesses: list[Access] = field(default_factory=list)
    operator: str | None = None
    """The ServiceAccount of the operator, which reads all; None where it is not needed."""
    identities: list[ProviderIdentity] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """What people put into the stores: each value as store: entry: property."""
    made_entries: dict[str, bool] = field(default_factory=dict)
    """The entries that its stack makes, and whether each outlives its declaration."""
    rotations: dict[str, str] = field(default_factory=dict)
    """How each key changes, by bundle/key, in words."""
    readers: dict[str, list[str]] = field(default_factory=dict)
    """The workloads that read each bundle's Secrets."""
    reads: dict[str, Reads] = field(default_factory=dict)
    objects: dict[str, Manifest] = field(default_factory=dict)
    """Every object and chart, by kind, namespace and name."""
    program: dict[str, str] = field(default_factory=dict)
    """Settings of Pulumi's program alone, which no object shows."""

    @cached_property
    def readable(self) -> dict[str, frozenset[Place]]:
        """The places whose values each reader in the cluster can read."""
        found: dict[str, set[Place]] = {}
        for one in self.accesses:
            found.setdefault(one.who, set()).update(self.places_in(one.secret))
        return {who: frozenset(places) for who, places in found.items()}

    @cached_property
    def readable_keys(self) -> dict[str, set[str]]:
        """The keys, as bundle/key, whose values each reader in the cluster can read."""
        keys_at: dict[Place, list[str]] = {}
        for key, places in self.places.items():
            for place in with_whole(places):
                keys_at.setdefault(place, []).append(key)
        return {
            who: {key for place in places for key in keys_at.get(place, ())}
            for who, places in self.readable.items()
        }

    def places_in(self, secret: str) -> frozenset[Place]:
        """Whose values a Secret holds."""
        held = self.secrets.get(secret)
        return held.places if held else self.passing.get(secret, frozenset())

    @cached_property
    def accesses_of(self) -> dict[str, dict[str, list[str]]]:
        """By what each reader reads each of its Secrets."""
        found: dict[str, dict[str, list[str]]] = {}
        for one in self.accesses:
            found.setdefault(one.who, {}).setdefault(one.secret, []).append(one.by)
        return found

    @cached_property
    def secrets_with(self) -> dict[str, list[str]]:
        """The Secrets from which each key's value can be had."""
        holding: dict[Place, list[str]] = {}
        for address in (*self.secrets, *self.passing):
            for place in self.places_in(address):
                holding.setdefault(place, []).append(address)
        return {
            key: sorted({one for each in with_whole(places) for one in holding.get(each, ())})
            for key, places in self.places.items()
        }


def with_whole(places: Iterable[Place]) -> set[Place]:
    """Places, and all of their entries: whoever reads one of these reads what is there."""
    return {each for one in places for each in (one, (one[0], one[1], EVERYTHING))}


def described(settings: Settings) -> Described:
    """All that follows from an environment's settings."""
    # The rotator's program is the same, whatever the settings are.
    declared = waves(settings, {})
    names = [wave.name for wave in declared]
    objects = [one for wave in declared for one in wave.objects]
    beside = [one for wave in kustomizations(settings, names) for one in wave.objects]
    found = {_name(one): one for one in [*objects, *beside]}
    for release in charts(settings).values():
        found[f"chart {release.namespace}/{release.name}"] = vars(release)
    env = settings.environment
    external_secrets = [one for one in objects if one["kind"] == "ExternalSecret"]
    operator = f"{env.operator_namespace}/{env.operator_service_account}"
    secrets, passing = held_secrets(settings), passing_secrets(settings)
    return Described(
        places=key_places(settings),
        secrets=secrets,
        passing=passing,
        accesses=[*accesses(settings, objects, {*secrets, *passing})],
        operator=operator if env.stores else None,
        identities=[*provider_identities(settings)],
        expected=[*_expected(settings)],
        made_entries=made_entries(settings),
        rotations={one.key: one.in_words for one in rotation_plans(settings)},
        readers=settings.readers,
        reads=provider_reads(settings, external_secrets),
        objects=found,
        program=_program(settings),
    )


def _name(manifest: Manifest) -> str:
    metadata = manifest.get("metadata", {})
    parts = (metadata.get("namespace"), metadata.get("name", "basic-secrets"))
    return f"{manifest['kind']} {'/'.join(filter(None, parts))}"


def _expected(settings: Settings) -> Iterator[str]:
    """Without derived values, which only rotations write."""
    for bundle in settings.catalogue.bundles if settings.environment.stores else ():
        store = settings.store_name(bundle)
        for value in kept(settings, bundle):
            if value.name == value.key and not value.is_borrowed:
                yield f"{store}: {value.entry.key}: {value.entry.property or value.name}"
        if key := settings.rotated_key(bundle):
            yield f"{store}: {rotated_entry(settings, bundle, key)}: {key}"


def _program(settings: Settings) -> dict[str, str]:
    env = settings.environment
    found = {"delivery": env.delivery, "protect": str(env.protect).lower()}
    found |= {
        f"cluster.{name}": value
        for name, value in (("uid", env.cluster.uid), ("context", env.cluster.context))
        if value
    }
    for name, store in env.stores.items():
        if store.declares_backend:
            fields = store.model_dump(by_alias=True, mode="json", exclude_none=True)
            found |= {f"stores.{name}.{field}": str(value) for field, value in fields.items()}
    return found
