"""A cluster's own policies act on what the rotator writes: stamps disturb nothing, and what would
be refused is told before a rotation begins."""

from collections.abc import Iterator

import pytest

from tests.e2e.api_proxy import Call, Forward, Reply
from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.others_policies import OF_EVERY_WRITE, OURS, WORKLOADS, mutating
from tests.e2e.process import Run
from tests.e2e.rotating import ROTATED, rotating_settings
from tests.e2e.rotation_journey import ALL, Journey, Watch, journeys
from tests.e2e.stores import Stores

STAMPS = f"""Object{{metadata: Object.metadata{{
  labels: {{"example.com/cost-center": "4711"}},
  annotations: {{"example.com/changed": {OF_EVERY_WRITE}, "changed-by": request.userInfo.username}}
}}}}"""
WORKLOAD_STAMPS = f"""Object{{metadata: Object.metadata{{
  labels: {{"team": "payments"}}, annotations: {{"changed": {OF_EVERY_WRITE}}}
}}}}"""


@pytest.fixture(scope="module")
def journey(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Journey]:
    settings = {"vault": rotating_settings("Pulumi.production", "admission")}
    with journeys(run, cluster, stores, operator, settings) as made:
        yield made["vault"]


def test_stamps_on_everything_that_is_written_disturb_no_rotation_and_reach_no_value(
    journey: Journey, cluster: Cluster
) -> None:
    journey.next_rotation()
    place, seen = journey.place, {}

    def look(call: Call, forward: Forward) -> Reply | None:
        if call.method == "POST" and "/pushsecrets" in call.path:
            for obj in cluster.api.list(
                "external-secrets.io/v1", "ExternalSecret", place.namespace
            ):
                seen["ExternalSecret", obj["metadata"]["name"]] = obj["metadata"]
            for obj in cluster.api.list("v1", "Secret", place.namespace):
                seen["Secret", obj["metadata"]["name"]] = obj["metadata"]
        return forward()

    watch = Watch(place, ALL)
    with (
        mutating(cluster, place.namespace, "stamps", OURS, STAMPS),
        mutating(cluster, place.namespace, "workload-stamps", WORKLOADS, WORKLOAD_STAMPS),
    ):
        done = journey.rotate(meddle=look)
    assert done.code == ROTATED, done.text
    watch.one_new_value_everywhere()
    for name in ("rotation-staged-jwt-secret", "rotation-before-jwt-secret"):
        assert seen["ExternalSecret", name]["annotations"]["example.com/changed"]
        stamped = {**seen["Secret", name]["labels"], **seen["Secret", name].get("annotations", {})}
        assert not [one for one in stamped if one.startswith("example.com/") or "changed" in one]
