"""An environment whose keys rotate: values in its store, workloads that read them, and the rotator
as a process with the rights of its ServiceAccount."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import yaml

from platform_secrets.manifests import layer, naming
from platform_secrets.manifests.chart import laid_over
from platform_secrets.manifests.entries import bundle_entries, has_overlap_secret
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import (
    AwsStore,
    AzureStore,
    Document,
    GcpStore,
    ParameterStore,
    Service,
    Settings,
    VaultStore,
    load,
)
from platform_secrets.settings.layout import overlap_secret
from platform_secrets.settings.services import RESTARTABLE_KINDS
from tests.e2e.api_proxy import HOST, ApiProxy
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.environments import PATIENCE_SECONDS
from tests.e2e.image_python import image_python
from tests.e2e.kubelet import (
    API_VERSIONS,
    Happening,
    Kubelet,
    fingerprint,
    fingerprints,
    workload_manifest,
)
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import wait_until
from tests.e2e.stores import Stores, made_values
from tests.platform import CATALOGUE_FILE, STACK_FILES

ACCOUNT = "secrets-rotation"
ROTATED, FAILED, WRONG, NOTHING_DUE, RESTORED = 0, 1, 2, 3, 4
MARK = {"managed-by": "external-secrets"}
ONE_SHOTS = (
    ("ExternalSecret", "external-secrets.io/v1"),
    (
        "PushSecret",
        "external-secrets.io/v1alpha1",
    ),
)


def rotating_settings(
    stack: str, environment: str, *, catalogue: Mapping[str, Any] | None = None, **changes: Any
) -> Settings:
    """A stack file's settings as another environment's, laid over it and over the catalogue."""
    own, shared = (
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in (STACK_FILES[stack], CATALOGUE_FILE)
    )
    content = laid_over(own["config"][STACK_KEY], {"environment": environment, **changes})
    platform = laid_over(shared, dict(catalogue or {}))
    [found] = load([Document(stack, content)], Document("catalogue.yaml", platform))
    return found


def _restartable(service: Service) -> list[str]:
    return [one for one in service.all_workloads if one.partition("/")[0] in RESTARTABLE_KINDS]


@dataclass(frozen=True)
class Ended:
    """How a run of the rotator ended; `code` is negative for the signal that ended it."""

    code: int
    lines: list[Manifest]
    text: str

    @property
    def verdict(self) -> str:
        return json.dumps(self.lines[-1]) if self.lines else self.text


@dataclass
class Rotating:
    """One environment. `values` are its first ones, by key."""

    cluster: Cluster
    stores: Stores
    settings: Settings
    kubelet: Kubelet
    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    plan_changes: dict[str, Any] = field(default_factory=dict)
    """Deadlines that a test can wait for."""
    aws_url: str = ""
    """Where the rotator finds AWS."""
    process: subprocess.Popen[str] | None = None
    runs: int = 0
    _programs: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.namespace = self.settings.namespace
        waves = layer.waves(self.settings, rotator_source())
        self.objects = [obj for wave in waves for obj in wave.objects]
        self.values = {**made_values(self.settings), **self.values}
        self.folder.mkdir()

    def fill_store(self) -> None:
        """Makes identities and values, and marks what the rotation writes as the operator's; in
        layout `per-key` the derived entries too, each with a value of its own."""
        self.stores.prepare(self.settings)
        for bundle in self.settings.catalogue.bundles:
            if has_overlap_secret(self.settings, bundle):
                derived = bundle_entries(self.settings, bundle).keys() - self.values.keys()
                self.values |= {key: token_hex(24) for key in derived}
        self.stores.put(self.settings, self.values)
        for bundle, content in self.settings.catalogue.bundles.items():
            for name in [name for name, key in content.keys.items() if key.is_generated]:
                for one in (name, *naming.derived_keys(name)):
                    if one in self.values:
                        mark(self.stores, self.settings, bundle, one)

    def start_workloads(self, replicas: int = 2, progress_seconds: int = 600) -> None:
        """Makes every service's workload, without waiting for it."""
        for workload in self.workloads(replicas, progress_seconds):
            self.cluster.api.apply(workload, manager="application")

    def workloads(self, replicas: int = 2, progress_seconds: int = 600) -> list[Manifest]:
        """Every service's workload."""
        found = []
        for service in self.settings.catalogue.services.values():
            secrets: dict[str, bool] = {}
            for bundle in service.reads:
                secret = self.settings.catalogue.bundles[bundle].secret
                secrets[secret] = True
                if has_overlap_secret(self.settings, bundle):
                    secrets[overlap_secret(secret)] = False
            for name in _restartable(service):
                workload = workload_manifest(self.place_of(service), name, secrets, replicas)
                if workload["kind"] in ("Deployment", "Rollout"):
                    workload["spec"]["progressDeadlineSeconds"] = progress_seconds
                if workload["kind"] == "Rollout":
                    workload["spec"]["progressDeadlineAbort"] = True
                found.append(workload)
        return found

    def wait_for_workloads(self) -> None:
        for service in self.settings.catalogue.services.values():
            namespace = self.place_of(service)
            for workload in _restartable(service):
                wait_until(
                    lambda w=workload, n=namespace: self.is_complete(w, n),
                    f"{namespace}: {workload} is rolled out",
                    timeout_seconds=PATIENCE_SECONDS,
                )

    def place_of(self, service: Service) -> str:
        """The namespace of a service."""
        reads = service.reads[:1]
        return self.settings.namespace_of(reads[0]) if reads else self.namespace

    def is_complete(self, workload: str, namespace: str | None = None) -> bool:
        """Whether all of a workload's pods are of its current template and ready."""
        kind, _, name = workload.partition("/")
        api_version = API_VERSIONS.get(kind, "apps/v1")
        found = self.cluster.api.get(api_version, kind, name, namespace or self.namespace) or {}
        status = found.get("status", {})
        if kind == "Rollout":
            is_seen = status.get("observedGeneration") == str(found["metadata"]["generation"])
            return is_seen and status.get("phase") == "Healthy"
        if kind == "DaemonSet":
            wanted, updated, ready = (
                "desiredNumberScheduled",
                "updatedNumberScheduled",
                "numberReady",
            )
            counts = {status.get(each) for each in (wanted, updated, ready)}
        else:
            counts = {status.get(each) for each in ("replicas", "updatedReplicas", "readyReplicas")}
            counts.add(found["spec"]["replicas"])
        return status.get("observedGeneration") == found["metadata"]["generation"] and (
            len(counts) == 1 and counts != {None}
        )

    @property
    def generated(self) -> list[str]:
        return [key for key, one in self.settings.catalogue.keys.items() if one.is_generated]

    def bundle(self, key: str) -> str:
        bundles = self.settings.catalogue.bundles
        return next(name for name, content in bundles.items() if key in content.keys)

    def held(self) -> dict[str, str]:
        """The fingerprints of all that the store holds, by key."""
        return {
            key: fingerprint(stored(self.stores, self.settings, bundle, key))
            for bundle in self.settings.catalogue.bundles
            for key in bundle_entries(self.settings, bundle)
        }

    def secret(self, key: str) -> str:
        """The fingerprint of what the Secret of a key's bundle holds for it."""
        bundle = self.bundle(key)
        name = self.settings.catalogue.bundles[bundle].secret
        found = self.cluster.api.get("v1", "Secret", name, self.settings.namespace_of(bundle))
        return fingerprints(found or {}).get(key, "")

    def in_secrets(self, bundle: str) -> dict[str, str]:
        """The fingerprints of what a bundle's Secrets hold, in its namespace."""
        name, namespace = (
            self.settings.catalogue.bundles[bundle].secret,
            self.settings.namespace_of(bundle),
        )
        found = [
            self.cluster.api.get("v1", "Secret", one, namespace)
            for one in (name, overlap_secret(name))
        ]
        return {key: value for one in found for key, value in fingerprints(one or {}).items()}

    def in_store(self, bundle: str, key: str) -> str:
        """The fingerprint of what the store holds for a key."""
        return fingerprint(stored(self.stores, self.settings, bundle, key))

    def secret_keys(self, name: str) -> set[str]:
        """The keys that a Secret is to hold."""
        [found] = (
            obj["spec"]["target"]["template"]
            for obj in self.objects
            if obj["kind"] == "ExternalSecret" and obj["metadata"]["name"] == name
        )
        return set(found["data"])

    def readers(self, key: str) -> list[Happening]:
        """The running pods that read a key, in each of the environment's namespaces."""
        return [
            pod
            for view in self.settings.by_namespace
            for pod in self.kubelet.running(view.namespace)
            if key in pod.values
        ]

    def config_map(self, name: str) -> dict[str, str]:
        """The data of a ConfigMap."""
        return (self.cluster.api.get("v1", "ConfigMap", name, self.namespace) or {}).get("data", {})

    @property
    def memory(self) -> dict[str, str]:
        return self.config_map("secrets-rotation-memory")

    def start(
        self, now: str, *arguments: str, proxy: ApiProxy | None = None, host: str = "a-pod"
    ) -> subprocess.Popen[str]:
        """What the rotator's CronJob would run, as a process: its command, by its image's Python,
        with the ConfigMaps that it mounts and a token of its ServiceAccount."""
        pod = self._pod()
        [container] = pod["containers"]
        root = self.folder / "root"
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for mount in container["volumeMounts"]:
            folder = root / mount["mountPath"].lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in self._files(pod, volumes[mount["name"]]).items():
                file = folder / name
                if not file.exists() or file.read_text(encoding="utf-8") != text:
                    file.write_text(text, encoding="utf-8")
        command = [
            f"{root}{part}" if part.startswith("/") else part for part in container["command"]
        ]
        account = self._account_folder(pod["serviceAccountName"], proxy)
        address, port = (
            (HOST, proxy.port) if proxy else self.cluster.url[len("https://") :].split(":")
        )
        self.process = subprocess.Popen(  # noqa: S603 - the project's own program
            [
                str(image_python()[0]),
                *command[1:],
                *arguments,
                f"--now={now}",
                f"--account-folder={account}",
                f"--aws-token-folder={root}/var/run/secrets/aws",
            ],
            cwd=f"{root}{container['workingDir']}",
            env={
                **{one["name"]: one["value"] for one in container["env"]},
                # A third of its start is the compiler's, and here it starts hundreds of times.
                "PYTHONDONTWRITEBYTECODE": "",
                "HOSTNAME": host,
                "KUBERNETES_SERVICE_HOST": str(address),
                "KUBERNETES_SERVICE_PORT": str(port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.process

    def _files(self, pod: Manifest, volume: Manifest) -> dict[str, str]:
        """What a volume holds: a ConfigMap's data, or tokens of the pod's ServiceAccount."""
        plans = [
            self.config_map(source["configMap"]["name"])
            for source in volume.get("projected", {}).get("sources", [])
            if "configMap" in source
        ]
        if plans:
            return {name: self._plan(text) for one in plans for name, text in one.items()}
        if "projected" in volume:
            tokens = [one["serviceAccountToken"] for one in volume["projected"]["sources"]]
            account = (self.namespace, pod["serviceAccountName"])
            return {
                one["path"]: self.cluster.token(*account, audience=one["audience"])
                for one in tokens
            }
        name = volume["configMap"]["name"]  # of its content: it is read once
        self._programs[name] = self._programs.get(name) or self.config_map(name)
        return self._programs[name]

    def _plan(self, text: str) -> str:
        plan = json.loads(text)
        for key in plan["keys"].values():
            if key["by"] == "aws":
                key |= {"credentials": self.aws_url, "secrets_manager": self.aws_url}
        return json.dumps({**plan, **self.plan_changes})

    def _pod(self) -> Manifest:
        """The pod of the CronJob, as it is in the cluster."""
        found = self.cluster.api.get("batch/v1", "CronJob", ACCOUNT, self.namespace)
        assert found
        return found["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    def _account_folder(self, account: str, proxy: ApiProxy | None) -> Path:
        folder = self.folder / f"account-{'proxied' if proxy else 'direct'}"
        folder.mkdir(exist_ok=True)
        (folder / "token").write_text(self.cluster.token(self.namespace, account))
        (folder / "ca.crt").write_bytes((proxy or self.cluster).ca_file.read_bytes())
        return folder

    def rotate(self, now: str, *arguments: str, proxy: ApiProxy | None = None) -> Ended:
        """Runs the rotator to its end, and keeps what it says in a file beside the other logs."""
        done = ended(self.start(now, *arguments, proxy=proxy))
        self.runs += 1
        (self.folder / f"run-{self.runs}.log").write_text(f"{done.text}\n{done.code}\n")
        return done

    @property
    def one_shots(self) -> list[str]:
        """Everything that a rotation makes and should have taken away."""
        kinds = (*ONE_SHOTS, ("Secret", "v1"))
        found = [
            f"{kind}/{obj['metadata']['name']}"
            for kind, api_version in kinds
            for view in self.settings.by_namespace
            for obj in self.cluster.api.list(api_version, kind, view.namespace)
        ]
        return [name for name in found if "/rotation-" in name]


def ended(process: subprocess.Popen[str], timeout_seconds: float = 1200) -> Ended:
    """How the process ended; it is ended when it takes longer."""
    try:
        text, _ = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return Ended(process.returncode, lines, text)


def mark(
    stores: Stores, settings: Settings, bundle: str, key: str, own: Mapping[str, str] | None = None
) -> None:
    """Marks an entry as one that the operator may write; `own` are its owner's marks."""
    marks = {**MARK, **(own or {})}
    store = settings.environment.stores[settings.store_name(bundle)]
    entry = bundle_entries(settings, bundle)[key]
    match store:
        case VaultStore():
            stores.bao.write(f"{store.mount}/metadata/{entry.key}", custom_metadata=marks)
        case ParameterStore():
            tags = [{"Key": name, "Value": value} for name, value in marks.items()]
            stores.aws.client("ssm").add_tags_to_resource(
                ResourceType="Parameter", ResourceId=entry.key, Tags=tags
            )
        case AwsStore():
            tags = [{"Key": name, "Value": value} for name, value in marks.items()]
            stores.aws.client("secretsmanager").tag_resource(SecretId=entry.key, Tags=tags)
        case GcpStore():
            stores.gcp.labels(entry.key).update(marks)
            stores.gcp.annotations(entry.key).update(own or {})
        case AzureStore():
            stores.azure.set(entry.key, stores.azure.get(entry.key), marks)


def marks(stores: Stores, settings: Settings, bundle: str, key: str) -> dict[str, str]:
    """What an entry is marked with, beside its value."""
    store = settings.environment.stores[settings.store_name(bundle)]
    entry = bundle_entries(settings, bundle)[key]
    match store:
        case VaultStore():
            return stores.bao.read(f"{store.mount}/metadata/{entry.key}")["custom_metadata"]
        case AwsStore():
            found = stores.aws.client("secretsmanager").describe_secret(SecretId=entry.key)
            return {tag["Key"]: tag["Value"] for tag in found["Tags"]}
        case GcpStore():
            return {**stores.gcp.labels(entry.key), **stores.gcp.annotations(entry.key)}
        case AzureStore():
            return stores.azure.tags(entry.key)
        case _:
            raise AssertionError(f"nothing of ours is in a store of {store.provider}")


def stored(stores: Stores, settings: Settings, bundle: str, key: str) -> str:
    """What an entry holds for a key, "" for nothing."""
    store = settings.environment.stores[settings.store_name(bundle)]
    entry = bundle_entries(settings, bundle)[key]
    match store:
        case VaultStore():
            return stores.bao.read(f"{store.mount}/data/{entry.key}")["data"].get(
                str(entry.property), ""
            )
        case ParameterStore():
            client = stores.aws.client("ssm")
            text = client.get_parameter(Name=entry.key, WithDecryption=True)["Parameter"]["Value"]
        case AwsStore():
            client = stores.aws.client("secretsmanager")
            text = client.get_secret_value(SecretId=entry.key)["SecretString"]
        case GcpStore():
            text = stores.gcp.get(entry.key)
        case AzureStore():
            text = stores.azure.get(entry.key)
        case _:
            raise AssertionError(f"nothing of ours is in a store of {store.provider}")
    return text if entry.property is None else json.loads(text).get(entry.property, "")


def refused_tokens(happenings: Iterable[Happening], key: str, secrets: Iterable[str]) -> list[str]:
    """Who would refuse whose token, and when.

    A running pod signs with the key, and accepts what is signed with the key, the next or the
    previous one, all as it read them when it started. So does a pod that would start at any moment
    and read the Secrets as they are then.
    """
    accepting = (key, *naming.derived_keys(key))
    running: dict[str, dict[str, str]] = {}
    current: dict[str, dict[str, str]] = {}
    found = []
    for one in happenings:
        if one.what == "secret" and one.name in secrets:
            current[one.name] = one.values
        elif one.what == "started" and key in one.values:
            running[one.name] = one.values
        elif one.what == "stopped":
            running.pop(one.name, None)
        starting = {name: value for held in current.values() for name, value in held.items()}
        readers = {**running, **({"a new pod": starting} if key in starting else {})}
        found += [
            f"{verifier} refuses {signer} once {one.name} has {one.what}"
            for signer, signs in readers.items()
            for verifier, accepts in readers.items()
            if signs[key] not in {accepts.get(each) for each in accepting}
        ]
    return found
