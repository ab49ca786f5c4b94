"""What holds data is deleted on purpose alone: asked of a real API server, by kubectl."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_secrets.manifests.deletion import deletion_manifests
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.namespace import namespace_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.cron_jobs import memory_config_map
from platform_secrets.secretsctl.yaml_text import yaml_stream
from tests.e2e.cluster import Cluster
from tests.e2e.process import wait_until
from tests.e2e.rotating import rotating_settings
from tools.build import build

ESO = "external-secrets.io/v1"
MANAGED = "app.kubernetes.io/managed-by=platform-secrets"
ALLOWED = "platform-secrets/deletion=allowed"
REFUSED = "this holds data, which is deleted with it"
PRUNED = ("core/v1/ConfigMap", "external-secrets.io/v1/ExternalSecret")


class Protected:
    """An environment's objects that hold data, with what guards them."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        guarded: dict[str, Any] = {"refuse-deletion": True}
        settings = rotating_settings(
            "production", "kept", catalogue=None, namespace="create", **guarded
        )
        self.namespace = settings.namespace
        self.guard = deletion_manifests(settings)
        self.memory = memory_config_map(settings)
        self.external_secrets = [
            each for one in settings.bundles for each in external_secret_manifests(settings, one)
        ]
        self.objects = [self.memory, *self.external_secrets]
        self.apply([*namespace_manifests(settings), *self.guard])
        self.apply(self.objects)
        wait_until(lambda: self.said("delete", *self.named(0), "--dry-run=server"), "it is guarded")

    def apply(self, objects: list[Manifest], *options: str) -> str:
        path = self.folder / "objects.yaml"
        path.write_text(yaml_stream(objects))
        return self.said("apply", "-f", str(path), *options)

    def named(self, number: int) -> tuple[str, str]:
        return "externalsecret", self.external_secrets[number]["metadata"]["name"]

    def said(self, *arguments: str) -> str:
        """What the API server says to a wish that it refuses; "" if it does not."""
        done = subprocess.run(  # noqa: S603 - our own kubectl
            [build("kubectl"), *arguments, "--namespace", self.namespace],
            env={**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig)},
            capture_output=True,
            text=True,
        )
        return done.stderr if done.returncode else ""

    def names(self, api_version: str, kind: str) -> set[str]:
        found = self.cluster.api.list(api_version, kind, self.namespace)
        return {one["metadata"]["name"] for one in found}


@pytest.fixture(scope="module")
def protected(
    operator_crds: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Protected]:
    found = Protected(operator_crds, tmp_path_factory.mktemp("kept"))
    yield found
    for obj in found.guard:
        found.cluster.api.delete(obj["apiVersion"], obj["kind"], obj["metadata"]["name"])


def every(protected: Protected) -> set[str]:
    return {one["metadata"]["name"] for one in protected.external_secrets}


def test_nobody_deletes_what_holds_data(protected: Protected) -> None:
    memory = protected.memory["metadata"]["name"]
    for what in (protected.named(0), ("configmap", memory), ("namespace", protected.namespace)):
        assert REFUSED in protected.said("delete", *what), what
    assert REFUSED in protected.said("delete", "externalsecret", "--all")
    assert protected.names(ESO, "ExternalSecret") == every(protected)
    assert memory in protected.names("v1", "ConfigMap")


def test_a_tree_that_has_lost_them_prunes_none(protected: Protected) -> None:
    protected.apply(protected.objects)
    allowed = [f"--prune-allowlist={kind}" for kind in PRUNED]
    left = protected.external_secrets[:1]
    assert REFUSED in protected.apply(left, "--prune", "-l", MANAGED, *allowed)
    assert protected.names(ESO, "ExternalSecret") == every(protected)
    assert protected.memory["metadata"]["name"] in protected.names("v1", "ConfigMap")


def test_what_leaves_the_secret_in_the_cluster_is_no_loss(protected: Protected) -> None:
    taken = '{"spec": {"target": {"deletionPolicy": "Delete"}}}'
    assert protected.said("patch", *protected.named(2), "--type=merge", "--patch", taken) == ""
    assert REFUSED in protected.said("delete", *protected.named(2), "--cascade=orphan")
    assert protected.said("delete", *protected.named(0), "--cascade=orphan") == ""


def test_what_people_have_released_goes(protected: Protected) -> None:
    assert protected.said("annotate", *protected.named(1), ALLOWED) == ""
    assert protected.said("delete", *protected.named(1)) == ""


def test_others_objects_are_their_own_affair(protected: Protected) -> None:
    metadata = {"name": "of-others", "annotations": protected.memory["metadata"]["annotations"]}
    own = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    assert protected.apply([own]) == ""
    assert protected.said("delete", "configmap", "of-others") == ""


def test_a_namespace_that_is_released_goes_with_all_that_is_in_it(protected: Protected) -> None:
    assert protected.said("annotate", "namespace", protected.namespace, ALLOWED) == ""
    assert protected.said("delete", "namespace", protected.namespace, "--wait=false") == ""
    wait_until(
        lambda: not protected.cluster.api.get("v1", "Namespace", protected.namespace),
        "the namespace is gone",
    )
