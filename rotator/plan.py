"""The plan: what is rotated and how, rendered from the catalogue and the stack's settings."""

import json
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

RESERVED = ("lock", "run")  # what the memory keeps beside the keys


class PlanError(Exception):
    """The plan or the command line asks for something that can't be."""


@dataclass(frozen=True)
class Entry:
    """A place in a store."""

    key: str
    property: str | None


@dataclass(frozen=True)
class Key:
    """A key with a limit for its age; `by: hand` has no more than that."""

    name: str
    bundle: str
    owner: str | None
    every: timedelta
    grace: timedelta


@dataclass(frozen=True)
class Rotated(Key):
    """A key that this program rotates. `readers` are workloads, as Kind/name."""

    external_secret: str
    readers: tuple[str, ...]


@dataclass(frozen=True)
class Generated(Rotated):
    """A key whose values the operator generates; one with `overlap` has `next` and `previous`."""

    overlap: timedelta | None
    store: str
    entry: Entry
    next: Entry | None
    previous: Entry | None
    push_metadata: dict[str, Any] | None
    overlap_external_secret: str | None


@dataclass(frozen=True)
class Database(Rotated):
    """A database's URL: the ConfigMap `pointer` says which of two accounts it is for."""

    pointer: str
    contents: dict[str, str]


@dataclass(frozen=True)
class Window:
    """When rotations may start; one that ends before it begins lasts past midnight."""

    days: tuple[str, ...]
    start: time
    end: time


@dataclass(frozen=True)
class Freeze:
    """Days, first and last included, on which no rotation starts."""

    first: date
    last: date
    reason: str


@dataclass(frozen=True)
class Plan:
    """Everything that a run needs to know beforehand."""

    environment: str
    namespace: str
    labels: dict[str, str]
    memory: str
    bundles_at_once: int
    sync_seconds: int
    rollout_seconds: int
    time_zone: ZoneInfo
    window: Window | None
    freezes: tuple[Freeze, ...]
    keys: dict[str, Key]

    @property
    def rotated(self) -> list[Generated | Database]:
        return [key for key in self.keys.values() if isinstance(key, Generated | Database)]


_KEY = {"by", "bundle", "owner", "grace_seconds"}
_ROTATED = {*_KEY, "every_seconds", "external_secret", "readers"}
_OVERLAP = {"overlap_seconds", "next", "previous", "overlap_external_secret"}
_FIELDS = {
    "generate": {*_ROTATED, *_OVERLAP, "store", "entry", "push_metadata"},
    "database": {*_ROTATED, "pointer", "contents"},
    "hand": {*_KEY, "max_age_seconds", "source"},
}
_PLAN = {
    *("environment", "namespace", "labels", "memory", "bundles_at_once"),
    *("sync_seconds", "rollout_seconds", "window", "freezes", "keys"),
}


def parse(text: str) -> Plan:
    """The plan in a JSON text; PlanError for one that isn't whole, with the place in it."""
    try:
        return _plan(json.loads(text))
    except PlanError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PlanError(f"the plan can't be read: {type(error).__name__}: {error}") from error


def _plan(raw: dict[str, Any]) -> Plan:
    _require(raw, _PLAN, "the plan")
    window, zone = raw["window"], ZoneInfo("Etc/UTC")
    if window is not None:
        _require(window, {"days", "from", "until", "time_zone"}, "window")
        zone = ZoneInfo(window["time_zone"])
        start, end = time.fromisoformat(window["from"]), time.fromisoformat(window["until"])
        window = Window(tuple(window["days"]), start, end)
    freezes = []
    for one in raw["freezes"]:
        _require(one, {"from", "until", "reason"}, "freezes")
        first, last = date.fromisoformat(one["from"]), date.fromisoformat(one["until"])
        freezes.append(Freeze(first, last, one["reason"]))
    read = {
        "time_zone": zone,
        "window": window,
        "freezes": tuple(freezes),
        "keys": {name: _key(name, one) for name, one in raw["keys"].items()},
    }
    return Plan(**{**raw, **read})


def _key(name: str, raw: dict[str, Any]) -> Key:
    where = f"keys.{name}"
    if name in RESERVED:
        raise PlanError(f"{where}: no key can have this name, the memory uses it")
    if raw.get("by") not in _FIELDS:
        raise PlanError(f"{where}.by is {raw.get('by')!r}, and not one of {', '.join(_FIELDS)}")
    by = raw["by"]
    _require(raw, _FIELDS[by], where)
    every = timedelta(seconds=raw["max_age_seconds" if by == "hand" else "every_seconds"])
    key = Key(name, raw["bundle"], raw["owner"], every, timedelta(seconds=raw["grace_seconds"]))
    if by == "hand":
        return key
    rotated = {**vars(key), "external_secret": raw["external_secret"]}
    rotated["readers"] = tuple(raw["readers"])
    if by == "database":
        return Database(**rotated, pointer=raw["pointer"], contents=raw["contents"])
    overlap = raw["overlap_seconds"]
    if overlap is not None and None in (raw["next"], raw["previous"]):
        raise PlanError(f"{where} has an overlap, but no entries for next and previous")
    return Generated(
        **rotated,
        overlap=None if overlap is None else timedelta(seconds=overlap),
        **{one: _entry(raw[one], f"{where}.{one}") for one in ("entry", "next", "previous")},
        **{one: raw[one] for one in ("store", "push_metadata", "overlap_external_secret")},
    )


def _entry(raw: dict[str, Any] | None, where: str) -> Any:
    if raw is None:
        return None
    _require(raw, {"key", "property"}, where)
    return Entry(**raw)


def _require(raw: dict[str, Any], fields: set[str], where: str) -> None:
    faults = [f"has no {one}" for one in sorted(fields - raw.keys())]
    faults += [f"has the unknown field {one}" for one in sorted(raw.keys() - fields)]
    if faults:
        raise PlanError(f"{where} {' and '.join(faults)}")
