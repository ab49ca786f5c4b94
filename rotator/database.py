"""The rotation of a database's URL: the account that is not in use gets a new password, then the
pointer moves to it. No service ever holds a password that the database refuses."""

from rotator import shapes
from rotator.api import Api, Manifest
from rotator.clock import Steps
from rotator.operator_objects import OperatorObjects, StepError
from rotator.plan import Database, Plan


class DatabaseRotation:
    """Its one-shot object exists from the new password until the rotation is recorded, and says by
    its generator which side is the new one."""

    has_next = is_taken_back = False
    can_go_on = can_be_taken_back = True
    rotated_at = None

    def __init__(self, plan: Plan, key: Database, api: Api, operator: OperatorObjects) -> None:
        self.key, self._plan, self._api, self._operator = key, plan, api, operator
        self.id = self.uid = self._side = ""
        self.is_promoted = self.is_pushed = False

    def find(self) -> bool:
        """Looks for the object of a rotation in flight, and says whether there is one."""
        staged = self._staged()
        if staged is None:
            return False
        self.id = staged["metadata"].get("annotations", {}).get(shapes.ROTATION, "")
        self.uid = staged["metadata"]["uid"]
        source = staged["spec"]["dataFrom"][0]["sourceRef"]["generatorRef"]["name"]
        self._side = source.removeprefix(f"rotation-{self.key.name}-")
        self.is_pushed = self._shows(self._side)
        return True

    def stage(self) -> Steps:
        """The account that is not in use has a new password."""
        self._side = self._side or self._other(self._active())
        staged = shapes.staged_account(self._plan, self.key, self.id, self._side)
        [made] = yield from self._operator.made(staged)
        self.uid = made["metadata"]["uid"]

    def publish(self) -> Steps:
        """Both accounts are always published."""
        yield from ()

    def promote(self) -> Steps:
        """The URL is that of the account with the new password."""
        yield from self._pointed(self._side)
        self.is_promoted = True

    def take_back(self) -> Steps:
        """The URL is that of the other account again, whose password did not change."""
        yield from self._pointed(self._other(self._side))

    def delete(self) -> Steps:
        """The object of the rotation is in deletion, or gone."""
        self._operator.delete("staged", self.key.name)
        yield from ()

    def clean(self) -> Steps:
        """No object of the rotation is left."""
        yield from self._operator.gone("staged", self.key.name)

    def external_secrets(self, phase: str) -> list[str]:
        """What to sync once the pointer has moved."""
        return [self.key.external_secret]

    def by_hand(self) -> str:
        """How to finish when it could not be taken back."""
        return (
            f"the plan's content for side {self._other(self._side)} belongs into"
            f" ConfigMap/{self.key.pointer}; then sync ExternalSecret/{self.key.external_secret}"
            " and restart the readers, or run the rotation again"
        )

    def _staged(self) -> Manifest | None:
        return self._api.get("ExternalSecret", shapes.name("staged", self.key.name))

    def _shows(self, side: str) -> bool:
        """Whether the pointer shows a side."""
        pointer = self._api.get("ConfigMap", self.key.pointer) or {}
        return (pointer.get("data") or {}).get(self.key.name) == self.key.contents[side]

    def _active(self) -> str:
        """The side that the pointer shows."""
        for side in self.key.contents:
            if self._shows(side):
                return side
        what = f"ConfigMap/{self.key.pointer} shows neither side"
        raise StepError(f"{what}: apply the environment again")

    def _other(self, side: str) -> str:
        return next(one for one in self.key.contents if one != side)

    def _pointed(self, side: str) -> Steps:
        data = {self.key.name: self.key.contents[side]}
        self._api.patch("ConfigMap", self.key.pointer, {"data": data})
        yield 0
