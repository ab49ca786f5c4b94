"""An operator that is upgraded while its Secrets are read, synced and rotated."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tests.e2e import eso
from tests.e2e.cluster import Cluster
from tests.e2e.environments import release_of, sync, touch
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import ROTATED, rotating_settings
from tests.e2e.rotation_journey import ALL, Journey, Watch, journeys
from tests.e2e.stores import Stores

PERIOD_SECONDS = 0.1


@dataclass
class Reader:
    """Reads Secrets again and again, and notes by name which was not as it was at first."""

    api: KubernetesApi
    namespace: str
    names: tuple[str, ...]
    wrong: set[str] = field(default_factory=set)
    rounds: int = 0

    def __post_init__(self) -> None:
        self._before = {name: self._read(name) for name in self.names}
        self._is_over = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _read(self, name: str) -> tuple[Any, ...]:
        found = self.api.read("v1", "Secret", name, self.namespace)
        return found["metadata"]["uid"], found["type"], found["data"]

    def _watch(self) -> None:
        while not self._is_over.wait(PERIOD_SECONDS):
            for name in self.names:
                try:
                    same = self._read(name) == self._before[name]
                except (KubernetesApiError, httpx.TransportError):
                    same = False
                if not same:
                    self.wrong.add(name)
            self.rounds += 1


@dataclass
class Upgraded:
    """What was seen of the upgrade, and the environment after it."""

    cluster: Cluster
    journey: Journey
    reader: Reader
    pods_before: set[str]
    pods_after: set[str]


def _pods(cluster: Cluster, namespace: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in cluster.api.list("v1", "Pod", namespace)}


@pytest.fixture(scope="module")
def upgraded(run: Run) -> Iterator[Upgraded]:
    """Each ExternalSecret is touched at each step, so the operator has work when it changes."""
    cluster = Cluster(run, "upgraded")
    stores = Stores(run, cluster, "stores-upgraded")
    older, newer = (
        OperatorRelease(run, cluster, env=stores.operator_env, program=program)
        for program in (eso.OLDER, eso.CURRENT)
    )
    settings = rotating_settings("production", "upgraded")
    release = release_of(settings)
    names = tuple(bundle.secret for bundle in settings.catalogue.bundles.values())
    with journeys(run, cluster, stores, older, {"vault": settings}) as made:
        journey = made["vault"]
        pods = _pods(cluster, settings.namespace)
        reader = Reader(cluster.api, settings.namespace, names)
        for name in names:
            touch(cluster, settings.namespace, name)
        assert older.process
        older.process.kill()
        for name in names:
            touch(cluster, settings.namespace, name)
        newer.install(release)
        for name in names:
            sync(cluster, settings.namespace, name)
        reader.end()
        yield Upgraded(cluster, journey, reader, pods, _pods(cluster, settings.namespace))
        newer.uninstall(release)
    stores.stop()
    cluster.stop()


def test_no_read_misses_a_secret_or_its_values_while_the_operator_is_upgraded(
    upgraded: Upgraded,
) -> None:
    assert upgraded.reader.wrong == set()
    assert upgraded.reader.rounds > 0


def test_no_reader_is_restarted_by_an_upgrade(upgraded: Upgraded) -> None:
    assert upgraded.pods_before
    assert upgraded.pods_after == upgraded.pods_before


def test_no_version_stays_stored_that_the_newer_kinds_do_not_have(upgraded: Upgraded) -> None:
    api, kind = "apiextensions.k8s.io/v1", "CustomResourceDefinition"
    crds = [
        crd
        for crd in upgraded.cluster.api.list(api, kind)
        if crd["spec"]["group"].endswith("external-secrets.io")
    ]
    assert crds
    for crd in crds:
        known = {version["name"] for version in crd["spec"]["versions"]}
        assert set(crd["status"]["storedVersions"]) <= known, crd["metadata"]["name"]


def test_the_newer_operator_goes_on_rotating(upgraded: Upgraded) -> None:
    upgraded.journey.next_rotation()
    watch = Watch(upgraded.journey.place, ALL)
    done = upgraded.journey.rotate()
    assert done.code == ROTATED, done.text
    watch.one_new_value_everywhere()
