"""An environment for people who did not set it up: what `secretsctl report` shows."""

from collections.abc import Iterator
from dataclasses import dataclass

from platform_secrets.describing.described import Described, described
from platform_secrets.describing.readers import Reader, readers
from platform_secrets.describing.rotation_plans import (
    RotationPlan,
    RotationSchedule,
    rotation_plans,
    rotation_schedule,
)
from platform_secrets.describing.secret_contents import EVERYTHING
from platform_secrets.settings import Settings


@dataclass(frozen=True)
class ReportedSecret:
    """One Secret of the cluster."""

    address: str
    """Namespace and name."""
    type: str
    fields: list[str]
    is_kept: bool
    """Whether it stays in the cluster when it is no longer declared."""


@dataclass(frozen=True)
class ReportedKey:
    """One key, as the catalogue tells it."""

    key: str
    """As bundle/key."""
    description: str
    owner: str | None
    changed_by: str | None
    """As `settings.layout.Kind` has it: `plain` is people, and nobody watches its age. None of
    basic Secrets."""
    same_as: str | None
    """The key whose value it has."""


@dataclass(frozen=True)
class ReportedBundle:
    """The way of a bundle's values: where they are kept, in which Secrets, who reads those."""

    name: str
    store: str | None
    """None of basic Secrets."""
    entries: list[str]
    secrets: list[ReportedSecret]
    workloads: list[str]
    keys: list[ReportedKey]


@dataclass(frozen=True)
class ReportedStore:
    """A store, what is in it, and how often the operator reads it."""

    name: str
    provider: str
    is_others: bool
    """Whether somebody else declares it."""
    entries: int
    reads_per_month: int
    """Of 30 days."""
    dollars_per_month: float | None
    """None where the provider does not charge for reads, or nobody here knows which it is."""


@dataclass(frozen=True)
class Protection:
    """What is refused, and what stays, when something is deleted."""

    is_protected: bool
    """Whether Pulumi refuses to delete what holds Secrets, and GitOps never prunes it."""
    cluster: str | None
    """The UID of the one cluster that is changed; without it, none is yet."""
    kept_secrets: int
    lost_secrets: list[str]
    """Those that are deleted, with their values, when they are no longer declared."""
    kept_entries: int
    lost_entries: list[str]
    """The same of entries at the provider that its stack makes."""
    writers: list[str]
    """The groups whose people may have the operator write into the stores."""


@dataclass(frozen=True)
class Report:
    """One environment."""

    platform: str
    environment: str
    delivery: str
    secrets: str
    """`external`: from stores, by the operator; `basic`: from a file."""
    namespaces: list[str]
    operator: str | None
    """Its ServiceAccount, by namespace and name."""
    stores: list[ReportedStore]
    bundles: list[ReportedBundle]
    readers: list[Reader]
    """Everybody who can read something, in each way."""
    without_access: list[str]
    """The catalogue's workloads that can read nothing."""
    rotations: list[RotationPlan]
    """The most frequent first."""
    schedule: RotationSchedule | None
    is_follower: bool
    """Whether another stack of the environment rotates."""
    protection: Protection


def reported(settings: Settings) -> Report:
    """All that a report says of one environment."""
    env, one = settings.environment, described(settings)
    found = [*readers(settings, one, [*one.places])]
    reading = {each.name for each in found}
    workloads = {each: None for some in settings.readers.values() for each in some}
    workloads |= dict.fromkeys(_workloads_without_reads(settings))
    bundles = [*_bundles(settings, one)]
    return Report(
        platform=settings.catalogue.platform,
        environment=env.environment,
        delivery=env.delivery,
        secrets=env.secrets,
        namespaces=[view.namespace for view in settings.by_namespace],
        operator=one.operator,
        stores=[*_stores(settings, one, bundles)],
        bundles=bundles,
        readers=found,
        without_access=[each for each in workloads if each not in reading],
        rotations=sorted(rotation_plans(settings), key=lambda each: -each.times_a_year),
        schedule=rotation_schedule(settings),
        is_follower=env.secrets == "external" and env.rotation == "follower",
        protection=_protection(settings, one),
    )


def _workloads_without_reads(settings: Settings) -> Iterator[str]:
    for service in settings.catalogue.services.values():
        if not service.reads:
            yield from service.all_workloads


def _bundles(settings: Settings, one: Described) -> Iterator[ReportedBundle]:
    secrets: dict[str, list[ReportedSecret]] = {}
    for held in one.secrets.values():
        fields = ["everything in its entry" if f == EVERYTHING else f for f in held.fields]
        shown = ReportedSecret(held.address, held.type, fields, held.is_kept)
        secrets.setdefault(held.bundle, []).append(shown)
    is_basic = settings.environment.secrets == "basic"
    for name, content in settings.catalogue.bundles.items():
        names = (*content.keys, EVERYTHING)
        places = [place for key in names for place in one.places.get(f"{name}/{key}", ())]
        yield ReportedBundle(
            name=name,
            store=None if is_basic else settings.store_name(name),
            entries=[] if is_basic else sorted({entry for _, entry, _ in places}),
            secrets=secrets.get(name, []),
            workloads=[*dict.fromkeys(one.readers.get(name, ()))],
            keys=[*_keys(settings, one, name)],
        )


def _keys(settings: Settings, one: Described, bundle: str) -> Iterator[ReportedKey]:
    for name, key in settings.catalogue.bundles[bundle].keys.items():
        address = f"{bundle}/{name}"
        changed_by = settings.keys[address].kind.value if settings.environment.stores else None
        yield ReportedKey(address, key.description, key.owner, changed_by, key.same_as)
    if (whole := f"{bundle}/{EVERYTHING}") in one.places:
        yield ReportedKey(whole, "everything that its entry holds", None, None, None)


def _stores(
    settings: Settings, one: Described, bundles: list[ReportedBundle]
) -> Iterator[ReportedStore]:
    entries: dict[str, set[str]] = {}
    for bundle in bundles:
        entries.setdefault(bundle.store or "", set()).update(bundle.entries)
    for name, reads in one.reads.items():
        yield ReportedStore(
            name=name,
            provider=reads.provider,
            is_others=settings.environment.stores[name].is_others,
            entries=len(entries.get(name, ())),
            reads_per_month=reads.per_month,
            dollars_per_month=reads.dollars_per_month,
        )


def _protection(settings: Settings, one: Described) -> Protection:
    env = settings.environment
    return Protection(
        is_protected=env.protect,
        cluster=env.cluster.uid,
        kept_secrets=sum(held.is_kept for held in one.secrets.values()),
        lost_secrets=[name for name, held in one.secrets.items() if not held.is_kept],
        kept_entries=sum(one.made_entries.values()),
        lost_entries=[name for name, is_kept in one.made_entries.items() if not is_kept],
        writers=env.seeding.groups if env.seeding else [],
    )
