"""Whether the workloads that read a Secret run with what is in it now, as far as that shows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from platform_secrets.diagnosing.references import references
from platform_secrets.diagnosing.snapshot import Snapshot
from platform_secrets.manifests.naming import Manifest
from platform_secrets.rotator.memory import moment
from platform_secrets.settings.services import JOB_KINDS, RESTARTABLE_KINDS

State = Literal["current", "stale", "unknown", "absent"]
# The operator's events on an ExternalSecret that has changed its Secret.
_CHANGES = ("Created", "Updated")
_ENDED = ("Succeeded", "Failed")
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
        made = self._snapshot.pods_of(kind, namespace, name)
        pods = [pod for pod in made if pod.get("status", {}).get("phase") not in _ENDED]
        started = [begun for pod in pods if not _follows(pod, secret) for begun in _begun(pod)]
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
            fields = live["metadata"].get("managedFields") or []
            # Others may have added a label since; without the operator, as of a basic Secret, all
            # count.
            own = [one for one in fields if one["manager"].startswith(_OPERATORS_FIELDS)]
            written = [moment(one["time"]) for one in own or fields if one.get("time")]
            return _Change(max(written, default=None))
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


def _begun(pod: Manifest) -> Iterator[datetime]:
    """When each container of a pod started: that reads its variables anew. One that does not run
    yet will read what is there then."""
    status = pod.get("status", {})
    running = [one.get("state", {}).get("running") for one in status.get("containerStatuses", [])]
    if running:
        yield from (moment(one["startedAt"]) for one in running if one and one.get("startedAt"))
    elif status.get("phase") == "Running":
        yield moment(status.get("startTime") or pod["metadata"]["creationTimestamp"])


def _follows(pod: Manifest, secret: str) -> bool:
    """Whether a pod sees each change of the Secret by itself, and so never has a value before."""
    own = [one for one in references(pod.get("spec") or {}) if one.secret == secret]
    return bool(own) and all(one.follows_changes for one in own)


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
