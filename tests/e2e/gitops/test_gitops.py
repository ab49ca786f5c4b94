"""The rendered tree, applied wave by wave with plain kubectl, is the environment."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_secrets.manifests.layer import BASIC_SECRETS, OPERATOR, STORES
from platform_secrets.settings import Settings
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import deployment
from tests.e2e.environments import ESO, PATIENCE_SECONDS, is_synced, secret_values
from tests.e2e.eso import has_condition
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.live_objects import POLICIES, Name, contents, empty, projected, versions
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, Run, wait_until
from tests.e2e.stores import Stores, made_values
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tools.build import build

STACKS = ["production", "two-stores", "development"]
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
READY = ("--for=condition=Ready", "--timeout=5m")


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


@pytest.fixture(scope="module", params=STACKS)
def delivered(
    run: Run,
    cluster: Cluster,
    stores: Stores,
    operator: OperatorRelease,
    request: pytest.FixtureRequest,
) -> Iterator[Delivered]:
    stack_file = STACK_FILES[request.param]
    name = f"gitops-{request.param}"
    with deployment(run, cluster, operator, stack_file, name=name) as made:
        settings, namespaces = made.settings, made.namespaces
        is_basic = settings.environment.secrets == "basic"
        values = made_values(settings)
        if is_basic:
            write_secrets_env(made.folder / "secrets.env", values)
        else:
            stores.prepare(settings)
            stores.put(settings, values)
        # What an earlier test left would be in the one state and not in the other.
        delete(cluster, namespaces)
        made.stack.up()
        by_engine = settled(cluster, namespaces)
    delete(cluster, namespaces)
    out = run.folder / name
    secretsctl("render", stack_file, f"--out={out}")
    tree = out / settings.environment.environment
    if is_basic:
        file = run.folder / f"{name}.secrets.env"
        write_secrets_env(file, values)
        secretsctl("basic-secrets", stack_file, f"--secrets-file={file}", f"--out={out}")
    release = release_in(tree)
    try:
        for folder in folders_of(tree):
            apply(cluster, folder)
            if folder.name == OPERATOR:
                operator.install(release)
            if folder.name == STORES:
                cluster.kubectl("wait", *READY, "-n", settings.namespace, "secretstore", "--all")
        by_tree = settled(cluster, namespaces)
        yield Delivered(cluster, settings, namespaces, tree, values, by_engine, by_tree)
    finally:
        operator.uninstall(release)
        empty(cluster, namespaces)


def test_the_cluster_s_state_is_what_the_files_say(delivered: Delivered) -> None:
    found = {identity(obj): obj for obj in objects_in(delivered.folders)}
    assert found
    live = {which: projected(delivered.by_tree[which], obj) for which, obj in found.items()}
    assert live == found


def test_the_values_are_in_the_secrets(delivered: Delivered) -> None:
    for bundle in delivered.settings.catalogue.bundles.values():
        held = secret_values(delivered.cluster, delivered.settings.namespace, bundle.secret) or {}
        assert [key for key in bundle.keys if held.get(key) != delivered.values[key]] == []


def test_the_state_is_the_one_that_the_engine_makes(delivered: Delivered) -> None:
    assert delivered.by_tree.keys() == delivered.by_engine.keys()
    for which, obj in delivered.by_tree.items():
        assert lasting(obj) == lasting(delivered.by_engine[which]), which


@pytest.mark.parametrize("how", ["--server-side", "--server-side=false"])
def test_what_others_wrote_is_no_difference_to_kubectl(delivered: Delivered, how: str) -> None:
    basic = [folder for folder in delivered.folders if folder.name == BASIC_SECRETS]
    for folder in (delivered.tree, *basic):
        assert delivered.cluster.kubectl("diff", how, "-k", str(folder)) == ""


def test_what_others_wrote_is_no_difference_to_argo_cd(delivered: Delivered) -> None:
    """Also to its comparison on its own side, without the one on the server's that is rendered."""
    pairs = [
        {"wanted": obj, "live": delivered.by_tree[identity(obj)]}
        for obj in objects_in(delivered.folders)
    ]
    done = subprocess.run(  # noqa: S603 - a program of the tests' own
        [build("argo-cd")], input=json.dumps(pairs), stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout == ""


def test_kubectl_takes_the_objects_in_the_order_in_which_they_are_listed(
    delivered: Delivered,
) -> None:
    for folder in delivered.folders:
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
        files = [folder / name for name in listed.get("resources", ())]
        built = yaml.safe_load_all(delivered.cluster.kubectl("kustomize", str(folder)))
        if files:
            assert [*built] == [yaml.safe_load(one.read_text(encoding="utf-8")) for one in files]


def test_applying_everything_again_changes_nothing(delivered: Delivered) -> None:
    before = settled(delivered.cluster, delivered.namespaces)
    for folder in [delivered.tree, *delivered.folders]:
        apply(delivered.cluster, folder)
    after = contents(delivered.cluster, delivered.namespaces)
    assert states(after) == states(before)


def states(objects: Objects) -> dict[Name, object]:
    """What no write leaves as it was. A policy's own state is its generation: the API server
    forgets who wrote its status when the policy is applied once more."""
    found: dict[Name, object] = dict(versions(objects))
    return found | {
        name: obj["metadata"]["generation"] for name, obj in objects.items() if name[0] in POLICIES
    }


def delete(cluster: Cluster, namespaces: list[str]) -> None:
    """Deletes the namespaces at the same time; returns once all are gone."""
    for namespace in namespaces:
        cluster.api.delete("v1", "Namespace", namespace)
    for namespace in namespaces:
        cluster.delete_namespace(namespace)


def secretsctl(command: str, stack_file: Path, *options: str) -> None:
    which = [f"--stack={stack_file}", f"--catalogue={CATALOGUE_FILE}"]
    subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "platform_secrets.secretsctl", command, *which, *options],
        cwd=PROJECT,
        check=True,
    )


def write_secrets_env(path: Path, values: dict[str, str]) -> None:
    path.touch(mode=0o600)
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")


def folders_of(tree: Path) -> list[Path]:
    """The folders to apply in order: a kustomization each, the waves as the tree's own has them."""
    whole = yaml.safe_load((tree / "kustomization.yaml").read_text(encoding="utf-8"))
    names = [*whole["resources"], *([BASIC_SECRETS] if (tree / BASIC_SECRETS).exists() else [])]
    return [tree / name for name in names]


def release_in(tree: Path) -> Manifest:
    """The operator's release, as both GitOps tools and Helm would install it; {} in a tree without
    one."""
    objects = objects_in([path.parent for path in tree.rglob("gitops/**/kustomization.yaml")])
    releases = [obj for obj in objects if obj["kind"] == "HelmRelease"]
    if not releases:
        return {}
    [flux] = releases
    [argocd] = [obj["spec"] for obj in objects if "chart" in obj["spec"].get("source", {})]
    release = {
        "name": argocd["source"]["helm"]["releaseName"],
        "namespace": argocd["destination"]["namespace"],
        "values": argocd["source"]["helm"]["valuesObject"],
    }
    assert release == {
        "name": flux["spec"]["releaseName"],
        "namespace": flux["metadata"]["namespace"],
        "values": flux["spec"]["values"],
    }
    text = (tree / f"charts/{release['name']}.yaml").read_text(encoding="utf-8")
    assert release["values"] == yaml.safe_load(text)
    return release


def objects_in(folders: list[Path]) -> list[Manifest]:
    """The objects in the folders' files; a kustomization is none."""
    paths = [path for folder in folders for path in folder.glob("*.yaml")]
    found = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]
    return [obj for obj in found if "metadata" in obj]


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
