"""AWS as moto imitates it: Secrets Manager, STS, IAM, KMS and others behind one local address."""

import copy
import json
import secrets
import sys
from collections.abc import Mapping
from typing import Any, Self

import boto3

from tests.e2e.process import Run, answers, free_ports, local_http

REGION = "eu-central-1"
REPLICA_REGION = "eu-west-1"


class Aws:
    """A moto server. `env` is for moto's own switches, such as INITIAL_NO_AUTH_ACTION_COUNT.

    What moto has no place for is kept here: `associations` of EKS Pod Identity by namespace and
    account, `replica_keys` by region and entry.
    """

    region = REGION

    def __init__(self, run: Run, name: str = "moto", env: Mapping[str, str] | None = None) -> None:
        self.associations: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.replica_keys: dict[tuple[str, str], str] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        run.start(
            name,
            [sys.executable, "-m", "moto.server", "--host=127.0.0.1", f"--port={port}"],
            env=env,
            is_ready=lambda: answers(f"{self.url}/moto-api/data.json"),
        )

    @property
    def operator_env(self) -> dict[str, str]:
        """What leads the operator's AWS calls here."""
        names = ("SECRETSMANAGER", "STS", "SSM", "ECR")
        return {f"AWS_{name}_ENDPOINT": self.url for name in names}

    def client(self, service: str) -> Any:
        """The boto3 client of a service, with keys that moto accepts because it looks at none."""
        if (self.region, service) not in self._clients:  # to make one takes longer than its calls
            self._clients[self.region, service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=self.region,
                aws_access_key_id=secrets.token_hex(8),
                aws_secret_access_key=secrets.token_hex(16),
            )
        return self._clients[self.region, service]

    def at(self, region: str) -> Self:
        """The same server, for clients of another region."""
        found = copy.copy(self)
        found.region = region
        return found

    def make_function(self, name: str) -> None:
        """A function of Lambda that does nothing, with a role of its own name."""
        trust = {
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]
        }
        role = self.client("iam").create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(trust)
        )["Role"]
        self._post("config", {"lambda": {"use_docker": False}})
        self.client("lambda").create_function(
            FunctionName=name,
            Role=role["Arn"],
            Runtime="python3.13",
            Handler="index.handler",
            Code={"ZipFile": b"no archive: it is never run"},
        )

    def reset(self) -> None:
        """Forgets everything that was made."""
        self._post("reset")

    def _post(self, path: str, content: object = None) -> None:
        local_http.post(f"{self.url}/moto-api/{path}", json=content).raise_for_status()
