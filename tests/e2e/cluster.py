"""A real API server with its etcd and controllers, and what the tests say to it."""

import csv
import json
import os
import secrets
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.kubernetes_api import KubernetesApi, Manifest
from tests.e2e.process import Process, Run, answers, free_ports, local_http, wait_until
from tools.build import build

ISSUER = "https://kubernetes.default.svc"


PEOPLE = "wren-operators"
"""Those who may seed, of the stack files that say so."""
MANAGER = "system:kube-controller-manager"


class Cluster:
    """etcd, kube-apiserver, kube-controller-manager. Without scheduler and kubelet no pod runs.

    `api` speaks as an administrator, `person` as one who is also in the group PEOPLE. RBAC and the
    ValidatingAdmissionPolicies are in force.
    """

    def __init__(
        self, run: Run, name: str = "cluster", *, api_server_flags: Sequence[str] = ()
    ) -> None:
        self._run = run
        self._name = name
        self._api_server_flags = api_server_flags
        self.folder = run.folder / name
        self.folder.mkdir()
        self._etcd_port, self._peer_port, self._port, self._manager_port = free_ports(4)
        (self._second_port,) = free_ports(1)
        self._peer: Process | None = None
        self.url = f"https://127.0.0.1:{self._port}"
        self.ca_file = self.folder / "apiserver.crt"
        self._admin_token, self._person_token, self._manager_token = (
            secrets.token_hex(24) for _ in range(3)
        )
        self._key_file = self.folder / "service-account.key"
        self._write_credentials()
        self._etcd = self._start_etcd()
        self._api_server = self._start_api_server()
        self.api = self.api_as(self._admin_token)
        self.kubeconfig = self.kubeconfig_for("admin", self._admin_token)
        self.person = self.api_as(self._person_token)
        self.person_kubeconfig = self.kubeconfig_for("somebody", self._person_token)
        self.controller_manager = self._start_controller_manager()

    def api_as(self, token: str) -> KubernetesApi:
        """The API server as the bearer of a token sees it."""
        return KubernetesApi(self.url, self.ca_file, token)

    def api_of(self, user: str) -> KubernetesApi:
        """The API server as an administrator of another name sees it."""
        return KubernetesApi(self.url, self.ca_file, self._admin_token, user=user)

    def token(self, namespace: str, account: str, *, audience: str = ISSUER) -> str:
        """A token of a ServiceAccount, from the TokenRequest API; valid for an hour."""
        answer = self.api.request(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
            {"spec": {"audiences": [audience], "expirationSeconds": 3600}},
        )
        return answer["status"]["token"]

    def service_account_kubeconfig(self, namespace: str, account: str) -> Path:
        """A kubeconfig with which a program has exactly the rights of a ServiceAccount."""
        return self.kubeconfig_for(f"{namespace}-{account}", self.token(namespace, account))

    def create_namespace(self, name: str, **labels: str) -> None:
        """Makes the namespace and waits for its default ServiceAccount and root certificate."""
        metadata = {"name": name, "labels": labels}
        self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        wait_until(
            lambda: (
                self.api.get("v1", "ServiceAccount", "default", name)
                and self.api.get("v1", "ConfigMap", "kube-root-ca.crt", name)
            ),
            f"the controllers have set up namespace {name}",
        )

    @property
    def uid(self) -> str:
        """The UID of kube-system, by which a stack names its cluster."""
        found = wait_until(lambda: self.api.get("v1", "Namespace", "kube-system"), "kube-system")
        return found["metadata"]["uid"]

    def of_vaults_pod(self) -> dict[str, str]:
        """What Vault finds in its pod: the cluster's authority, and a token that reviews others."""
        return {
            "kubernetes_ca_cert": self.ca_file.read_text(encoding="utf-8"),
            "token_reviewer_jwt": self.token("vault-system", "vault"),
        }

    def delete_namespace(self, name: str) -> None:
        """Returns once the namespace and all in it are gone."""
        self.api.delete("v1", "Namespace", name)
        wait_until(
            lambda: self.api.get("v1", "Namespace", name) is None,
            f"namespace {name} is gone",
            timeout_seconds=60,
        )

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises CalledProcessError."""
        done = subprocess.run(  # noqa: S603 - our own kubectl
            [build("kubectl"), *args],
            input=stdin,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def stop(self) -> None:
        """Ends its programs before the session does."""
        for process in (self.controller_manager, self._peer, self._api_server, self._etcd):
            if process:
                process.stop()

    def start_peer(self) -> KubernetesApi:
        """Another API server on the same etcd, as an administrator sees it; or the same, killed and
        started anew."""
        if self._peer:
            self._peer.kill()
        folder = self.folder / "peer"
        self._peer = self._start_api_server("peer", self._second_port, folder)
        url = f"https://127.0.0.1:{self._second_port}"
        return KubernetesApi(url, folder / "apiserver.crt", self._admin_token)

    def stored(self, prefix: str) -> dict[str, bytes]:
        """What etcd holds below a prefix, as it holds it."""
        start = prefix.encode()
        end = start[:-1] + bytes([start[-1] + 1])
        asked = {"key": b64encode(start).decode(), "range_end": b64encode(end).decode()}
        url = f"http://127.0.0.1:{self._etcd_port}/v3/kv/range"
        found = local_http.post(url, json=asked).raise_for_status().json()
        pairs = ((one["key"], one["value"]) for one in found.get("kvs", []))
        return {b64decode(key).decode(): b64decode(value) for key, value in pairs}

    def restart_api_server(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Kills the API server, calls `meanwhile`, and starts it again with the same port, keys
        and data."""
        self._api_server.kill()
        meanwhile()
        self._api_server = self._start_api_server()

    def restart_etcd(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Stops etcd, calls `meanwhile`, and starts it again; returns once the API server, which
        runs on, is ready."""
        self._etcd.stop()
        meanwhile()
        self._etcd = self._start_etcd()
        wait_until(self.api.is_ready, "the API server is ready again", timeout_seconds=60)

    def kubeconfig_for(self, name: str, token: str) -> Path:
        """A kubeconfig file with this token."""
        server = {"server": self.url, "certificate-authority": str(self.ca_file)}
        context = {"cluster": "e2e", "user": name}
        config: Manifest = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "e2e", "cluster": server}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "e2e", "context": context}],
            "current-context": "e2e",
        }
        path = self.folder / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config), encoding="utf-8")
        return path

    def _write_credentials(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._key_file.touch(mode=0o600)
        self._key_file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        with tokens.open("w", encoding="utf-8") as file:
            users = csv.writer(file)
            users.writerow([self._admin_token, "admin", "admin", "system:masters"])
            users.writerow([self._person_token, "somebody", "somebody", f"system:masters,{PEOPLE}"])
            users.writerow([self._manager_token, *[MANAGER] * 2, "system:masters"])

    def _start_etcd(self) -> Process:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._peer_port))
        return self._run.start(
            f"{self._name}-etcd",
            [
                build("etcd"),
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",
            ],
            is_ready=lambda: answers(f"{client}/readyz"),
        )

    def _start_api_server(
        self, name: str = "kube-apiserver", port: int | None = None, folder: Path | None = None
    ) -> Process:
        port, folder = port or self._port, folder or self.folder
        certificate, url = folder / "apiserver.crt", f"https://127.0.0.1:{port}"

        def is_ready() -> bool:
            return (
                certificate.exists()
                and KubernetesApi(url, certificate, self._admin_token).is_ready()
            )

        return self._run.start(
            f"{self._name}-{name}",
            [
                build("kube-apiserver"),
                f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
                "--bind-address=127.0.0.1",
                f"--secure-port={port}",
                f"--cert-dir={folder}",
                "--service-cluster-ip-range=10.96.0.0/16",
                f"--service-account-issuer={ISSUER}",
                f"--service-account-key-file={self._key_file}",
                f"--service-account-signing-key-file={self._key_file}",
                "--authorization-mode=RBAC",
                f"--token-auth-file={self.folder / 'tokens.csv'}",
                "--allow-privileged",
                *self._api_server_flags,
            ],
            is_ready=is_ready,
        )

    def _start_controller_manager(self) -> Process:
        return self._run.start(
            f"{self._name}-kube-controller-manager",
            [
                build("kube-controller-manager"),
                f"--kubeconfig={self.kubeconfig_for('manager', self._manager_token)}",
                f"--service-account-private-key-file={self._key_file}",
                f"--root-ca-file={self.ca_file}",
                "--use-service-account-credentials=false",
                "--controllers=*,-node-ipam-controller,-node-lifecycle-controller",
                "--bind-address=127.0.0.1",
                f"--secure-port={self._manager_port}",
                f"--cert-dir={self.folder / 'controller-manager'}",
                "--leader-elect=false",
            ],
            is_ready=lambda: self.api.get("v1", "ServiceAccount", "default", "default"),
        )
