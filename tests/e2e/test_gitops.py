"""The rendered tree, applied wave by wave with plain kubectl, is the environment."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests.layer import BASIC_SECRETS, OPERATOR
from secretsctl.__main__ import main as secretsctl
from settings import Settings
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import deployment
from tests.e2e.environments import ESO, PATIENCE_SECONDS, is_synced, secret_values
from tests.e2e.eso import has_condition
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.live_objects import Name, contents, empty, projected, versions
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, Run, wait_until
from tests.e2e.stores import Stores, made_values

STACKS = ["Pulumi.production", "examples/two-stores", "Pulumi.development"]
CATALOGUE = PROJECT / "catalogue.yaml"
# What differs between two objects that were made alike.
OF_THE_MOMENT = {
    "creationTimestamp",
    "lastTransitionTime",
    "managedFields",
    "refreshTime",
    "resourceVersion",
    "syncedResourceVersion",  # made of the annotations, Pulumi's own too
    "uid",
}
Objects = dict[Name, Manifest]


@dataclass
class Delivered:
    """One environment that was delivered both ways, one after the other; the tree's way is live.

    `by_engine` and `by_tree` are all its objects, each way once synced.
    """

    cluster: Cluster
    settings: Settings
    namespaces: list[str]
    tree: Path
    values: dict[str, str]
    by_engine: Objects
    by_tree: Objects

    @property
    def folders(self) -> list[Path]:
        """What is applied, in order."""
        return folders_of(self.tree)

    @property
    def rendered(self) -> list[Manifest]:
        """The objects in the tree's files."""
        found = [
            yaml.safe_load(path.read_text(encoding="utf-8"))
            for folder in self.folders
            for path in folder.glob("*.yaml")
        ]
        return [obj for obj in found if "metadata" in obj]


@pytest.fixture(scope="module", params=STACKS)
def delivered(
    run: Run,
    cluster: Cluster,
    stores: Stores,
    operator: OperatorRelease,
    request: pytest.FixtureRequest,
) -> Iterator[Delivered]:
    stack_file = PROJECT / f"{request.param}.yaml"
    name = f"gitops-{stack_file.stem.removeprefix('Pulumi.')}"
    with deployment(run, cluster, operator, stack_file, name=name) as made:
        settings, namespaces = made.settings, made.namespaces
        values = made_values(settings)
        if settings.environment.secrets == "basic":
            write_secrets_env(made.folder / "secrets.env", values)
        stores.prepare(settings)
        stores.put(settings, values)
        made.stack.up()
        by_engine = settled(cluster, namespaces)
        # The operator lets go of its ExternalSecrets; a destroy that retains them ends it first.
        empty(cluster, [settings.namespace])
    for namespace in namespaces:
        cluster.delete_namespace(namespace)
    out = run.folder / name
    assert secretsctl(["render", *of(stack_file), f"--out={out}"]) == 0
    tree = out / settings.environment.environment
    if settings.environment.secrets == "basic":
        file = run.folder / f"{name}.secrets.env"
        write_secrets_env(file, values)
        command = ["basic-secrets", *of(stack_file), f"--secrets-file={file}", f"--out={out}"]
        assert secretsctl(command) == 0
    release = release_in(tree)
    try:
        for folder in folders_of(tree):
            apply(cluster, folder)
            if folder.name == OPERATOR:
                operator.install(release)
        by_tree = settled(cluster, namespaces)
        yield Delivered(cluster, settings, namespaces, tree, values, by_engine, by_tree)
    finally:
        cluster.delete_namespace(settings.namespace)
        operator.uninstall(release)
        cluster.delete_namespace(settings.environment.operator_namespace)


def test_the_cluster_s_state_is_what_the_files_say(delivered: Delivered) -> None:
    found = {identity(obj): obj for obj in delivered.rendered}
    assert found
    live = {which: projected(delivered.by_tree[which], obj) for which, obj in found.items()}
    assert live == found


def test_the_values_are_in_the_secrets(delivered: Delivered) -> None:
    for bundle in delivered.settings.catalogue.bundles.values():
        found = secret_values(delivered.cluster, delivered.settings.namespace, bundle.secret)
        expected = {key: delivered.values[key] for key in bundle.keys}
        # Compared as a truth, so that a failure shows no value.
        assert (found is not None and expected.items() <= found.items()) is True


def test_the_state_is_the_one_that_the_engine_makes(delivered: Delivered) -> None:
    assert delivered.by_tree.keys() == delivered.by_engine.keys()
    for which, obj in delivered.by_tree.items():
        assert lasting(obj) == lasting(delivered.by_engine[which]), which


def test_what_the_operator_wrote_is_no_difference(delivered: Delivered) -> None:
    for folder in delivered.folders:
        assert delivered.cluster.kubectl("diff", "--server-side", "-k", str(folder)) == ""


def test_applying_everything_again_changes_nothing(delivered: Delivered) -> None:
    before = versions(settled(delivered.cluster, delivered.namespaces))
    for folder in [delivered.tree, *delivered.folders]:
        apply(delivered.cluster, folder)
    assert versions(contents(delivered.cluster, delivered.namespaces)) == before


def of(stack_file: Path) -> list[str]:
    """The arguments that name a stack."""
    return [f"--stack={stack_file}", f"--catalogue={CATALOGUE}"]


def write_secrets_env(path: Path, values: dict[str, str]) -> None:
    path.touch(mode=0o600)
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")


def folders_of(tree: Path) -> list[Path]:
    """The folders to apply in order: a kustomization each, the waves as the tree's own has them."""
    whole = yaml.safe_load((tree / "kustomization.yaml").read_text(encoding="utf-8"))
    names = [*whole["resources"], *([BASIC_SECRETS] if (tree / BASIC_SECRETS).exists() else [])]
    return [tree / name for name in names]


def release_in(tree: Path) -> Manifest:
    """The operator's release as both GitOps tools would install it; none of the tree has none."""
    flux = tree / "gitops/flux/operator/helmrelease-external-secrets.yaml"
    if not flux.exists():
        return {}
    spec = yaml.safe_load(flux.read_text(encoding="utf-8"))
    argocd = tree / "gitops/argocd/application-external-secrets.yaml"
    application = yaml.safe_load(argocd.read_text(encoding="utf-8"))["spec"]
    helm = application["source"]["helm"]
    release = {
        "name": helm["releaseName"],
        "namespace": application["destination"]["namespace"],
        "values": helm["valuesObject"],
    }
    assert release == {
        "name": spec["spec"]["releaseName"],
        "namespace": spec["metadata"]["namespace"],
        "values": spec["spec"]["values"],
    }
    return release


def apply(cluster: Cluster, folder: Path) -> None:
    cluster.kubectl("apply", "--server-side", "-k", str(folder))


def settled(cluster: Cluster, namespaces: list[str]) -> Objects:
    """Everything in the namespaces, once all is synced and nobody writes any more."""
    before: Objects = {}

    def at_rest() -> Objects | None:
        nonlocal before
        earlier, before = before, contents(cluster, namespaces)
        for name, obj in before.items():
            if obj["kind"] == "ExternalSecret":
                assert is_synced(obj), name
            if obj["apiVersion"] == ESO:
                assert has_condition(obj, "Ready"), name
        return before if versions(before) == versions(earlier) else None

    what = f"{', '.join(namespaces)} are synced and at rest"
    return wait_until(at_rest, what, timeout_seconds=PATIENCE_SECONDS, interval=0.5)


def identity(obj: Manifest) -> Name:
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace", ""), metadata["name"]


def lasting(value: Any) -> Any:
    """An object without what is of the moment, and without Pulumi's own annotations."""
    if isinstance(value, dict):
        kept = {k: lasting(v) for k, v in value.items() if k not in OF_THE_MOMENT}
        kept = {k: v for k, v in kept.items() if not k.startswith("pulumi.com/")}
        return {k: v for k, v in kept.items() if k != "annotations" or v}
    if isinstance(value, list):
        return [lasting(each) for each in value]
    return value
