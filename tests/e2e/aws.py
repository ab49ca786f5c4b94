"""AWS as moto imitates it: Secrets Manager, STS, IAM, KMS and others behind one local address."""

import secrets
import sys
from collections.abc import Mapping
from typing import Any

import boto3
import httpx

from tests.e2e.process import Run, answers, free_ports

REGION = "eu-central-1"


class Aws:
    """A moto server. `env` is for moto's own switches, such as INITIAL_NO_AUTH_ACTION_COUNT."""

    def __init__(self, run: Run, name: str = "moto", env: Mapping[str, str] | None = None) -> None:
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
        names = ("AWS_SECRETSMANAGER_ENDPOINT", "AWS_STS_ENDPOINT", "AWS_SSM_ENDPOINT")
        return dict.fromkeys(names, self.url)

    def client(self, service: str) -> Any:
        """A boto3 client of a service, with keys that moto accepts because it looks at none."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=secrets.token_hex(8),
            aws_secret_access_key=secrets.token_hex(16),
        )

    def reset(self) -> None:
        """Forgets everything that was made."""
        httpx.post(f"{self.url}/moto-api/reset", trust_env=False).raise_for_status()
