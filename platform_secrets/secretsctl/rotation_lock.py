"""The lock that a person's command holds: the rotator's, so that no rotation runs meanwhile; one of
its own where there is no rotator."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator.api import ConflictError, RefusedError
from platform_secrets.rotator.clock import Clock
from platform_secrets.rotator.memory import LockLostError, Memory, moment
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl

_LOCK_SECONDS = 30
"""As the rotator has it by default: a lock that nobody renews for that long is taken over."""
_PATIENCE_SECONDS = _LOCK_SECONDS + 5


@contextmanager
def rotation_lock(kubectl: Kubectl, what: str) -> Iterator[tuple[Kubectl, Memory]]:
    """A kubectl that renews the lock with each command, and the memory; `what` says whose it is.
    Raises ClusterError where a rotation has it."""
    if found := waiting.memory(kubectl).get("data", {}).get("lock"):
        who = _holder(found)
        waiting.say(f"{who} has the rotator's lock: waits up to {_PATIENCE_SECONDS} s for it")
    with _held(kubectl, names.MEMORY, what) as (holding, memory):
        yield holding, memory


@contextmanager
def lock_of_its_own(kubectl: Kubectl, place: Manifest, what: str) -> Iterator[Kubectl]:
    """A kubectl that renews the lock in this ConfigMap, which is deleted at the end. Raises
    ClusterError where another command has it: at once, if it renewed it just now."""
    kubectl.apply(place)
    name = place["metadata"]["name"]
    found = (kubectl.get("configmap", name) or {}).get("data", {}).get("lock")
    again = "run this again once it has ended, or half a minute after it was killed"
    if found and _is_fresh(found):
        raise ClusterError(f"nothing is done: {_holder(found)} is at work: {again}")
    if found:
        waiting.say(f"{_holder(found)} has not ended: waits up to {_PATIENCE_SECONDS} s for it")
    with _held(kubectl, name, what, f"another command is at work: {again}") as (holding, _):
        try:
            yield holding
        finally:
            with suppress(ClusterError):  # another command has it
                holding.delete("configmap", [name])


@contextmanager
def _held(
    kubectl: Kubectl, name: str, what: str, refusal: str | None = None
) -> Iterator[tuple[Kubectl, Memory]]:
    """`refusal` says why it can't be had, where the memory's own words would mislead."""
    holder = f"secretsctl {what} {os.urandom(3).hex()}"
    memory = Memory(_ConfigMaps(kubectl), Clock(), name, holder, _LOCK_SECONDS)

    def hold() -> None:
        try:
            memory.hold()
        except LockLostError as error:
            raise ClusterError(str(error)) from None

    try:
        memory.lock(_PATIENCE_SECONDS, is_rotation=False)
    except LockLostError as error:
        why = refusal or f"{error}: try again once that has ended"
        raise ClusterError(f"nothing is done: {why}") from None
    try:
        yield replace(kubectl, before_each=hold), memory
    except LockLostError as error:
        raise ClusterError(str(error)) from None
    finally:
        with suppress(ClusterError, LockLostError):  # nobody renews it any more
            memory.unlock()


def _is_fresh(lock: str) -> bool:
    """Whether it was renewed just now, if its holder's clock and this one's agree. If they do not,
    nobody takes it over for that."""
    try:
        age = datetime.now(UTC) - moment(json.loads(lock)["renewed"])
    except (ValueError, LookupError, TypeError):
        return False
    return abs(age.total_seconds()) < _LOCK_SECONDS


def _holder(lock: str) -> str:
    try:
        return str(json.loads(lock)["holder"])
    except (ValueError, LookupError, TypeError):
        return "somebody"


@dataclass(frozen=True)
class _ConfigMaps:
    """The memory's ConfigMap as the rotator finds it, by kubectl."""

    kubectl: Kubectl

    def get(self, kind: str, name: str) -> Manifest | None:
        return self.kubectl.get(kind.lower(), name)

    def patch(self, kind: str, name: str, patch: Manifest, *, is_guarded: bool = True) -> Manifest:
        try:
            return self.kubectl.patch(kind.lower(), name, patch)
        except ClusterError as error:
            request = f"PATCH {kind}/{name}"
            if "(Conflict)" in str(error):
                raise ConflictError(request, 409, str(error)) from None
            if "(NotFound)" in str(error):
                raise RefusedError(request, 404, str(error)) from None
            raise
