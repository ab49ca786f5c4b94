"""One run: what is in flight is finished, then what is due or asked for is rotated."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from . import due, log
from .api import Api
from .aws import Aws
from .batch import Batch, Outcome
from .checks import Checks
from .clock import Clock, Steps, side_by_side
from .contract import Phase
from .database import DatabaseRotation
from .generated import GeneratedRotation
from .keys import Database, Generated, RotatedKey, SecretsManager, not_restarted
from .memory import Memory, Remembered
from .operator_objects import OperatorObjects, StepError
from .plan import Plan, PlanError
from .preflight import Preflight
from .rollout import RolloutError, Workloads
from .rotation import Context, Rotation
from .secrets_manager import SecretsManagerRotation

ROTATIONS: dict[type[RotatedKey], Callable[[Context, Any, Remembered], Rotation]] = {
    Generated: GeneratedRotation,
    Database: DatabaseRotation,
    SecretsManager: SecretsManagerRotation,
}


class Run:
    """A run over all keys of the plan, or over `asked` for ones, which wait for no due date, window
    or freeze. One whose last rotation is not `last` any more is done: for a Job's later pod."""

    def __init__(
        self,
        plan: Plan,
        api: Api,
        clock: Clock,
        memory: Memory,
        aws: Aws,
        asked: list[str],
        last: str | None = None,
        asked_at: datetime | None = None,
    ) -> None:
        self.plan, self.api, self.clock, self.memory = plan, api, clock, memory
        self.operator = OperatorObjects(api, clock, plan.sync_seconds)
        self.checks = Checks(api, clock, self.operator, plan.sync_seconds)
        self.context = Context(plan, api, clock, self.operator, self.checks, aws)
        self.workloads = Workloads(api, clock, plan.rollout_seconds)
        self.outcome = Outcome()
        self.asked, self.last, self.asked_at = asked, last, asked_at
        names = {key.name: key.shown for key in plan.rotated}
        for key in asked:
            if key not in names:
                these = ", ".join(names.values()) or "none"
                raise PlanError(f"{key} can't be rotated; these can: {these}")

    def rotate(self) -> None:
        """The whole run, under the lock."""
        self._see_all_keys()
        batch = Batch(
            *(self.plan, self.api, self.clock, self.memory),
            *(self.checks, self.workloads, self.outcome),
        )
        in_flight = self._in_flight(self.memory.hold)
        finished = [one for one in in_flight if not self._is_unfinished(one)]
        batch.clean(finished)
        for key in filter(self._is_done, self.asked):
            if failed := self._known(key).failed:
                self.outcome.restored[key] = failed
            else:
                self.outcome.rotated.append(key)
        unfinished = [one for one in in_flight if one not in finished]
        busy = {one.key.name for one in unfinished if not self._is_older(one)}
        if any(one.is_pushed for one in unfinished):
            batch.rotate(unfinished)
            unfinished = []
        self._try_beforehand()
        busy |= {*self.outcome.failed, *self.outcome.refused}
        starting = [self._started(key) for key in self._to_start() if key.name not in busy]
        # Of those in flight nobody has seen anything yet: they restart their readers with the rest.
        going_on = [one for one in unfinished if one.key.name not in self.outcome.refused]
        batch.rotate([*going_on, *self._fit(starting)])

    def describe(self) -> bool:
        """Says what a run would do now, and changes nothing; whether it would do anything."""
        self.memory.read()
        in_flight = self._in_flight(lambda: None)
        for one in in_flight:
            what = "finish" if self._is_unfinished(one) else "clean up after"
            log.info(f"would {what} the rotation {one.id} of {one.key.shown}", key=one.key.shown)
        to_start = self._to_start()
        found = {one.key.name for one in in_flight}
        for one in (self._rotation(key) for key in to_start if key.name not in found):
            steps = "next, restart, promote, restart" if one.has_next else "promote, restart"
            name, readers = one.key.shown, ", ".join(one.key.readers)
            text = f"would rotate {name}: {steps} {readers or 'nothing'}{not_restarted([one.key])}"
            log.info(text, key=name)
        self._try_beforehand()
        return bool(in_flight or to_start)

    def next_due(self) -> str:
        """The key that is due next, for a verdict."""
        found = [
            (due.due_at(self.plan.environment, key, remembered), key.shown)
            for key in self.plan.rotated
            if (remembered := self.memory[key.name])
        ]
        return "{1} on {0:%Y-%m-%d}".format(*min(found)) if found else "not known yet"

    def _try_beforehand(self) -> None:
        """Finds the keys of which a rotation would be refused, also on a day when none is due."""
        keys = [key for key in self.plan.rotated if not self.asked or key.name in self.asked]
        preflight = Preflight(self.plan, self.api, self.operator, self.workloads)
        self.outcome.refused = preflight.refused(keys)
        for key, why in self.outcome.refused.items():
            log.error(f"a rotation would be refused: {why}", key=self.plan.keys[key].shown)

    def _see_all_keys(self) -> None:
        """Ages begin when a key is first seen: a first deployment rotates nothing, nor does the
        loss of the memory."""
        unseen = [key for key in self.plan.keys if self.memory[key] is None]
        if unseen:
            now = self.clock.now()
            shown = [self.plan.keys[key].shown for key in unseen]
            log.warning("first seen now; ages count from here", keys=shown)
            self.memory.write(
                {key: self._under_former_name(key) or Remembered(now) for key in unseen}
            )

    def _under_former_name(self, key: str) -> Remembered | None:
        """What is known of a key from when more or fewer bundles had its name, and it was known
        by that with or without its bundle's. Of a key that came later this may say too much: it is
        rotated early rather than late."""
        one = self.plan.keys[key]
        former = one.shown.partition("/")[2] or f"{one.bundle}-{key}"
        return None if former in self.plan.keys else self.memory[former]

    def _known(self, key: str) -> Remembered:
        return self.memory[key] or Remembered(self.clock.now())

    def _is_done(self, key: str) -> bool:
        """Whether a key that was asked for has had its rotation, by an earlier pod or run."""
        known = self._known(key)
        if self.asked_at is not None:
            return known.rotated is not None and known.rotated >= self.asked_at
        return self.last is not None and self.last != (known.id or "none")

    def _is_older(self, rotation: Rotation) -> bool:
        """Whether AWS rotated by itself before this run was asked to."""
        asked_at, rotated_at = self.asked_at, rotation.rotated_at
        return bool(asked_at and rotated_at and rotated_at < asked_at)

    def _rotation(self, key: RotatedKey) -> Rotation:
        return ROTATIONS[type(key)](self.context, key, self._known(key.name))

    def _started(self, key: RotatedKey) -> Rotation:
        """A new rotation, whose id is the day on which it is due or asked for."""
        remembered, rotation = self._known(key.name), self._rotation(key)
        asked_for = key.name in self.asked
        due_at = due.due_at(self.plan.environment, key, remembered)
        day = (self.clock.now() if asked_for else due_at).date()
        rotation.id = due.rotation_id(day, remembered.id)
        return rotation

    def _in_flight(self, meanwhile: Callable[[], None]) -> list[Rotation]:
        """What earlier runs left. If the run before came to its end, that is only what begins
        elsewhere: there may be thousands of keys."""
        found = []
        for rotation in map(self._rotation, self.plan.rotated):
            if self.memory.last_run.is_done and not rotation.begins_elsewhere:
                continue
            meanwhile()
            try:
                found += [rotation] if rotation.find() else []
            except StepError as fault:
                log.error(str(fault), key=rotation.key.shown)
                self.outcome.failed[rotation.key.name] = str(fault)
        return found

    def _is_unfinished(self, rotation: Rotation) -> bool:
        """Whether more than cleaning is left of a rotation."""
        return (
            rotation.phase is not Phase.CLEAN and self._known(rotation.key.name).id != rotation.id
        )

    def _to_start(self) -> list[RotatedKey]:
        """The keys to rotate now, apart from those in flight."""
        now = self.clock.now()
        held_back = due.held_back(self.plan, now)
        if self.asked:
            for key in map(self.plan.keys.__getitem__, self.asked):
                ends = due.overlap_ends(key, self._known(key.name))
                if ends is not None and ends > now:
                    text = f"what was signed before the last rotation is refused before {ends}"
                    log.warning(text, key=key.shown)
            if held_back:
                asked = [self.plan.keys[key].shown for key in self.asked]
                log.warning(f"rotating although {held_back}", keys=asked)
            wanted = [key for key in self.asked if not self._is_done(key)]
            return [key for key in self.plan.rotated if key.name in wanted]
        environment = self.plan.environment
        found = [
            key
            for key in self.plan.rotated
            if due.due_at(environment, key, self._known(key.name)) <= now
        ]
        if found and held_back:
            log.info(f"due, but {held_back}", keys=[key.shown for key in found])
            return []
        return found

    def _fit(self, rotations: list[Rotation]) -> list[Rotation]:
        """Those whose readers are completely rolled out: else a rotation would be blamed for what
        was there before it. A rollout that is going on may come to its end."""
        faults: dict[str, str] = {}

        def complete(workload: str) -> Steps:
            try:
                yield from self.workloads.complete(workload)
            except RolloutError as fault:
                faults[workload] = str(fault)

        readers = dict.fromkeys(reader for one in rotations for reader in one.key.readers)
        side_by_side(self.clock, map(complete, readers), len(readers) or 1, self.memory.hold)
        for one in rotations:
            found = [faults[reader] for reader in one.key.readers if reader in faults]
            if found:
                why = f"not started: {'; '.join(found)}"
                log.error(why, key=one.key.shown)
                self.outcome.failed[one.key.name] = why
        return [one for one in rotations if one.key.name not in self.outcome.failed]
