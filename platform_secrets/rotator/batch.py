"""The transaction: several keys at once, phase by phase, so that a workload restarts once a phase.

stage → next (keys with overlap) → promote → record → clean. Whatever fails for a key takes that key
out: it stays as it is, for the next run to go on with. A workload that does not come up takes back
all keys that it reads.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from . import contract, log
from .api import Api, RefusedError
from .checks import Checks, NotShownError
from .clock import Clock, Steps, side_by_side
from .contract import Phase
from .keys import not_restarted
from .memory import Memory, Remembered
from .operator_objects import StepError
from .plan import Plan
from .rollout import RolloutError, Workloads
from .rotation import Rotation

# As many as the operator works on at once where it is small (`concurrent` in manifests/eso.py).
_KEYS_AT_ONCE = 20

Task = Callable[[Rotation], Steps]
Faults = (StepError, RolloutError, RefusedError)


@dataclass
class Outcome:
    """What became of the keys: those that are rotated, and why others are not. `refused` are those
    that can't be, due or not: nothing was begun."""

    rotated: list[str] = field(default_factory=list)
    restored: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether no rotation is left in flight."""
        return not self.failed and not self.refused


@dataclass
class Batch:
    """Keys that are rotated together."""

    plan: Plan
    api: Api
    clock: Clock
    memory: Memory
    checks: Checks
    workloads: Workloads
    outcome: Outcome

    def rotate(self, rotations: list[Rotation]) -> None:
        """All of it, for keys that are in flight or are to start."""
        interrupted = [one for one in rotations if one.phase is Phase.RESTORE]
        going = [one for one in rotations if one not in interrupted]
        if interrupted:
            self._take_back(interrupted, "an earlier run had begun to take it back")
        going = self._each(going, Phase.STAGE, lambda one: one.stage())
        publishing = [one for one in going if one.has_next and one.phase is not Phase.PROMOTE]
        if publishing:
            self._push(publishing, Phase.NEXT, lambda one: one.publish())
            self._reach(publishing, going, Phase.NEXT)
        going = self._push(self._left(going), Phase.PROMOTE, lambda one: one.promote())
        self._reach(going, going, Phase.PROMOTE)
        self._record(self._left(going))

    def clean(self, rotations: list[Rotation]) -> None:
        """Deletes what is left of finished rotations: all of it before the first is waited for, as
        the cluster's garbage collector takes its time with each."""
        in_deletion = self._each(rotations, "delete", lambda one: one.delete())
        self._each(in_deletion, Phase.CLEAN, lambda one: one.clean(), at_once=1)

    def _left(self, rotations: list[Rotation]) -> list[Rotation]:
        out = {*self.outcome.failed, *self.outcome.restored}
        return [one for one in rotations if one.key.name not in out]

    def _each(
        self, rotations: list[Rotation], step: str, task: Task, at_once: int = _KEYS_AT_ONCE
    ) -> list[Rotation]:
        """Runs a step of every key, and returns the rotations that came through."""
        if rotations:
            self._note(step, rotations)
            self._run([self._tried(one, step, task) for one in rotations], at_once)
        return self._left(rotations)

    def _push(self, rotations: list[Rotation], phase: Phase, task: Task) -> list[Rotation]:
        """The same for a step that writes to a store. The keys of a bundle go one after the other:
        the operator reads an entry, changes a property and writes it. So of one entry's properties
        the next is pushed only once the one before is seen in the services' Secret."""

        def in_sequence(of_bundle: list[Rotation]) -> Steps:
            for place, one in enumerate(of_bundle, 1):
                rest = of_bundle[place:] if one.shares_entry else []
                try:
                    yield from task(one)
                    if rest:
                        yield from self._shown(one.external_secrets(phase)[0], [one], phase)
                except NotShownError as fault:
                    self._fail([one], f"{phase}: {fault}")
                    if rest:
                        what = f"{one.key.shown}, of the same entry, was not seen"
                        return self._fail(rest, f"{phase}: not pushed: {what}")
                except Faults as fault:
                    self._fail([one], f"{phase}: {fault}")

        bundles: dict[str, list[Rotation]] = {}
        for one in rotations:
            bundles.setdefault(one.key.bundle, []).append(one)
        if rotations:
            self._note(phase, rotations)
            self._run(map(in_sequence, bundles.values()), self.plan.bundles_at_once)
        return self._left(rotations)

    def _shown(self, external_secret: str, rotations: list[Rotation], phase: Phase) -> Steps:
        """The services' Secret holds what a phase has pushed, or NotShownError."""
        checks = [check for one in rotations for check in one.checks(phase, external_secret)]
        yield from self.checks.shown(external_secret, _token(phase, rotations), checks)

    def _tried(self, rotation: Rotation, step: str, task: Task) -> Steps:
        try:
            yield from task(rotation)
        except Faults as fault:
            self._fail([rotation], f"{step}: {fault}")

    def _reach(self, moved: list[Rotation], batch: list[Rotation], phase: Phase) -> None:
        """Brings what was pushed to the services: syncs it, and restarts those that read it. What
        marks a sync or restart as done is made of all of the batch, so that a run that goes on
        finds it again."""
        moved, batch = self._left(moved), self._left(batch)
        if not moved:
            return
        if phase is Phase.NEXT:
            batch = [one for one in batch if one.has_next]
        self._note(f"{phase}: sync", moved)
        syncs = (
            self._synced(name, [one for one in batch if name in one.external_secrets(phase)], phase)
            for name in _distinct(one.external_secrets(phase) for one in moved)
        )
        self._run(syncs, self.plan.bundles_at_once)
        self._note(f"{phase}: restart", self._left(moved))
        for workload in _distinct(one.key.readers for one in self._left(moved)):
            readers = [one for one in self._left(batch) if workload in one.key.readers]
            if not {one.key.name for one in readers} & {one.key.name for one in moved}:
                continue
            log.info(f"restarting {workload}", step=phase, keys=_names(readers))
            try:
                self._run([self.workloads.restarted(workload, _token(phase, readers))])
            except Faults as fault:
                self._take_back(readers, str(fault))

    def _synced(self, external_secret: str, rotations: list[Rotation], phase: Phase) -> Steps:
        try:
            yield from self._shown(external_secret, rotations, phase)
        except NotShownError as fault:
            lacking = [one for one in rotations if one.key.name in fault.keys]
            self._fail(lacking, f"{phase}: {fault}")
        except Faults as fault:
            self._fail(rotations, f"{phase}: {fault}")

    def _take_back(self, rotations: list[Rotation], why: str) -> None:
        """Puts the values before back into use, records the failure and cleans up; if that fails
        too, everything is left in place. What can't be taken back goes on in the next run."""
        for one in rotations:
            if not one.can_be_taken_back:
                self._fail([one], f"{why}; {one.by_hand()}")
        rotations = self._left(rotations)
        if not rotations:
            return
        log.warning(f"taking back: {why}", keys=_names(rotations))
        self._note("take back", rotations)
        try:
            for one in rotations:
                self._run([one.take_back()])
                if one.shares_entry and one is not rotations[-1]:
                    self._run([self._shown(one.key.external_secret, [one], Phase.RESTORE)])
            for name in _distinct(one.external_secrets(Phase.RESTORE) for one in rotations):
                self._run([self._shown(name, rotations, Phase.RESTORE)])
            token = _token(Phase.RESTORE, rotations)
            for workload in _distinct(one.key.readers for one in rotations):
                self._run([self.workloads.restarted(workload, token)])
        except Faults as fault:
            for one in rotations:
                text = f"{why}; it could not be taken back either: {fault}; {one.by_hand()}"
                self._fail([one], text)
            return
        now = self.clock.now()
        entries = {
            one.key.name: replace(
                self.memory[one.key.name] or Remembered(now), id=one.id, failed=why
            )
            for one in rotations
        }
        self.memory.write(entries, "record")
        self._event(rotations, "RotationRestored", f"{why}; the value before is in use again")
        self.clean(rotations)
        self.outcome.restored.update(dict.fromkeys(entries, why))

    def _record(self, rotations: list[Rotation]) -> None:
        """Remembers all keys as rotated, by one write, and cleans up."""
        if not rotations:
            return
        now = self.clock.now()
        entries = {}
        for one in rotations:
            first_seen = (self.memory[one.key.name] or Remembered(now)).first_seen
            entries[one.key.name] = Remembered(first_seen, one.rotated_at or now, one.id)
        self.memory.write(entries, "record")
        self.outcome.rotated += entries
        self._event(rotations, "Rotated", "rotated")
        self.clean(rotations)

    def _fail(self, rotations: list[Rotation], why: str) -> None:
        for one in rotations:
            log.error(why, key=one.key.shown)
            self.outcome.failed[one.key.name] = why
        self._event(rotations, "RotationFailed", why)

    def _note(self, step: str, rotations: list[Rotation]) -> None:
        log.info(step, keys=_names(rotations))
        self.memory.write({}, f"{step}: {', '.join(_names(rotations))}"[:1000])

    def _event(self, rotations: list[Rotation], reason: contract.EventReason, what: str) -> None:
        """One for each ExternalSecret, with all of its keys."""
        for name in _distinct([one.key.external_secret] for one in rotations):
            about = [one for one in rotations if one.key.external_secret == name]
            keys = ", ".join(f"{one.key.shown} ({one.id})" for one in about)
            others = "" if reason == "RotationFailed" else not_restarted(one.key for one in about)
            # Its end is what a long message loses, and that may be a part's own long words.
            log.event(self.api, self.clock, name, reason, f"{keys}: {what}{others}")

    def _run(self, tasks: Iterable[Steps], at_once: int = 1) -> None:
        side_by_side(self.clock, tasks, at_once, self.memory.hold)


def _token(phase: Phase, rotations: Iterable[Rotation]) -> str:
    """Marks what is done for just these rotations; their staged objects' uids tell them from
    earlier ones even when dates repeat."""
    text = " ".join(sorted(f"{one.key.name}/{one.id}/{one.uid}" for one in rotations))
    return f"{phase}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def _names(rotations: Iterable[Rotation]) -> list[str]:
    return [one.key.shown for one in rotations]


def _distinct(groups: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(one for group in groups for one in group))
