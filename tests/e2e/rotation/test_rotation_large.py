"""Fifty of ten thousand keys are due in one run."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from platform_secrets.manifests import layer
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import Document, Settings, load
from platform_secrets.settings.entries import bundle_entry
from tests.e2e.cluster import Cluster
from tests.e2e.environments import ESO, release_of
from tests.e2e.eso import has_condition
from tests.e2e.kubelet import Kubelet, fingerprint, fingerprints
from tests.e2e.live_objects import empty
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import ROTATED, Rotating, mark
from tests.e2e.rotation_journey import BEGINNING
from tests.e2e.stores import Stores

pytestmark = [pytest.mark.e2e_long, pytest.mark.timeout(900, method="thread")]
BUNDLES, KEYS_EACH = 100, 100
DUE_BUNDLES, DUE_EACH = 10, 5
AT_ONCE = 4
GENERATORS = "generators.external-secrets.io/v1alpha1"


def large() -> Settings:
    """An environment of bundles of generated keys. Ten have a reader, and of the keys of those five
    have a month to live, where all others have more than a year."""
    names = [f"large-{number:02}" for number in range(BUNDLES)]
    due = {f"{name}-key-{at:02}" for name in names[:DUE_BUNDLES] for at in range(DUE_EACH)}

    def key(name: str) -> dict[str, Any]:
        every = "30d" if name in due else "400d"
        return {"description": "a key", "rotate": {"by": "generate", "every": every}}

    bundles = {
        name: {
            "secret": f"{name}-secrets",
            "keys": {one: key(one) for one in [f"{name}-key-{at:02}" for at in range(KEYS_EACH)]},
        }
        for name in names
    }
    services = {
        name: {"workload": f"Deployment/{name}", "reads": [name]} for name in names[:DUE_BUNDLES]
    }
    catalogue = {"platform": "shop", "bundles": bundles, "services": services}
    stack = {
        "environment": "large",
        "operator": "install",
        # What a later chart's `vault.enableTokenCache` does.
        "chart": {"values": {"extraArgs": {"experimental-enable-vault-token-cache": "true"}}},
        "stores": {"vault": {"provider": "vault", "server": "https://vault.example.com:8200"}},
    }
    [settings] = load([Document("stack", stack)], Document("catalogue", catalogue))
    return settings


class Large(Rotating):
    """Its values are written and read by entry, since they are many."""

    def fill_store(self) -> None:
        self.stores.prepare(self.settings)
        for bundle, content in self.settings.catalogue.bundles.items():
            self.stores.replace(
                self.settings, bundle, {key: self.values[key] for key in content.keys}
            )
            mark(self.stores, self.settings, bundle, next(iter(content.keys)))

    def apply(self) -> None:
        """Applies all objects, several at once in each wave; returns once all Secrets are there."""
        for wave in layer.waves(self.settings, rotator_source()):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(self.cluster.api.apply, wave.objects))
        wait_until(self._is_synced, "every Secret is there", timeout_seconds=120)

    def _is_synced(self) -> bool:
        found = self.cluster.api.list(ESO, "ExternalSecret", self.namespace)
        return all(has_condition(obj, "Ready") for obj in found)

    def held(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for bundle in self.settings.catalogue.bundles:
            entry = self.stores.bao.read(f"secret/data/{bundle_entry(self.settings, bundle)}")
            found |= {key: fingerprint(text) for key, text in entry["data"].items()}
        return found


@pytest.fixture(scope="module")
def place(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[Large]:
    settings = large()
    release = release_of(settings)
    with Kubelet(cluster, [settings.namespace]) as kubelet:
        place = Large(cluster, stores, settings, kubelet, run.folder / settings.namespace)
        place.fill_store()
        operator.install(release)
        try:
            place.apply()
            place.start_workloads(1)
            place.wait_for_workloads()
            first = place.rotate(BEGINNING.isoformat())
            assert first.code == ROTATED, first.text
            yield place
        finally:
            operator.uninstall(release)
            generators = cluster.api.path(GENERATORS, "Password", None, settings.namespace)
            cluster.api.request("DELETE", generators)  # one by one they take a minute
            empty(cluster, [settings.namespace, release["namespace"]])


def test_those_alone_have_new_values_and_each_workload_restarts_once(place: Large) -> None:
    before, since = place.held(), len(place.kubelet.happenings)
    later = BEGINNING + timedelta(days=31)
    done = place.rotate(later.isoformat())
    assert done.code == ROTATED, done.text
    after = place.held()
    changed = {key for key, value in after.items() if value != before[key]}
    keys = place.settings.catalogue.keys
    assert changed == {
        name for name, key in keys.items() if key.rotate and key.rotate.period < timedelta(days=40)
    }
    assert len(changed) == DUE_BUNDLES * DUE_EACH
    for bundle in list(place.settings.catalogue.bundles)[:DUE_BUNDLES]:
        secret = place.cluster.api.get("v1", "Secret", f"{bundle}-secrets", place.namespace)
        shown = fingerprints(secret or {})
        assert shown == {key: after[key] for key in shown}
    happened = place.kubelet.of(place.namespace, since=since)
    started = Counter(one.workload for one in happened if one.what == "started")
    assert started == {f"Deployment/large-{number:02}": 1 for number in range(DUE_BUNDLES)}
    assert not place.one_shots
