"""Whether a bundle's ExternalSecrets hold what its store holds: proved, and not merely Ready."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from platform_secrets.diagnosing.snapshot import Snapshot, condition
from platform_secrets.manifests.naming import Manifest
from platform_secrets.rotator.memory import moment
from platform_secrets.rotator.proof import fault

_DURATION = re.compile(r"([0-9.]+)(h|ms|m|s|µs|us|ns)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}
_STORES = ("SecretStore", "ClusterSecretStore")
# The operator's longest pause between two attempts, and some time for one.
_LATE = timedelta(minutes=8)


@dataclass(frozen=True)
class Synced:
    """One ExternalSecret. `at` is when the operator last read the store for it; `fault` says why
    the Secret may not hold what is in the store now, `since` when that began."""

    name: str
    at: datetime | None = None
    fault: str | None = None
    since: datetime | None = None


def synced(snapshot: Snapshot, namespace: str, name: str, *, is_rotating: bool) -> Synced:
    """What an ExternalSecret's status proves. A rotation changes the object, and waits for the
    operator itself."""
    live = snapshot.get("ExternalSecret", namespace, name)
    if live is None:
        why = snapshot.why_unread("ExternalSecret", namespace)
        what = f"is not known: {why}" if why else "does not exist: apply the environment"
        return Synced(name, fault=f"ExternalSecret/{name} {what}")
    at = _moment(live.get("status", {}).get("refreshTime"))
    is_awaited = is_rotating and (condition(live, "Ready") or {}).get("status") == "True"
    if not is_awaited and (found := fault(live)):
        return Synced(name, at, found, _since(live))
    if due := missed_read(live, snapshot.taken_at):
        what = f"the store should have been read at {due:%Y-%m-%d %H:%M}, and was not"
        return Synced(name, at, f"{what}: is the operator running?", due)
    return Synced(name, at)


def missed_read(live: Manifest, now: datetime) -> datetime | None:
    """When the store should have been read for an ExternalSecret, and was not; None where all is
    in time."""
    at = _moment(live.get("status", {}).get("refreshTime"))
    due = at and _next_read(live, at)
    return due if due and now > due + _LATE else None


def store_fault(snapshot: Snapshot, namespace: str, reference: Manifest) -> str | None:
    """Why a store can't be read; None where it can, and where that is not known. A generator says
    nothing of itself."""
    kind, name = reference["kind"], reference["name"]
    if kind not in _STORES:
        return None
    place = namespace if kind == "SecretStore" else ""
    live = snapshot.get(kind, place, name)
    if live is None:
        is_unknown = why_store_unknown(snapshot, namespace, reference)
        return None if is_unknown else f"{kind}/{name} does not exist: apply the environment"
    ready = condition(live, "Ready")
    if ready is None:
        return f"{kind}/{name}: the operator has not looked at it yet: is it running?"
    if ready["status"] != "True":
        return f"{kind}/{name}: {ready.get('reason', '')}: {ready.get('message', '')}"
    return None


def why_store_unknown(snapshot: Snapshot, namespace: str, reference: Manifest) -> str | None:
    """Why nothing is known of a store; None where something is."""
    kind = reference["kind"]
    place = namespace if kind == "SecretStore" else ""
    return snapshot.why_unread(kind, place) if kind in _STORES else None


def _since(live: Manifest) -> datetime | None:
    ready = condition(live, "Ready")
    is_said = ready is not None and ready["status"] != "True"
    return _moment(ready.get("lastTransitionTime")) if ready and is_said else None


def _next_read(live: Manifest, at: datetime) -> datetime | None:
    spec = live.get("spec", {})
    if spec.get("refreshPolicy", "Periodic") != "Periodic":
        return None
    interval = _seconds(str(spec.get("refreshInterval", "1h")))
    return at + timedelta(seconds=interval) if interval else None


def _seconds(duration: str) -> float:
    """A duration as Go writes it, such as 1h1m6s."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(duration))


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None
