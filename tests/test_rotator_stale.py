"""A store that answers with old values for a while, or loses a push: a rotation waits until the
services' Secret holds what was pushed."""

import json

import pytest

from platform_secrets.rotator.__main__ import FAILED, RESTORED
from tests.rotator_world import DUE, ONE_DAY, World, database, generated
from tests.test_rotator_killed import every_token_is_accepted

WEB = "Deployment/web"
LAYOUTS = ["bundle", "per-key"]


def key(name, *, layout="bundle", **other):
    if layout == "bundle":
        return generated(name, readers=[WEB], **other)
    own = {
        field: {"key": f"shop/{name}{suffix}", "property": None}
        for field, suffix in (("entry", ""), ("next", "-next"), ("previous", "-previous"))
        if field == "entry" or other.get("overlap")
    }
    of_derived = "shared-overlap" if other.get("overlap") else None
    found = generated(name, readers=[WEB], overlap_external_secret=of_derived, **other)
    return {**found, **own}


def world_of(names, *, layout="bundle", overlap=True, **plan):
    keys = {name: key(name, layout=layout, overlap=overlap) for name in names}
    secrets = ["shared"] + ["shared-overlap"] * (layout == "per-key" and overlap)
    return World(keys, {WEB: secrets}, **plan).age()


def held(world):
    return {
        name: value for secret in world.cluster.secrets.values() for name, value in secret.items()
    }


def assert_rotated(world, *, restarts):
    for name, known in world.plan["keys"].items():
        place = "/".join(filter(None, known["entry"].values()))
        new, found = world.cluster.entries[place], held(world)
        assert new in world.cluster.generated
        assert found[name] == new
        if known["overlap_seconds"]:
            assert found[f"{name}-next"] == new
            assert found[f"{name}-previous"] == f"old-{name}"
        assert {pod[name] for pod in world.cluster.pods[WEB]} == {new}
        assert world.cluster.memory(name)["rotated"] is not None
    assert len(world.cluster.generated) == len(world.plan["keys"])
    assert world.cluster.restarts == {WEB: restarts}
    assert world.cluster.one_shots() == []


def a_new_pod_accepts_every_token(cluster):
    """Whatever moment it starts at."""
    found = {name: value for held in cluster.secrets.values() for name, value in held.items()}
    accepted = {found["signing-key"], found["signing-key-next"], found["signing-key-previous"]}
    assert {pod["signing-key"] for pod in cluster.pods[WEB]} <= accepted


@pytest.mark.parametrize("lag_seconds", [0, 10])
def test_a_value_that_is_in_no_field_is_seen_in_a_text_made_of_it(lag_seconds):
    fields = ["REDIS_URL", "redis-next", "redis-previous"]
    of_redis = key("redis", fields=fields, text='printf "redis://:%s@redis:6379" ($v)')
    world = World({"redis": of_redis}, {WEB: ["shared"]}).age()
    world.cluster.lag_seconds = lag_seconds
    assert world.run() == 0
    [value] = world.cluster.generated
    assert world.cluster.entries["shop/shared/redis"] == value
    assert held(world) == {"REDIS_URL": f"redis://:{value}@redis:6379"}
    assert world.cluster.pods[WEB] == [{"REDIS_URL": f"redis://:{value}@redis:6379"}] * 2
    assert world.cluster.restarts == {WEB: 1}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("overlap", [False, True])
def test_readers_restart_only_once_the_secret_holds_what_the_store_will_answer(layout, overlap):
    world = world_of(["signing-key"], layout=layout, overlap=overlap)
    world.cluster.lag_seconds = 10
    if overlap:
        world.cluster.observers += [every_token_is_accepted, a_new_pod_accepts_every_token]
    assert world.run() == 0
    assert_rotated(world, restarts=2 if overlap else 1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_store_that_answers_late_fails_the_run_and_the_next_one_goes_on(layout, capsys):
    world = world_of(["signing-key"], layout=layout, overlap=False, sync_seconds=60)
    world.cluster.lag_seconds = 3000
    assert world.run() == FAILED
    verdict = json.loads(capsys.readouterr().out.splitlines()[-1])["message"]
    assert verdict.startswith("failed: signing-key: promote: Secret/shared does not hold what was")
    assert "the store answers with an old value" in verdict
    assert world.cluster.memory("signing-key")["rotated"] is None
    assert world.cluster.restarts == {WEB: 0}
    assert world.clock.seconds < 240
    world.cluster.lag_seconds = 0
    assert world.run(at=DUE + ONE_DAY) == 0
    assert_rotated(world, restarts=1)


def test_no_property_of_an_entry_is_lost_though_each_push_reads_what_was_there_before_the_last():
    world = world_of([f"key-{number:02}" for number in range(15)])
    world.cluster.lag_seconds = 0.5
    assert world.run() == 0
    assert_rotated(world, restarts=2)


@pytest.mark.parametrize("lost", ["key-1", "key-1-next", "key-1-previous"])
def test_a_push_that_is_lost_after_it_was_seen_is_made_anew(lost):
    world = world_of(["key-1", "key-2"])
    place = f"shop/shared/{lost}"
    before, undone = world.cluster.entries.get(place, ""), []

    def lose_it_once(cluster):
        another = "shop/shared/key-2"
        is_pushed = cluster.entries.get(another, "") in cluster.generated
        if is_pushed and not undone:
            cluster.entries[place] = before
            undone.append(place)

    world.cluster.observers.append(lose_it_once)
    assert world.run() == 0
    assert undone
    assert_rotated(world, restarts=2)


def test_the_other_keys_of_an_entry_are_not_pushed_over_a_push_that_is_not_seen(capsys):
    world = world_of(["key-1", "key-2"], overlap=False, sync_seconds=60)
    world.cluster.lag_seconds = 3000
    assert world.run() == FAILED
    assert {entry for entry, _ in world.cluster.written} == {"shop/shared/key-1"}
    assert "not pushed: key-1, of the same entry, was not seen" in capsys.readouterr().out


@pytest.mark.parametrize("is_first", [True, False])
def test_a_key_s_next_value_is_not_pushed_over_a_previous_one_that_is_not_seen(is_first):
    world = world_of(["signing-key"], sync_seconds=60)
    due = DUE
    if not is_first:
        assert world.run() == 0
        due += 100 * ONE_DAY
    current, written = held(world)["signing-key"], len(world.cluster.written)
    world.cluster.lag_seconds = 3000
    assert world.run(at=due) == FAILED
    # The first time `previous` needs a value that can be told from the current one.
    kept = world.cluster.generated[-1] if is_first else current
    assert {*world.cluster.written[written:]} == {("shop/shared/signing-key-previous", kept)}


def test_a_store_that_answers_late_is_waited_for_once_and_not_for_each_of_its_bundles():
    names = [f"key-{number}" for number in range(8)]
    keys = {name: generated(name, readers=[], bundle=name) for name in names}
    world = World(keys, {}, bundles_at_once=1).age()
    world.cluster.lag_seconds = 30000
    assert world.run() == FAILED
    assert world.clock.seconds < 700 + 8 * 60


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("restart", [1, 2])
def test_a_value_that_is_taken_back_is_seen_in_the_secret_before_readers_restart(layout, restart):
    world = world_of(["signing-key"], layout=layout)

    def break_it(cluster):
        is_wanted = cluster.restarts[WEB] == restart
        cluster.broken = {WEB: "ProgressDeadlineExceeded"} if is_wanted else {}
        cluster.lag_seconds = 10 if cluster.restarts[WEB] >= restart else 0

    world.cluster.observers.append(break_it)
    assert world.run() == RESTORED
    assert held(world)["signing-key"] == "old-signing-key"
    assert {pod["signing-key"] for pod in world.cluster.pods[WEB]} == {"old-signing-key"}


def test_a_value_before_that_does_not_come_back_is_not_said_to_be_restored(capsys):
    world = world_of(["signing-key"], overlap=False, sync_seconds=60)

    def break_it(cluster):
        cluster.broken = {WEB: "ProgressDeadlineExceeded"} if cluster.restarts[WEB] == 1 else {}
        cluster.lag_seconds = 3000 if cluster.restarts[WEB] else 0

    world.cluster.observers.append(break_it)
    assert world.run() == FAILED
    assert "it could not be taken back either" in capsys.readouterr().out
    world.cluster.observers.clear()
    world.cluster.lag_seconds, world.cluster.broken = 0, {}
    assert world.run(at=DUE + ONE_DAY) == RESTORED
    assert held(world)["signing-key"] == "old-signing-key"
    assert world.cluster.one_shots() == []


def test_no_reader_is_led_to_an_account_whose_password_before_the_engine_still_answers(capsys):
    keys = {"database-url": database("database-url", readers=[WEB])}
    world = World(keys, {WEB: ["shared"]}, sync_seconds=60).age()
    world.cluster.late_accounts.add("b")
    assert world.run() == FAILED
    assert "does not hold what was pushed" in capsys.readouterr().out
    assert world.cluster.restarts == {WEB: 0}
    world.cluster.late_accounts.clear()
    assert world.run(at=DUE + ONE_DAY) == 0
    assert world.cluster.restarts == {WEB: 1}
    assert world.cluster.one_shots() == []
    assert len(world.cluster.generated) == 1


def test_a_database_s_rotation_whose_password_before_is_not_known_is_taken_back():
    keys = {"database-url": database("database-url", readers=[WEB])}
    world = World(keys, {WEB: ["shared"]}, sync_seconds=60).age()
    world.cluster.late_accounts.add("b")
    assert world.run() == FAILED
    del world.cluster.objects["ExternalSecret", "rotation-before-database-url"]
    assert world.run(at=DUE + ONE_DAY) == RESTORED
    assert held(world)["database-url"] == "a"
    world.cluster.late_accounts.clear()
    assert world.run(at=DUE + 2 * ONE_DAY) == 0
    assert held(world)["database-url"] == "b"
    assert world.cluster.one_shots() == []
