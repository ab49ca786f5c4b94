"""A workload that does not come up with the new value gets the one before back."""

import json

import pytest

from platform_secrets.rotator.__main__ import FAILED, RESTORED
from tests.rotator_api import Recorder
from tests.rotator_world import DUE, ONE_DAY, World, database, generated

WEB, CHAT = "Deployment/web", "Deployment/chat"
PLACE = "shop/shared/signing-key"


def world_with(*, overlap=False, layout=None):
    other = {"entry": {"key": "shop/signing-key", "property": None}}
    if overlap:
        other["next"] = {"key": "shop/signing-key-next", "property": None}
        other["previous"] = {"key": "shop/signing-key-previous", "property": None}
        other |= {"overlap_external_secret": "shared-overlap"}
    key = generated("signing-key", readers=[WEB, CHAT], overlap=overlap)
    keys = {"signing-key": {**key, **(other if layout == "per-key" else {})}}
    secrets = ["shared", "shared-overlap"] if layout == "per-key" and overlap else ["shared"]
    return World(keys, {WEB: secrets, CHAT: secrets}).age()


def events(world):
    return [(one["reason"], one["type"]) for one in world.cluster.events]


def break_at_restart(world, workload, number):
    """The workload comes up no more from its restart of that number until it is mended."""

    def observe(cluster):
        cluster.broken.pop(workload, None)
        if cluster.restarts[workload] == number:
            cluster.broken[workload] = "ProgressDeadlineExceeded"

    world.cluster.observers.append(observe)


@pytest.mark.parametrize("reason", ["ProgressDeadlineExceeded", "silent"])
def test_a_value_that_a_workload_does_not_come_up_with_is_taken_back(reason):
    world = world_with()
    old = world.cluster.entries[PLACE]

    def observe(cluster):
        is_new = cluster.value("shared", "signing-key") != old
        cluster.broken = {CHAT: reason} if is_new else {}

    world.cluster.observers.append(observe)
    assert world.run() == RESTORED
    assert world.cluster.entries[PLACE] == old == world.cluster.value("shared", "signing-key")
    assert all(pod["signing-key"] == old for pods in world.cluster.pods.values() for pod in pods)
    assert world.cluster.one_shots() == []
    assert CHAT in world.cluster.memory("signing-key")["failed"]
    assert world.cluster.memory("signing-key")["rotated"] is None
    assert events(world) == [("RotationRestored", "Warning")]


def test_a_job_s_second_pod_does_not_try_again_what_its_first_one_took_back():
    world = world_with()
    break_at_restart(world, CHAT, 1)
    assert world.run("--key=signing-key", "--last=none") == RESTORED
    assert world.run("--key=signing-key", "--last=none", at=DUE + ONE_DAY / 24) == RESTORED
    assert world.cluster.restarts == {WEB: 2, CHAT: 2}


def test_a_key_that_was_taken_back_is_told_even_where_another_one_failed():
    """Else its Job would start another pod, which would restart everything once more."""
    keys = {
        "signing-key": generated("signing-key", readers=[CHAT]),
        "api-token": generated("api-token", readers=[WEB], bundle="web"),
    }
    world = World(keys, {WEB: ["web"], CHAT: ["shared"]}).age()
    world.cluster.refused_entries["shop/web/api-token"] = "the store is sealed"
    break_at_restart(world, CHAT, 1)
    assert world.run() == RESTORED


def test_the_next_run_rotates_once_the_cause_is_gone():
    world = world_with()
    break_at_restart(world, CHAT, 1)
    assert world.run() == RESTORED
    first = world.cluster.memory("signing-key")["id"]
    world.cluster.observers.clear()
    assert world.run(at=DUE + ONE_DAY) == 0
    assert world.cluster.memory("signing-key")["id"] == f"{first}.1"
    assert world.cluster.memory("signing-key")["failed"] is None
    assert world.cluster.entries[PLACE] == world.cluster.generated[1]


@pytest.mark.parametrize("layout", ["bundle", "per-key"])
def test_a_value_that_fails_when_it_is_published_was_never_the_current_one(layout):
    world = world_with(overlap=True, layout=layout)
    place = world.plan["keys"]["signing-key"]["entry"]
    current = "/".join(filter(None, place.values()))
    break_at_restart(world, WEB, 1)
    assert world.run() == RESTORED
    assert current not in [entry for entry, _ in world.cluster.written]
    assert world.cluster.entries[f"{current}-next"] == "old-signing-key"


def test_what_was_signed_with_a_value_that_is_taken_back_is_still_accepted():
    world = world_with(overlap=True, layout="per-key")
    break_at_restart(world, WEB, 2)
    assert world.run() == RESTORED
    (new,) = world.cluster.generated
    for pods in world.cluster.pods.values():
        assert {pod["signing-key"] for pod in pods} == {"old-signing-key"}
        assert {pod["signing-key-next"] for pod in pods} == {new}


def test_when_the_value_before_can_t_be_put_back_everything_stays_and_the_way_out_is_said(capsys):
    world = world_with()
    break_at_restart(world, CHAT, 1)
    world.cluster.observers.append(
        lambda cluster: (
            cluster.restarts[CHAT]
            and cluster.refused_entries.update({PLACE: "the store is sealed"})
        )
    )
    assert world.run() == FAILED
    verdict = json.loads(capsys.readouterr().out.splitlines()[-1])["message"]
    assert CHAT in verdict
    assert "the store is sealed" in verdict
    assert "the value before is in Secret/rotation-before-signing-key" in verdict
    assert "rotation-before-signing-key" in world.cluster.one_shots()
    assert "RotationFailed" in dict(events(world))

    world.cluster.observers.clear()
    world.cluster.refused_entries.clear()
    world.cluster.broken.clear()
    assert world.run(at=DUE + ONE_DAY) == RESTORED
    assert world.cluster.entries[PLACE] == "old-signing-key"
    assert world.cluster.one_shots() == []


@pytest.mark.parametrize("restart", [1, 2])
def test_a_kill_during_the_way_back_is_made_good_by_the_next_run(restart):
    world = world_with(overlap=True)
    break_at_restart(world, WEB, restart)
    recorder = Recorder(world.cluster)
    assert world.run(transport=recorder) == RESTORED
    for call, left in enumerate(recorder.left):
        world.cluster = left
        left.observers = []
        left.broken.clear()
        assert world.run(at=DUE + ONE_DAY) in (0, RESTORED), call
        world.run(at=DUE + 2 * ONE_DAY)
        assert world.cluster.one_shots() == []
        held = {pod["signing-key"] for pods in world.cluster.pods.values() for pod in pods}
        assert held == {world.cluster.entries[PLACE]}
        assert held <= {*world.cluster.generated}
        assert world.cluster.memory("signing-key")["rotated"] is not None


def test_a_database_s_pointer_moves_back_when_a_workload_does_not_come_up():
    keys = {"database-url": database("database-url", readers=[WEB])}
    world = World(keys, {WEB: ["shared"]}).age()
    break_at_restart(world, WEB, 1)
    assert world.run() == RESTORED
    assert world.cluster.value("shared", "database-url") == "a"
    assert world.cluster.one_shots() == []
    assert {pod["database-url"] for pod in world.cluster.pods[WEB]} == {
        world.cluster.passwords["a"]
    }


def test_only_the_keys_of_the_workload_that_fails_are_taken_back():
    keys = {
        "signing-key": generated("signing-key", readers=[CHAT]),
        "api-token": generated("api-token", readers=[WEB], bundle="web"),
    }
    world = World(keys, {WEB: ["web"], CHAT: ["shared"]}).age()
    break_at_restart(world, CHAT, 1)
    assert world.run() == RESTORED
    assert world.cluster.entries[PLACE] == "old-signing-key"
    assert world.cluster.entries["shop/web/api-token"] != "old-api-token"
    assert world.cluster.restarts == {WEB: 1, CHAT: 2}
    assert world.cluster.memory("api-token")["rotated"] is not None
