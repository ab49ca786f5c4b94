"""Many keys are due in one run."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import ROTATED, rotating_settings
from tests.e2e.rotation_journey import Journey, Watch, journeys
from tests.e2e.stores import Stores

pytestmark = pytest.mark.timeout(1800, method="thread")
BUNDLES = 20
KEYS_EACH = (3, pytest.param(10, marks=pytest.mark.e2e_long))
# Besides making its objects and looking at them: a try beforehand, and a check that is made anew.
MOST_CALLS_PER_KEY = 24
# A try beforehand and its restart, and looks until its pods are new.
MOST_CALLS_PER_WORKLOAD = 16


def large_catalogue(keys_each: int) -> dict[str, Any]:
    """Bundles of generated keys beside the platform's own, each with a service that reads it."""
    key = {"description": "a key", "rotate": {"by": "generate", "every": "90d", "grace": "7d"}}
    names = [f"many-{number}" for number in range(BUNDLES)]
    return {
        "bundles": {
            name: {
                "secret": f"wren-{name}-secrets",
                "keys": {f"{name}-key-{number}": key for number in range(keys_each)},
            }
            for name in names
        },
        "services": {
            name: {"workload": f"Deployment/wren-{name}", "reads": [name]} for name in names
        },
    }


@pytest.fixture(scope="module", params=KEYS_EACH)
def journey(
    request: pytest.FixtureRequest,
    run: Run,
    cluster: Cluster,
    stores: Stores,
    operator: OperatorRelease,
) -> Iterator[Journey]:
    name, catalogue = f"many-{request.param}", large_catalogue(request.param)
    settings = rotating_settings("production", name, catalogue=catalogue)
    with journeys(run, cluster, stores, operator, {"many": settings}) as made:
        yield made["many"]


def test_each_has_one_new_value_and_each_workload_restarts_once_for_all_of_its_keys(
    journey: Journey,
) -> None:
    journey.next_rotation()
    place = journey.place
    keys = tuple(place.generated)
    assert len(keys) > 2 * BUNDLES
    watch = Watch(place, keys)
    # As it runs by itself: a short-lived lock would be renewed all the time.
    done = journey.rotate("--lock-seconds=30", meddle=lambda _, forward: forward())
    assert done.code == ROTATED, done.text
    watch.one_new_value_everywhere()
    happened = place.kubelet.of(place.namespace, since=watch.since)
    started = Counter(one.workload for one in happened if one.what == "started")
    many = {workload: n for workload, n in started.items() if "-many-" in workload}
    assert many == {f"Deployment/wren-many-{number}": 1 for number in range(BUNDLES)}
    of_workloads = sum("/deployments/" in one.path for one in journey.proxy.calls)
    assert (len(journey.proxy.calls) - of_workloads) / len(keys) < MOST_CALLS_PER_KEY
    assert of_workloads / len(started) < MOST_CALLS_PER_WORKLOAD
