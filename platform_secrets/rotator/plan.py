"""The plan: what is rotated and how, rendered from the catalogue and the stack's settings."""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from datetime import date, time
from functools import cached_property
from io import BytesIO
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from .keys import KINDS, ByHand, Entry, Generated, Key, RotatedKey, Secrets

RESERVED = ("lock", "run")  # what the memory keeps beside the keys


class PlanError(Exception):
    """The plan or the command line asks for something that can't be."""


@dataclass(frozen=True)
class Window:
    """When rotations may start; one that ends before it begins lasts past midnight."""

    days: list[str]
    start: time
    until: time
    time_zone: str
    time_zone_rules: str

    @cached_property
    def zone(self) -> ZoneInfo:
        """By rules of its own: the image may have none, or old ones."""
        return ZoneInfo.from_file(BytesIO(b64decode(self.time_zone_rules)), self.time_zone)


@dataclass(frozen=True)
class Freeze:
    """Days, first and last included, on which no rotation starts."""

    start: date
    until: date
    reason: str


@dataclass(frozen=True)
class Plan:
    """Everything that a run needs to know beforehand."""

    environment: str
    namespace: str
    labels: dict[str, str]
    memory: str
    longest_pause_seconds: int
    bundles_at_once: int
    sync_seconds: int
    rollout_seconds: int
    window: Window | None
    freezes: list[Freeze]
    keys: dict[str, Key]

    @property
    def rotated(self) -> list[RotatedKey]:
        return [key for key in self.keys.values() if not isinstance(key, ByHand)]

    @cached_property
    def shared_entries(self) -> set[tuple[str, str]]:
        """Store and key of each entry that holds several generated values, as its properties."""
        generated = [key for key in self.keys.values() if isinstance(key, Generated)]
        places = Counter(
            (key.store, entry.key)
            for key in generated
            for entry in (key.entry, key.next, key.previous)
            if entry
        )
        return {place for place, values in places.items() if values > 1}


def parse(*texts: str) -> Plan:
    """The plan in JSON texts, one of which says more than keys; PlanError for one that
    isn't whole, with the place in it."""
    try:
        raw: dict[str, Any] = {}
        for part in map(json.loads, texts):
            raw = {**raw, **part, "keys": {**raw.get("keys", {}), **part.get("keys", {})}}
        window = raw.get("window") and _window(raw["window"])
        freezes = [_freeze(one) for one in raw.get("freezes", [])]
        keys = {name: _key(name, one) for name, one in raw.get("keys", {}).items()}
        return _built(Plan, "the plan", {**raw, "window": window}, freezes=freezes, keys=keys)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PlanError(f"the plan can't be read: {type(error).__name__}: {error}") from error


def _window(raw: dict[str, Any]) -> Window:
    window = _built(Window, "window", _span("window", raw, time.fromisoformat))
    _ = window.zone
    return window


def _freeze(raw: dict[str, Any]) -> Freeze:
    return _built(Freeze, "freezes", _span("freezes", raw, date.fromisoformat))


def _span(where: str, raw: dict[str, Any], read: Callable[[str], Any]) -> dict[str, Any]:
    """With `from` and `until` read, the former under a name that Python allows."""
    if not {"from", "until"} <= raw.keys():
        raise PlanError(f"{where} has no from or no until")
    others = {field: value for field, value in raw.items() if field != "from"}
    return {**others, "start": read(raw["from"]), "until": read(raw["until"])}


def _key(name: str, raw: dict[str, Any]) -> Key:
    where, kind = f"keys.{name}", KINDS.get(raw.get("by", ""))
    if name in RESERVED:
        raise PlanError(f"{where}: no key can have this name, the memory uses it")
    if kind is None:
        raise PlanError(f"{where}.by is {raw.get('by')!r}, and not one of {', '.join(KINDS)}")
    entries = {
        field: raw[field] and _built(Entry, f"{where}.{field}", raw[field])
        for field in ("entry", "next", "previous")
        if field in raw
    }
    if "borrowing" in raw:
        borrowing = [_built(Secrets, f"{where}.borrowing", one) for one in raw["borrowing"]]
        entries["borrowing"] = borrowing
    given = {field: value for field, value in raw.items() if field != "by"}
    key = _built(kind, where, given, **entries, name=name)
    if isinstance(key, Generated) and key.overlap_seconds and not (key.next and key.previous):
        raise PlanError(f"{where} has an overlap, but no entries for next and previous")
    return key


_Built = TypeVar("_Built")


def _built(cls: type[_Built], where: str, raw: dict[str, Any], **read: Any) -> _Built:
    """A dataclass with just the fields of `raw`, some of which are `read` already."""
    given = {**raw, **read}
    of_class = fields(cls)  # pyright: ignore[reportArgumentType]
    known = {one.name for one in of_class}
    required = {
        one.name for one in of_class if one.default is MISSING and one.default_factory is MISSING
    }
    faults = [f"has no {one}" for one in sorted(required - given.keys())]
    faults += [f"has the unknown field {one}" for one in sorted(given.keys() - known)]
    if faults:
        raise PlanError(f"{where} {' and '.join(faults)}")
    return cls(**given)
