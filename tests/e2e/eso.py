"""The real External Secrets Operator as a local process."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import Process, Run, answers, free_ports, wait_until
from tools.build import build

CURRENT = "external-secrets"
OLDER = "external-secrets-0-19"
PORT_FLAGS = {CURRENT: ["--live-addr=0"], OLDER: []}


def operator_files(program: str = CURRENT) -> Path:
    """The operator's own `deploy` folder: crds/bundle.yaml and charts/external-secrets."""
    return build(program).parent / "deploy"


def install_crds(cluster: Cluster, program: str = CURRENT, *, only: Collection[str] = ()) -> None:
    """Applies the operator's CRDs, or `only` some, and waits until the API server serves them.

    The conversion webhook is left out, since nothing would answer it.
    """
    names = []
    text = (operator_files(program) / "crds" / "bundle.yaml").read_text(encoding="utf-8")
    for crd in yaml.load_all(text, Loader=yaml.CSafeLoader):
        if only and crd["metadata"]["name"] not in only:
            continue
        crd["spec"].pop("conversion", None)
        cluster.api.apply(crd)
        names.append(crd["metadata"]["name"])
    for name in names:
        wait_until(lambda n=name: is_established(cluster, n), f"CRD {name} is established")


def is_established(cluster: Cluster, crd: str) -> bool:
    found = cluster.api.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd)
    return found is not None and has_condition(found, "Established")


def has_condition(obj: Manifest, kind: str, status: str = "True") -> bool:
    """Whether the object's status holds the condition."""
    conditions = obj.get("status", {}).get("conditions") or []
    return any(c["type"] == kind and c["status"] == status for c in conditions)


def copied_store(cluster: Cluster, namespace: str, store: str, name: str) -> dict[str, str]:
    """A SecretStore, ready, that acts as the same identity: by those of ours only the rotator and
    the people who seed may write."""
    kind = ("external-secrets.io/v1", "SecretStore")
    spec = cluster.api.read(*kind, store, namespace)["spec"]
    metadata = {"name": name, "namespace": namespace}
    cluster.api.apply({"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": spec})

    def is_ready() -> bool:
        return has_condition(cluster.api.read(*kind, name, namespace), "Ready")

    wait_until(is_ready, f"SecretStore {name} is ready", timeout_seconds=60)
    return {"kind": kind[1], "name": name}


def start_operator(
    run: Run,
    kubeconfig: Path,
    *,
    flags: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    program: str = CURRENT,
    metrics_port: int | None = None,
) -> Process:
    """The running operator, with the rights of `kubeconfig`; its validating webhook does not run.

    It is alone and outside the cluster: addresses and leader election are not the caller's.
    `env` leads its calls to local servers (AWS_..._ENDPOINT, HTTPS_PROXY, SSL_CERT_FILE).
    """
    metrics_port = metrics_port or free_ports(1)[0]
    return run.start(
        program,
        [
            build(program),
            *flags,
            f"--metrics-addr=127.0.0.1:{metrics_port}",
            "--enable-leader-election=false",
            *PORT_FLAGS[program],
        ],
        env={"KUBECONFIG": str(kubeconfig), **(env or {})},
        is_ready=lambda: answers(f"http://127.0.0.1:{metrics_port}/metrics"),
    )
