"""Argo Rollouts: its real controller as a local process."""

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.eso import is_established
from tests.e2e.process import Run, answers, free_ports, wait_until
from tools.build import build

_PROGRAM = "rollouts-controller"


def install_crds(cluster: Cluster) -> None:
    """Applies its CRDs and waits until the API server serves them all."""
    names = []
    for path in sorted((build(_PROGRAM).parent / "crds").glob("*-crd.yaml")):
        crd = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        cluster.api.apply(crd)
        names.append(crd["metadata"]["name"])
    for name in names:
        wait_until(lambda n=name: is_established(cluster, n), f"CRD {name} is established")


@contextmanager
def argo_rollouts(run: Run, cluster: Cluster) -> Iterator[None]:
    """Inside, the API server serves Rollouts and their controller runs, as an administrator."""
    install_crds(cluster)
    health, metrics = free_ports(2)
    controller = run.start(
        _PROGRAM,
        [
            build(_PROGRAM),
            f"--kubeconfig={cluster.kubeconfig}",
            "--leader-elect=false",
            f"--healthzPort={health}",
            f"--metricsPort={metrics}",
        ],
        is_ready=lambda: answers(f"http://127.0.0.1:{health}/healthz"),
    )
    try:
        yield
    finally:
        controller.stop()
