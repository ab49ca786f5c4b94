"""What every kind of rotation is. A kind is a subclass, and a row in `run.ROTATIONS`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from . import contract
from .api import Api
from .aws import Aws
from .checks import Check, Checks
from .clock import Clock, Steps
from .contract import Phase
from .keys import RotatedKey
from .memory import Remembered
from .operator_objects import OperatorObjects
from .plan import Plan

_Key_co = TypeVar("_Key_co", bound=RotatedKey, covariant=True)


@dataclass(frozen=True)
class Context:
    """What the rotations of one run share."""

    plan: Plan
    api: Api
    clock: Clock
    operator: OperatorObjects
    checks: Checks
    aws: Aws


class RotationOf(ABC, Generic[_Key_co]):
    """The rotation of one key, which `id` and `uid` tell from its other ones. `phase` is the last
    that has begun, and `rotated_at` when it was, where others say. With `has_next` services get the
    new value beforehand; with `shares_entry` other keys are properties of its entry.

    What returns Steps is a task that may be run again.
    """

    id = uid = ""
    phase = Phase.STAGE
    rotated_at: datetime | None = None
    has_next = shares_entry = begins_elsewhere = False
    can_be_taken_back = True

    def __init__(self, context: Context, key: _Key_co, known: Remembered) -> None:
        self.key, self._known = key, known
        self._plan, self._api, self._clock = context.plan, context.api, context.clock
        self._operator, self._checks, self._aws = context.operator, context.checks, context.aws
        self._made = {*contract.steps(key)}  # those that may have objects

    @property
    def is_pushed(self) -> bool:
        """Whether services may have seen something of it."""
        return self.phase in (Phase.NEXT, Phase.PROMOTE, Phase.RESTORE)

    @abstractmethod
    def find(self) -> bool:
        """Looks for a rotation in flight, and says whether there is one."""

    @abstractmethod
    def stage(self) -> Steps:
        """The new value is there, and no service has it."""

    def publish(self) -> Steps:
        """Services may read the value to come."""
        yield from ()

    @abstractmethod
    def promote(self) -> Steps:
        """The new value is the current one."""

    def take_back(self) -> Steps:
        """The value before is the current one again."""
        yield from ()

    def delete(self) -> Steps:
        """The objects of the rotation are in deletion, or gone."""
        for step in contract.steps(self.key):
            for name in contract.objects(self.key, step) if step in self._made else ():
                self._operator.delete(step, name)
        yield from ()

    def clean(self) -> Steps:
        """Nothing of the rotation is left."""
        for step in ("before", "staged"):
            for name in contract.objects(self.key, step):
                yield from self._operator.gone(step, name)

    def external_secrets(self, phase: Phase) -> list[str]:
        """What to sync after a phase's pushes."""
        return [self.key.external_secret]

    @abstractmethod
    def checks(self, phase: Phase, external_secret: str) -> list[Check]:
        """What has to be in one of the services' Secrets after a phase."""

    @abstractmethod
    def by_hand(self) -> str:
        """What people do where it can't be taken back."""

    def _name(self, step: str) -> str:
        return contract.one_shot_of(self.key, step)


Rotation = RotationOf[RotatedKey]
