"""One value in several Secrets rotates once, everywhere, and is taken back everywhere."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import RESTORED, ROTATED
from tests.e2e.rotation_journey import LAYOUTS, Journey, in_each_layout, journeys
from tests.e2e.stores import Stores

KEY = "jwt-secret"
NAMES = {"shared": KEY, "mirror": "JWT_SECRET"}
FIELDS = {
    "shared": (KEY, f"{KEY}-next", f"{KEY}-previous"),
    "mirror": ("JWT_SECRET", "JWT_SECRET_NEXT", "JWT_SECRET_PREVIOUS"),
}
CATALOGUE = {
    "bundles": {
        "mirror": {
            "secret": "mirror-env",
            "keys": {
                NAMES["mirror"]: {"description": "the platform's", "same-as": f"shared/{KEY}"},
                "STRIPE": {"description": "of billing", "same-as": "backend-api/stripe-api-key"},
            },
        },
    },
    "services": {"mirror": {"workload": "Deployment/mirror", "reads": ["mirror"]}},
}
MIRROR = "Deployment/mirror"


@pytest.fixture(scope="module")
def made(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Journey]]:
    settings = in_each_layout("same", CATALOGUE)
    with journeys(run, cluster, stores, operator, settings, progress_seconds=8) as found:
        yield found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_value_of_people_s_is_in_both_secrets(made: dict[str, Journey], layout: str) -> None:
    place = made[layout].place
    held = place.in_secrets("mirror")["STRIPE"]
    assert held == place.in_store("backend-api", "stripe-api-key")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_rotation_reaches_both_secrets_and_restarts_each_reader_once_a_phase(
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
    for bundle, fields in FIELDS.items():
        held = place.in_secrets(bundle)
        assert [held[field] for field in fields] == [new, new, before], bundle
    assert not {*FIELDS["shared"]} & {*place.in_secrets("mirror")}
    readers = {*place.settings.readers["shared"], MIRROR}
    wait_until(
        lambda: {pod.values[key] for key in NAMES.values() for pod in place.readers(key)} == {new},
        "all readers have the new value",
        timeout_seconds=60,
    )
    happened = place.kubelet.of(place.namespace, since=since)
    started = Counter(one.workload for one in happened if one.what == "started")
    assert started == dict.fromkeys(readers, 2)
    wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_reader_that_does_not_come_up_has_both_secrets_taken_back(
    made: dict[str, Journey], layout: str
) -> None:
    journey = made[layout]
    place, before = journey.place, journey.place.in_store("shared", KEY)
    journey.next_rotation()
    with place.kubelet.refusing(place.namespace, MIRROR, NAMES["mirror"]):
        failed = journey.rotate(f"--key={KEY}")
    assert failed.code == RESTORED, failed.text
    assert place.in_store("shared", KEY) == before
    for bundle, name in NAMES.items():
        assert place.in_secrets(bundle)[name] == before, bundle
    wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)
