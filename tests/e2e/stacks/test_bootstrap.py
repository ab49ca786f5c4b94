"""From nothing to ready in one update: whatever is late is waited for."""

import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import Outcome
from tests.e2e.environments import ESO, PATIENCE_SECONDS, settings_of, sync
from tests.e2e.eso import has_condition
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.lives import Life, life_of
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.stores import Stores, decoded
from tests.platform import STACK_FILES

CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
STORE = "vault-store"
READY_STORE = ("True", "Valid", "store validated")
EMPTY_STORE = ("False", "SecretSyncedError", "could not get secret data from provider")


@dataclass
class World:
    """A cluster and a Vault, and what happens beside an update."""

    run: Run
    cluster: Cluster
    stores: Stores
    beside: ThreadPoolExecutor


class LateOperator(OperatorRelease):
    """Helm is done before the operator runs: that starts once a SecretStore waits for it."""

    def __init__(self, world: World, namespace: str) -> None:
        super().__init__(world.run, world.cluster, env=world.stores.operator_env)
        self._world = world
        self._namespace = namespace
        self.starting: Future[None] | None = None

    def start(self) -> None:
        self.starting = self._world.beside.submit(self._start_late)

    def _start_late(self) -> None:
        wait_until(
            lambda: self._world.cluster.api.get(ESO, "SecretStore", STORE, self._namespace),
            "a SecretStore is there before the operator",
            timeout_seconds=PATIENCE_SECONDS,
        )
        super().start()


@pytest.fixture(scope="module")
def world(run: Run) -> Iterator[World]:
    """Stopped at the end, so that the other tests have the machine to themselves."""
    earlier = len(run.processes)
    try:
        cluster = Cluster(run, "bootstrap")
        stores = Stores(run, cluster, "bootstrap-stores")
        with ThreadPoolExecutor() as beside:
            yield World(run, cluster, stores, beside)
        stores.stop()
    finally:
        for process in reversed(run.processes[earlier:]):
            process.stop()


@contextmanager
def nothing_there(world: World, stack_file: Path) -> Iterator[tuple[Deployment, LateOperator]]:
    """A stack on a cluster without namespaces, CRDs and operator; afterwards it is so again."""
    operator = LateOperator(world, settings_of(stack_file, {}).namespace)
    name = f"bootstrap-{stack_file.stem.rpartition('.')[2]}"
    with deployment(world.run, world.cluster, operator, stack_file, name=name) as made:
        assert crds(world.cluster) == []
        namespaces = [world.cluster.api.get("v1", "Namespace", one) for one in made.namespaces]
        assert namespaces == [None, None]
        yield made, operator
    for crd in crds(world.cluster):
        world.cluster.api.delete(*CRD, crd)
    wait_until(lambda: crds(world.cluster) == [], "the CRDs are gone", timeout_seconds=60)


def crds(cluster: Cluster) -> list[str]:
    return [crd["metadata"]["name"] for crd in cluster.api.list(*CRD)]


def updated_while_all_is_late(world: World, made: Deployment, operator: LateOperator) -> Outcome:
    """One update, during which the operator starts, then the store, then its roles are made."""
    bao = world.stores.bao
    bao.process.stop()

    def is_refused() -> bool:
        found = world.cluster.api.get(ESO, "SecretStore", STORE, made.settings.namespace)
        return has_condition(found or {}, "Ready", "False")

    def come_late() -> None:
        installed = wait_until(lambda: operator.starting, "the release", timeout_seconds=60)
        installed.result()
        wait_until(is_refused, "the store is missed", timeout_seconds=PATIENCE_SECONDS)
        bao.restart()
        bao.unseal()
        asked = bao.audit_log.stat().st_size
        wait_until(
            lambda: b"/login" in bao.audit_log.read_bytes()[asked:],
            "the store is asked, and knows no role",
            timeout_seconds=PATIENCE_SECONDS,
        )
        assert is_refused()
        world.stores.prepare(made.settings)

    late = world.beside.submit(come_late)
    up = made.stack.up()
    late.result()
    return up


def ready(cluster: Cluster, kind: str, namespace: str) -> list[tuple[str, str, str]]:
    """The (status, reason, message) that each object of a kind has as its condition Ready."""
    return [
        (condition["status"], condition["reason"], condition["message"])
        for obj in cluster.api.list(ESO, kind, namespace)
        for condition in obj.get("status", {}).get("conditions", [])
        if condition["type"] == "Ready"
    ]


def assert_ready_in_one_pass(life: Life, up: Outcome) -> None:
    assert set(up.changes) == {"create"}
    assert {done for done, _ in life.made.provider.history} == {"create"}
    stores = ready(life.cluster, "SecretStore", life.made.settings.namespace)
    assert stores == [READY_STORE] * len(life.names("SecretStore"))
    assert life.made.stack.preview().changes == {}


def wrong_keys(life: Life) -> list[str]:
    """The keys that a Secret lacks, or holds with another value than the store."""
    found = {}
    for name in life.secrets:
        found |= decoded(life.cluster.api.read("v1", "Secret", name, life.made.settings.namespace))
    return [key for key, value in life.values.items() if found.get(key) != value]


def test_with_an_empty_store_one_update_gets_there_and_says_what_the_store_must_hold(
    world: World,
) -> None:
    stack_file = STACK_FILES["staging"]
    with nothing_there(world, stack_file) as (made, operator):
        life = life_of(made, world.cluster, world.stores, stack_file)
        namespace = made.settings.namespace
        up = updated_while_all_is_late(world, made, operator)
        assert_ready_in_one_pass(life, up)
        wait_until(
            lambda: (
                ready(world.cluster, "ExternalSecret", namespace)
                == [EMPTY_STORE] * len(life.secrets)
            ),
            "every ExternalSecret misses its entry",
            timeout_seconds=PATIENCE_SECONDS,
        )
        external_secrets = world.cluster.api.list(ESO, "ExternalSecret", namespace)
        assert {obj["metadata"]["name"] for obj in external_secrets} == life.secrets.keys()
        assert world.cluster.api.list("v1", "Secret", namespace) == []
        fill(life, made.stack.outputs["expected-entries"])
        for name in life.secrets:
            sync(world.cluster, namespace, name)
        assert wrong_keys(life) == []
        assert made.stack.preview().changes == {}


def test_with_a_seeded_store_one_update_gets_to_secrets_with_their_values(world: World) -> None:
    stack_file = STACK_FILES["production"]
    with nothing_there(world, stack_file) as (made, operator):
        life = life_of(made, world.cluster, world.stores, stack_file)
        world.stores.put(made.settings, life.values)
        up = updated_while_all_is_late(world, made, operator)
        assert_ready_in_one_pass(life, up)
        life.wait_for_sync()
        assert wrong_keys(life) == []


def fill(life: Life, expected_entries: Manifest) -> None:
    """Puts what the stack's output asks for, just as it says."""
    life.values.clear()
    [entries] = expected_entries.values()
    for entry, keys in entries.items():
        values = {key: secrets.token_hex(24) for key in keys}
        life.values |= values
        life.stores.bao.write(f"secret/data/{entry}", data=values)
