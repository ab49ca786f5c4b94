"""A run of the rotator, and what its parts take alone; neither is measured by the rotator."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from secrets import token_hex
from statistics import median
from threading import Event, Thread
from typing import Any

import httpx

from benchmarks.measure import RunError
from tests.e2e.environments import is_synced
from tests.e2e.eso import copied_store
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import ACCOUNT, ROTATED, Rotating, ended
from tests.e2e.rotation_journey import Journey

ESO, PUSHES = "external-secrets.io/v1", "external-secrets.io/v1alpha1"
LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 60
_SOURCE = "pushed-alone"


@dataclass(frozen=True)
class Alone:
    """Seconds of one push, one sync and one rollout, with nothing else going on; each a median."""

    push: float
    sync: float
    rollout: float


@dataclass(frozen=True)
class Rotation:
    """One run: from its start to the last complete rollout, and to its end; its API calls by verb
    and resource."""

    keys: int
    bundles: int
    bundles_at_once: int
    alone: Alone
    seconds: float
    seconds_to_end: float
    calls: Counter[str]

    @property
    def in_sequence(self) -> int:
        """How many keys are pushed one after the other, where most are."""
        return ceil(self.bundles / self.bundles_at_once) * (self.keys // self.bundles)

    @property
    def sum_seconds(self) -> float:
        """What its parts would take alone: pushes in sequence in a bundle; bundles side by side,
        syncs too; each bundle's one workload restarted after the other."""
        syncs = ceil(self.bundles / self.bundles_at_once) * self.alone.sync
        return self.in_sequence * self.alone.push + syncs + self.bundles * self.alone.rollout

    @property
    def overhead_per_key(self) -> float:
        """Seconds beyond the sum, for each key in sequence."""
        return (self.seconds - self.sum_seconds) / self.in_sequence


class ApiCalls:
    """What rotators ask of the API server, from its own audit log."""

    def __init__(self, namespaces: Sequence[str], run: Run) -> None:
        self._log = run.folder / "api-server-audit.log"
        self._policy = run.folder / "api-server-audit.json"
        users = [f"system:serviceaccount:{one}:{ACCOUNT}" for one in namespaces]
        policy = {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata", "users": users}, {"level": "None"}],
        }
        self._policy.write_text(json.dumps(policy))

    @property
    def flags(self) -> list[str]:
        return [f"--audit-policy-file={self._policy}", f"--audit-log-path={self._log}"]

    def now(self) -> int:
        """A place in the log."""
        return self._log.stat().st_size if self._log.exists() else 0

    def since(self, place: int) -> Counter[str]:
        """How often each verb was used on each resource since then."""
        with self._log.open("rb") as log:
            log.seek(place)
            asked: list[dict[str, Any]] = [json.loads(line) for line in log]
        return Counter(f"{one['verb']} {one['objectRef']['resource']}" for one in asked)


def measured(journey: Journey, calls: ApiCalls, rounds: int) -> Rotation:
    """What its parts take alone, so many times, and then a run in which all keys are due. Raises
    RunError where it does not rotate all."""
    place, plan = (
        journey.place,
        json.loads(journey.place.config_map("secrets-rotation-plan")["plan.json"]),
    )
    alone = _alone(place, plan, rounds)
    journey.next_rotation()
    before, asked = place.held(), calls.now()
    with _Rollouts(place) as rollouts:
        start = time.perf_counter()
        done = ended(place.start(journey.day.isoformat()))
        whole = time.perf_counter() - start
    (place.folder / "run-measured.log").write_text(done.text)
    after = place.held()
    changed = [key for key in plan["keys"] if before[key] != after[key]]
    if done.code != ROTATED or len(changed) < len(plan["keys"]):
        raise RunError(f"{len(changed)} of {len(plan['keys'])} keys rotated: {done.verdict}")
    bundles = {key["bundle"] for key in plan["keys"].values()}
    return Rotation(
        *(len(changed), len(bundles), plan["bundles_at_once"], alone),
        *(rollouts.last - start, whole, calls.since(asked)),
    )


def _alone(place: Rotating, plan: Manifest, rounds: int) -> Alone:
    key = next(iter(plan["keys"].values()))
    pushes, syncs, rollouts = [], [], []
    for _ in range(rounds):
        pushes.append(_seconds(*_push(place, key)))
        place.cluster.api.delete(PUSHES, "PushSecret", _SOURCE, place.namespace)
        syncs.append(_seconds(*_sync(place, key["external_secret"])))
    # As many as in the run: the controllers have a pace, which a few do not meet.
    workloads = sorted({one for each in plan["keys"].values() for one in each["readers"]})
    for workload in workloads if len(workloads) > rounds else workloads * rounds:
        rollouts.append(_seconds(*_restart(place, workload)))
    return Alone(*map(median, (pushes, syncs, rollouts)))


def _seconds(do: Callable[[], object], is_done: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    wait_until(is_done, "done alone", timeout_seconds=_PATIENCE_SECONDS, interval=LOOK_SECONDS)
    return time.perf_counter() - start


def _push(place: Rotating, key: Manifest) -> tuple[Callable[[], object], Callable[[], object]]:
    """A new value from a Secret into the key's entry, until the operator says that it is there."""
    api, metadata = place.cluster.api, {"name": _SOURCE, "namespace": place.namespace}
    value = {"password": token_hex(32)}
    api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": value})
    remote = {"remoteKey": key["entry"]["key"], "property": key["entry"]["property"]}
    spec = {
        "refreshInterval": "0s",
        "secretStoreRefs": [copied_store(place.cluster, place.namespace, key["store"], _SOURCE)],
        "selector": {"secret": {"name": _SOURCE}},
        "data": [{"match": {"secretKey": "password", "remoteRef": remote}}],
    }
    push = {"apiVersion": PUSHES, "kind": "PushSecret", "metadata": metadata, "spec": spec}
    return (
        lambda: api.create(push),
        lambda: is_synced(api.get(PUSHES, "PushSecret", _SOURCE, place.namespace) or {}),
    )


def _sync(place: Rotating, name: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """What is in the store into the services' Secret, until the operator says so of just this."""
    api, namespace = place.cluster.api, place.namespace
    change = {"metadata": {"annotations": {"force-sync": token_hex(4)}}}
    return (
        lambda: api.patch(ESO, "ExternalSecret", name, namespace, change),
        lambda: is_synced(api.get(ESO, "ExternalSecret", name, namespace) or {}),
    )


def _restart(place: Rotating, workload: str) -> tuple[Callable[[], object], Callable[[], object]]:
    kind, _, name = workload.partition("/")
    template = {"metadata": {"annotations": {"restarted-alone": token_hex(4)}}}
    change = {"spec": {"template": template}}
    return (
        lambda: place.cluster.api.patch("apps/v1", kind, name, place.namespace, change),
        lambda: place.is_complete(workload),
    )


class _Rollouts:
    """Watches the Deployments of an environment; `last` is when the last rollout was complete."""

    def __init__(self, place: Rotating) -> None:
        self.last = 0.0
        self._place = place
        self._complete: dict[str, bool] = {}
        self._is_over = Event()
        self._thread = Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "_Rollouts":
        self._thread.start()
        wait_until(lambda: self._complete, "the Deployments are seen")
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._is_over.is_set():
            with suppress(httpx.TransportError):
                for _, obj in self._place.cluster.api.changes("apps/v1", "Deployment"):
                    if obj and obj["metadata"]["namespace"] == self._place.namespace:
                        self._see(obj)

    def _see(self, deployment: Manifest) -> None:
        status, name = deployment.get("status", {}), deployment["metadata"]["name"]
        fields = ("replicas", "updatedReplicas", "availableReplicas")
        is_complete = status.get("observedGeneration") == deployment["metadata"]["generation"] and {
            status.get(one) for one in fields
        } == {deployment["spec"]["replicas"]}
        if is_complete and not self._complete.get(name, True):
            self.last = time.perf_counter()
        self._complete[name] = is_complete
