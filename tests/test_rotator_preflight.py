"""What would be refused is told before the day, and no rotation begins that could not end."""

import json

import pytest

from tests.rotator_api import MEMORY
from tests.rotator_world import DUE, ONE_DAY, START, World, database, generated

OVERDUE = 5
WEB, OTHER = "Deployment/web", "Deployment/other"
REASON = "ValidatingAdmissionPolicy 'x' denied request: the spec is not the one"
ONE_SHOTS = (
    "ExternalSecret/rotation-before-signing-key",
    "ExternalSecret/rotation-staged-signing-key",
    "PushSecret/rotation-next-signing-key",
    "PushSecret/rotation-previous-signing-key",
    "PushSecret/rotation-promote-signing-key",
    "PushSecret/rotation-restore-signing-key",
    "PushSecret/rotation-withdraw-signing-key",
    "ExternalSecret/rotation-staged-database-url",
    "ConfigMap/database-url-active",
    "ExternalSecret/shared",
    WEB,
)


@pytest.fixture
def world():
    keys = {
        "signing-key": generated("signing-key", readers=[WEB], overlap=True),
        "database-url": database("database-url", readers=[WEB]),
        "token": generated("token", readers=[OTHER], bundle="other"),
    }
    return World(keys, {WEB: ["shared"], OTHER: ["other"]}).age()


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])["message"]


@pytest.mark.parametrize("what", ONE_SHOTS)
def test_each_write_of_a_rotation_is_tried_when_nothing_is_due(what, world, capsys):
    world.cluster.refused_writes[what] = REASON
    assert world.run(at=START + ONE_DAY) == 1
    said = last_line(capsys)
    assert REASON in said
    assert "a rotation of" in said
    assert world.cluster.one_shots() == []


def test_the_age_check_tells_it_until_a_run_finds_it_mended(world, capsys):
    world.cluster.refused_writes["PushSecret"] = REASON
    world.run(at=START + ONE_DAY)
    assert world.run(at=START + ONE_DAY, command="age") == OVERDUE
    assert REASON in last_line(capsys)
    world.cluster.refused_writes.clear()
    assert world.run(at=START + 2 * ONE_DAY) == 0
    assert world.run(at=START + 2 * ONE_DAY, command="age") == 0


def test_a_last_run_that_can_t_be_read_does_not_disturb_the_age_check(world):
    for text in ("{", "[]", '"x"', "null", '{"refused": true}', '{"started": 1}'):
        world.cluster.objects["ConfigMap", MEMORY]["data"]["run"] = text
        assert world.run(at=START + ONE_DAY, command="age") == 0


def test_a_key_whose_workload_can_t_be_restarted_is_not_begun_and_the_others_rotate(world, capsys):
    world.cluster.refused_writes[WEB] = REASON
    before = dict(world.cluster.entries)
    assert world.run() == 1
    said = last_line(capsys)
    assert "a rotation of signing-key, database-url would be refused: PATCH" in said
    assert "rotated: token" in said
    changed = {entry for entry, value in world.cluster.entries.items() if value != before[entry]}
    assert changed == {"shop/other/token"}
    assert world.cluster.one_shots() == []


def test_what_is_staged_and_seen_by_nobody_waits_until_it_would_not_be_refused(world):
    world.cluster.refused_entries["shop/shared/signing-key-previous"] = "the store is down"
    assert world.run("--key", "signing-key") == 1
    assert "rotation-staged-signing-key" in world.cluster.one_shots()
    world.cluster.refused_entries.clear()
    world.cluster.refused_writes[WEB] = REASON
    before = dict(world.cluster.entries)
    assert world.run("--key", "signing-key", at=DUE + ONE_DAY) == 1
    assert world.cluster.entries == before
    world.cluster.refused_writes.clear()
    assert world.run("--key", "signing-key", at=DUE + 2 * ONE_DAY) == 0
    assert world.cluster.one_shots() == []


def test_a_key_that_is_asked_for_waits_for_no_other_one(world):
    world.cluster.refused_writes[OTHER] = REASON
    assert world.run("--key", "signing-key") == 0


def test_a_dry_run_says_it_too(world, capsys):
    world.cluster.refused_writes["PushSecret"] = REASON
    assert world.run("--dry-run") == 1
    assert REASON in last_line(capsys)


def test_what_many_keys_have_in_common_is_tried_once():
    keys = {f"key-{number}": generated(f"key-{number}", readers=[WEB]) for number in range(50)}
    world = World(keys, {WEB: ["shared"]}).age()
    assert world.run(at=START + ONE_DAY) == 0
    tried = [call for call in world.cluster.log if call[0] == "TRY"]
    one_shots = {"before", "staged", "promote", "promoted", "restore", "restored"}
    assert len(tried) == len(one_shots | {"sync", "restart"})
