"""An environment whose keys rotate: values in its store, workloads that read them, and the rotator
as a process with the rights of its ServiceAccount."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from manifests import layer, naming
from settings import AwsStore, AzureStore, GcpStore, Settings, VaultStore
from tests.e2e.api_proxy import HOST, ApiProxy
from tests.e2e.cluster import Cluster
from tests.e2e.environments import PATIENCE_SECONDS
from tests.e2e.kubelet import Happening, Kubelet, fingerprint, workload_manifest
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import wait_until
from tests.e2e.stores import Stores, made_values

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
    """One environment. `values` are the first ones, by key; `runs` counts the rotator's runs."""

    cluster: Cluster
    stores: Stores
    settings: Settings
    kubelet: Kubelet
    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.namespace = self.settings.namespace
        self.objects = [obj for wave in layer.waves(self.settings) for obj in wave.objects]
        self.values |= made_values(self.settings)
        self.folder.mkdir()

    def fill_store(self) -> None:
        """Makes identities and values, and marks what the rotation writes as the operator's; in
        layout `per-key` the derived entries too, each with a value of its own."""
        self.stores.prepare(self.settings)
        for bundle in self.settings.catalogue.bundles:
            if naming.has_overlap_secret(self.settings, bundle):
                derived = naming.entries(self.settings, bundle).keys() - self.values.keys()
                self.values |= {key: token_hex(24) for key in derived}
        self.stores.put(self.settings, self.values)
        for key in self.generated:
            for one in (key, *naming.derived_keys(key)):
                if one in self.values:
                    mark(self.stores, self.settings, self.bundle(key), one)

    def start_workloads(self, replicas: int = 2) -> None:
        """Makes every service's workload; `are_complete` says when they are up."""
        for service in self.settings.catalogue.services.values():
            secrets: dict[str, bool] = {}
            for bundle in service.reads:
                secret = self.settings.catalogue.bundles[bundle].secret
                secrets[secret] = True
                if naming.has_overlap_secret(self.settings, bundle):
                    secrets[naming.overlap_secret(secret)] = False
            workload = workload_manifest(self.namespace, service.workload, secrets, replicas)
            self.cluster.api.apply(workload, manager="application")

    def wait_for_workloads(self) -> None:
        for service in self.settings.catalogue.services.values():
            wait_until(
                lambda w=service.workload: self.is_complete(w),
                f"{self.namespace}: {service.workload} is rolled out",
                timeout_seconds=PATIENCE_SECONDS,
            )

    def is_complete(self, workload: str) -> bool:
        """Whether all of a workload's pods are of its current template and ready."""
        kind, _, name = workload.partition("/")
        found = self.cluster.api.get("apps/v1", kind, name, self.namespace) or {}
        status = found.get("status", {})
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

    def stored(self, key: str) -> str:
        """The fingerprint of what the store holds for a key, "" for nothing."""
        own = key.removesuffix("-next").removesuffix("-previous")
        return fingerprint(stored(self.stores, self.settings, self.bundle(own), key))

    def config_map(self, name: str) -> dict[str, str]:
        """The data of the first ConfigMap in the cluster whose name begins so."""
        found = self.cluster.api.list("v1", "ConfigMap", self.namespace)
        return next(
            one.get("data", {}) for one in found if one["metadata"]["name"].startswith(name)
        )

    @property
    def memory(self) -> dict[str, str]:
        return self.config_map("secrets-rotation-memory")

    def start(
        self, now: str, *arguments: str, proxy: ApiProxy | None = None
    ) -> subprocess.Popen[str]:
        """The rotator's own program and plan, as they are in the cluster, run as a process."""
        program = self.folder / "program"
        account = self.folder / f"account-{'proxied' if proxy else 'direct'}"
        (program / "rotator").mkdir(parents=True, exist_ok=True)
        account.mkdir(exist_ok=True)
        for name, text in self.config_map("secrets-rotation-program-").items():
            (program / "rotator" / name).write_text(text, encoding="utf-8")
        plan = self.folder / "plan.json"
        plan.write_text(self.config_map("secrets-rotation-plan")["plan.json"], encoding="utf-8")
        (account / "token").write_text(self.cluster.token(self.namespace, ACCOUNT))
        (account / "ca.crt").write_bytes((proxy or self.cluster).ca_file.read_bytes())
        host, port = (HOST, proxy.port) if proxy else self.cluster.url[len("https://") :].split(":")
        argv = [sys.executable, "-m", "rotator", "rotate", f"--plan={plan}", f"--now={now}"]
        self.process = subprocess.Popen(  # noqa: S603 - the project's own program
            [*argv, f"--account-folder={account}", *arguments],
            cwd=program,
            env={
                "PATH": os.environ["PATH"],
                "KUBERNETES_SERVICE_HOST": str(host),
                "KUBERNETES_SERVICE_PORT": str(port),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.process

    def rotate(self, now: str, *arguments: str, proxy: ApiProxy | None = None) -> Ended:
        """Runs the rotator to its end."""
        return ended(self.start(now, *arguments, proxy=proxy))

    @property
    def one_shots(self) -> list[str]:
        """Everything that a rotation makes and should have taken away."""
        kinds = (*ONE_SHOTS, ("Secret", "v1"))
        found = [
            f"{kind}/{obj['metadata']['name']}"
            for kind, api_version in kinds
            for obj in self.cluster.api.list(api_version, kind, self.namespace)
        ]
        return [name for name in found if "/rotation-" in name]


def ended(process: subprocess.Popen[str], timeout_seconds: float = 300) -> Ended:
    """How the process ended; it is ended when it takes longer."""
    try:
        text, _ = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return Ended(process.returncode, lines, text)


def mark(stores: Stores, settings: Settings, bundle: str, key: str) -> None:
    """Marks an entry as one that the operator may write."""
    store = settings.environment.stores[settings.store_name(bundle)]
    entry = naming.entry(settings, bundle, key)
    match store:
        case VaultStore():
            stores.bao.write(f"{store.mount}/metadata/{entry.key}", custom_metadata=MARK)
        case AwsStore():
            tags = [{"Key": name, "Value": value} for name, value in MARK.items()]
            stores.aws.client("secretsmanager").tag_resource(SecretId=entry.key, Tags=tags)
        case GcpStore():
            stores.gcp.labels(entry.key).update(MARK)
        case AzureStore():
            stores.azure.set(entry.key, stores.azure.get(entry.key), MARK)


def stored(stores: Stores, settings: Settings, bundle: str, key: str) -> str:
    """What an entry holds for a key, "" for nothing."""
    store = settings.environment.stores[settings.store_name(bundle)]
    entry = naming.entry(settings, bundle, key)
    match store:
        case VaultStore():
            return stores.bao.read(f"{store.mount}/data/{entry.key}")["data"].get(
                str(entry.property), ""
            )
        case AwsStore():
            client = stores.aws.client("secretsmanager")
            text = client.get_secret_value(SecretId=entry.key)["SecretString"]
        case GcpStore():
            text = stores.gcp.get(entry.key)
        case AzureStore():
            text = stores.azure.get(entry.key)
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
