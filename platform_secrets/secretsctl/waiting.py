"""What is done in a cluster, followed until it is: progress goes to stderr.

Raises ClusterError for what does not come to its end in time.
"""

import json
import signal
import sys
import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator import proof
from platform_secrets.rotator.rollout import progress
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl

SYNC_SECONDS = 120
"""The operator acts on a changed annotation at once; what takes longer has a cause to be read."""
CHECK_SECONDS = 4.0
"""A check that fails has no condition: only time tells it from one that was not looked at yet."""
_PAUSE_SECONDS = 0.5
_ENOUGH_REFUSALS = 3
_RESOURCES = {"Rollout": "rollouts.argoproj.io"}


class NotManagedError(ClusterError):
    """The operator wrote nothing, since the entry has not its mark."""


def end_as_by_ctrl_c() -> None:
    """Has a command that is asked to end, as by a pipeline or with its terminal, clean up."""
    for one in signal.Signals:
        if one.name in ("SIGTERM", "SIGHUP"):
            signal.signal(one, signal.default_int_handler)


def annotated(annotation: str) -> dict[str, Any]:
    """A change that nobody has made before."""
    return {"metadata": {"annotations": {annotation: datetime.now(UTC).isoformat()}}}


def memory(kubectl: Kubectl) -> Manifest:
    """The rotator's memory."""
    found = kubectl.get("configmap", names.MEMORY)
    if found is None:
        raise ClusterError(f"ConfigMap/{names.MEMORY}: does not exist; apply the environment first")
    return found


def verdict(kubectl: Kubectl, job: str, cron_job: Manifest) -> str:
    """Follows the steps that the rotator notes in its memory."""
    seconds = cron_job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]
    seen = None
    for _ in _until(seconds):
        run = json.loads(memory(kubectl).get("data", {}).get("run", "{}"))
        # The holder is the pod's host name, which begins with its Job's.
        if run.get("holder", "").startswith(f"{job}-"):
            said, step = run.get("verdict"), run.get("step")
            if said and said.startswith("rotated"):
                return f"{said}\n"
            if said:
                raise ClusterError(f"Job/{job}: {said}")
        else:
            step = _hindrance(kubectl, job)
        if step and step != seen:
            seen = step
            say(step)
        conditions = (kubectl.get("job", job) or {}).get("status", {}).get("conditions", [])
        failed = next((one for one in conditions if one["type"] == "Failed"), None)
        if failed and failed["status"] == "True":
            raise ClusterError(f"Job/{job}: {failed.get('message')}; kubectl logs job/{job}")
    raise ClusterError(f"Job/{job}: no verdict in {seconds} s; kubectl logs job/{job}")


def _hindrance(kubectl: Kubectl, job: str) -> str | None:
    """What keeps a Job's pod from running. ClusterError where it gets none: the Job's controller
    goes on trying for hours, and its status does not say so."""
    try:
        pods = kubectl.find("pods", f"--selector=batch.kubernetes.io/job-name={job}")
        about = f"involvedObject.kind=Job,involvedObject.name={job},reason=FailedCreate"
        refusals = kubectl.find("events", f"--field-selector={about}")
    except ClusterError:
        return None  # who may not look at them still gets the verdict
    if pods:
        return next(filter(None, map(_not_running, pods)), None)
    if not refusals:
        return None
    why = f"Job/{job}: no pod is made: {refusals[-1]['message']}"
    if sum(one.get("count") or 1 for one in refusals) < _ENOUGH_REFUSALS:
        return why
    raise ClusterError(f"{why}; it goes on trying until `kubectl delete job {job}`")


def _not_running(pod: Manifest) -> str | None:
    """Why a pod does not run, as far as its status says."""
    status = pod.get("status", {})
    waiting = [
        one["state"]["waiting"]
        for one in status.get("containerStatuses", [])
        if "waiting" in one.get("state", {})
    ]
    unscheduled = [
        one
        for one in status.get("conditions", [])
        if one["type"] == "PodScheduled" and one["status"] == "False"
    ]
    found = next((one for one in (*waiting, *unscheduled) if one.get("message")), None)
    return found and f"Pod/{pod['metadata']['name']}: {found['reason']}: {found['message']}"


def synced(kubectl: Kubectl, name: str, kind: str = "ExternalSecret") -> str:
    """Says that an ExternalSecret, or a PushSecret, is synced, once that is proved."""
    fault = seen = None
    for _ in _until(SYNC_SECONDS):
        fault = proof.fault(kubectl.get(kind.lower(), name))
        if fault is None:
            return f"{name}: synced"
        if remedy := proof.remedy(fault):
            raise NotManagedError(f"{kind}/{name}: {fault}; {remedy}")
        if fault != seen:
            seen = fault
            say(f"{name}: {fault}")
    raise ClusterError(f"{kind}/{name}: not synced in {SYNC_SECONDS} s: {fault}")


def looked_at(kubectl: Kubectl, kind: str, name: str) -> bool:
    """Whether an object is synced, once the operator has tried."""
    fault = seen = None
    for _ in _until(SYNC_SECONDS):
        obj = kubectl.get(kind.lower(), name)
        fault = proof.fault(obj)
        if fault is None:
            return True
        if obj and obj.get("status", {}).get("conditions"):
            return False
        if fault != seen:
            seen = fault
            say(f"{name}: {fault}")
    raise ClusterError(f"{kind}/{name}: not looked at in {SYNC_SECONDS} s: {fault}")


def passed(kubectl: Kubectl, checks: Collection[str], seconds: float, *, enough: int) -> set[str]:
    """Which of these PushSecrets, of which each compares something, are synced: as soon as these
    are enough, or once this is over, for one that finds a difference never is."""
    found = set[str]()
    for _ in _until(seconds):
        for one in kubectl.get_all("pushsecret", [*{*checks} - found]):
            if proof.fault(one) is None:
                found.add(one["metadata"]["name"])
        if len(found) >= enough:
            break
    return found


def restarted(kubectl: Kubectl, workload: str, seconds: float) -> str:
    """Restarts a workload, and says so once all of its pods are new."""
    kubectl, resource, name = _place(kubectl, workload)
    if kubectl.get(resource, name) is None:
        return f"{workload}: does not exist, nothing to restart"
    change = annotated("kubectl.kubernetes.io/restartedAt")
    kubectl.patch(resource, name, {"spec": {"template": change}})
    lacking = seen = None
    for _ in _until(seconds):
        state, lacking = progress(kubectl.get(resource, name) or {})
        if state == "complete":
            return f"{workload}: restarted"
        if state == "stuck":
            break
        if lacking != seen:
            seen = lacking
            say(f"{workload}: {lacking}")
    raise ClusterError(f"{workload}: restarted, but not rolled out: {lacking}")


def incomplete(kubectl: Kubectl, workload: str) -> str | None:
    """What a workload lacks of being completely rolled out; None also where there is none."""
    kubectl, resource, name = _place(kubectl, workload)
    found = kubectl.get(resource, name)
    state, lacking = progress(found) if found else ("complete", "")
    return None if state == "complete" else lacking


def _place(kubectl: Kubectl, workload: str) -> tuple[Kubectl, str, str]:
    """Where a workload is, and its resource and name, as kubectl wants them."""
    kind, *namespace, name = workload.split("/")
    within = kubectl.within(*namespace) if namespace else kubectl
    return within, _RESOURCES.get(kind, kind.lower()), name


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(_PAUSE_SECONDS)


def say(progress: str) -> None:
    """Progress, for people: what is asked for goes to standard output."""
    sys.stderr.write(f"{progress}\n")
    sys.stderr.flush()
