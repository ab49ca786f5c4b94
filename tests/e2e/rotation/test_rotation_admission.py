"""A cluster's own policies act on what the rotator writes: stamps disturb nothing, and what would
be refused is told before a rotation begins."""

import copy
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.e2e.api_proxy import Call, Forward, Reply
from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.others_policies import OF_EVERY_WRITE, OURS, WORKLOADS, mutating
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import FAILED, NOTHING_DUE, RESTORED, ROTATED, rotating_settings
from tests.e2e.rotation_journey import ALL, ALONE, OVERLAP, Journey, Watch, journeys
from tests.e2e.stores import Stores

STAMPS = f"""Object{{metadata: Object.metadata{{
  labels: {{"example.com/cost-center": "4711"}},
  annotations: {{"example.com/changed": {OF_EVERY_WRITE}, "changed-by": request.userInfo.username}}
}}}}"""
WORKLOAD_STAMPS = f"""Object{{metadata: Object.metadata{{
  labels: {{"team": "payments"}}, annotations: {{"changed": {OF_EVERY_WRITE}}}
}}}}"""
CHAT = "wren-chat-server"
POD_STAMP = f"""object.metadata.name != "{CHAT}" ? Object{{}} : Object{{spec: Object.spec{{
  template: Object.spec.template{{metadata: Object.spec.template.metadata{{
    annotations: {{"example.com/changed": {OF_EVERY_WRITE}}}
}}}}}}}}"""
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "externalsecrets.external-secrets.io")


@pytest.fixture(scope="module")
def journey(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Journey]:
    settings = {"vault": rotating_settings("production", "admission")}
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


def test_a_key_whose_workload_nobody_may_change_so_is_not_begun_and_the_others_rotate(
    journey: Journey, cluster: Cluster
) -> None:
    journey.next_rotation()
    place = journey.place
    watch = Watch(place, ("stream-server-secret",))
    with mutating(cluster, place.namespace, "pods", WORKLOADS, POD_STAMP):
        done = journey.rotate()
        assert done.code == FAILED, done.text
        watch.one_new_value_everywhere()
    assert f"a rotation of {OVERLAP}, {ALONE} would be refused: PATCH Deployment/{CHAT}" in (
        done.verdict
    )
    assert "an annotation of the pod beside platform-secrets/restarted is changed" in done.verdict
    watch = Watch(place, (OVERLAP, ALONE))
    again = journey.rotate(days_later=1)
    assert again.code == ROTATED, again.text
    watch.one_new_value_everywhere()


def test_after_a_policy_that_comes_in_the_middle_the_next_run_recovers_once_it_is_gone(
    journey: Journey, cluster: Cluster
) -> None:
    journey.next_rotation()
    place = journey.place
    with ExitStack() as policies:

        def forbid(call: Call, forward: Forward) -> Reply | None:
            if call.method == "POST" and f"rotation-promote-{ALONE}".encode() in call.body:
                pods = mutating(cluster, place.namespace, "pods", WORKLOADS, POD_STAMP)
                policies.enter_context(pods)
            return forward()

        done = journey.rotate(f"--key={ALONE}", meddle=forbid)
    assert done.code == FAILED, done.text
    assert "it could not be taken back either" in done.verdict
    assert f"Secret/rotation-before-{ALONE}" in place.one_shots
    again = journey.rotate(f"--key={ALONE}", days_later=1)
    assert again.code in (ROTATED, RESTORED), again.text
    assert {pod.values[ALONE] for pod in place.readers(ALONE)} == {place.held()[ALONE]}
    assert place.one_shots == []


@contextmanager
def one_more_default(cluster: Cluster) -> Iterator[None]:
    """Inside, an ExternalSecret's target has a field that today's operator does not know."""
    crd = cluster.api.get(*CRD)
    assert crd
    versions = copy.deepcopy(crd["spec"]["versions"])
    for version in versions:
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        spec["target"]["properties"]["novelty"] = {"type": "string", "default": "on"}
    cluster.api.patch(*CRD, None, {"spec": {"versions": versions}})
    try:
        yield
    finally:
        cluster.api.patch(*CRD, None, {"spec": {"versions": crd["spec"]["versions"]}})


def test_an_operator_whose_kind_has_one_more_default_is_told_before_a_key_is_due(
    journey: Journey, cluster: Cluster
) -> None:
    place = journey.place
    journey.rotate(days_later=1)
    watch = Watch(place, ())
    runs = [journey.rotate("--detailed-exit-code")]

    def told() -> bool:
        runs.append(journey.rotate("--detailed-exit-code"))
        return runs[-1].code != NOTHING_DUE

    with one_more_default(cluster):
        wait_until(told, "the API server has the new default")
        assert runs[-1].code == FAILED, runs[-1].text
        assert "the spec is not the one that goes with the name" in runs[-1].verdict
        assert json.loads(place.memory["run"])["refused"] is True
        tried = journey.rotate("--dry-run")
        assert tried.code == FAILED, tried.text
        assert "the spec is not the one that goes with the name" in tried.verdict
    wait_until(lambda: not told(), "the API server has forgotten the new default")
    assert json.loads(place.memory["run"])["refused"] is False
    watch.one_new_value_everywhere()
