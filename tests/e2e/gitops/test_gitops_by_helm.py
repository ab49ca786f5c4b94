"""Without Argo CD and Flux: the command beside a chart's values, by Helm on a real API server."""

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.gitops.test_gitops import secretsctl
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.platform import STACK_FILES
from tools.build import build

NAMESPACE = "external-secrets-system"
FROM_ITS_REPOSITORY = re.compile(r"external-secrets --repo \S+ --version \S+")


@pytest.fixture
def values(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """The operator's values in a rendered tree, whose first wave is applied."""
    secretsctl("render", STACK_FILES["production"], f"--out={tmp_path}")
    [tree] = tmp_path.iterdir()
    # Another file's tests may have left the namespace, with the label of another environment.
    how = ("--server-side", "--force-conflicts")
    cluster.kubectl("apply", *how, "-k", str(tree / "1-operator"))
    yield tree / "charts" / "external-secrets.yaml"
    cluster.delete_namespace(NAMESPACE)


@pytest.fixture
def helm(
    cluster: Cluster, operator: OperatorRelease, values: Path
) -> Iterator[Callable[[str], str]]:
    """Helm in the folder of the values. The operator's chart is that of the tests' version."""
    chart = f"{shlex.quote(str(operator.chart()))} --skip-schema-validation"

    def run(command: str) -> str:
        name, *arguments = shlex.split(FROM_ITS_REPOSITORY.sub(chart, command))
        assert name == "helm"
        done = subprocess.run(  # noqa: S603 - our own helm
            [build("helm"), *arguments],
            cwd=values.parent,
            env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    yield run
    run(f"helm uninstall external-secrets --namespace {NAMESPACE}")


def test_the_command_installs_the_chart_with_the_values_and_again_changes_nothing(
    cluster: Cluster, values: Path, helm: Callable[[str], str]
) -> None:
    text = values.read_text(encoding="utf-8")
    command = text.splitlines()[1].removeprefix("# ")
    assert FROM_ITS_REPOSITORY.search(command)
    helm(command)
    installed = deployments(cluster)
    operator = installed["external-secrets"]["spec"]
    assert operator["replicas"] == yaml.safe_load(text)["replicaCount"]
    assert "--concurrent=20" in operator["template"]["spec"]["containers"][0]["args"]
    helm(command)
    assert generations(deployments(cluster)) == generations(installed)
    assert "sh.helm.release.v1.external-secrets.v2" in cluster.kubectl(
        "get", "secret", "-n", NAMESPACE, "-o", "name"
    )


def deployments(cluster: Cluster) -> dict[str, Manifest]:
    listed = cluster.api.list("apps/v1", "Deployment")
    return {
        obj["metadata"]["name"]: obj for obj in listed if obj["metadata"]["namespace"] == NAMESPACE
    }


def generations(objects: dict[str, Manifest]) -> dict[str, int]:
    """The API server counts each change of a spec."""
    return {name: obj["metadata"]["generation"] for name, obj in objects.items()}
