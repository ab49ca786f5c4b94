"""Whose clock is wrong: yours, the operator's or a node's, beside the API server's own."""

from collections.abc import Iterator
from datetime import datetime

from platform_secrets.diagnosing.case import At, Case, Finding, moment
from platform_secrets.manifests.naming import Manifest

_SKEW_SECONDS = 120
_ENOUGH = 3
"""One event may have waited for the API server; so many of the newest have not."""
_OPERATOR = "external-secrets"
TOLD_BY_CLOCKS = frozenset({"operator-no-leader", "operator-behind", "pod-stale"})
"""The checks that hold the operator's time, or a node's, against another."""
_STEP = "compare `date -u` there and here, and have both follow NTP"


def clock_findings(case: Case) -> Iterator[Finding]:
    """The clocks that differ from the API server's."""
    own = case.snapshot.callers_clock_seconds
    if abs(own) > _SKEW_SECONDS:
        what = f"your clock is {_difference(own)}"
        yield Finding("clock-skew", At("Cluster", "", ""), what, "have this machine follow NTP")
    seconds = _operators(case)
    if abs(seconds) > _SKEW_SECONDS:
        env = case.settings.environment
        place = At("ServiceAccount", env.operator_namespace, env.operator_service_account)
        what = f"the operator's clock is {_difference(seconds)}"
        yield Finding("clock-skew", place, what, _STEP)
    for node, seconds in _nodes(case).items():
        yield Finding("clock-skew", At("Node", "", node), f"is {_difference(seconds)}", _STEP)


def _difference(seconds: float) -> str:
    side = "ahead of" if seconds > 0 else "behind"
    return f"{abs(seconds):.0f} s {side} the API server's"


def _operators(case: Case) -> float:
    """How many seconds the operator's is ahead, of its newest events and of what it has refreshed
    after now."""
    ahead = [
        -seconds
        for place in case.bundle_of
        if (live := case.live(place))
        and (seconds := case.seconds_since((live.get("status") or {}).get("refreshTime")))
        is not None
        and seconds < -_SKEW_SECONDS
    ]
    if ahead:
        return max(ahead)
    told = sorted(filter(None, map(_told, case.snapshot.of("Event"))), reverse=True)
    return min((seconds for _, seconds in told[:_ENOUGH]), key=abs, default=0.0)


def _told(event: Manifest) -> tuple[datetime, float] | None:
    """When the API server got an event of the operator's that happened once, and how many seconds
    later than that the operator says it was."""
    source = (event.get("source") or {}).get("component") or event.get("reportingComponent")
    got = moment(event["metadata"].get("creationTimestamp"))
    happened = moment(event.get("lastTimestamp") or event.get("eventTime"))
    if source != _OPERATOR or not got or not happened:
        return None
    is_single = (event.get("count") or 1) == 1 and not event.get("series")
    return (got, (happened - got).total_seconds()) if is_single else None


def _nodes(case: Case) -> dict[str, float]:
    """The nodes on which a pod started before it was made, or after now."""
    found: dict[str, float] = {}
    for pod in case.snapshot.of("Pod"):
        started = moment((pod.get("status") or {}).get("startTime"))
        made = moment(pod["metadata"].get("creationTimestamp"))
        node = (pod.get("spec") or {}).get("nodeName")
        if not started or not made or not node:
            continue
        behind = (made - started).total_seconds()
        ahead = (started - case.snapshot.taken_at).total_seconds()
        if max(behind, ahead) > _SKEW_SECONDS:
            found[node] = ahead if ahead > behind else -behind
    return found
