"""What the services' Secret holds, shown by checks that the operator makes.

A sync proves that the operator has read the store, not which value it got. A store may answer with
an old value for a while. It may even lose a push: the operator reads an entry, changes one property
and writes it, and what it reads may be from before another push.
"""

import os
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count

from . import contract, log, proof
from .api import Api, Manifest, RefusedError
from .clock import Clock, Steps, pauses
from .operator_objects import OperatorObjects, StepError

# A check that fails has no condition: only time tells it from one that is not looked at yet, by an
# operator that has much to do.
_FIRST_PATIENCE_SECONDS = 1.0
_LONGEST_PATIENCE_SECONDS = 15.0
# For the other ExternalSecrets of a store that has answered with old values until the deadline.
_SHORT_PATIENCE_SECONDS = 30


class NotShownError(StepError):
    """The services' Secret does not hold what was pushed, of these keys."""

    def __init__(self, external_secret: str, keys: list[str], seconds: float) -> None:
        super().__init__(
            f"Secret/{external_secret} does not hold what was pushed, {seconds:.0f} s and several"
            " syncs after it: the store answers with an old value, or has lost the push"
        )
        self.keys = keys


@dataclass(frozen=True)
class Check:
    """One key's check, and the pushes without which it fails. `is_shared` says that other keys are
    properties of the same entry, whose pushes may undo these; `copies` make there what the check
    compares with, where the key itself is in another namespace."""

    key: str
    manifest: Manifest
    pushes: list[Manifest] = field(default_factory=list)
    is_shared: bool = False
    copies: list[Manifest] = field(default_factory=list)


class Checks:
    """Checks of the services' Secrets, for one run."""

    def __init__(
        self, api: Api, clock: Clock, operator: OperatorObjects, sync_seconds: float
    ) -> None:
        self._api, self._clock, self._operator = api, clock, operator
        self._sync_seconds = sync_seconds
        self._late_stores: set[str] = set()
        self._run = os.urandom(4).hex()
        self._looks = count()
        self._known: set[str] = set()  # the PushSecrets that are there

    def shown(self, external_secret: str, token: str, checks: list[Check]) -> Steps:
        """The services' Secret is synced and holds what the checks say; NotShownError if not. It is
        synced anew until it does, and a push that may be lost is made anew too."""
        stores = {_store(check) for check in checks}
        seconds = self._sync_seconds
        if stores & self._late_stores:
            seconds = min(_SHORT_PATIENCE_SECONDS, seconds)
        yield from self._operator.made(*(copy for check in checks for copy in check.copies))
        began, patience, wanted = self._clock.monotonic(), _FIRST_PATIENCE_SECONDS, checks
        for attempt in count():
            again = f"-{attempt}" if attempt else ""
            asked = self._clock.monotonic()
            yield from self._operator.synced(external_secret, f"{token}{again}")
            as_slow = 3 * (self._clock.monotonic() - asked)
            wanted = yield from self._failing(wanted, max(patience, as_slow))
            if not wanted:
                self._late_stores -= stores
                return
            waited = self._clock.monotonic() - began
            keys = list(dict.fromkeys(check.key for check in wanted))
            if waited >= seconds:
                self._late_stores |= stores
                raise NotShownError(external_secret, keys, waited)
            log.warning(f"Secret/{external_secret} does not hold what was pushed yet", keys=keys)
            lost = [one for one in wanted if one.is_shared or attempt > 2] if attempt % 2 else []
            if lost:
                yield from self._push_again(lost, patience)
                wanted = checks
            patience = min(2 * patience, _LONGEST_PATIENCE_SECONDS)

    def _failing(self, checks: list[Check], patience: float) -> Generator[float, None, list[Check]]:
        """Has the operator run checks now, and returns those that fail."""
        failing = []
        for check in checks:
            self._renew(check.manifest)
        for place, check in enumerate(checks):
            seconds = 0 if failing else patience
            if not (yield from self._done(check.manifest, seconds, is_first_at_once=place > 0)):
                failing.append(check)
        return failing

    def _push_again(self, checks: list[Check], patience: float) -> Steps:
        """Writes the same bytes once more, each push a while after the other."""
        for manifest in [push for check in checks for push in check.pushes]:
            self._renew(manifest)
            yield from self._done(manifest, patience, is_first_at_once=False)
            yield _FIRST_PATIENCE_SECONDS

    def _renew(self, manifest: Manifest) -> None:
        """The operator looks at a PushSecret now: at a new one, or because of its annotation."""
        kind, name = manifest["kind"], self._api.address(manifest)
        if name not in self._known:
            self._known.add(name)
            if self._operator.created(manifest):
                return
        token = f"{self._run}-{next(self._looks)}"
        try:
            self._api.patch(kind, name, {"metadata": {"annotations": {contract.SYNC_TOKEN: token}}})
        except RefusedError as refusal:
            if refusal.status != 404:
                raise
            self._operator.created(manifest)

    def _done(
        self, manifest: Manifest, patience: float, *, is_first_at_once: bool
    ) -> Generator[float, None, bool]:
        name = self._api.address(manifest)
        for pause in pauses(self._clock, patience, is_first_at_once=is_first_at_once):
            if pause:
                yield pause
            if proof.fault(self._api.get("PushSecret", name)) is None:
                return True
        return proof.fault(self._api.get("PushSecret", name)) is None


def _store(check: Check) -> str:
    return check.manifest["spec"]["secretStoreRefs"][0]["name"]
