"""What is due, when it may start, and what a run says about it."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime

import pytest

from platform_secrets.rotator import due
from platform_secrets.rotator.__main__ import FAILED, NOTHING_DUE, WRONG_INPUT
from platform_secrets.rotator.memory import Remembered
from platform_secrets.rotator.plan import parse
from platform_secrets.settings import time_zones
from tests.declaring import PROJECT
from tests.rotator_world import DUE, ONE_DAY, START, World, database, generated

WEB = "Deployment/web"


def world_with(**plan):
    return World(
        {"signing-key": generated("signing-key", readers=[WEB], overlap=True)},
        {WEB: ["shared"]},
        **plan,
    ).age()


def key_of(plan, name):
    return parse(json.dumps(plan)).keys[name]


def test_keys_of_one_policy_fall_due_on_days_of_their_own_within_a_tenth_of_it():
    names = [f"key-{number}" for number in range(100)]
    world = World({name: generated(name, readers=[]) for name in names}, {})
    moments = [
        due.due_at("production", key_of(world.plan, name), Remembered(START)) for name in names
    ]
    assert len({moment.date() for moment in moments}) >= 9
    assert min(moments) > START + 81 * ONE_DAY
    assert max(moments) <= START + 90 * ONE_DAY
    again = due.due_at("production", key_of(world.plan, names[0]), Remembered(START))
    assert again == moments[0]
    assert due.due_at("staging", key_of(world.plan, names[0]), Remembered(START)) != again


def test_a_key_is_not_due_while_the_value_before_is_still_accepted():
    plan = world_with().plan
    plan["keys"]["signing-key"] |= {"every_seconds": 3600, "overlap_seconds": 86400}
    remembered = Remembered(START, rotated=DUE)
    assert due.due_at("production", key_of(plan, "signing-key"), remembered) == DUE + ONE_DAY


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, "2026-03-02"),
        ("2025-12-01", "2026-03-02"),
        ("2026-03-02", "2026-03-02.1"),
        ("2026-03-02.9", "2026-03-02.10"),
    ],
)
def test_an_id_is_the_day_and_the_attempt(last, expected):
    assert due.rotation_id(START.date(), last) == expected


def zone(name):
    return {
        "time_zone": name,
        "time_zone_rules": b64encode(time_zones.rules(name)).decode(),
    }


@pytest.mark.parametrize(
    ("window", "at", "is_open"),
    [
        (("mon", "02:00", "05:00"), "2026-03-02T03:59", True),  # 04:59 in Berlin
        (("mon", "02:00", "05:00"), "2026-03-02T04:00", False),
        (("tue", "02:00", "05:00"), "2026-03-02T03:59", False),
        (("mon", "22:00", "04:00"), "2026-03-03T02:30", True),  # the night of Monday
        (("tue", "22:00", "04:00"), "2026-03-03T02:30", False),
        (("mon", "22:00", "04:00"), "2026-03-02T12:00", False),
    ],
)
def test_a_window_is_in_its_own_time_zone_and_may_last_past_midnight(window, at, is_open):
    day, start, end = window
    fields = {"days": [day], "from": start, "until": end, **zone("Europe/Berlin")}
    plan = world_with(window=fields).plan
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert (due.held_back(parse(json.dumps(plan)), moment) is None) == is_open


# Winter and summer.
MOMENTS = {
    "Europe/Berlin": {"2026-03-02T03:30": "04:30", "2026-07-06T03:30": "05:30"},
    "America/New_York": {"2026-03-02T08:30": "03:30", "2026-07-06T08:30": "04:30"},
}


@pytest.mark.parametrize("name", MOMENTS)
def test_an_image_needs_no_time_zones_of_its_own(name):
    """Seen with a Python that finds neither the system's nor the package's."""
    window = {"days": ["mon"], "from": "02:00", "until": "05:00", **zone(name)}
    code = (
        "import json, sys; from datetime import UTC, datetime\n"
        "from platform_secrets.rotator.plan import parse\n"
        "zone = parse(sys.stdin.read()).window.zone\n"
        "at = [datetime.fromisoformat(one).replace(tzinfo=UTC) for one in sys.argv[1:]]\n"
        "print(*(f'{one.astimezone(zone):%H:%M}' for one in at))"
    )
    done = subprocess.run(  # noqa: S603 - this very Python, without site-packages
        [sys.executable, "-S", "-c", code, *MOMENTS[name]],
        input=json.dumps(world_with(window=window).plan),
        env={**os.environ, "PYTHONTZPATH": "", "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == ([*MOMENTS[name].values()], "")


def test_outside_of_the_window_nothing_starts_and_in_it_it_does(capsys):
    window = {"days": ["mon"], "from": "02:00", "until": "05:00", **zone("Etc/UTC")}
    world = world_with(window=window)
    assert world.run("--detailed-exit-code", at=datetime(2026, 6, 9, 3, tzinfo=UTC)) == NOTHING_DUE
    assert world.cluster.written == []
    assert "outside of the window: mon, 02:00 to 05:00 Etc/UTC" in capsys.readouterr().out
    assert world.run(at=datetime(2026, 6, 8, 3, tzinfo=UTC)) == 0
    assert world.cluster.written != []


@pytest.mark.parametrize(("day", "is_frozen"), [(11, False), (12, True), (14, True), (15, False)])
def test_on_the_days_of_a_freeze_nothing_starts(day, is_frozen):
    freeze = {"from": "2026-06-12", "until": "2026-06-14", "reason": "the fair"}
    world = world_with(freezes=[freeze])
    world.run(at=datetime(2026, 6, day, 3, tzinfo=UTC))
    assert (world.cluster.written == []) == is_frozen


def test_a_key_that_is_asked_for_is_rotated_in_a_freeze_and_with_a_warning(capsys):
    freeze = {"from": "2026-03-01", "until": "2026-12-31", "reason": "the fair"}
    world = world_with(freezes=[freeze])
    assert world.run("--key", "signing-key", at=START + ONE_DAY) == 0
    assert world.cluster.memory("signing-key")["id"] == "2026-03-03"
    assert "rotating although frozen" in capsys.readouterr().out
    assert world.run("--key", "signing-key", at=START + ONE_DAY) == 0
    assert world.cluster.memory("signing-key")["id"] == "2026-03-03.1"
    assert "is refused before" in capsys.readouterr().out


def test_only_the_key_that_is_asked_for_is_rotated():
    keys = {name: generated(name, readers=[WEB]) for name in ("one", "two")}
    world = World(keys, {WEB: ["shared"]}).age()
    assert world.run("--key", "two") == 0
    assert [entry for entry, _ in world.cluster.written] == ["shop/shared/two"]


def test_a_key_that_can_t_be_rotated_is_wrong_input(capsys):
    world = world_with()
    assert world.run("--key", "stripe-key") == WRONG_INPUT
    assert "stripe-key can't be rotated; these can: signing-key" in capsys.readouterr().out


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(capsys):
    world = world_with()
    world.plan["keys"]["database-url"] = database("database-url", readers=[WEB])
    before = str(world.cluster.objects)
    assert world.run("--dry-run") == 0
    said = capsys.readouterr().out
    assert "would rotate signing-key: next, restart, promote, restart Deployment/web" in said
    assert {method for method, _, _ in world.cluster.log} == {"GET", "TRY"}
    assert str(world.cluster.objects) == before
    assert world.run("--dry-run", "--detailed-exit-code", at=START + ONE_DAY) == NOTHING_DUE


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"surprise": 1}, "the plan has the unknown field surprise"),
        ({"window": {"days": []}}, "window has no from or no until"),
        ({"window": {"from": "01:00", "until": "02:00"}}, "window has no days and has no time_z"),
        ({"keys": {"lock": {}}}, "keys.lock: no key can have this name"),
        ({"keys": {"one": {"by": "magic"}}}, "keys.one.by is 'magic'"),
        ({"keys": {"one": {"by": "hand"}}}, "keys.one has no bundle"),
    ],
)
def test_a_plan_that_is_not_whole_is_wrong_input_with_its_place(change, fault, capsys):
    world = world_with()
    world.plan |= change
    assert world.run() == WRONG_INPUT
    assert fault in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["paused", "silent", "ProgressDeadlineExceeded"])
def test_a_key_is_not_started_while_a_reader_is_not_rolled_out(fault, capsys):
    world = world_with()
    web = world.cluster.objects["Deployment", "web"]
    if fault == "paused":
        web["spec"]["paused"] = True
    else:
        web["metadata"]["generation"] += 1
        world.cluster.broken[WEB] = fault
    assert world.run() == FAILED
    assert world.cluster.written == []
    assert world.cluster.one_shots() == []
    assert "signing-key: not started: Deployment/web" in capsys.readouterr().out


def test_a_rollout_that_is_going_on_is_waited_for():
    world = world_with()
    world.cluster.objects["Deployment", "web"]["metadata"]["generation"] += 1
    assert world.run() == 0
    assert world.cluster.restarts[WEB] == 3


def test_a_reader_that_does_not_exist_is_a_warning(capsys):
    world = world_with()
    del world.cluster.objects["Deployment", "web"]
    assert world.run() == 0
    assert "Deployment/web does not exist: nothing to restart" in capsys.readouterr().out
