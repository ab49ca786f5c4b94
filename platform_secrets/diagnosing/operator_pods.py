"""The layers of the operator itself and of its webhook."""

import re
from collections.abc import Iterable, Iterator

from platform_secrets.diagnosing.case import At, Case, Finding, at, ready
from platform_secrets.diagnosing.snapshot import condition
from platform_secrets.diagnosing.syncing import missed_read
from platform_secrets.manifests.naming import Manifest

_LEASE = "external-secrets-controller"
_LEASE_SECONDS = 60
_PATIENCE_SECONDS = 120
_LOG = (
    ("may not do something in the cluster", re.compile(r"is forbidden: User|cannot list resource")),
    ("lost its lease", re.compile(r"leader election lost|failed to renew lease")),
    ("misses a kind", re.compile(r"no matches for kind|could not find the requested resource")),
    ("was ended by an error of its own", re.compile(r"^panic:|fatal error:", re.MULTILINE)),
)


def operator_findings(case: Case) -> Iterator[Finding]:
    """Whether the operator runs, and does what there is to do."""
    env = case.settings.environment
    if not env.stores:
        return
    place = _deployment(case)
    namespace = env.operator_namespace
    look = f"`kubectl get pods -n {namespace}`"
    if place is None:
        unknown = case.snapshot.why_unread("Deployment", namespace)
        if not unknown and case.live(At("Namespace", "", namespace)):
            account = At("ServiceAccount", namespace, env.operator_service_account)
            what = "no Deployment runs as it: the operator is not installed here"
            step = f"correct `operator-namespace`, or {case.apply}; {look}"
            yield Finding("operator-missing", account, what, step)
    else:
        yield from _running(case, place, look)
    yield from _behind(case, place or At("Namespace", "", namespace), look)


def _deployment(case: Case) -> At | None:
    """The operator's: what runs as its ServiceAccount."""
    env = case.settings.environment
    for one in case.snapshot.of("Deployment", env.operator_namespace):
        pod = one["spec"]["template"]["spec"]
        if pod.get("serviceAccountName") == env.operator_service_account:
            return at(one)
    return None


def _running(case: Case, place: At, look: str) -> Iterator[Finding]:
    live = case.live(place) or {}
    spec, status = live.get("spec", {}), live.get("status") or {}
    if spec.get("replicas", 1) == 0:
        command = f"kubectl scale deployment {place.name} -n {place.namespace} --replicas=2"
        what = "is scaled to nothing: no store is read"
        yield Finding("operator-paused", place, what, f"start it again: `{command}`")
        return
    if not status.get("availableReplicas"):
        reasons = sorted({why for pod in case.snapshot.pods_of(*place) if (why := _hindrance(pod))})
        what = "has no available pod" + (f": {', '.join(reasons)}" if reasons else "")
        command = f"kubectl describe deployment,pods -n {place.namespace}"
        yield Finding("operator-not-running", place, what, f"see why: `{command}`")
        return
    yield from _elsewhere(case, place)
    yield from _leader(case, place, look)
    for what in _log_faults(case.log):
        command = f"kubectl logs deployment/{place.name} -n {place.namespace} --since=10m"
        yield Finding("operator-log", place, f"its log says that it {what}", f"`{command}`")


def _hindrance(pod: Manifest) -> str | None:
    """Why a pod does not run: the reason alone, whose texts others write."""
    status = pod.get("status") or {}
    for one in status.get("containerStatuses") or []:
        state = one.get("state") or {}
        if reason := (state.get("waiting") or state.get("terminated") or {}).get("reason"):
            return str(reason)
    scheduled = condition(pod, "PodScheduled") or {}
    return str(scheduled.get("reason")) if scheduled.get("status") == "False" else None


def _elsewhere(case: Case, place: At) -> Iterator[Finding]:
    """An operator may serve one namespace alone."""
    flag = "--namespace="
    served = [one.removeprefix(flag) for one in _arguments(case, place) if one.startswith(flag)]
    namespaces = [view.namespace for view in case.settings.by_namespace]
    left = [name for name in namespaces if served and name not in served]
    if left:
        what = f"serves the namespace {served[0]} alone: nobody reads for {', '.join(left)}"
        step = f"correct `operator-namespace`, or {case.apply}; one that others installed is theirs"
        yield Finding("operator-elsewhere", place, what, step)


def _arguments(case: Case, place: At) -> list[str]:
    containers = (case.live(place) or {})["spec"]["template"]["spec"]["containers"]
    return [argument for one in containers for argument in one.get("args") or []]


def _leader(case: Case, place: At, look: str) -> Iterator[Finding]:
    """Of several pods one works, which holds the lease."""
    elects = "--enable-leader-election=true" in _arguments(case, place)
    unknown = case.snapshot.why_unread("Lease", place.namespace)
    if not elects or unknown:
        return
    lease = case.live(At("Lease", place.namespace, _LEASE))
    renewed = case.seconds_since(((lease or {}).get("spec") or {}).get("renewTime"))
    if renewed is None or renewed > _LEASE_SECONDS:
        since = "nobody holds its lease" if renewed is None else f"its lease is {renewed:.0f} s old"
        what = f"has no leader, so none of its pods works: {since}"
        command = f"kubectl get lease {_LEASE} -n {place.namespace} -o yaml"
        yield Finding("operator-no-leader", place, what, f"`{command}`; {look}")


def _behind(case: Case, place: At, look: str) -> Iterator[Finding]:
    """Whether the operator has stopped to look at what it was given; nothing else tells it."""
    late = [one for one in case.bundle_of if _is_late(case, case.live(one))]
    if late:
        what = f"does not refresh what is due: {len(late)} ExternalSecrets, such as {late[0].name}"
        command = f"kubectl logs -n {case.settings.environment.operator_namespace} -l "
        command += "app.kubernetes.io/name=external-secrets --since=10m"
        step = f"see that it runs ({look}) and what it says: `{command}`"
        yield Finding("operator-behind", place, what, step)


def _is_late(case: Case, live: Manifest | None) -> bool:
    if live is None:
        return False
    state = ready(live)
    if state is None:
        return not case.is_younger(live, _PATIENCE_SECONDS)
    return state.get("status") == "True" and missed_read(live, case.snapshot.taken_at) is not None


def _log_faults(log: Iterable[str]) -> Iterator[str]:
    text = "\n".join(log)
    for what, pattern in _LOG:
        if pattern.search(text):
            yield what
