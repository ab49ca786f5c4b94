"""What the operator does for a rotation: one-shot objects, and syncs of the services' Secrets."""

from collections.abc import Generator

from . import contract, proof
from .api import Api, ConflictError, Manifest
from .clock import Clock, Steps, pauses

# For the other keys of a store that has not answered: one that is well needs a second.
_SHORT_PATIENCE_SECONDS = 30
# The cluster's garbage collector deletes a few objects a second.
_GARBAGE_PAUSE_SECONDS = 0.5


class StepError(Exception):
    """A step is not done in its time, or can't be; the message quotes the object."""


class OperatorObjects:
    """Each method is a task that ends when the operator has done it, or with StepError."""

    def __init__(self, api: Api, clock: Clock, sync_seconds: float) -> None:
        self._api, self._clock, self._sync_seconds = api, clock, sync_seconds
        self._silent_stores: set[str] = set()
        self._is_garbage_left = False

    def made(self, *manifests: Manifest) -> Generator[float, None, list[Manifest]]:
        """One-shot objects, made in this order, once they have done their work. One that is there
        already counts if it is of this rotation; a push that failed before is made anew, since the
        operator may be waiting in its back-off, and pushes the same bytes."""
        made = []
        for manifest, is_new in [(each, self.created(each)) for each in manifests]:
            # The operator has had time for the others while the first was waited for.
            made.append((yield from self._done(manifest, is_new, is_first_at_once=bool(made))))
        return made

    def created(self, manifest: Manifest) -> bool:
        """Whether there was no object of this name; there is one now."""
        try:
            self._api.create(manifest["kind"], manifest)
        except ConflictError:
            return False
        return True

    def _done(
        self, manifest: Manifest, is_new: bool, *, is_first_at_once: bool
    ) -> Generator[float, None, Manifest]:
        kind, name = manifest["kind"], self._api.address(manifest)
        fault, store, seconds = "", _store(manifest), self._sync_seconds
        if store in self._silent_stores:
            seconds = min(_SHORT_PATIENCE_SECONDS, seconds)
        for pause in pauses(self._clock, seconds, is_first_at_once=is_first_at_once):
            if pause:
                yield pause
            live = self._api.get(kind, name)
            if live is None:
                is_new = self.created(manifest)
                fault = "it was not there after it had been created"
            elif "deletionTimestamp" in live["metadata"]:
                fault = "it is being deleted"
            elif not _is_of_one_rotation(live, manifest):
                self._api.delete(kind, name)
            elif (found := proof.fault(live)) is None:
                self._silent_stores.discard(store)
                return live
            elif kind == "PushSecret" and not is_new and "Ready=False" in found:
                self._api.delete(kind, name)
            else:
                fault = found
                if remedy := proof.remedy(fault):
                    raise StepError(f"{kind}/{name}: {fault}; {remedy}")
        self._silent_stores.add(store)
        raise StepError(f"{kind}/{name} was not done in {seconds} s: {fault}")

    def delete(self, step: str, name: str) -> bool:
        """Begins to delete a step's one-shot object; whether it is still there."""
        return self._api.delete(contract.KINDS[step], name) is not None

    def gone(self, step: str, name: str) -> Steps:
        """A step's one-shot object exists no longer. Once one was waited for in vain, the others
        are only looked at."""
        seconds = _GARBAGE_PAUSE_SECONDS if self._is_garbage_left else self._sync_seconds
        for pause in pauses(self._clock, seconds):
            if not self.delete(step, name):
                return
            yield max(pause, _GARBAGE_PAUSE_SECONDS)
        self._is_garbage_left = True
        kind = contract.KINDS[step]
        raise StepError(f"{kind}/{name} is still there {seconds} s after its deletion")

    def synced(self, external_secret: str, token: str) -> Steps:
        """The services' Secret holds what the store holds."""
        live = self._api.patch("ExternalSecret", external_secret, _asking(token))
        fault = None
        for pause in pauses(self._clock, self._sync_seconds):
            fault = proof.fault(live)
            if fault is None:
                return
            yield pause
            live = self._api.get("ExternalSecret", external_secret)
        what = f"ExternalSecret/{external_secret} was not synced in {self._sync_seconds} s"
        raise StepError(f"{what}: {fault}")

    def would_sync(self, external_secret: str, token: str) -> None:
        """Raises RefusedError where `synced` would."""
        self._api.would_patch("ExternalSecret", external_secret, _asking(token))


def _asking(token: str) -> Manifest:
    return {"metadata": {"annotations": {contract.SYNC_TOKEN: token}}}


def _store(manifest: Manifest) -> str:
    """The store that an object needs; none for what a generator makes."""
    spec = manifest["spec"]
    stores = [spec.get("secretStoreRef", {}), *spec.get("secretStoreRefs", [])]
    return "".join(one.get("name", "") for one in stores)


def _is_of_one_rotation(live: Manifest, manifest: Manifest) -> bool:
    return _rotation(live) == _rotation(manifest)


def _rotation(one_shot: Manifest) -> tuple[str | None, list[str | None]]:
    """Its id, and the versions of entries that it reads: within a day AWS may rotate twice."""
    data = one_shot["spec"].get("data", [])
    versions = [one.get("remoteRef", {}).get("version") for one in data]
    return one_shot["metadata"].get("annotations", {}).get(contract.ROTATION_ID), versions
