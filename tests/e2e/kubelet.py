"""What stands in for scheduler and kubelet: every pod runs at once, and what it read is kept."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event as Flag
from threading import RLock, Thread
from typing import Literal, Self

import httpx

from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import KubernetesApiError, Manifest
from tests.e2e.stores import decoded

NODE = "node-1"
API_VERSIONS = {"Rollout": "argoproj.io/v1alpha1"}
"""Of workloads that are not Kubernetes' own."""


def fingerprint(value: str) -> str:
    """What stands for a value wherever a failed test would show it."""
    return hashlib.sha256(value.encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Happening:
    """A pod that started or stopped, or a Secret that was made, changed or deleted.

    `workload` is the pod's, as `Kind/name`. `values` are the fingerprints of what a pod read at its
    start, or of what a Secret holds now, by key.
    """

    what: Literal["started", "stopped", "secret"]
    namespace: str
    name: str
    workload: str = ""
    values: dict[str, str] = field(default_factory=dict)


class Kubelet:
    """Runs the pods of some namespaces while it is entered. A pod reads the Secrets of its
    `envFrom` when it starts and never again; without one that is not optional it waits.

    `happenings` is all that was seen, in order; a pod that is not ready has not started.
    `pod_starts` is called with each start, and with the values themselves.
    """

    def __init__(self, cluster: Cluster, namespaces: Iterable[str]) -> None:
        self.happenings: list[Happening] = []
        self.pod_starts: Callable[[Happening, dict[str, str]], None] = lambda *_: None
        self._api = cluster.api
        self._namespaces = set(namespaces)
        self._accepted: dict[tuple[str, str], tuple[str, set[str]]] = {}
        self._pods: dict[str, Happening] = {}
        self._secrets: dict[tuple[str, str], tuple[str, str]] = {}
        self._lock = RLock()
        self._is_over = Flag()

    def __enter__(self) -> Self:
        self._api.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        # Nobody else takes away what says that the node is not ready.
        self._api.patch("v1", "Node", NODE, None, {"spec": {"taints": None}})
        for kind, see in (("Pod", self._see_pod), ("Secret", self._see_secret)):
            Thread(target=self._follow, args=(kind, see), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._api.delete("v1", "Node", NODE)

    def take(self, namespace: str) -> None:
        """Runs the pods of another namespace too, from the next one on."""
        self._namespaces.add(namespace)

    @contextmanager
    def refusing(self, namespace: str, workload: str, key: str = "") -> Iterator[None]:
        """Inside, no new pod of `Kind/name` becomes ready, but those that read for `key` what the
        running ones did; at the end those that wait do."""
        running = [pod for pod in self.running(namespace) if pod.workload == workload]
        self._accepted[namespace, workload] = key, {pod.values.get(key, "") for pod in running}
        try:
            yield
        finally:
            del self._accepted[namespace, workload]
            for pod in self._api.list("v1", "Pod", namespace):
                self._see_pod("LISTED", pod)

    def of(self, namespace: str, *, since: int = 0) -> list[Happening]:
        """What happened in a namespace, from a length of `happenings` on."""
        return [one for one in self.happenings[since:] if one.namespace == namespace]

    def running(self, namespace: str) -> list[Happening]:
        """The starts of the pods that run."""
        with self._lock:
            return [pod for pod in self._pods.values() if pod.namespace == namespace]

    def _follow(self, kind: str, see: Callable[[str, Manifest], None]) -> None:
        while not self._is_over.is_set():
            with suppress(httpx.TransportError, KubernetesApiError):
                listed: set[str] = set()
                for what, obj in self._api.changes("v1", kind):
                    if not obj:
                        self._forget_pods(listed) if kind == "Pod" else None
                    elif obj["metadata"]["namespace"] in self._namespaces:
                        listed.add(obj["metadata"]["uid"])
                        see(what, obj)

    def _forget_pods(self, listed: set[str]) -> None:
        for uid in self._pods.keys() - listed:
            self._stop(uid)

    def _see_pod(self, what: str, pod: Manifest) -> None:
        uid = pod["metadata"]["uid"]
        if "app" not in pod["metadata"].get("labels", {}):
            return  # of a Job: what it runs is the test's own to run
        if what == "DELETED":
            self._stop(uid)
        elif "deletionTimestamp" not in pod["metadata"]:
            with self._lock, suppress(KubernetesApiError):
                if uid not in self._pods:
                    self._start(uid, pod)

    def _start(self, uid: str, pod: Manifest) -> None:
        """Has the pod read and run, unless it is held or misses a Secret."""
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        workload = workload_of(pod)
        values = self._read(namespace, pod)
        if values is None:
            return
        if (namespace, workload) in self._accepted:
            key, accepted = self._accepted[namespace, workload]
            if fingerprint(values.get(key, "")) not in accepted:
                return
        held = {key: fingerprint(value) for key, value in values.items()}
        started = Happening("started", namespace, name, workload, held)
        self._pods[uid] = started
        self.happenings.append(started)
        self.pod_starts(started, values)
        ready = {"type": "Ready", "status": "True"}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = {"status": {"phase": "Running", "startTime": now, "conditions": [ready]}}
        self._api.patch("v1", "Pod", name, namespace, status, subresource="status")

    def _read(self, namespace: str, pod: Manifest) -> dict[str, str] | None:
        found: dict[str, str] = {}
        for source in pod["spec"]["containers"][0].get("envFrom", []):
            reference = source["secretRef"]
            secret = self._api.get("v1", "Secret", reference["name"], namespace)
            if secret is None and not reference.get("optional"):
                return None
            found |= decoded(secret or {})
        return found

    def _stop(self, uid: str) -> None:
        with self._lock:
            started = self._pods.pop(uid, None)
            if started:
                where = (started.namespace, started.name, started.workload)
                self.happenings.append(Happening("stopped", *where))

    def _see_secret(self, what: str, secret: Manifest) -> None:
        metadata = secret["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        values = fingerprints(secret) if what != "DELETED" else {}
        life = (metadata["uid"], metadata["resourceVersion"])
        with self._lock:
            seen = self._secrets.get((namespace, name), life)
            if seen[0] != life[0]:  # the end of the one before may have come between two watches
                self.happenings.append(Happening("secret", namespace, name))
            if self._secrets.get((namespace, name)) != life:
                self._secrets[namespace, name] = life
                self.happenings.append(Happening("secret", namespace, name, "", values))


def workload_of(pod: Manifest) -> str:
    """`Kind/name` of what a pod belongs to; its template has the name as the label `app`."""
    [owner] = pod["metadata"]["ownerReferences"]
    labels, kind = pod["metadata"]["labels"], owner["kind"]
    if kind == "ReplicaSet":
        kind = "Rollout" if "rollouts-pod-template-hash" in labels else "Deployment"
    return f"{kind}/{labels['app']}"


def fingerprints(secret: Manifest) -> dict[str, str]:
    return {key: fingerprint(value) for key, value in decoded(secret).items()}


def workload_manifest(
    namespace: str, workload: str, secrets: dict[str, bool], replicas: int = 2
) -> Manifest:
    """A workload of any kind, `Kind/name`; `secrets` says of each Secret that it reads whether it
    must be there."""
    kind, _, name = workload.partition("/")
    sources = [
        {"secretRef": {"name": secret, "optional": not must}} for secret, must in secrets.items()
    ]
    container = {"name": "service", "image": "example.com/wren/service:1", "envFrom": sources}
    spec: Manifest = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"automountServiceAccountToken": False, "containers": [container]},
        },
    }
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    if kind == "Rollout":
        steps = [{"setWeight": 50}, {"pause": {"duration": "1s"}}]
        spec["strategy"] = {"canary": {"steps": steps}}
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": API_VERSIONS.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }
