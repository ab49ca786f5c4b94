"""The rotation of a database's URL: the idle account first, then the pointer."""

import json

import pytest

from platform_secrets.rotator.__main__ import FAILED
from tests.rotator_api import Recorder
from tests.rotator_world import DUE, ONE_DAY, World, database

WEB = "Deployment/web"


@pytest.fixture
def world():
    keys = {"database-url": database("database-url", readers=[WEB])}
    return World(keys, {WEB: ["shared"]}).age()


def passwords_in_use(world):
    return {pod["database-url"] for pod in world.cluster.pods[WEB]}


def test_the_idle_account_gets_a_new_password_before_anybody_is_led_to_it(world):
    before = dict(world.cluster.passwords)
    seen = []
    world.cluster.observers.append(
        lambda cluster: seen.append(
            (cluster.passwords["b"], cluster.value("shared", "database-url"))
        )
    )
    assert world.run() == 0
    assert world.cluster.passwords["a"] == before["a"]
    assert passwords_in_use(world) == {world.cluster.passwords["b"]}
    assert (before["b"], "b") not in seen
    assert world.cluster.restarts == {WEB: 1}
    assert world.cluster.one_shots() == []


def test_the_next_rotation_goes_back_to_the_other_account(world):
    assert world.run() == 0
    assert world.run(at=DUE + 100 * ONE_DAY) == 0
    assert world.cluster.value("shared", "database-url") == "a"
    assert passwords_in_use(world) == {world.cluster.passwords["a"]}
    assert len(world.cluster.generated) == 2


@pytest.mark.parametrize("looks", range(1, 16))
def test_a_password_that_the_operator_changes_once_more_is_nobody_s(world, looks):
    """It may act on an old state of the object that asks for it, at any later moment."""
    world.cluster.second_looks = looks
    assert world.run() == 0
    assert passwords_in_use(world) == {world.cluster.passwords["b"]}


def test_what_was_taken_back_half_way_is_not_taken_for_rotated(world):
    world.cluster.broken[WEB] = "ProgressDeadlineExceeded"
    recorder = Recorder(world.cluster)
    assert world.run(transport=recorder) == FAILED
    for left in recorder.left:
        world.cluster = left
        left.broken.clear()
        world.run(at=DUE + ONE_DAY)
        rotated = world.cluster.memory("database-url")["rotated"] is not None
        assert (world.cluster.value("shared", "database-url") == "b") == rotated
        assert passwords_in_use(world) == {
            world.cluster.passwords[world.cluster.value("shared", "database-url")]
        }
        data = world.cluster.objects["ConfigMap", "database-url-active"]["data"]
        assert data.keys() == {"database-url"}


def test_a_pointer_that_shows_no_account_is_left_alone_and_named(world, capsys):
    world.cluster.objects["ConfigMap", "database-url-active"]["data"]["database-url"] = "c"
    assert world.run() == FAILED
    verdict = json.loads(capsys.readouterr().out.splitlines()[-1])["message"]
    assert "ConfigMap/database-url-active shows neither side: apply the environment" in verdict
    assert world.cluster.generated == []


def test_a_dead_operator_moves_no_pointer(world):
    world.cluster.operator_is_up = False
    assert world.run() == FAILED
    assert world.cluster.objects["ConfigMap", "database-url-active"]["data"] == {
        "database-url": "a"
    }
