"""What a change of settings means: the difference of two environments that are described."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from platform_secrets.describing.access_changes import AccessChange, gained, lost, moved
from platform_secrets.describing.described import Described
from platform_secrets.describing.object_changes import (
    Change,
    ObjectChange,
    change_of,
    object_changes,
)
from platform_secrets.describing.secret_contents import HeldSecret
from platform_secrets.manifests.rotation.names import MEMORY, not_restarted, restarted


@dataclass(frozen=True)
class SecretChange:
    """A Secret that is no longer the same."""

    secret: str
    change: Change
    added: list[str]
    removed: list[str]
    altered: list[str]
    """Fields whose value comes from elsewhere, or is made in another way."""
    types: tuple[str, str] | None
    """Its type before and after, where that changes: in a Secret that lives it can't."""
    is_lost: bool
    """Whether it is deleted, with the values that it holds."""


@dataclass(frozen=True)
class Restart:
    """A workload that reads a Secret whose content changes."""

    workload: str
    secrets: list[str]
    how: str | None
    """How it gets the new content where no restart gives it."""


@dataclass(frozen=True)
class IdentityChange:
    """An identity at a provider whose rights change."""

    identity: str
    store: str
    change: Change
    gained: list[str]
    """What it may do, and with which entry."""
    lost: list[str]
    account: tuple[str, str] | None
    """The ServiceAccount that acts as it, before and after, where that changes."""


@dataclass(frozen=True)
class ValueChange:
    """What is said of one thing before and after; empty where it is not there."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class ReadsChange:
    """Reads of a store in a month, and their price in US dollars where the provider has one."""

    store: str
    provider: str
    before: int
    after: int
    dollars_before: float | None
    dollars_after: float | None


@dataclass(frozen=True)
class Difference:
    """What a change of one environment means."""

    gained: list[AccessChange]
    lost: list[AccessChange]
    moved: list[AccessChange]
    secrets: list[SecretChange]
    restarts: list[Restart]
    lost_data: list[str]
    """What holds data and is deleted."""
    kept_data: list[str]
    """What holds data, is no longer declared, and stays until somebody deletes it."""
    to_put: list[str]
    """Values that must be in a store now too, each as store: entry: property. Until all of a
    Secret's are there, it keeps what it has, or is not made."""
    identities: list[IdentityChange]
    rotations: list[ValueChange]
    reads: list[ReadsChange]
    program: list[ValueChange]
    objects: list[ObjectChange]

    @property
    def is_empty(self) -> bool:
        return not any(getattr(self, one.name) for one in fields(self))


def compared(base: Described, head: Described) -> Difference:
    """What becomes of an environment that was as `base` and is to be as `head`."""
    secrets = [*_secrets(base, head)]
    gone = [one.secret for one in secrets if one.change == "vanishes"]
    deleted = {one.secret for one in secrets if one.is_lost}
    entries = {
        name: kept for name, kept in base.made_entries.items() if name not in head.made_entries
    }
    base_expected = {*base.expected}
    objects = [*object_changes(base.objects, head.objects)]
    holding = [one for one in objects if one.change == "vanishes" and _holds_data(one)]
    return Difference(
        gained=[*gained(base, head)],
        lost=[*lost(base, head)],
        moved=[*moved(base, head)],
        secrets=secrets,
        restarts=_restarts(secrets, head),
        lost_data=[
            *(f"Secret {one}" for one in gone if one in deleted),
            *(f"entry of {name}" for name, is_kept in entries.items() if not is_kept),
            *(one.object for one in holding if not one.stays),
        ],
        kept_data=[
            *(f"Secret {one}" for one in gone if one not in deleted),
            *(f"entry of {name}" for name, is_kept in entries.items() if is_kept),
            *(one.object for one in holding if one.stays),
        ],
        to_put=[one for one in head.expected if one not in base_expected],
        identities=[*_identities(base, head)],
        rotations=_values(base.rotations, head.rotations),
        reads=[*_reads(base, head)],
        program=_values(base.program, head.program),
        objects=objects,
    )


def _holds_data(change: ObjectChange) -> bool:
    """Whether it is a namespace, the rotation's memory, or a chart that is never taken away, which
    is Vault's."""
    is_namespace = change.object.startswith("Namespace ")
    is_server = change.object.startswith("chart ") and change.stays
    return is_namespace or is_server or change.object.endswith(f"/{MEMORY}")


def _secrets(base: Described, head: Described) -> Iterator[SecretChange]:
    for name in sorted({*base.secrets, *head.secrets}):
        before, after = base.secrets.get(name), head.secrets.get(name)
        old, new = _fields(before), _fields(after)
        both = [one for one in new if one in old]
        change = change_of(before, after)
        types = None
        if before and after and before.type != after.type:
            types = (before.type, after.type)
        if change != "changes" or old != new or types:
            yield SecretChange(
                secret=name,
                change=change,
                added=[one for one in new if one not in old],
                removed=[one for one in old if one not in new],
                altered=[one for one in both if old[one] != new[one]],
                types=types,
                is_lost=before is not None and after is None and not before.is_kept,
            )


def _fields(held: HeldSecret | None) -> dict[str, Any]:
    return dict(held.fields) if held else {}


def _restarts(secrets: list[SecretChange], head: Described) -> list[Restart]:
    found: dict[str, list[str]] = {}
    for one in secrets:
        if one.change == "changes" and (one.added or one.removed or one.altered):
            for workload in head.readers.get(head.secrets[one.secret].bundle, ()):
                found.setdefault(workload, []).append(one.secret)
    others = not_restarted(found)
    order = [*restarted(found), *others]
    return [Restart(one, found[one], others.get(one)) for one in order]


def _identities(base: Described, head: Described) -> Iterator[IdentityChange]:
    """One of another provider, or of another place at it, is another identity."""
    old, new = (
        {(one.name, one.store, repr(one.address)): one for one in side.identities}
        for side in (base, head)
    )
    for place in sorted({*old, *new}):
        before, after = old.get(place), new.get(place)
        had = {f"{may} {entry}" for entry, may in before.rights.items()} if before else set[str]()
        has = {f"{may} {entry}" for entry, may in after.rights.items()} if after else set[str]()
        accounts = None
        if before and after and before.account != after.account:
            accounts = (before.account, after.account)
        change = change_of(before, after)
        if had != has or accounts or change != "changes":
            gained, lost = sorted(has - had), sorted(had - has)
            yield IdentityChange(*place[:2], change, gained, lost, accounts)


def _values(base: Mapping[str, str], head: Mapping[str, str]) -> list[ValueChange]:
    names = [*base, *(name for name in head if name not in base)]
    return [
        ValueChange(name, base.get(name, ""), head.get(name, ""))
        for name in names
        if base.get(name) != head.get(name)
    ]


def _reads(base: Described, head: Described) -> Iterator[ReadsChange]:
    for store in sorted({*base.reads, *head.reads}):
        before, after = base.reads.get(store), head.reads.get(store)
        known = after or before
        if known and before != after:
            yield ReadsChange(
                store=store,
                provider=known.provider,
                before=before.per_month if before else 0,
                after=after.per_month if after else 0,
                dollars_before=before.dollars_per_month if before else None,
                dollars_after=after.dollars_per_month if after else None,
            )
