"""A small API server in this process, with the operator, a store, a database engine and the
workload controllers behind it: what they do is moved on by each GET and DELETE, so that a run is
the same every time. `Killed` ends a run at one of its calls, as SIGKILL would."""

import copy
import hashlib
import json
import re
import secrets
from collections import defaultdict
from datetime import datetime
from typing import Any

from platform_secrets.rotator import proof
from platform_secrets.rotator.clock import Clock

NAMESPACE = "shop-production"
MEMORY = "secrets-rotation-memory"
STORE = "vault-rotation-store"
READY_REASONS = {"ExternalSecret": "SecretSynced", "PushSecret": "Synced"}


FAILING_TEMPLATE = "the template fails"
COMPARISON = re.compile(r'range splitList "/" "([^"]+)" .* sha256sum[)] "([0-9a-f]{64})"')


class Killed(BaseException):
    """The run is no more."""


class FakeClock(Clock):
    """Time passes only while somebody sleeps."""

    def __init__(self, start: datetime) -> None:
        self.seconds = 0.0
        super().__init__(start)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Cluster:
    """Objects by kind and name; `entries` is the store, `pods` what each workload's pods hold."""

    def __init__(self, layout: str = "bundle") -> None:
        self.layout = layout
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.entries: dict[str, str] = {}
        self.written: list[tuple[str, str]] = []
        self.generated: list[str] = []
        self.passwords = {"a": secrets.token_hex(4), "b": secrets.token_hex(4)}
        self.pods: dict[str, list[dict[str, str]]] = {}
        self.restarts: dict[str, int] = {}
        self.broken: dict[str, str] = {}  # workload: "silent", or the reason of its condition
        self.refused_entries: dict[str, str] = {}  # remote key/property: the operator's message
        self.operator_is_up = self.collector_is_up = True
        self.operator_looks = 2  # how often it is looked at until it has done something
        self.second_looks = 0  # after how many more it does once more what an engine does for it
        self.refused_writes: dict[str, str] = {}  # by kind or kind/name: what admission says
        self.events: list[dict[str, Any]] = []
        self.log: list[tuple[str, str, str]] = []
        self.observers: list[Any] = []
        self.clock: Clock = FakeClock(datetime(2026, 1, 1))
        self.lag_seconds = 0.0
        self.late_accounts: set[str] = set()  # whose password before the engine still answers
        self._held_before: list[tuple[float, dict[str, str]]] = []
        self._version = self._looks = 0
        self._garbage: list[str] = []
        self._late: list[tuple[int, str]] = []
        self._add("ConfigMap", MEMORY, {})

    def copy(self) -> "Cluster":
        """The same cluster, apart from this one."""
        other = copy.copy(self)
        state = {name: value for name, value in vars(self).items() if name != "observers"}
        vars(other).update(copy.deepcopy(state))
        return other

    # What a test makes.

    def _add(self, kind: str, name: str, content: dict[str, Any]) -> dict[str, Any]:
        obj = {"kind": kind, "apiVersion": "x/v1", **copy.deepcopy(content)}
        given = obj.get("metadata", {})
        self._version += 1
        obj["metadata"] = {
            "labels": {},
            "annotations": {},
            **given,
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{self._version}",
            "generation": 1,
            "resourceVersion": str(self._version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        self.objects[kind, name] = obj
        return obj

    def add_consumer(self, name: str, lines: dict[str, str]) -> None:
        """An ExternalSecret of the services, whose Secret has `lines`: field to entry."""
        self._add("ExternalSecret", name, {"spec": {"lines": lines}})
        self._settle(name)

    def add_pointer(self, name: str, key: str, content: str) -> None:
        self._add("ConfigMap", name, {"data": {key: content}})

    def add_workload(self, workload: str, reads: list[str], pods: int = 2) -> None:
        """A workload, completely rolled out, whose pods read the Secrets `reads`."""
        kind, name = workload.split("/")
        spec = {"replicas": pods, "template": {"metadata": {}}, "reads": reads}
        self._add(kind, name, {"spec": spec})
        self.restarts[workload] = 0
        self.pods[workload] = [self._held(reads) for _ in range(pods)]
        self._write_status(workload, pods)

    def _settle(self, name: str) -> None:
        for _ in range(3):
            self._operate(self.objects["ExternalSecret", name])

    def memory(self, key: str) -> dict[str, Any]:
        """What is remembered of a key; None for what is not."""
        held = json.loads(self.objects["ConfigMap", MEMORY].get("data", {})[key])
        return defaultdict(lambda: None, held)

    def one_shots(self) -> list[str]:
        return [name for _, name in self.objects if name.startswith("rotation-")]

    def value(self, secret: str, field: str) -> str:
        return self.secrets[secret][field]

    # The API server.

    def send(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        status, content = self._answer(method, path, copy.deepcopy(body))
        return status, {}, json.dumps(content).encode()

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        _, _, rest = path.partition(f"/namespaces/{NAMESPACE}/")
        plural, _, name = rest.partition("/")
        kinds = ("ExternalSecret", "PushSecret", "ConfigMap", "Event")
        kind = next(
            one
            for one in (*kinds, "Deployment", "StatefulSet", "DaemonSet", "Rollout")
            if f"{one.lower()}s" == plural
        )
        self.log.append(("TRY" if query else method, kind, name))
        called = name or (body or {}).get("metadata", {}).get("name", "")
        if method in ("POST", "PATCH"):
            for refused in (kind, f"{kind}/{called}"):
                if refused in self.refused_writes:
                    return 422, {"message": self.refused_writes[refused]}
        if query:
            is_there = (kind, called) in self.objects
            return (409 if is_there else 201) if method == "POST" else (
                200 if is_there else 404
            ), {}
        if method == "POST":
            return self._create(kind, body)
        if method in ("GET", "DELETE"):
            self.advance()
        obj = self.objects.get((kind, name))
        if obj is None:
            return 404, {"message": f"{plural} {name!r} not found"}
        if method == "PATCH":
            return self._patch(obj, body)
        if method == "DELETE":
            self._delete(kind, name, obj, (body or {}).get("propagationPolicy"))
            if (kind, name) not in self.objects:
                return 200, {"kind": "Status", "status": "Success"}
        return 200, obj

    def _delete(self, kind: str, name: str, obj: dict[str, Any], policy: str | None) -> None:
        """The garbage collector takes its time with the Secret that the object owns; meanwhile the
        object stays in deletion (Foreground), or the Secret may be taken over by another."""
        if policy == "Foreground":
            obj["metadata"].setdefault("deletionTimestamp", self._looks)
            if kind == "PushSecret":  # its metadata has changed
                self._push(obj["spec"])
        else:
            del self.objects[kind, name]
            if obj["spec"].get("target", {}).get("creationPolicy") == "Owner":
                self._garbage.append(name)

    def _collect(self) -> None:
        if not self.collector_is_up:
            return
        for (kind, name), obj in list(self.objects.items()):
            if obj["metadata"].get("deletionTimestamp", self._looks) < self._looks - 1:
                del self.objects[kind, name]
                self.secrets.pop(name, None)
        for name in list(self._garbage):  # late enough to hit the next object of this name
            heir = self.objects.get(("ExternalSecret", name), {})
            if "syncedResourceVersion" in heir.get("status", {}):
                self._garbage.remove(name)
                self.secrets.pop(name, None)

    def _create(self, kind: str, body: Any) -> tuple[int, Any]:
        name = body["metadata"]["name"]
        if kind == "Event":
            self.events.append(body)
            return 201, body
        if (kind, name) in self.objects:
            return 409, {"message": f"{name!r} already exists"}
        return 201, self._add(kind, name, body)

    def _patch(self, obj: dict[str, Any], patch: Any) -> tuple[int, Any]:
        version = patch.get("metadata", {}).pop(
            "resourceVersion", obj["metadata"]["resourceVersion"]
        )
        if version != obj["metadata"]["resourceVersion"]:
            return 409, {"message": "the object has been modified"}
        merged = merge(obj, patch)
        if merged != obj:
            self._version += 1
            merged["metadata"]["resourceVersion"] = str(self._version)
            if merged.get("spec") != obj.get("spec"):
                merged["metadata"]["generation"] += 1
            self.objects[obj["kind"], obj["metadata"]["name"]] = merged
        return 200, merged

    # What stands behind it.

    def advance(self) -> None:
        """Every controller does the next part of its work."""
        self._looks += 1
        self._collect()
        for (kind, name), obj in list(self.objects.items()):
            if kind in ("ExternalSecret", "PushSecret") and self.operator_is_up:
                self._operate(obj)
            elif f"{kind}/{name}" in self.pods:
                self._roll(f"{kind}/{name}", obj)
        self._look_again()
        for observe in self.observers:
            observe(self)

    def _look_again(self) -> None:
        """The operator acts on an old state of an object that is still there."""
        for at, name in list(self._late):
            if at <= self._looks:
                self._late.remove((at, name))
                if found := self.objects.get(("ExternalSecret", name)):
                    generator = found["spec"]["dataFrom"][0]["sourceRef"]["generatorRef"]["name"]
                    self.passwords[generator[-1]] = secrets.token_hex(8)

    def _operate(self, obj: dict[str, Any]) -> None:
        if "deletionTimestamp" in obj["metadata"]:
            return
        status, spec = obj.setdefault("status", {}), obj["spec"]
        if status.get("settled") == obj["metadata"]["resourceVersion"]:
            return
        wanted = proof.synced_resource_version(obj)
        done = status.get("syncedResourceVersion")
        if done == wanted or (done and spec.get("refreshPolicy") == "CreatedOnce"):
            status["settled"] = obj["metadata"]["resourceVersion"]
            return
        of, looks = status.get("looks", ("", 0))
        status["looks"] = (wanted, looks + 1 if of == wanted else 1)
        if status["looks"][1] < self.operator_looks:
            return
        fault, message = None, "secret synced"
        if obj["kind"] == "PushSecret":
            fault = self._push(spec)
            if fault == FAILING_TEMPLATE:  # without a condition, in its back-off
                status["looks"] = (wanted, -200)
                return
        elif "lines" in spec:
            self._sync(obj["metadata"]["name"], spec["lines"])
        else:
            message = self._make(obj["metadata"]["name"], spec)
        reason = "Errored" if fault else READY_REASONS[obj["kind"]]
        ready = {"type": "Ready", "status": str(not fault), "reason": reason}
        status["conditions"] = [{**ready, "message": fault or message}]
        if fault:
            status["looks"] = (wanted, -200)  # it waits in its back-off
        else:
            status["syncedResourceVersion"] = wanted

    def _sync(self, name: str, lines: dict[str, str]) -> None:
        data = {}
        for field, entry in lines.items():
            if entry.startswith("pointer:"):
                _, pointer, key = entry.split(":")
                data[field] = self.objects["ConfigMap", pointer]["data"][key]
            else:
                answers = self._answers()
                form, _, entry = entry.rpartition(" ")
                value = answers.get(entry, answers.get(entry.rpartition("-")[0], ""))
                data[field] = (form or "%s") % value
        self.secrets[name] = data

    def _make(self, name: str, spec: dict[str, Any]) -> str:
        if "data" in spec:
            entry = entry_of(spec["data"][0]["remoteRef"], "key")
            if "version" in spec["data"][0]["remoteRef"]:
                self.secrets[name] = {"is-current": f"value {self.entries[entry]}"}
                return "secret synced"
            self.secrets[name] = compared(spec, "value", self._answers()[entry])
            return "secret synced"
        generator = spec["dataFrom"][0]["sourceRef"]["generatorRef"]
        if not generator["name"].startswith("rotation-"):
            side = generator["name"][-1]
            self.secrets[name] = {"is-current": f"side {side}", "is-other": f"other {side}"}
            return "secret synced"
        value = secrets.token_hex(8)
        self.generated.append(value)
        if generator["kind"] == "Password":
            self.secrets[name] = compared(spec, "password", value)
            return "secret synced"
        self.passwords[generator["name"][-1]] = value
        if self.second_looks:
            self._late.append((self._looks + self.second_looks, name))
        return "secret retained due to DeletionPolicy=Retain"

    def _push(self, spec: dict[str, Any]) -> str | None:
        if "template" in spec:
            return self._check(spec)
        match = spec["data"][0]["match"]
        entry = entry_of(match["remoteRef"], "remoteKey")
        if entry in self.refused_entries:
            return self.refused_entries[entry]
        source = self.secrets.get(spec["selector"]["secret"]["name"])
        if source is None:
            return "could not get source secret"
        value = source[match["secretKey"]]
        answers = self._answers()
        if answers.get(entry) != value:
            # The whole of an entry is written, as it was read.
            whole = f"{match['remoteRef']['remoteKey']}/"
            read = {one: answers[one] for one in answers if one.startswith(whole)}
            kept = {one: held for one, held in self.entries.items() if not one.startswith(whole)}
            self.entries = {**kept, **read, entry: value}
            self.written.append((entry, value))
            self._answers()
        return None

    def _check(self, spec: dict[str, Any]) -> str | None:
        """Runs each text over the services' Secret, as far as the rotator's texts go."""
        held = self.secrets.get(spec["selector"]["secret"]["name"])
        if held is None:
            return "could not get source secret"
        for one in spec["template"]["templateFrom"]:
            source = self.secrets.get(one["secret"]["name"])
            if source is None:
                return FAILING_TEMPLATE
            text = source[one["secret"]["items"][0]["key"]]
            if not COMPARISON.findall(text):
                if not self._is_account(text, {*held.values()}):
                    return FAILING_TEMPLATE
                continue
            names, digest = COMPARISON.findall(text)[0]
            value = next((held[name] for name in names.split("/") if held.get(name)), "")
            if digest_of(value) != digest:
                return FAILING_TEMPLATE
        return None

    def _is_account(self, text: str, held: set[str]) -> bool:
        """Whether a Secret holds the URL that a text of a database's key asks for."""
        what, wanted = text.split()
        if what == "other":
            return bool(held & {"a", "b"} - {wanted})
        return wanted in held and wanted not in self.late_accounts

    def _answers(self) -> dict[str, str]:
        """What the store answers: what it held `lag_seconds` ago, but nothing older than before."""
        now = self.clock.monotonic()
        if self._held_before and self._held_before[-1][0] > now:  # a new run's clock
            self._held_before = [(now, dict(self.entries))]
        if not self._held_before or self._held_before[-1][1] != self.entries:
            self._held_before.append((now, dict(self.entries)))
        while len(self._held_before) > 1 and self._held_before[1][0] <= now - self.lag_seconds:
            self._held_before.pop(0)
        return self._held_before[0][1]

    def _held(self, reads: list[str]) -> dict[str, str]:
        """What a pod that starts now holds; of a database's URL the password behind it."""
        held = {k: v for secret in reads for k, v in self.secrets[secret].items()}
        return {k: self.passwords.get(v, v) for k, v in held.items()}

    def _roll(self, workload: str, obj: dict[str, Any]) -> None:
        """One pod is replaced at each look, when its controller has seen the change."""
        status, generation = obj["status"], obj["metadata"]["generation"]
        if status["observedGeneration"] != generation:
            self.restarts[workload] += 1
            status["observedGeneration"] = generation
            self._write_status(workload, 0)
        elif status["updated"] < obj["spec"]["replicas"]:
            if workload in self.broken:
                if (reason := self.broken[workload]) != "silent":
                    status["conditions"] = [{"reason": reason, "message": "no progress"}]
                return
            self.pods[workload].pop(0)
            self.pods[workload].append(self._held(obj["spec"]["reads"]))
            self._write_status(workload, status["updated"] + 1)

    def _write_status(self, workload: str, updated: int) -> None:
        kind, name = workload.split("/")
        obj = self.objects[kind, name]
        pods = obj["spec"]["replicas"]
        is_done = updated == pods
        obj["status"] = {"observedGeneration": obj["metadata"]["generation"], "updated": updated}
        if kind == "DaemonSet":
            of_kind = {"desiredNumberScheduled": pods, "updatedNumberScheduled": updated}
            obj["status"] |= {**of_kind, "numberAvailable": pods}
            return
        counts = {"replicas": pods, "updatedReplicas": updated, "availableReplicas": pods}
        revision = {"currentRevision": "new" if is_done else "old", "updateRevision": "new"}
        phase = {"phase": "Healthy" if is_done else "Progressing"}
        obj["status"] |= counts | (revision if kind == "StatefulSet" else {})
        obj["status"] |= phase if kind == "Rollout" else {}


class Mortal:
    """Ends the run at its call number `at`: the call takes effect, its answer does not arrive."""

    def __init__(self, cluster: Cluster, at: int) -> None:
        self._cluster, self._left = cluster, at

    def send(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        self._left -= 1
        if self._left >= 0:
            answer = self._cluster.send(method, path, body)
            if self._left > 0:
                return answer
        raise Killed


class Recorder:
    """Keeps what the cluster is after each call: what a run that is killed there leaves."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.left: list[Cluster] = []

    def send(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        answer = self._cluster.send(method, path, body)
        self.left.append(self._cluster.copy())
        return answer


def digest_of(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def compared(spec: dict[str, Any], field: str, value: str) -> dict[str, str]:
    """What the operator makes of the template of a value and its comparisons."""
    made = {}
    for name, text in spec["target"]["template"]["data"].items():
        text = text.replace(f"{{{{ .{field} }}}}", value)
        text = text.replace(f"{{{{ $v := .{field} }}}}", "")
        text = re.sub(
            '{{ (?:printf "(.*?)" [(][$]v[)]|[$]v) [|] sha256sum }}',
            lambda found: digest_of((found[1] or "%s") % value),
            text,
        )
        made[name] = re.sub("{{ `(.*?)` }}", r"\1", text)
    return made


def entry_of(reference: dict[str, str], field: str) -> str:
    return "/".join(filter(None, (reference[field], reference.get("property"))))


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = merge(merged.get(field), value)
    return merged
