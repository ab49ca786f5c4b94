"""Others act while a rotation runs: another run, a deployment, somebody who edits the store."""

import secrets
from collections.abc import Iterator

import pytest

from tests.e2e.api_proxy import Call, Forward, Reply
from tests.e2e.cluster import Cluster
from tests.e2e.environments import apply_layer
from tests.e2e.kubelet import fingerprint
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import FAILED, NOTHING_DUE, ROTATED, ended, mark, rotating_settings
from tests.e2e.rotation_journey import ALL, OVERLAP, Journey, Watch, journeys
from tests.e2e.stores import Stores


@pytest.fixture(scope="module")
def journey(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Journey]:
    settings = {"vault": rotating_settings("production", "beside")}
    with journeys(run, cluster, stores, operator, settings) as made:
        yield made["vault"]


def test_of_two_runs_at_once_one_rotates_and_the_other_finds_nothing_due(journey: Journey) -> None:
    journey.next_rotation()
    place, now = journey.place, journey.day.isoformat()
    watch = Watch(place, ALL)
    runs = [place.start(now, "--detailed-exit-code") for _ in range(2)]
    codes = sorted(ended(process).code for process in runs)
    assert codes == [ROTATED, NOTHING_DUE]
    watch.one_new_value_everywhere()


def test_a_deployment_and_labels_of_others_do_not_disturb_a_rotation(
    journey: Journey, cluster: Cluster
) -> None:
    """Before each push and each restart of one workload, everything is applied again and objects
    have other labels."""
    journey.next_rotation()
    place = journey.place
    watch = Watch(place, ALL)

    def act(call: Call, forward: Forward) -> Reply | None:
        is_push = call.method == "POST" and "/pushsecrets" in call.path
        if is_push or (call.writes and call.path.endswith("/deployments/wren-chat-server")):
            labels = {"metadata": {"labels": {"example.com/team": secrets.token_hex(4)}}}
            for one in ("wren-secrets", "wren-chat-server-secrets"):
                where = ("external-secrets.io/v1", "ExternalSecret", one, place.namespace)
                cluster.api.patch(*where, labels)
            apply_layer(cluster, place.settings)
        return forward()

    done = journey.rotate(meddle=act)
    assert done.code == ROTATED, done.text
    watch.one_new_value_everywhere()


def test_applying_everything_again_keeps_the_memory_and_causes_no_rotation(
    journey: Journey, cluster: Cluster
) -> None:
    place = journey.place
    memory, held = place.memory, place.held()
    apply_layer(cluster, place.settings)
    assert place.memory == memory
    assert set(ALL) <= memory.keys()
    assert journey.rotate("--detailed-exit-code", days_later=1).code == NOTHING_DUE
    assert place.held() == held


def test_another_key_that_somebody_edits_in_the_entry_is_kept_and_the_rotating_one_is_not(
    journey: Journey, stores: Stores
) -> None:
    journey.next_rotation()
    place = journey.place
    edited = {key: f"edited-{secrets.token_hex(24)}" for key in ("redis-url", OVERLAP)}

    def edit(call: Call, forward: Forward) -> Reply | None:
        if call.method == "POST" and f"rotation-promote-{OVERLAP}".encode() in call.body:
            stores.put(place.settings, edited)
        return forward()

    before = place.held()
    done = journey.rotate(meddle=edit)
    assert done.code == ROTATED, done.text
    after = place.held()
    assert after["redis-url"] == fingerprint(edited["redis-url"])
    assert after[OVERLAP] not in {before[OVERLAP], fingerprint(edited[OVERLAP])}
    assert place.secret("redis-url") == after["redis-url"]
    assert place.secret(OVERLAP) == after[OVERLAP]


def test_an_entry_that_the_operator_may_not_write_is_named_with_the_remedy(
    journey: Journey, stores: Stores
) -> None:
    journey.next_rotation()
    place = journey.place
    stores.bao.write("secret/metadata/wren/beside/chat-server", custom_metadata={})
    held = place.held()
    failed = journey.rotate("--key=chat-server-secret")
    assert failed.code == FAILED, failed.text
    assert "managed-by=external-secrets" in failed.verdict
    assert place.held() == held
    # From now on the operator, which still tries, may push before the next run does.
    mark(stores, place.settings, "chat-server", "chat-server-secret")
    done = journey.rotate()
    assert done.code == ROTATED, done.text
    after = place.held()
    assert {key for key in ALL if after[key] != held[key]} == {*ALL}
    assert place.one_shots == []
