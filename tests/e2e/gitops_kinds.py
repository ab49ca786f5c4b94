"""Argo CD's and Flux's kinds, without their controllers."""

import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.eso import is_established
from tests.e2e.process import wait_until
from tools.build import build


def install_crds(cluster: Cluster) -> None:
    """Applies the CRDs and waits until the API server serves them all."""
    names = []
    for path in sorted((build("controller-gen").parent / "crds").glob("*.yaml")):
        crd = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        cluster.api.apply(crd)
        names.append(crd["metadata"]["name"])
    for name in names:
        wait_until(lambda n=name: is_established(cluster, n), f"CRD {name} is established")
