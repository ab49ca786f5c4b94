"""What is due, and whether it may start now."""

import hashlib
from datetime import UTC, date, datetime, timedelta

from .keys import Generated, Key
from .memory import Remembered
from .plan import Plan

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def due_at(environment: str, key: Key, remembered: Remembered) -> datetime:
    """When the key is due: up to a tenth early, by a share that stays the same, so that keys with
    one policy do not fall on one day; and never while tokens of the value before are accepted."""
    digest = hashlib.sha256(f"{environment}/{key.name}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    due = remembered.known_since + key.every - key.every * 0.1 * share
    free = overlap_ends(key, remembered)
    return due if free is None else max(due, free)


def overlap_ends(key: Key, remembered: Remembered) -> datetime | None:
    """Until when the value before the last rotation is still needed."""
    if not isinstance(key, Generated) or not key.overlap_seconds or not remembered.rotated:
        return None
    return remembered.rotated + timedelta(seconds=key.overlap_seconds)


def held_back(plan: Plan, now: datetime) -> str | None:
    """Why no rotation may start now, if so."""
    window = plan.window
    here = now.astimezone(window.zone if window else UTC)
    at, day = here.time(), here.date()
    for freeze in plan.freezes:
        if freeze.start <= day <= freeze.until:
            return f"frozen until the end of {freeze.until}: {freeze.reason}"
    if window is None:
        return None
    if window.start < window.until:
        is_open = window.start <= at < window.until
    else:
        is_open = at >= window.start or at < window.until
        day -= timedelta(days=at < window.until)  # the night belongs to the evening before
    if is_open and _DAYS[day.weekday()] in window.days:
        return None
    times = f"{window.start:%H:%M} to {window.until:%H:%M} {window.time_zone}"
    return f"outside of the window: {', '.join(window.days)}, {times}"


def rotation_id(day: date, last: str | None) -> str:
    """The id of a rotation that is due on a day; `last` is the key's last finished one."""
    last_day, _, attempt = (last or "").partition(".")
    return str(day) if last_day != str(day) else f"{day}.{int(attempt or 0) + 1}"
