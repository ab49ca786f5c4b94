"""A run is killed after each of its calls, which is before the next one, too; the run on the next
day ends with exactly one new value, no object left, and no restart too many."""

import contextlib
import random

import pytest

from tests.rotator_api import Killed, Mortal, Recorder
from tests.rotator_world import DUE, ONE_DAY, World, database, generated

WEB, CHAT = "Deployment/web", "StatefulSet/chat"


def generated_world():
    keys = {"signing-key": generated("signing-key", readers=[WEB])}
    return World(keys, {WEB: ["shared"], CHAT: ["shared"]}).age()


def overlap_world():
    keys = {"signing-key": generated("signing-key", readers=[WEB, CHAT], overlap=True)}
    world = World(keys, {WEB: ["shared"], CHAT: ["shared"]}).age()
    world.cluster.observers.append(every_token_is_accepted)
    return world


def database_world():
    keys = {"database-url": database("database-url", readers=[WEB, CHAT])}
    world = World(keys, {WEB: ["shared"], CHAT: ["shared"]}).age()
    world.cluster.observers.append(every_password_is_right)
    return world


def mixed_world():
    keys = {
        "signing-key": generated("signing-key", readers=[WEB, CHAT], overlap=True),
        "api-token": generated("api-token", readers=[WEB], bundle="web"),
        "session-key": generated("session-key", readers=[WEB], overlap=True),
        "database-url": database("database-url", readers=[WEB]),
    }
    world = World(keys, {WEB: ["shared", "web"], CHAT: ["shared"]}).age()
    world.cluster.observers += [every_token_is_accepted, every_password_is_right]
    return world


def every_token_is_accepted(cluster):
    """Each pod signs with the current value and accepts next and previous too."""
    fields = ("signing-key", "signing-key-next", "signing-key-previous")
    pods = [pod for of_workload in cluster.pods.values() for pod in of_workload]
    signing = {pod["signing-key"] for pod in pods}
    assert all(signing <= {pod[field] for field in fields} for pod in pods)


def every_password_is_right(cluster):
    passwords = {*cluster.passwords.values()}
    for pods in cluster.pods.values():
        assert all(pod["database-url"] in passwords for pod in pods)


def assert_rotated_once(world, restarts):
    cluster = world.cluster
    assert cluster.one_shots() == []
    assert cluster.restarts == restarts
    for name, key in world.plan["keys"].items():
        assert cluster.memory(name)["rotated"] > "2026-06"
        assert cluster.memory(name)["failed"] is None
        if key["by"] == "generate":
            place = "/".join(key["entry"].values())
            (new,) = [value for entry, value in cluster.written if entry == place]
            assert cluster.value(key["external_secret"], name) == cluster.entries[place] == new
            assert all(
                pod[name] == new for reader in key["readers"] for pod in cluster.pods[reader]
            )
        else:
            assert cluster.value("shared", name) == "b"
            assert all(
                pod[name] == cluster.passwords["b"]
                for reader in key["readers"]
                for pod in cluster.pods[reader]
            )


WORLDS = {
    generated_world: {WEB: 1, CHAT: 0},
    overlap_world: {WEB: 2, CHAT: 2},
    database_world: {WEB: 1, CHAT: 1},
    mixed_world: {WEB: 2, CHAT: 2},
}


def test_a_job_s_second_pod_does_not_rotate_once_more_what_its_first_one_did():
    asked = ("--key", "signing-key", "--last", "none")
    world = generated_world()
    recorder = Recorder(world.cluster)
    assert world.run(*asked, transport=recorder) == 0
    for call, left in enumerate(recorder.left):
        world.cluster = left
        assert world.run(*asked, at=DUE + ONE_DAY / 24) == 0, call
        assert_rotated_once(world, {WEB: 1, CHAT: 0})


@pytest.mark.parametrize("make", WORLDS)
def test_the_run_after_a_kill_at_any_call_finishes_what_was_begun(make):
    world = make()
    recorder = Recorder(world.cluster)
    assert world.run(transport=recorder) == 0
    assert_rotated_once(world, WORLDS[make])
    for call, left in enumerate(recorder.left):
        world.cluster = left
        assert world.run(at=DUE + ONE_DAY) == 0, call
        assert_rotated_once(world, WORLDS[make])


@pytest.mark.parametrize("seed", range(10))
def test_runs_that_are_killed_again_and_again_come_to_the_same_end(seed):
    chance = random.Random(seed)  # noqa: S311
    world, day = mixed_world(), 0
    for day in range(8):
        with contextlib.suppress(Killed):
            world.run(
                at=DUE + day * ONE_DAY, transport=Mortal(world.cluster, chance.randint(1, 150))
            )
    assert world.run(at=DUE + (day + 1) * ONE_DAY) == 0
    assert_rotated_once(world, WORLDS[mixed_world])
