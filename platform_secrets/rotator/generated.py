"""The rotation of one generated key, step by step; each step is a task that may be run again."""

from . import contract, shapes
from .api import Manifest
from .checks import Check
from .clock import Steps
from .contract import Phase
from .keys import Generated, beside
from .memory import Remembered
from .operator_objects import StepError
from .rotation import Context, RotationOf

_PUSHED = {  # by check, in the order in which they were made
    "reserved": ["reserve"],
    "kept": ["previous"],
    "published": ["previous", "next"],
    "promoted": ["promote"],
    "restored": ["restore"],
    "withdrawn": ["withdraw"],
}


class GeneratedRotation(RotationOf[Generated]):
    """What its objects in the cluster mean: with `before` it goes on (before a `promote` the old
    value is in use); with `restore` or `withdraw` it is being taken back; without `before`, or with
    one in deletion, only cleaning is left, as `before` is deleted first and `staged` last."""

    def __init__(self, context: Context, key: Generated, known: Remembered) -> None:
        super().__init__(context, key, known)
        self._has_before = self._is_withdrawn = False
        self._made = {"before", "staged"}
        self.has_next = bool(key.overlap_seconds)
        self.shares_entry = (key.store, key.entry.key) in context.plan.shared_entries

    def find(self) -> bool:
        """Looks for the objects of a rotation in flight, and says whether there is one."""
        before, staged = self._live("before"), self._live("staged")
        if before is None and staged is None:
            return False
        self._made = {*contract.steps(self.key)}
        metadata = (before or staged or {})["metadata"]
        self.id = metadata.get("annotations", {}).get(contract.ROTATION_ID, "")
        self.uid = (staged or {"metadata": {"uid": ""}})["metadata"]["uid"]
        self._has_before = before is not None and "deletionTimestamp" not in before["metadata"]
        self.phase = self._found_phase()
        return True

    def _found_phase(self) -> Phase:
        if self._live("promote") is not None:
            return Phase.PROMOTE
        if not self._has_before:
            return Phase.CLEAN
        undone = ("restore", "withdraw") if self.has_next else ("restore",)
        if any(self._live(step) is not None for step in undone):
            return Phase.RESTORE
        is_published = self.has_next and self._live("next") is not None
        return Phase.NEXT if is_published else Phase.STAGE

    def stage(self) -> Steps:
        """The value before is kept, and the new one made."""
        wanted = [shapes.staged(self._plan, self.key, self.id)]
        if self.phase is not Phase.PROMOTE:
            wanted.insert(0, shapes.before(self._plan, self.key, self.id))
            self._has_before = True
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
        self.phase = Phase.PROMOTE

    def take_back(self) -> Steps:
        """The value before is the current one again; if the new one was current, it stays under
        `next`, so that what was signed with it is accepted."""
        if not self._has_before:
            name = self._name("before")
            raise StepError(f"the value before is gone: ExternalSecret/{name} does not exist")
        if self.phase is Phase.PROMOTE or self._live("restore") is not None or not self.has_next:
            pushed, pushes_back = "promote", "restore"
        else:
            pushed, pushes_back = "next", "withdraw"
        self._is_withdrawn = pushes_back == "withdraw"
        # In this order: two pushes to one entry could overtake each other.
        yield from self._operator.gone(pushed, self._name(pushed))
        yield from self._pushed(pushes_back)

    def external_secrets(self, phase: Phase) -> list[str]:
        """What to sync after a phase's pushes."""
        main = [one.external_secret for one in self.key.secrets]
        overlap = [one.overlap_external_secret for one in self.key.secrets]
        of_next = [one for one in overlap if one]
        if not of_next or phase is Phase.PROMOTE:
            return main
        return of_next if phase is Phase.NEXT else [*of_next, *main]

    def checks(self, phase: Phase, external_secret: str) -> list[Check]:
        """What has to be in one of the services' Secrets after a phase."""
        if phase is Phase.NEXT:
            steps = ["published"]
        elif phase is Phase.PROMOTE:
            steps = ["promoted"]
        else:
            steps = ["withdrawn" if self._is_withdrawn else "restored"]
        # Whoever pushes to the entry last may have undone what was there before.
        if self.shares_entry and self.has_next and not self._is_withdrawn and self._has_before:
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


def _namespace(manifest: Manifest) -> str:
    return manifest["metadata"]["namespace"]
