"""The rotation of a database's password by AWS Secrets Manager, triggered or, where it has rotated
by itself, awaited. Its function changes the password of the user that is not in use, so that the
one before works until the next rotation: services have that time to follow."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from . import shapes
from .checks import Check
from .clock import Steps, pauses
from .contract import Phase
from .due import rotation_id
from .keys import SecretsManager
from .operator_objects import StepError
from .rotation import RotationOf


class SecretsManagerRotation(RotationOf[SecretsManager]):
    """In flight is a rotation that Secrets Manager has finished and the memory does not know: the
    entry's versions say all. The objects in the cluster only keep a hash of the current version,
    which the services' Secret is compared with."""

    begins_elsewhere = True
    can_be_taken_back = False
    _pending = ""

    def find(self) -> bool:
        """Looks whether Secrets Manager has rotated since the last rotation that is known, or an
        object of an earlier run is left."""
        self._find()
        if self.phase is Phase.PROMOTE:
            return True
        self.phase = Phase.CLEAN
        kept = (self._name(step) for step in ("before", "staged"))
        return any(self._api.get("ExternalSecret", name) for name in kept)

    def stage(self) -> Steps:
        """What is there is known: a rotation may have come to its end just now. Before the first
        that is known every reader gets the current password: who has an older one would else be
        refused after it."""
        self._find()
        self.has_next = self._known.rotated is None and self.rotated_at is not None
        yield from ()

    def publish(self) -> Steps:
        """The current password is where services read it."""
        yield from self._keep("before")

    def promote(self) -> Steps:
        """The entry has a new password, that works. The request is named after the version that it
        replaces: however often it is made, it is one rotation."""
        if self.phase is not Phase.PROMOTE:
            yield from self._rotate()
        yield from self._keep("staged")

    def _rotate(self) -> Steps:
        before, rotated_before = self.uid, self.rotated_at
        self._look()
        if self.uid == before:  # else it has rotated by itself meanwhile
            name = f"{self.key.region} {self.key.secret_id} {before}"
            self._aws.rotate(self.key, hashlib.sha256(name.encode()).hexdigest())
        for pause in pauses(self._clock, self._plan.sync_seconds):
            self._look()
            if self.uid != before and self.rotated_at != rotated_before:
                self.phase = Phase.PROMOTE
                return self._use_its_day()
            yield pause
        pending = f"version {self._pending or 'none'} is AWSPENDING"
        raise StepError(
            f"Secrets Manager did not rotate {self.key.secret_id} in {self._plan.sync_seconds} s,"
            f" {pending}: the log of its function says why. Services"
            " have a password that works; the next run has it tried again"
        )

    def checks(self, phase: Phase, external_secret: str) -> list[Check]:
        """The URL is that of the version which was the current one at the end of the phase."""
        if phase is Phase.NEXT and self.phase is Phase.PROMOTE:
            return []
        step = "published" if phase is Phase.NEXT else "promoted"
        [check] = shapes.checks(self._plan, self.key, self._day, step)
        return [Check(self.key.name, check)]

    def by_hand(self) -> str:
        """What to do when a workload does not come up."""
        if self.phase is not Phase.PROMOTE:
            return "the password was not changed: mend the workload, the next run goes on"
        return (
            "the new password stays, and the one before works until the next rotation: mend the"
            " workload before that, the next run restarts it"
        )

    def _keep(self, step: str) -> Steps:
        """A one-shot object has the hash of the version that is the current one now."""
        arguments = (self._plan, self.key, self._day, step, self.uid)
        yield from self._operator.made(shapes.version(*arguments))

    @property
    def _day(self) -> str:
        """The id, or today's until there is one."""
        return self.id or str(self._clock.now().date())

    def _find(self) -> None:
        self._look()
        is_new = self.rotated_at is not None and self.rotated_at > self._known.known_since
        self.phase = Phase.PROMOTE if is_new else Phase.STAGE
        if is_new:
            self._use_its_day()

    def _look(self) -> None:
        said: dict[str, Any] = self._aws.describe(self.key)
        if not said.get("RotationEnabled"):
            raise StepError(
                f"{self.key.secret_id} has no rotation in AWS: declare it, or switch it on"
            )
        stages = said.get("VersionIdsToStages") or {}
        self.uid, self._pending = (
            next((version for version, of in stages.items() if stage in of), "")
            for stage in ("AWSCURRENT", "AWSPENDING")
        )
        date = said.get("LastRotatedDate")
        # The memory has whole seconds.
        self.rotated_at = datetime.fromtimestamp(int(date), UTC) if date else None

    def _use_its_day(self) -> None:
        """The id is that of the day on which Secrets Manager rotated, also in a later run."""
        if self.rotated_at:
            self.id = rotation_id(self.rotated_at.date(), self._known.id)
