"""The rotation of a database's URL: the idle account first, then the pointer."""

import json

import pytest

from rotator.__main__ import FAILED
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
