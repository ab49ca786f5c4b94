"""The rotation of one generated key, step by step; each step is a task that may be run again."""

from . import contract, shapes
from .api import Api, Manifest
from .checks import Check, Checks
from .clock import Steps
from .keys import Generated, beside
from .memory import Remembered
from .operator_objects import OperatorObjects, StepError
from .plan import Plan

_PUSHED = {  # by check, in the order in which they were made
    "reserved": ["reserve"],
    "kept": ["previous"],
    "published": ["previous", "next"],
    "promoted": ["promote"],
    "restored": ["restore"],
    "withdrawn": ["withdraw"],
}


class GeneratedRotation:
    """What its objects in the cluster mean: with `before` it goes on (before a `promote` the old
    value is in use); with `restore` or `withdraw` it is being taken back; without `before`, or with
    one in deletion, only cleaning is left, as `before` is deleted first and `staged` last."""

    can_be_taken_back = True
    rotated_at = None

    def __init__(
        self,
        plan: Plan,
        key: Generated,
        known: Remembered,
        api: Api,
        operator: OperatorObjects,
        checks: Checks,
    ) -> None:
        self.key, self._plan, self._api, self._operator = key, plan, api, operator
        self._checks, self._known = checks, known
        self.id = self.uid = ""
        self.is_promoted = self.is_pushed = self.is_taken_back = self.has_before = False
        self._is_withdrawn = self._is_found = False
        self._made = {"before", "staged"}
        self.has_next = bool(key.overlap_seconds)
        self.shares_entry = (key.store, key.entry.key) in plan.shared_entries

    def find(self) -> bool:
        """Looks for the objects of a rotation in flight, and says whether there is one."""
        before, staged = self._live("before"), self._live("staged")
        if before is None and staged is None:
            return False
        self._is_found = True
        metadata = (before or staged or {})["metadata"]
        self.id = metadata.get("annotations", {}).get(contract.ROTATION_ID, "")
        self.uid = (staged or {"metadata": {"uid": ""}})["metadata"]["uid"]
        self.has_before = before is not None and "deletionTimestamp" not in before["metadata"]
        self.is_promoted = self._live("promote") is not None
        undone = ("restore", "withdraw") if self.has_next else ("restore",)
        self.is_taken_back = any(self._live(step) is not None for step in undone)
        is_published = self.has_next and self._live("next") is not None
        self.is_pushed = self.is_promoted or self.is_taken_back or is_published
        return True

    @property
    def can_go_on(self) -> bool:
        return self.has_before or self.is_promoted

    def stage(self) -> Steps:
        """The value before is kept, and the new one made."""
        wanted = [shapes.staged(self._plan, self.key, self.id)]
        if not self.is_promoted:
            wanted.insert(0, shapes.before(self._plan, self.key, self.id))
            self.has_before = True
        *_, staged = yield from self._operator.made(*wanted)
        self.uid = staged["metadata"]["uid"]

    def publish(self) -> Steps:
        """The services may read the value to come. The one before is kept for them already here:
        as long as it is the current one it does no harm, and promotion is then one write."""
        if not self.shares_entry:
            yield from self._pushed("previous")
            yield from self._pushed("next")
            return
        if self._known.rotated is None and self._live("previous") is None:
            # In the Secret a missing `previous` looks like the value before, which it will be: so
            # it first has a value that can be seen.
            yield from self._pushed("reserve")
            yield from self._seen("reserved")
        yield from self._pushed("previous")
        yield from self._seen("kept")
        yield from self._pushed("next")

    def promote(self) -> Steps:
        """The new value is the current one."""
        yield from self._pushed("promote")
        self.is_promoted = True

    def take_back(self) -> Steps:
        """The value before is the current one again; if the new one was current, it stays under
        `next`, so that what was signed with it is accepted."""
        if not self.has_before:
            name = self._name("before")
            raise StepError(f"the value before is gone: ExternalSecret/{name} does not exist")
        if self.is_promoted or self._live("restore") is not None or not self.has_next:
            pushed, pushes_back = "promote", "restore"
        else:
            pushed, pushes_back = "next", "withdraw"
        self._is_withdrawn = pushes_back == "withdraw"
        # In this order: two pushes to one entry could overtake each other.
        yield from self._operator.gone(pushed, self._name(pushed))
        yield from self._pushed(pushes_back)

    def delete(self) -> Steps:
        """The objects of the rotation are in deletion, or gone."""
        checks = contract.checks(self.key)
        for step in ("before", *contract.pushes(self.key), *checks, "staged"):
            if not self._is_found and step not in self._made:
                continue
            of_checks = contract.checked_secrets(self.key, step) if step in checks else ()
            copies = contract.copies(self.key, step)
            for name in [one.name for one in of_checks] or [*copies, self._name(step)]:
                self._operator.delete(step, name)
        yield from ()

    def clean(self) -> Steps:
        """No object of the rotation is left."""
        for step in ("before", "staged"):
            for name in (*contract.copies(self.key, step), self._name(step)):
                yield from self._operator.gone(step, name)

    def external_secrets(self, phase: str) -> list[str]:
        """What to sync after a phase's pushes."""
        main = [one.external_secret for one in self.key.secrets]
        overlap = [one.overlap_external_secret for one in self.key.secrets]
        of_next = [one for one in overlap if one]
        if not of_next or phase == "promote":
            return main
        return of_next if phase == "next" else [*of_next, *main]

    def checks(self, phase: str, external_secret: str) -> list[Check]:
        """What has to be in one of the services' Secrets after a phase."""
        if phase == "next":
            steps = ["published"]
        elif phase == "promote":
            steps = ["promoted"]
        else:
            steps = ["withdrawn" if self._is_withdrawn else "restored"]
        # Whoever pushes to the entry last may have undone what was there before.
        if self.shares_entry and self.has_next and not self._is_withdrawn and self.has_before:
            steps = list(dict.fromkeys(["published", *steps]))
        found = [check for step in steps for check in self._checks_of(step)]
        return [one for one in found if self._secret(one) == external_secret]

    def by_hand(self) -> str:
        """How to finish when it could not be taken back."""
        return (
            f"the value before is in Secret/{self._name('before')}: write it to the"
            f" store's entry {self.key.entry.key}, sync ExternalSecret/{self.key.external_secret},"
            " restart the readers, or run the rotation again, which tries to take it back"
        )

    def _pushed(self, step: str) -> Steps:
        self._made.add(step)
        return self._operator.made(shapes.push(self._plan, self.key, self.id, step))

    def _seen(self, step: str) -> Steps:
        first, *_ = self._checks_of(step)
        return self._checks.shown(self.key.external_secret, f"{step}-{self.uid}", [first])

    def _checks_of(self, step: str) -> list[Check]:
        self._made.add(step)
        pushes = [shapes.push(self._plan, self.key, self.id, push) for push in _PUSHED[step]]
        copies = shapes.copies(self._plan, self.key, self.id, step)
        return [
            Check(
                *(self.key.name, manifest, pushes, self.shares_entry),
                [one for one in copies if _namespace(one) == _namespace(manifest)],
            )
            for manifest in shapes.checks(self._plan, self.key, self.id, step)
        ]

    def _secret(self, check: Check) -> str:
        """The Secret that a check looks at."""
        secret = check.manifest["spec"]["selector"]["secret"]["name"]
        return beside(self._api.address(check.manifest), secret)

    def _live(self, step: str) -> Manifest | None:
        return self._api.get(contract.KINDS[step], self._name(step))

    def _name(self, step: str) -> str:
        return contract.one_shot_of(self.key, step)


def _namespace(manifest: Manifest) -> str:
    return manifest["metadata"]["namespace"]
