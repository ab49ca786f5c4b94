"""The age check fails, and so alerts, when a key is beyond its limit and grace."""

import json
from datetime import timedelta

import pytest

from platform_secrets.rotator import __main__
from platform_secrets.rotator.__main__ import OVERDUE
from platform_secrets.rotator.memory import moment, timestamp
from tests.rotator_api import MEMORY
from tests.rotator_world import ONE_DAY, START, World, generated

ONE_HOUR = timedelta(hours=1)
HAND = {
    "by": "hand",
    "shown": "stripe-key",
    "bundle": "web",
    "owner": "payments",
    "max_age_seconds": 365 * 86400,
    "grace_seconds": 0,
    "source": "policy",
}


@pytest.fixture
def world():
    keys = {"signing-key": generated("signing-key", readers=[]), "stripe-key": HAND}
    return World(keys, {}).age()


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("days", "state"),
    [(90, "in time"), (91, "in its grace"), (97, "in its grace"), (98, "overdue")],
)
def test_a_key_is_overdue_beyond_its_limit_and_its_grace(world, days, state, capsys):
    code = world.run(command="age", at=START + days * ONE_DAY)
    said = next(line for line in lines(capsys) if line.get("key") == "signing-key")
    assert said["message"] == f"signing-key is {state}"
    assert code == (OVERDUE if state == "overdue" else 0)


def test_every_key_is_listed_with_age_limit_and_owner(world, capsys):
    world.run(command="age", at=START + 10 * ONE_DAY)
    listed = {line["key"]: line for line in lines(capsys) if "key" in line}
    assert set(listed) == {"signing-key", "stripe-key"}
    stripe = listed["stripe-key"]
    assert (stripe["age_days_at_most"], stripe["limit_days"]) == (10, 365)
    assert stripe["owner"] == "payments"


def test_the_verdict_names_the_keys_that_are_overdue(world, capsys, tmp_path, monkeypatch):
    log = tmp_path / "termination-log"
    log.touch()
    monkeypatch.setattr(__main__, "TERMINATION_LOG", log)
    assert world.run(command="age", at=START + 400 * ONE_DAY) == OVERDUE
    assert log.read_text() == "overdue: signing-key, stripe-key"


def test_keys_that_no_run_has_seen_are_as_old_as_the_memory(world):
    world.cluster.objects["ConfigMap", MEMORY]["data"] = {}
    assert world.run(command="age", at=START + 30 * ONE_DAY) == 0
    assert world.run(command="age", at=START + 60 * ONE_DAY) == OVERDUE


def test_it_says_since_when_no_rotation_has_run(world, capsys):
    world.plan["longest_pause_seconds"] = 30 * 3600
    assert world.run(command="age", at=START + 30 * ONE_HOUR) == 0
    assert world.run(command="age", at=START + 31 * ONE_HOUR) == OVERDUE
    since = timestamp(START)
    assert lines(capsys)[-1]["message"] == f"no rotation has run since {since}"
    assert world.run(at=START + 31 * ONE_HOUR) == 0
    assert world.run(command="age", at=START + 31 * ONE_HOUR) == 0


@pytest.mark.parametrize("run", [None, "", "{}", '{"started": "some day"}'])
def test_a_run_that_is_not_in_the_memory_was_never(world, run, capsys):
    world.plan["longest_pause_seconds"] = 30 * 3600
    memory = world.cluster.objects["ConfigMap", MEMORY]
    memory["data"] = {"run": run} if run is not None else None
    made = moment(memory["metadata"]["creationTimestamp"])
    assert world.run(command="age", at=made + 30 * ONE_HOUR) == 0
    assert world.run(command="age", at=made + 31 * ONE_HOUR) == OVERDUE


def test_the_age_check_only_reads_the_memory(world):
    world.run(command="age", at=START)
    assert world.cluster.log == [("GET", "ConfigMap", MEMORY)]
