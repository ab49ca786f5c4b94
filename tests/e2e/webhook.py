"""The operator's validating webhook as a local process, and how the API server is led to it."""

import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.certificates import certificates_for
from tests.e2e.cluster import Cluster
from tests.e2e.process import Run, answers, free_ports
from tools.build import build

HOST = "localhost"
ADMISSION = "admissionregistration.k8s.io/v1"
CONFIGURATION = "externalsecret-validate"


class Webhook:
    """Answers at `port` until `process` is stopped; `authority` has signed its certificate."""

    def __init__(self, run: Run, cluster: Cluster, program: str) -> None:
        folder = run.new_folder("webhook")
        made = certificates_for([HOST], folder)
        self.authority = made.authority
        for own, name in ((made.certificate, "tls.crt"), (made.key, "tls.key")):
            shutil.copy(own, folder / name)
        shutil.copy(made.authority, folder / "ca.crt")
        self.port, health, metrics = free_ports(3)
        self.process = run.start(
            "webhook",
            [
                *(build(program), "webhook", f"--port={self.port}", f"--cert-dir={folder}"),
                *(f"--dns-name={HOST}", f"--healthz-addr=127.0.0.1:{health}"),
                f"--metrics-addr=127.0.0.1:{metrics}",
            ],
            env={"KUBECONFIG": str(cluster.kubeconfig)},
            is_ready=lambda: answers(f"http://127.0.0.1:{health}/readyz"),
        )


@contextmanager
def asked_at(cluster: Cluster, namespace: str, port: int, authority: Path) -> Iterator[None]:
    """Inside, the API server asks the webhook at a local port of a namespace's ExternalSecrets."""
    url = f"https://{HOST}:{port}/validate-external-secrets-io-v1-externalsecret"
    with asked(cluster, namespace, {"url": url, "caBundle": _bundle(authority)}):
        yield


@contextmanager
def asked(cluster: Cluster, namespace: str, client: dict[str, Any]) -> Iterator[None]:
    """The same by any `clientConfig`; otherwise as the chart has it."""
    rule = {"apiGroups": ["external-secrets.io"], "apiVersions": ["v1"]}
    rule |= {"operations": ["CREATE", "UPDATE", "DELETE"], "resources": ["externalsecrets"]}
    hook = {
        "name": "validate.externalsecret.external-secrets.io",
        "rules": [rule],
        "clientConfig": client,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 5,
        "failurePolicy": "Fail",
    }
    kind = "ValidatingWebhookConfiguration"
    metadata = {"name": CONFIGURATION}
    made = {"apiVersion": ADMISSION, "kind": kind, "metadata": metadata, "webhooks": [hook]}
    cluster.api.apply(made, manager="helm")
    try:
        yield
    finally:
        cluster.api.delete(ADMISSION, kind, CONFIGURATION)


def of_service(namespace: str, authority: Path | None) -> dict[str, Any]:
    """A `clientConfig` as the chart's, with what the cert controller adds."""
    service = {"namespace": namespace, "name": "external-secrets-webhook", "path": "/validate"}
    return {"service": service, **({"caBundle": _bundle(authority)} if authority else {})}


def _bundle(authority: Path) -> str:
    return b64encode(authority.read_bytes()).decode()
