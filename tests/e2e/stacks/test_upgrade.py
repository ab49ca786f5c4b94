"""A living environment of each release before, updated by this one, by the engine and by kubectl:
its data stays where it is."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from platform_secrets.manifests.rotation.names import MEMORY
from tests.e2e.cluster import Cluster
from tests.e2e.deliveries import ByTree, operated
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import Outcome
from tests.e2e.environments import ESO, PATIENCE_SECONDS, is_synced
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.people import Person
from tests.e2e.process import PROJECT, Run, wait_until
from tests.e2e.secret_history import History
from tests.e2e.stores import Stores, made_values
from tests.releases import RELEASES, TREE, unpack

REMEMBERED = {"jwt-secret": "2026-01-31"}
# The program of the rotator: its name is that of its content, and a new one takes its place.
REPLACEABLE = {"rotation-config-map"}


@dataclass
class Upgrade:
    """What there was before, and what the engine did."""

    made: Deployment
    secrets: dict[str, Manifest]
    preview: Outcome
    up: Outcome


def _secrets(cluster: Cluster, made: Deployment) -> dict[str, Manifest]:
    namespace = made.settings.namespace
    names = [bundle.secret for bundle in made.settings.catalogue.bundles.values()]
    for name in names:
        wait_until(
            lambda n=name: is_synced(cluster.api.get(ESO, "ExternalSecret", n, namespace) or {}),
            f"{name} is synced",
            timeout_seconds=PATIENCE_SECONDS,
        )
    return {name: cluster.api.get("v1", "Secret", name, namespace) or {} for name in names}


@pytest.fixture(scope="module", params=RELEASES)
def upgrade(
    request: pytest.FixtureRequest,
    run: Run,
    cluster: Cluster,
    operator: OperatorRelease,
    stores: Stores,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Upgrade]:
    """Production, brought up and synced by the release, and then updated by this one."""
    release = tmp_path_factory.mktemp("release")
    unpack(request.param, release)
    shutil.rmtree(release / TREE)
    stack_file = release / "Pulumi.production.yaml"
    with deployment(run, cluster, operator, stack_file, name="upgrade") as made:
        program = [path for path in release.iterdir() if "Pulumi." not in path.name]
        for path in program:
            if path.is_dir():
                shutil.copytree(path, made.folder / path.name, symlinks=True)
            else:
                shutil.copy(path, made.folder)
        stores.prepare(made.settings)
        stores.put(made.settings, made_values(made.settings))
        made.stack.up()
        secrets = _secrets(cluster, made)
        cluster.api.patch("v1", "ConfigMap", MEMORY, made.settings.namespace, {"data": REMEMBERED})
        for path in [made.folder / path.name for path in program]:
            if path.name != "catalogue.yaml":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copy(PROJECT / "__main__.py", made.folder)
        preview = made.stack.preview()
        yield Upgrade(made, secrets, preview, made.stack.up())


def test_an_update_deletes_and_replaces_nothing_but_the_rotator_s_program(upgrade: Upgrade) -> None:
    for outcome in (upgrade.preview, upgrade.up):
        lost = {
            (operation, urn.rpartition("::")[2])
            for operation, urn in outcome.steps
            if "delete" in operation or "replace" in operation
        }
        assert {name for _, name in lost} <= REPLACEABLE


def test_every_secret_is_the_one_that_it_was_with_its_values(
    cluster: Cluster, upgrade: Upgrade
) -> None:
    now = _secrets(cluster, upgrade.made)
    assert {name: one["metadata"]["uid"] for name, one in now.items()} == {
        name: one["metadata"]["uid"] for name, one in upgrade.secrets.items()
    }
    assert {name: one["data"] for name, one in now.items()} == {
        name: one["data"] for name, one in upgrade.secrets.items()
    }


def test_the_rotation_still_remembers(cluster: Cluster, upgrade: Upgrade) -> None:
    memory = cluster.api.get("v1", "ConfigMap", MEMORY, upgrade.made.settings.namespace) or {}
    assert memory["data"] == REMEMBERED


def test_afterwards_nothing_is_left_to_change(upgrade: Upgrade) -> None:
    assert upgrade.made.stack.preview().changes == {}


@pytest.mark.parametrize("release", RELEASES)
def test_a_release_s_tree_and_then_this_one_s_with_a_prune_lose_nothing(
    release: str, run: Run, cluster: Cluster, operator: OperatorRelease, stores: Stores
) -> None:
    folder = run.new_folder(f"tree-{release}")
    unpack(release, folder)
    place = ByTree(cluster, stores, Person(cluster, folder, "production"))
    with operated(place, operator):
        stores.prepare(place.settings)
        stores.put(place.settings, made_values(place.settings))
        assert place.apply() == ""
        before = place.secrets()
        cluster.api.patch("v1", "ConfigMap", MEMORY, place.namespace, {"data": REMEMBERED})
        history = History(cluster, place.namespace)
        place.deliver()
        assert place.secrets().keys() == before.keys()
        assert history.changed(before) == []
        memory = cluster.api.read("v1", "ConfigMap", MEMORY, place.namespace)
        assert memory["data"] == REMEMBERED
