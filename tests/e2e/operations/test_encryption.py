"""Encryption at rest, with the rendered files in two real API servers on one etcd, as they are
restarted one after the other: turned on, and moved from a key of one's own to a KMS plugin."""

import os
import re
import secrets
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
import yaml

from platform_secrets.manifests.control_plane import encryption_configuration
from platform_secrets.settings.control_plane import ControlPlane
from tests.e2e.cluster import Cluster
from tests.e2e.kms_plugin import kms_plugin
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError
from tests.e2e.process import PROJECT, Run
from tests.e2e.stores import decoded
from tools.build import build

NAMESPACE = "default"
DOCS = (PROJECT / "docs" / "encryption.md").read_text(encoding="utf-8")
IDENTITY = {"provider": "identity"}
OWN_KEY = {"provider": "secretbox", "name": "own-key"}
PLAIN, BY_KEY, BY_KMS = b"k8s\0", b"k8s:enc:secretbox:v1:own-key:", b"k8s:enc:kms:v2:plugin:"


def command(words: str) -> str:
    """The command of docs/encryption.md that begins so."""
    [found] = re.findall(rf"^{re.escape(words)}.*$", DOCS, re.MULTILINE)
    return found


@dataclass
class Rollout:
    """Two API servers on one etcd, and the host's folder that both read their file from."""

    cluster: Cluster
    peer: KubernetesApi
    folder: Path
    kms: dict[str, Any]

    def give(self, *providers: dict[str, Any]) -> None:
        """Fills the rendered file as the docs say, and restarts one server after the other."""
        fill(self.folder, *providers)
        self.cluster.restart_api_server()
        self.cluster.start_peer()

    def write_anew(self) -> None:
        path = f"{build('kubectl').parent}:{os.environ['PATH']}"
        env = {**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig), "PATH": path}
        run_in(self.folder, command("kubectl get secrets --all-namespaces"), env)

    def stored(self) -> dict[str, bytes]:
        """Every Secret, as etcd holds it."""
        return self.cluster.stored("/registry/secrets/")


def fill(folder: Path, *providers: dict[str, Any]) -> None:
    asked = ControlPlane.model_validate({"encryption": [*providers]}).encryption
    content = yaml.safe_dump(encryption_configuration(asked))
    (folder / "encryption.yaml").write_text(content, encoding="utf-8")
    run_in(folder, command("sed -f"))


def run_in(folder: Path, line: str, env: dict[str, str] | None = None) -> None:
    """Runs a command of the docs. Its output would hold Secrets."""
    subprocess.run(  # noqa: S603 - the docs' own line
        ["bash", "-ec", f"set -o pipefail; {line}"],  # noqa: S607 - whichever bash there is
        cwd=folder,
        env=env,
        stdout=subprocess.DEVNULL,
        check=True,
    )


@dataclass
class Reader:
    """Reads a Secret by every server, again and again. A server that restarts does not answer."""

    servers: tuple[KubernetesApi, ...]
    name: str
    value: str
    wrong: list[str] = field(default_factory=list)
    reads: int = 0

    def __post_init__(self) -> None:
        self._is_over = Event()
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _read(self) -> None:
        expected = b64encode(self.value.encode()).decode()
        unanswered = 0
        while not self._is_over.wait(0.02):
            answered = 0
            for api in self.servers:
                # One that starts is not ready, and no load balancer asks it.
                if not is_ready(api):
                    continue
                try:
                    found = api.read("v1", "Secret", self.name, NAMESPACE)
                except httpx.TransportError:
                    continue
                except KubernetesApiError as error:
                    self.wrong.append(str(error))
                    continue
                answered += 1
                if found["data"]["value"] != expected:
                    self.wrong.append("another value")
            self.reads += answered
            # Within one round the first may come up and the second go down: one asks again.
            unanswered = 0 if answered else unanswered + 1
            if unanswered > 1:
                self.wrong.append("no server answered")


def is_ready(api: KubernetesApi) -> bool:
    with suppress(httpx.TransportError):
        return api.is_ready()
    return False


@pytest.fixture(scope="module")
def rollout(run: Run) -> Iterator[Rollout]:
    folder = run.folder / "encryption"
    (folder / "keys").mkdir(parents=True)
    run_in(folder, command("head -c 32").replace("2026-11", "own-key"))
    fill(folder, IDENTITY, OWN_KEY)
    flags = [f"--encryption-provider-config={folder / 'filled.yaml'}"]
    cluster = Cluster(run, "encrypted", api_server_flags=flags)
    peer = cluster.start_peer()
    socket = run.folder / "kms.sock"
    with kms_plugin(socket):
        kms = {"provider": "kms", "name": "plugin", "socket": str(socket)}
        yield Rollout(cluster, peer, folder, kms)
        cluster.stop()


def put(cluster: Cluster, name: str) -> str:
    value = secrets.token_hex(24)
    metadata = {"name": name, "namespace": NAMESPACE}
    content = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    cluster.api.create({**content, "stringData": {"value": value}})
    return value


def test_no_secret_is_unreadable_while_encryption_comes_and_keys_change(rollout: Rollout) -> None:
    cluster = rollout.cluster
    old = put(cluster, "old")
    assert old.encode() in rollout.stored()["/registry/secrets/default/old"]
    reader = Reader((cluster.api, rollout.peer), "old", old)
    try:
        rollout.give(OWN_KEY, IDENTITY)
        new = put(cluster, "new")
        assert rollout.stored()["/registry/secrets/default/old"].startswith(PLAIN)
        rollout.write_anew()
        assert all(one.startswith(BY_KEY) for one in rollout.stored().values())
        rollout.give(OWN_KEY, rollout.kms)
        rollout.give(rollout.kms, OWN_KEY)
        rollout.write_anew()
        assert all(one.startswith(BY_KMS) for one in rollout.stored().values())
        rollout.give(rollout.kms)
        newest = put(cluster, "newest")
    finally:
        reader.end()
    assert reader.wrong == []
    assert reader.reads > 100
    values = {"old": old, "new": new, "newest": newest}
    for api in (cluster.api, rollout.peer):
        found = {name: decoded(api.read("v1", "Secret", name, NAMESPACE)) for name in values}
        assert found == {name: {"value": value} for name, value in values.items()}
    files = [path for path in (cluster.folder / "etcd").rglob("*") if path.is_file()]
    raw = b"".join(path.read_bytes() for path in files)
    assert old.encode() in raw, "etcd keeps what was plain; the docs say so"
    for value in (new, newest):
        assert value.encode() not in raw
        assert b64encode(value.encode()) not in raw
