"""Restarting a workload, and knowing when all of its pods are new."""

from typing import Literal

from . import contract, log
from .api import Api, Manifest
from .clock import Clock, Steps, pauses


class RolloutError(Exception):
    """A workload is not completely rolled out in its time, or can't be."""


def progress(workload: Manifest) -> tuple[Literal["complete", "waiting", "stuck"], str]:
    """How far the rollout of a workload's newest template is, and what is lacking."""
    spec, status = workload["spec"], workload.get("status", {})
    kind, wanted = workload["kind"], spec.get("replicas", 1)
    if "template" not in spec:
        return "stuck", "it has no pod template of its own"
    if spec.get("paused"):
        return "stuck", "it is paused"
    strategy = spec.get("updateStrategy", {})
    if strategy.get("type") == "OnDelete" or strategy.get("rollingUpdate", {}).get("partition"):
        return "stuck", "its update strategy leaves pods as they are (OnDelete or a partition)"
    # A Rollout writes the generation as a text.
    if str(status.get("observedGeneration", 0)) != str(workload["metadata"]["generation"]):
        return "waiting", "its controller has not seen the change yet: is it running?"
    if kind == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        updated, available = (
            status.get(one, 0) for one in ("updatedNumberScheduled", "numberAvailable")
        )
        total = wanted
    else:
        updated, available, total = (
            status.get(one, 0) for one in ("updatedReplicas", "availableReplicas", "replicas")
        )
    counts = f"{updated} of {wanted} pods are new, {available} are available, {total} are there"
    for condition in status.get("conditions", []):
        if condition.get("reason") == "ProgressDeadlineExceeded":
            return "stuck", f"ProgressDeadlineExceeded: {condition.get('message', '')} ({counts})"
    if status.get("phase") in ("Degraded", "Error"):
        return "stuck", f"{status['phase']}: {status.get('message', '')} ({counts})"
    is_rolled = status.get("currentRevision") == status.get("updateRevision")
    if kind == "Rollout":
        is_rolled = status.get("phase") == "Healthy"
    if is_rolled and updated == available == total == wanted:
        return "complete", counts
    return "waiting", counts


class Workloads:
    """Workloads by Kind/name. Each method is a task that ends once all pods are new, or with
    RolloutError; a workload that does not exist has nothing to restart."""

    def __init__(self, api: Api, clock: Clock, rollout_seconds: float) -> None:
        self._api, self._clock, self._seconds = api, clock, rollout_seconds

    def restarted(self, workload: str, token: str) -> Steps:
        """Its pods are all made after it was given `token`; the same one again changes nothing."""
        live = self._live(workload)
        if live is not None and "template" in live["spec"]:
            self._api.patch(live["kind"], self._api.address(live), _restart(token))
        yield from self.complete(workload)

    def would_restart(self, workload: str, token: str) -> None:
        """Raises RefusedError where `restarted` would."""
        live = self._live(workload)
        if live is not None and "template" in live["spec"]:
            self._api.would_patch(live["kind"], self._api.address(live), _restart(token))

    def complete(self, workload: str) -> Steps:
        """Its newest template is completely rolled out."""
        lacking = "it was not looked at"
        for pause in pauses(self._clock, self._seconds):
            live = self._live(workload)
            if live is None:
                return log.warning(f"{workload} does not exist: nothing to restart")
            state, lacking = progress(live)
            if state == "complete":
                return None
            if state == "stuck":
                raise RolloutError(f"{workload} is stuck: {lacking}")
            yield pause
        raise RolloutError(f"{workload} was not rolled out in {self._seconds} s: {lacking}")

    def _live(self, workload: str) -> Manifest | None:
        kind, _, name = workload.partition("/")
        return self._api.get(kind, name)


def _restart(token: str) -> Manifest:
    return {"spec": {"template": {"metadata": {"annotations": {contract.RESTART_TOKEN: token}}}}}
