"""Flux's own source-controller and kustomize-controller as local processes."""

from collections.abc import Mapping

from tests.e2e.cluster import Cluster
from tests.e2e.process import Process, Run, answers, free_ports
from tools.build import build

NAMESPACE = "flux-system"


def start(run: Run, cluster: Cluster, env: Mapping[str, str]) -> list[Process]:
    """Both, running. `env` leads source-controller to local servers."""
    folder = run.new_folder("flux-artifacts")
    source, kustomize, artifacts = free_ports(3)
    # A wave that waits for another looks again at once, and not each half minute.
    waiting = "--requeue-dependency=200ms"
    storage = f"--storage-addr=127.0.0.1:{artifacts}"
    advertised = f"--storage-adv-addr=127.0.0.1:{artifacts}"
    return [
        _start(
            *(run, cluster, "source-controller", source, env),
            *(f"--storage-path={folder}", storage, advertised),
        ),
        _start(run, cluster, "kustomize-controller", kustomize, {}, waiting),
    ]


def _start(
    run: Run, cluster: Cluster, name: str, port: int, env: Mapping[str, str], *flags: str
) -> Process:
    return run.start(
        name,
        [
            build(name),
            "--watch-all-namespaces",
            "--metrics-addr=0",
            f"--health-addr=127.0.0.1:{port}",
            *flags,
        ],
        env={"KUBECONFIG": str(cluster.kubeconfig), "RUNTIME_NAMESPACE": NAMESPACE, **env},
        is_ready=lambda: answers(f"http://127.0.0.1:{port}/readyz"),
    )
