"""Keys rotate in any namespace of an environment, and in two at once where both have the value."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator import shapes
from platform_secrets.rotator.keys import Generated
from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import KubernetesApiError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.providers.test_vault_backend import FORBIDDEN
from tests.e2e.rotating import ACCOUNT, RESTORED, ROTATED
from tests.e2e.rotation_journey import LAYOUTS, ONE_KEY, Journey, in_each_layout, journeys
from tests.e2e.stores import Stores
from tests.settings_files import changed

INVALID = 422
KEY = "jwt-secret"
FIELDS = (KEY, f"{KEY}-next", f"{KEY}-previous")
GENERATED = {"by": "generate", "every": "90d", "grace": "7d"}
# The own namespace has a workload and a ServiceAccount of this name too.
MIRROR, ANNEX = "Deployment/mirror", "Deployment/wren-chat-server"
CATALOGUE = {
    "bundles": {
        **ONE_KEY["bundles"],
        "mirror": {
            "secret": "mirror-env",
            "keys": {KEY: {"description": "the platform's", "same-as": f"shared/{KEY}"}},
        },
        "annex": {
            "secret": "annex-env",
            "keys": {"ANNEX_TOKEN": {"description": "a token", "rotate": GENERATED}},
        },
    },
    "services": {
        name: {"workload": workload, "reads": [name]}
        for name, workload in (("mirror", MIRROR), ("annex", ANNEX))
    },
}


@pytest.fixture(scope="module")
def made(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Journey]]:
    settings = in_each_layout("apart", CATALOGUE, elsewhere=["mirror", "annex"])
    with journeys(run, cluster, stores, operator, settings, progress_seconds=8) as found:
        yield found


def elsewhere(journey: Journey) -> str:
    return journey.place.settings.namespace_of("mirror")


def starts(journey: Journey, namespace: str, since: int) -> Counter[str]:
    happened = journey.place.kubelet.of(namespace, since=since)
    return Counter(one.workload for one in happened if one.what == "started")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_key_of_another_namespace_rotates_there(made: dict[str, Journey], layout: str) -> None:
    journey = made[layout]
    place, before = journey.place, journey.place.in_store("annex", "ANNEX_TOKEN")
    since = len(place.kubelet.happenings)
    journey.next_rotation()
    done = journey.rotate(f"--key={place.settings.catalogue.key_id('annex/ANNEX_TOKEN')}")
    assert done.code == ROTATED, done.text
    new = place.in_store("annex", "ANNEX_TOKEN")
    assert new != before
    assert place.in_secrets("annex") == {"ANNEX_TOKEN": new}
    assert starts(journey, elsewhere(journey), since) == {ANNEX: 1}
    assert not starts(journey, place.namespace, since)
    events = place.cluster.api.list("v1", "Event", elsewhere(journey))
    about = [one["involvedObject"]["name"] for one in events if one["reason"] == "Rotated"]
    assert about == ["annex-env"]
    wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_value_in_two_namespaces_reaches_both_and_restarts_each_reader_once_a_phase(
    made: dict[str, Journey], layout: str
) -> None:
    journey = made[layout]
    place, before = journey.place, journey.place.in_store("shared", KEY)
    since = len(place.kubelet.happenings)
    journey.next_rotation()
    done = journey.rotate(f"--key={KEY}")
    assert done.code == ROTATED, done.text
    new = place.in_store("shared", KEY)
    assert new != before
    for bundle in ("shared", "mirror"):
        held = place.in_secrets(bundle)
        assert [held[field] for field in FIELDS] == [new, new, before], bundle
    assert starts(journey, elsewhere(journey), since) == {MIRROR: 2}
    own = starts(journey, place.namespace, since)
    assert own == dict.fromkeys(place.settings.readers["shared"], 2)
    wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_reader_elsewhere_that_does_not_come_up_has_both_taken_back(
    made: dict[str, Journey], layout: str
) -> None:
    journey = made[layout]
    place, before = journey.place, journey.place.in_store("shared", KEY)
    journey.next_rotation()
    with place.kubelet.refusing(elsewhere(journey), MIRROR, KEY):
        failed = journey.rotate(f"--key={KEY}")
    assert failed.code == RESTORED, failed.text
    assert place.in_store("shared", KEY) == before
    for bundle in ("shared", "mirror"):
        assert place.in_secrets(bundle)[KEY] == before, bundle
    wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)


def test_an_account_may_not_read_more_of_another_namespace_than_the_texts_secrets(
    made: dict[str, Journey],
) -> None:
    """It reads what its own namespace's bundle holds anyway."""
    journey = made["bundle"]
    cluster, own = journey.place.cluster, journey.place.namespace
    token = cluster.token(elsewhere(journey), f"secrets-rotation-from-{own}")
    api = cluster.api_as(token)
    for step in ("staged", "before"):
        assert api.get("v1", "Secret", f"rotation-{step}-{KEY}", own) is None
    for name in (journey.place.settings.catalogue.bundles["shared"].secret, "rotation-staged-x"):
        with pytest.raises(KubernetesApiError) as refused:
            api.get("v1", "Secret", name, own)
        assert refused.value.status == FORBIDDEN


def copy(journey: Journey) -> dict[str, Any]:
    """What the rotator makes in the other namespace, of the staged Secret's texts."""
    plan = rotation_plan(journey.place.settings)
    [key] = [key for key in plan.rotated if isinstance(key, Generated) and key.elsewhere]
    return shapes.copy(plan, key, "2027-01-01", "staged", *key.elsewhere)


ATTACKS: dict[str, dict[str, Any]] = {
    "another Secret": {"spec.data.0.remoteRef.key": "another"},
    "the value itself": {"spec.data.0.remoteRef.property": "password"},
    "under the name of a value": {"spec.data.0.secretKey": "password"},
    "all that the Secret holds": {
        "spec.dataFrom": [{"extract": {"key": f"rotation-staged-{KEY}"}}]
    },
    "through another store": {"spec.secretStoreRef.name": "vault-store"},
    "as another key's": {"metadata.name": "rotation-staged-another"},
    "into another Secret": {"spec.target.name": "mirror-env"},
    "in the key's own namespace": {"metadata.namespace": None},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_rotator_copies_nothing_but_the_texts_of_its_own_key(
    made: dict[str, Journey], attack: str
) -> None:
    place = made["bundle"].place
    api = place.cluster.api_as(place.cluster.token(place.namespace, ACCOUNT))
    wanted = copy(made["bundle"])
    for path, value in ATTACKS[attack].items():
        wanted = changed(wanted, path, value or place.namespace)
    with pytest.raises(KubernetesApiError) as refused:
        api.create(wanted)
    assert refused.value.status in (FORBIDDEN, INVALID), refused.value


def test_the_same_as_it_should_be_is_made(made: dict[str, Journey]) -> None:
    """Else whatever is refused would prove nothing."""
    place = made["bundle"].place
    api = place.cluster.api_as(place.cluster.token(place.namespace, ACCOUNT))
    one = api.create(copy(made["bundle"]))["metadata"]
    api.delete("external-secrets.io/v1", "ExternalSecret", one["name"], one["namespace"])
    wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)
