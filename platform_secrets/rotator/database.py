"""The rotation of a database's URL: the account that is not in use gets a new password, then the
pointer moves to it. No service ever holds a password that the database refuses."""

from . import contract, shapes
from .api import Api
from .checks import Check
from .clock import Steps
from .keys import Database
from .operator_objects import OperatorObjects, StepError
from .plan import Plan


class DatabaseRotation:
    """Its one-shot object `staged` exists while the idle side gets its password; then a mark in the
    pointer, `to-b` or, once it is taken back, `back-to-a`, stays until the rotation is recorded.
    `before` has the password that the idle side had, made before any other.

    The operator may look twice, the second time at an old state of the object, and have the
    password changed once more. It lets go of an object in deletion only after all of that: so the
    object is gone before anybody is led to the new side.
    """

    has_next = shares_entry = False
    can_go_on = can_be_taken_back = True
    rotated_at = None

    def __init__(self, plan: Plan, key: Database, api: Api, operator: OperatorObjects) -> None:
        self.key, self._plan, self._api, self._operator = key, plan, api, operator
        self.id = self.uid = self._side = ""
        self.is_promoted = self.is_pushed = self.is_taken_back = self._has_before = False

    def find(self) -> bool:
        """Looks for the mark or objects of a rotation in flight, and says whether there is one."""
        before, staged = (
            self._api.get("ExternalSecret", contract.one_shot_of(self.key, step))
            for step in ("before", "staged")
        )
        self._has_before = before is not None
        if mark := self._pointer().get(contract.POINTER_MARK):
            where, self.id, self.uid = mark.split()
            # Without the password before, nobody could show that the new one has arrived.
            self.is_taken_back = where.startswith("back-") or not self._has_before
            self._side = self._other(where[-1]) if where.startswith("back-") else where[-1]
            self.is_promoted = self._shows(self._side)
            self.is_pushed = self.is_promoted or self.is_taken_back
            return True
        if found := before or staged:
            self.id = found["metadata"].get("annotations", {}).get(contract.ROTATION_ID, "")
        return found is not None

    def stage(self) -> Steps:
        """The account that is not in use has a new password, and gets no other one."""
        if self._side:
            return
        if not self._has_before:  # its password may have changed already
            yield from self._operator.gone("staged", contract.one_shot_of(self.key, "staged"))
        self._side = self._other(self._active())
        arguments = (self._plan, self.key, self.id, self._side)
        yield from self._operator.made(shapes.before_account(*arguments))
        self._has_before = True
        [made] = yield from self._operator.made(shapes.staged_account(*arguments))
        self.uid = made["metadata"]["uid"]
        yield from self._operator.gone("staged", contract.one_shot_of(self.key, "staged"))
        self._write({contract.POINTER_MARK: f"to-{self._side} {self.id} {self.uid}"})

    def publish(self) -> Steps:
        """Both accounts are always published."""
        yield from ()

    def promote(self) -> Steps:
        """The URL is that of the account with the new password."""
        self._write({self.key.fields[0]: self.key.contents[self._side]})
        self.is_promoted = True
        yield from ()

    def take_back(self) -> Steps:
        """The URL is that of the other account again, whose password did not change."""
        before = self._other(self._side)
        mark = f"back-to-{before} {self.id} {self.uid}"
        self._write({self.key.fields[0]: self.key.contents[before], contract.POINTER_MARK: mark})
        yield from ()

    def delete(self) -> Steps:
        """The objects of the rotation are in deletion, or gone."""
        for step in ("before", *contract.DATABASE_CHECKS, "staged"):
            self._operator.delete(step, contract.one_shot_of(self.key, step))
        yield from ()

    def clean(self) -> Steps:
        """No object or mark of the rotation is left."""
        for step in ("before", "staged"):
            yield from self._operator.gone(step, contract.one_shot_of(self.key, step))
        self._write({contract.POINTER_MARK: None})

    def external_secrets(self, phase: str) -> list[str]:
        """What to sync once the pointer has moved."""
        return [self.key.external_secret]

    def checks(self, phase: str, external_secret: str) -> list[Check]:
        """The URL is of the side with the new password, or of the other one again."""
        if not self._has_before:
            return []
        step = "restored" if phase == "restore" else "promoted"
        [check] = shapes.checks(self._plan, self.key, self.id, step)
        return [Check(self.key.name, check)]

    def by_hand(self) -> str:
        """How to finish when it could not be taken back."""
        return (
            f"the plan's content for side {self._other(self._side)} belongs into"
            f" ConfigMap/{self.key.pointer}; then sync ExternalSecret/{self.key.external_secret}"
            " and restart the readers, or run the rotation again"
        )

    def _pointer(self) -> dict[str, str]:
        return (self._api.get("ConfigMap", self.key.pointer) or {}).get("data") or {}

    def _shows(self, side: str) -> bool:
        """Whether the pointer shows a side."""
        return self._pointer().get(self.key.fields[0]) == self.key.contents[side]

    def _active(self) -> str:
        """The side that the pointer shows."""
        for side in self.key.contents:
            if self._shows(side):
                return side
        what = f"ConfigMap/{self.key.pointer} shows neither side"
        raise StepError(f"{what}: apply the environment again")

    def _other(self, side: str) -> str:
        return next(one for one in self.key.contents if one != side)

    def _write(self, data: dict[str, str | None]) -> None:
        self._api.patch("ConfigMap", self.key.pointer, {"data": data})
