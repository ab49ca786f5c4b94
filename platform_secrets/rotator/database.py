"""The rotation of a database's URL: the account that is not in use gets a new password, then the
pointer moves to it. No service ever holds a password that the database refuses."""

from . import contract, shapes
from .checks import Check
from .clock import Steps
from .contract import Phase
from .keys import Database
from .operator_objects import StepError
from .rotation import RotationOf


class DatabaseRotation(RotationOf[Database]):
    """Its one-shot object `staged` exists while the idle side gets its password; then a mark in the
    pointer, `to-b` or, once it is taken back, `back-to-a`, stays until the rotation is recorded.
    `before` has the password that the idle side had, made before any other.

    The operator may look twice, the second time at an old state of the object, and have the
    password changed once more. It lets go of an object in deletion only after all of that: so the
    object is gone before anybody is led to the new side.
    """

    _side = ""
    _has_before = False

    def find(self) -> bool:
        """Looks for the mark or objects of a rotation in flight, and says whether there is one."""
        before, staged = (
            self._api.get("ExternalSecret", self._name(step)) for step in ("before", "staged")
        )
        self._has_before = before is not None
        if mark := self._pointer().get(contract.POINTER_MARK):
            where, self.id, self.uid = mark.split()
            is_back = where.startswith("back-")
            self._side = self._other(where[-1]) if is_back else where[-1]
            # Without the password before, nobody could show that the new one has arrived.
            if is_back or not self._has_before:
                self.phase = Phase.RESTORE
            elif self._shows(self._side):
                self.phase = Phase.PROMOTE
            return True
        if found := before or staged:
            self.id = found["metadata"].get("annotations", {}).get(contract.ROTATION_ID, "")
        return found is not None

    def stage(self) -> Steps:
        """The account that is not in use has a new password, and gets no other one."""
        if self._side:
            return
        if not self._has_before:  # its password may have changed already
            yield from self._operator.gone("staged", self._name("staged"))
        self._side = self._other(self._active())
        arguments = (self._plan, self.key, self.id, self._side)
        yield from self._operator.made(shapes.before_account(*arguments))
        self._has_before = True
        [made] = yield from self._operator.made(shapes.staged_account(*arguments))
        self.uid = made["metadata"]["uid"]
        yield from self._operator.gone("staged", self._name("staged"))
        self._write({contract.POINTER_MARK: f"to-{self._side} {self.id} {self.uid}"})

    def promote(self) -> Steps:
        """The URL is that of the account with the new password."""
        self._write({self.key.fields[0]: self.key.contents[self._side]})
        self.phase = Phase.PROMOTE
        yield from ()

    def take_back(self) -> Steps:
        """The URL is that of the other account again, whose password did not change."""
        before = self._other(self._side)
        mark = f"back-to-{before} {self.id} {self.uid}"
        self._write({self.key.fields[0]: self.key.contents[before], contract.POINTER_MARK: mark})
        yield from ()

    def clean(self) -> Steps:
        """No object or mark of the rotation is left."""
        yield from super().clean()
        self._write({contract.POINTER_MARK: None})

    def checks(self, phase: Phase, external_secret: str) -> list[Check]:
        """The URL is of the side with the new password, or of the other one again."""
        if not self._has_before:
            return []
        step = "restored" if phase is Phase.RESTORE else "promoted"
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
