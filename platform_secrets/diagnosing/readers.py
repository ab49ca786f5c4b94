"""Whether the workloads that read a Secret run with what is in it now, as far as that shows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from platform_secrets.diagnosing.snapshot import Snapshot
from platform_secrets.manifests.naming import Manifest
from platform_secrets.rotator.memory import moment
from platform_secrets.settings.services import JOB_KINDS, RESTARTABLE_KINDS

State = Literal["current", "stale", "unknown", "absent"]
# The operator's events on an ExternalSecret that has changed its Secret.
_CHANGES = ("Created", "Updated")
_OPERATORS_FIELDS = "externalsecrets.external-secrets.io/"


@dataclass(frozen=True)
class Reader:
    """A workload, as Kind/name or Kind/namespace/name, and why it is thought so of it."""

    workload: str
    state: State
    why: str


@dataclass(frozen=True)
class _Change:
    """When a Secret last changed. Without `at` it has not since `since`, for which there are
    events."""

    at: datetime | None
    since: datetime | None = None


class Readers:
    """The readers of an environment's Secrets. A Secret's own metadata tells when it last changed;
    where it was not read, the operator's events do, as long as the cluster keeps them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._pods: dict[tuple[str, str, str], list[Manifest]] = {}
        for pod in snapshot.of("Pod"):
            if kind_and_name := _runs_for(snapshot, pod):
                namespace = pod["metadata"]["namespace"]
                self._pods.setdefault((namespace, *kind_and_name), []).append(pod)
        self._events: dict[tuple[str, str], list[datetime]] = {}
        self._first_event: dict[str, datetime] = {}
        for event in snapshot.of("Event"):
            self._note(event)

    def of(self, namespace: str, secret: str, workloads: Iterable[str]) -> list[Reader]:
        """What is known of each workload."""
        change = self._change(namespace, secret)
        return [self._reader(namespace, secret, one, change) for one in workloads]

    def _reader(self, namespace: str, secret: str, workload: str, change: _Change) -> Reader:
        kind, _, address = workload.partition("/")
        name = address.rpartition("/")[2]
        if kind in JOB_KINDS:
            return Reader(workload, "current", "its next run reads what is there then")
        if kind not in RESTARTABLE_KINDS:
            return Reader(workload, "unknown", f"it is a {kind}, of which nothing is read")
        if self._snapshot.get(kind, namespace, name) is None:
            why = self._snapshot.why_unread(kind, namespace)
            return Reader(workload, "unknown" if why else "absent", why or "it does not exist")
        if why := self._snapshot.why_unread("Pod", namespace):
            return Reader(workload, "unknown", f"its pods are not known: {why}")
        pods = self._pods.get((namespace, kind, name), [])
        started = [begun for pod in pods if not _only_mounts(pod, secret) for begun in _begun(pod)]
        if not started:
            why = "its pods mount the Secret, and see its changes" if pods else "it has no pods"
            return Reader(workload, "current", why)
        first = min(started)
        if change.at is None:
            if change.since and first >= change.since:
                return Reader(workload, "current", "its Secret has not changed since it started")
            return Reader(workload, "unknown", "when its Secret last changed is not known")
        if first >= change.at:
            return Reader(workload, "current", f"started after the change at {_text(change.at)}")
        old = sum(one < change.at for one in started)
        which = f"{old} of {len(started)} containers run since before the Secret's last change"
        return Reader(workload, "stale", f"{which}, at {_text(change.at)}")

    def _change(self, namespace: str, secret: str) -> _Change:
        live = self._snapshot.get("Secret", namespace, secret)
        if live is not None:
            written = [
                one["time"]
                for one in live["metadata"].get("managedFields", [])
                if one["manager"].startswith(_OPERATORS_FIELDS)
            ]
            return _Change(max(map(moment, written), default=None))
        seen = self._events.get((namespace, secret))
        return _Change(max(seen) if seen else None, self._first_event.get(namespace))

    def _note(self, event: Manifest) -> None:
        text = event.get("lastTimestamp") or event.get("eventTime")
        if not text:
            return
        at, about = moment(text), event.get("involvedObject", {})
        namespace = event["metadata"].get("namespace", "")
        self._first_event[namespace] = min(at, self._first_event.get(namespace, at))
        if about.get("kind") == "ExternalSecret" and event.get("reason") in _CHANGES:
            self._events.setdefault((namespace, about["name"]), []).append(at)


def _runs_for(snapshot: Snapshot, pod: Manifest) -> tuple[str, str] | None:
    """Kind and name of the workload that a pod is of."""
    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return None
    owner = _owner(pod)
    if owner and owner["kind"] == "ReplicaSet":
        made = snapshot.get("ReplicaSet", pod["metadata"]["namespace"], owner["name"])
        # Its name is the workload's with a hash.
        known = _owner(made) if made else None
        owner = known or {"kind": "Deployment", "name": owner["name"].rpartition("-")[0]}
    return (owner["kind"], owner["name"]) if owner else None


def _owner(live: Manifest) -> dict[str, Any] | None:
    owners = live["metadata"].get("ownerReferences") or []
    return next((one for one in owners if one.get("controller")), None)


def _begun(pod: Manifest) -> Iterator[datetime]:
    """When each container of a pod started: that reads its variables anew. One that does not run
    yet will read what is there then."""
    status = pod.get("status", {})
    running = [one.get("state", {}).get("running") for one in status.get("containerStatuses", [])]
    if running:
        yield from (moment(one["startedAt"]) for one in running if one and one.get("startedAt"))
    elif status.get("phase") == "Running":
        yield moment(status.get("startTime") or pod["metadata"]["creationTimestamp"])


def _only_mounts(pod: Manifest, secret: str) -> bool:
    """Whether a pod sees the Secret as files alone, which the kubelet renews."""
    spec = pod.get("spec", {})
    mounted = [*_names(spec.get("volumes") or [])]
    containers = [*spec.get("containers", []), *spec.get("initContainers", [])]
    variables = [name for one in containers for name in _names([one])]
    return secret in mounted and secret not in variables


def _names(part: Any) -> Iterator[str]:
    """The names of all Secrets in a part of a pod's spec."""
    if isinstance(part, list):
        for one in part:  # pyright: ignore[reportUnknownVariableType]
            yield from _names(one)
    elif isinstance(part, dict):
        for name, one in part.items():  # pyright: ignore[reportUnknownVariableType]
            if name in ("secretRef", "secretKeyRef", "secret") and isinstance(one, dict):
                yield str(one.get("name") or one.get("secretName"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            else:
                yield from _names(one)


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
