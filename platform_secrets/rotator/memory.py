"""The memory: a ConfigMap with dates and ids, never values, and with the lock.

It is declared without `data`, so that applying the environment again leaves it alone. Every write
is a compare-and-swap. Losing it is safe: ages start anew, and what is in flight is seen in the
cluster.
"""

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from .api import ConflictError, Manifest, RefusedError
from .clock import Clock

# Admission takes texts up to 16384 characters; JSON may make six of one.
_LONGEST_VERDICT = 2500
_LONGEST_REASON = 1000


class LockLostError(Exception):
    """Another run holds the lock, or the memory is gone: this run must not go on."""


@dataclass(frozen=True)
class Remembered:
    """What is known of one key. `id` is that of its last finished rotation, `failed` says why that
    one was taken back."""

    first_seen: datetime
    rotated: datetime | None = None
    id: str | None = None
    failed: str | None = None

    @property
    def known_since(self) -> datetime:
        """How old the value is at most."""
        return self.rotated or self.first_seen

    def text(self) -> str:
        """As it is written: short, since one ConfigMap has it of all keys."""
        known = "rotated" if self.rotated else "first_seen"
        failed = self.failed and self.failed[:_LONGEST_REASON]
        fields = {known: timestamp(self.known_since), "id": self.id, "failed": failed}
        return json.dumps({field: text for field, text in fields.items() if text})


def timestamp(moment: datetime) -> str:
    """As Kubernetes writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """A moment in UTC; a text without an offset, or a mere date, is in UTC."""
    read = datetime.fromisoformat(text)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def remembered(text: str | None) -> Remembered | None:
    """What one entry of the memory says; None if there is none that can be read."""
    try:
        fields = json.loads(text or "")
        dates = {one: fields.get(one) and moment(fields[one]) for one in ("first_seen", "rotated")}
        known = dates["first_seen"] or dates["rotated"]
        return known and Remembered(known, dates["rotated"], fields.get("id"), fields.get("failed"))
    except (ValueError, TypeError, AttributeError):
        return None


@dataclass(frozen=True)
class LastRun:
    """When a run began, and its verdict if it found that a rotation would be refused. `is_done`
    says that it came to its end, and no key was left with a rotation in flight."""

    started: datetime | None = None
    refused: str | None = None
    is_done: bool = False


def last_run(text: str | None) -> LastRun:
    """What the memory's entry of the last run says; nothing if it can't be read."""
    try:
        fields = json.loads(text or "")
        refused = fields.get("verdict") if fields.get("refused") else None
        return LastRun(moment(fields["started"]), refused, fields.get("done") is True)
    except (ValueError, TypeError, AttributeError, KeyError):
        return LastRun()


class ConfigMaps(Protocol):
    """What of `Api` the memory needs."""

    def get(self, kind: str, name: str) -> Manifest | None: ...
    def patch(
        self, kind: str, name: str, patch: Manifest, *, is_guarded: bool = True
    ) -> Manifest: ...


class Memory:
    """The memory as one run has it: for reading at any time, for writing under the lock."""

    def __init__(
        self, api: ConfigMaps, clock: Clock, name: str, holder: str, lock_seconds: float
    ) -> None:
        self._api, self._clock, self._name, self._holder = api, clock, name, holder
        self._lock_seconds = lock_seconds
        self._renewed = float("-inf")
        self._version = ""
        self._data: dict[str, str] = {}
        self._run: dict[str, Any] = {}
        self.last_run = LastRun()  # the one before this

    def __getitem__(self, key: str) -> Remembered | None:
        return remembered(self._data.get(key))

    def read(self) -> None:
        """Looks at the ConfigMap, and remembers what is in it."""
        found = self._api.get("ConfigMap", self._name)
        if found is None:
            what = f"ConfigMap/{self._name} does not exist"
            raise LockLostError(f"{what}: apply the environment first")
        self._keep(found)
        if not self._holds_lock():
            self.last_run = last_run(self._data.get("run"))

    def lock(self, patience_seconds: float, *, is_rotation: bool = True) -> None:
        """Takes the lock: from a run that has ended, from one that did not renew it for as long as
        this run watched (so that no two clocks are compared), or LockLostError. Of what is no
        rotation nothing stands in the memory beside the lock."""
        began = seen_at = self._clock.monotonic()
        seen = None
        while True:
            self.read()
            lock = self._data.get("lock")
            if lock != seen:
                seen, seen_at = lock, self._clock.monotonic()
            is_dead = self._clock.monotonic() - seen_at >= self._lock_seconds
            if lock is None or is_dead or self._holds_lock():
                started = timestamp(self._clock.now())
                self._run = {"holder": self._holder, "started": started} if is_rotation else {}
                with contextlib.suppress(ConflictError):
                    return self._write({}, "start")
            if self._clock.monotonic() - began > patience_seconds:
                raise LockLostError(f"another run holds the lock and is alive: {lock}")
            self._clock.sleep(min(2.0, self._lock_seconds / 5))

    def hold(self) -> None:
        """Renews the lock in good time."""
        if self._clock.monotonic() - self._renewed > self._lock_seconds / 3:
            self.write({})

    def write(self, entries: dict[str, Remembered], step: str | None = None) -> None:
        """Remembers keys, all of them or none, and what the run is at; LockLostError if another run
        has taken the lock."""
        while self._holds_lock():
            with contextlib.suppress(ConflictError):
                return self._write({key: one.text() for key, one in entries.items()}, step)
        raise LockLostError(f"another run has the lock: {self._data.get('lock')}")

    def end(self, verdict: str, *, is_refused: bool = False, is_done: bool = False) -> None:
        """Says how the run ended, whether a rotation would be refused, and whether none is left in
        flight; gives the lock back."""
        while self._holds_lock():
            cut = verdict[:_LONGEST_VERDICT]
            said = {"verdict": cut, "refused": is_refused, "done": is_done}
            run = json.dumps({**self._run, **said})
            with contextlib.suppress(ConflictError):
                self._patch({"run": run, "lock": None})

    def unlock(self) -> None:
        """Gives the lock back, and says nothing."""
        while self._holds_lock():
            with contextlib.suppress(ConflictError):
                self._patch({"lock": None})

    def _holds_lock(self) -> bool:
        """Whether the memory, when last seen, had this run's lock."""
        try:
            return json.loads(self._data["lock"])["holder"] == self._holder
        except (KeyError, ValueError, TypeError):
            return False

    def _write(self, entries: dict[str, str], step: str | None) -> None:
        if step is not None and self._run:
            self._run = {**self._run, "step": step, "verdict": None}
        renewed = self._clock.now().isoformat()
        lock = json.dumps({"holder": self._holder, "renewed": renewed})
        run = {"run": json.dumps(self._run)} if self._run else {}
        self._patch({**entries, **run, "lock": lock})

    def _patch(self, data: dict[str, str | None]) -> None:
        """Compares and swaps. After a ConflictError the memory is read anew."""
        began = self._clock.monotonic()
        patch = {"metadata": {"resourceVersion": self._version}, "data": data}
        try:
            self._keep(self._api.patch("ConfigMap", self._name, patch, is_guarded=False))
        except ConflictError:
            self.read()
            # An earlier try of this call may have taken effect, and its answer was lost.
            if any(self._data.get(field) != text for field, text in data.items()):
                raise
        except RefusedError as refusal:
            if refusal.status == 404:
                raise LockLostError(f"ConfigMap/{self._name} was deleted during the run") from None
            raise
        self._renewed = began

    def _keep(self, found: dict[str, Any]) -> None:
        self._version = found["metadata"]["resourceVersion"]
        self._data = found.get("data") or {}
