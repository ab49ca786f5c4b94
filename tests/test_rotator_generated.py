"""The rotation of generated keys, by the real program, against operator and controllers that move
on with each look at them."""

import json

import pytest

from platform_secrets.rotator import proof, shapes
from platform_secrets.rotator.__main__ import FAILED
from platform_secrets.rotator.keys import Generated
from platform_secrets.rotator.plan import Plan, parse
from tests.rotator_api import MEMORY
from tests.rotator_world import DUE, ONE_DAY, World, generated

WEB, CHAT = "Deployment/web", "Deployment/chat"


def one_key(*, overlap=False):
    keys = {"signing-key": generated("signing-key", readers=[WEB], overlap=overlap)}
    return World(keys, {WEB: ["shared"], CHAT: ["shared"]}).age()


def test_a_first_run_rotates_nothing_and_remembers_when_it_saw_the_keys():
    world = one_key()
    assert world.cluster.written == []
    assert world.cluster.memory("signing-key")["first_seen"] == "2026-03-02T03:17:00Z"


def test_a_due_key_gets_one_new_value_and_its_readers_restart_once():
    world = one_key()
    assert world.run() == 0
    (value,) = world.cluster.generated
    assert world.cluster.written == [("shop/shared/signing-key", value)]
    assert {pod["signing-key"] for pod in world.cluster.pods[WEB]} == {value}
    assert world.cluster.restarts == {WEB: 1, CHAT: 0}
    assert world.cluster.one_shots() == []
    assert world.cluster.memory("signing-key")["rotated"].startswith(f"{DUE:%Y-%m-%dT%H:%M}")


def test_a_key_with_overlap_is_published_first_and_its_readers_restart_twice():
    world = one_key(overlap=True)
    assert world.run() == 0
    (value,) = world.cluster.generated
    place = "shop/shared/signing-key"
    assert world.cluster.written == [
        (f"{place}-previous", value),  # the first time: else it could not be seen
        (f"{place}-previous", "old-signing-key"),
        (f"{place}-next", value),
        (place, value),
    ]
    assert world.cluster.restarts == {WEB: 2, CHAT: 0}
    assert world.cluster.one_shots() == []


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Rollout"])
def test_readers_of_every_kind_restart(kind):
    reader = f"{kind}/web"
    key = generated("signing-key", readers=[reader], overlap=True)
    world = World({"signing-key": key}, {reader: ["shared"]}).age()
    assert world.run() == 0
    assert world.cluster.restarts == {reader: 2}


def test_layout_per_key_has_its_derived_keys_even_before_anybody_made_them():
    entries = {
        "entry": {"key": "shop/signing-key", "property": None},
        "next": {"key": "shop/signing-key-next", "property": None},
        "previous": {"key": "shop/signing-key-previous", "property": None},
        "overlap_external_secret": "shared-overlap",
    }
    key = generated("signing-key", readers=[WEB], overlap=True, **entries)
    world = World({"signing-key": key}, {WEB: ["shared", "shared-overlap"]}).age()
    held = []
    world.cluster.observers.append(lambda cluster: held.append(dict(cluster.secrets["shared"])))
    assert world.run() == 0
    (value,) = world.cluster.generated
    for pod in world.cluster.pods[WEB]:
        assert pod["signing-key"] == pod["signing-key-next"] == value
        assert pod["signing-key-previous"] == "old-signing-key"
    assert {one["signing-key"] for one in held} == {"old-signing-key", value}


def test_a_key_that_fails_stays_in_flight_and_the_others_go_on(capsys):
    names = ("api-token", "signing-key")
    keys = {name: generated(name, readers=[WEB], bundle=name) for name in names}
    world = World(keys, {WEB: list(names)}).age()
    world.cluster.refused_entries["shop/api-token/api-token"] = (
        "set secret failed: secret not managed by external-secrets"
    )
    assert world.run() == FAILED
    verdict = json.loads(capsys.readouterr().out.splitlines()[-1])["message"]
    assert "failed: api-token: promote: PushSecret/rotation-promote-api-token" in verdict
    assert "give the entry, once, the custom metadata" in verdict
    assert verdict.endswith("rotated: signing-key")
    assert {one["reason"] for one in world.cluster.events} == {"RotationFailed", "Rotated"}

    world.cluster.refused_entries.clear()
    assert world.run(at=DUE + ONE_DAY) == 0
    assert world.clock.seconds < 60  # the operator, in its back-off, was not waited for
    assert len(world.cluster.generated) == 2
    assert world.cluster.restarts == {WEB: 2}
    assert world.cluster.one_shots() == []


def test_an_event_names_its_key_also_where_the_reason_is_longer_than_an_event():
    world = World({"api-token": generated("api-token", readers=[WEB])}, {WEB: ["shared"]}).age()
    long_words = f"not managed by external-secrets{' and more' * 200}"
    world.cluster.refused_entries["shop/shared/api-token"] = long_words
    assert world.run() == FAILED
    [event] = world.cluster.events
    assert event["message"].startswith("api-token (")
    assert len(event["message"]) == 1024


def test_an_operator_that_is_down_changes_nothing_and_the_next_run_goes_on(capsys):
    world = one_key(overlap=True)
    world.cluster.operator_is_up = False
    assert world.run() == FAILED
    assert "the operator has not looked at it yet: is it running?" in capsys.readouterr().out
    assert world.cluster.written == []
    world.cluster.operator_is_up = True
    assert world.run(at=DUE + ONE_DAY) == 0
    assert len(world.cluster.generated) == 1
    assert world.cluster.restarts == {WEB: 2, CHAT: 0}


def test_one_entry_that_is_broken_does_not_keep_the_other_keys_of_its_store():
    names = ("aaa", "bbb", "ccc")
    world = World({name: generated(name, readers=[]) for name in names}, {}).age()
    world.cluster.refused_entries = {"shop/shared/aaa": "no such secret"}
    assert world.run() == FAILED
    assert [entry for entry, _ in world.cluster.written] == ["shop/shared/bbb", "shop/shared/ccc"]


def generated_key(plan: Plan) -> Generated:
    key = plan.keys["signing-key"]
    assert isinstance(key, Generated)
    return key


def test_a_push_of_an_earlier_rotation_is_made_anew():
    world = one_key()
    plan = parse(json.dumps(world.plan))
    stale = shapes.push(plan, generated_key(plan), "2025-01-01", "promote")
    obj = world.cluster._add("PushSecret", "rotation-promote-signing-key", stale)
    ready = {"type": "Ready", "status": "True", "reason": "Synced"}
    version = proof.synced_resource_version(obj)
    obj["status"] = {"syncedResourceVersion": version, "conditions": [ready]}
    assert world.run() == 0
    assert world.cluster.written == [("shop/shared/signing-key", world.cluster.generated[0])]


def test_what_is_left_of_an_earlier_rotation_does_not_take_the_new_value_with_it():
    world = one_key()
    plan = parse(json.dumps(world.plan))
    left = shapes.staged(plan, generated_key(plan), "2025-01-01")
    world.cluster._add("ExternalSecret", "rotation-staged-signing-key", left)
    assert world.run() == 0
    assert world.cluster.value("shared", "signing-key") == world.cluster.generated[-1]
    assert world.clock.seconds < 60


def test_a_second_rotation_of_the_day_restarts_the_readers_though_the_memory_is_lost():
    world = one_key()
    assert world.run("--key", "signing-key") == 0
    world.cluster.objects["ConfigMap", MEMORY]["data"] = {}
    assert world.run("--key", "signing-key") == 0
    assert world.cluster.restarts[WEB] == 2
    assert len(world.cluster.generated) == 2


def test_no_output_holds_a_value(capsys):
    world = one_key(overlap=True)
    world.run()
    said = capsys.readouterr().out + json.dumps(world.cluster.events)
    assert not [value for value in [*world.cluster.generated, "old-signing-key"] if value in said]
