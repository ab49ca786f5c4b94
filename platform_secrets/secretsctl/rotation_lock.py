"""The rotator's lock, held by a person's command: no rotation runs meanwhile."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator.api import ConflictError, RefusedError
from platform_secrets.rotator.clock import Clock
from platform_secrets.rotator.memory import LockLostError, Memory
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl

_LOCK_SECONDS = 30
"""As the rotator has it by default: a lock that nobody renews for that long is taken over."""
_PATIENCE_SECONDS = _LOCK_SECONDS + 5


@contextmanager
def rotation_lock(kubectl: Kubectl, what: str) -> Iterator[tuple[Kubectl, Memory]]:
    """A kubectl that renews the lock with each command, and the memory; `what` says whose it is.
    Raises ClusterError where a rotation has it."""
    holder = f"secretsctl {what} {os.urandom(3).hex()}"
    memory = Memory(_ConfigMaps(kubectl), Clock(), names.MEMORY, holder, _LOCK_SECONDS)

    def hold() -> None:
        try:
            memory.hold()
        except LockLostError as error:
            raise ClusterError(str(error)) from None

    if found := waiting.memory(kubectl).get("data", {}).get("lock"):
        who = _holder(found)
        waiting.say(f"{who} has the rotator's lock: waits up to {_PATIENCE_SECONDS} s for it")
    try:
        memory.lock(_PATIENCE_SECONDS, is_rotation=False)
    except LockLostError as error:
        raise ClusterError(f"nothing is done: {error}: try again once that has ended") from None
    try:
        yield replace(kubectl, before_each=hold), memory
    except LockLostError as error:
        raise ClusterError(str(error)) from None
    finally:
        with suppress(ClusterError, LockLostError):  # nobody renews it any more
            memory.unlock()


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
