"""Flux's kustomize-controller as its own library has it, a reconcile at a time."""

import os
import subprocess
from collections.abc import Iterable

import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import Manifest
from tools.build import build


def reconcile(cluster: Cluster, objects: Iterable[Manifest]) -> list[str]:
    """Has Flux deliver the objects; what it did, and to which, of all that it did not find as it
    wants them."""
    done = subprocess.run(  # noqa: S603 - a program of the tests' own
        [build("flux")],
        input=yaml.safe_dump_all(objects),
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith("unchanged ")]
