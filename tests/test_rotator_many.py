"""Many keys due in one run: what goes side by side, what one after the other, and what it costs."""

from itertools import pairwise

import pytest

from platform_secrets.rotator.__main__ import FAILED
from tests.rotator_api import MEMORY, Killed, Mortal
from tests.rotator_world import DUE, ONE_DAY, START, World, generated

WEB = "Deployment/web"


def many_keys():
    """Eight bundles of five keys each."""
    keys = {
        f"key-{bundle}-{number}": generated(
            f"key-{bundle}-{number}", readers=[WEB], bundle=f"bundle-{bundle}"
        )
        for bundle in range(8)
        for number in range(5)
    }
    world = World(keys, {WEB: [f"bundle-{bundle}" for bundle in range(8)]}, bundles_at_once=3)
    return world.age()


def names_of(cluster, step, *, in_work):
    """The objects of a step that the operator has done, or those that it has still to do."""
    return [
        name
        for (_, name), obj in cluster.objects.items()
        if name.startswith(f"rotation-{step}-")
        and in_work != ("syncedResourceVersion" in obj.get("status", {}))
    ]


def test_many_keys_restart_a_workload_once_and_few_bundles_are_in_work_at_a_time():
    world, at_once = many_keys(), []

    def observe(cluster):
        unsynced = [name.rpartition("-")[0] for name in names_of(cluster, "promote", in_work=True)]
        assert len(unsynced) == len(set(unsynced)), "two pushes to one bundle's entry"
        at_once.append(len(unsynced))

    world.cluster.observers.append(observe)
    world.cluster.operator_looks = 20
    assert world.run() == 0
    assert world.cluster.restarts == {WEB: 1}
    assert len(world.cluster.written) == 40
    assert max(at_once) == 3
    assert world.cluster.one_shots() == []


def test_many_values_are_staged_side_by_side_but_not_more_than_the_operator_works_on():
    world, at_once = many_keys(), []
    world.cluster.observers.append(
        lambda cluster: at_once.append(len(names_of(cluster, "staged", in_work=True)))
    )
    world.cluster.operator_looks = 30
    assert world.run() == 0
    assert max(at_once) == 20


def test_all_deletions_have_begun_before_the_first_is_waited_for():
    world = many_keys()
    assert world.run() == 0
    deletions = [name for method, _, name in world.cluster.log if method == "DELETE"]
    begun = dict.fromkeys(deletions)
    assert deletions[: len(begun)] == [*begun]


def test_a_garbage_collector_that_is_away_is_waited_for_once_and_not_for_each_key():
    world = many_keys()
    world.cluster.collector_is_up = False
    assert world.run() == FAILED
    assert world.clock.seconds < 600 + 40 * 2
    world.cluster.collector_is_up = True
    assert world.run(at=DUE + ONE_DAY) == 0
    assert len(world.cluster.generated) == 40
    assert world.cluster.one_shots() == []


def test_many_keys_cost_few_calls_each():
    world = many_keys()
    assert world.run() == 0
    assert world.calls() / 40 < 21


def test_a_check_is_made_once_and_then_asked_for_again():
    world, refused = many_keys(), []

    class Counting:
        def send(self, method, path, body):
            status, headers, content = world.cluster.send(method, path, body)
            refused.append(method == "POST" and status == 409)
            return status, headers, content

    assert world.run(transport=Counting()) == 0
    assert not any(refused)


def test_a_check_that_somebody_deleted_is_made_again():
    world, deleted = many_keys(), []

    def delete_one(cluster):
        check = ("PushSecret", "rotation-promoted-key-0-0")
        pushed = cluster.objects.get(("PushSecret", "rotation-promote-key-0-4"))
        if pushed and check in cluster.objects and not deleted:
            deleted.append(cluster.objects.pop(check))

    world.cluster.observers.append(delete_one)
    assert world.run() == 0
    assert deleted
    assert len(world.cluster.written) == 40


def test_what_the_operator_has_had_time_for_is_looked_at_without_a_pause():
    world = many_keys()
    assert world.run() == 0
    assert world.clock.seconds < 5


def test_one_event_names_all_keys_of_an_external_secret():
    world = many_keys()
    assert world.run() == 0
    assert len(world.cluster.events) == 8
    for event in world.cluster.events:
        bundle = event["involvedObject"]["name"].removeprefix("bundle-")
        keys = [f"key-{bundle}-{number} ({DUE:%Y}" for number in range(5)]
        assert all(key in event["message"] for key in keys), event


def test_a_store_that_is_away_is_waited_for_once_and_not_for_each_of_its_keys():
    names = [f"key-{number}" for number in range(10)]
    world = World({name: generated(name, readers=[]) for name in names}, {}).age()
    entries = {f"shop/shared/{name}": "the store is sealed" for name in names}
    world.cluster.refused_entries = entries
    assert world.run() == FAILED
    assert world.clock.seconds < 600 + 10 * 35
    world.cluster.refused_entries = {}
    assert world.run(at=DUE + ONE_DAY) == 0
    assert len(world.cluster.generated) == 10


def looked_for(world):
    """The keys whose objects the last run asked for."""
    names = [name for method, _, name in world.cluster.log if method == "GET"]
    return {name.removeprefix("rotation-staged-") for name in names if "-staged-" in name}


def test_nothing_is_looked_for_once_a_run_came_to_its_end():
    world = many_keys()
    assert world.run(at=START + ONE_DAY) == 0
    assert looked_for(world) == set()


def test_what_is_in_flight_is_looked_for_after_a_run_that_was_killed_or_has_failed():
    killed = many_keys()
    with pytest.raises(Killed):
        killed.run(at=START + ONE_DAY, transport=Mortal(killed.cluster, 3))
    killed.cluster.log.clear()
    assert killed.run(at=START + ONE_DAY) == 0
    assert looked_for(killed) == {*killed.plan["keys"]}
    failed = many_keys()
    failed.cluster.refused_entries["shop/bundle-0/key-0-0"] = "it is sealed"
    assert failed.run() == FAILED
    failed.cluster.log.clear()
    failed.cluster.refused_entries.clear()
    assert failed.run(at=DUE + ONE_DAY) == 0
    assert looked_for(failed) == {*failed.plan["keys"]}
    assert len(failed.cluster.generated) == 40


def test_the_lock_is_held_while_what_is_in_flight_is_looked_for():
    world, renewed = many_keys(), []
    world.cluster.objects["ConfigMap", MEMORY]["data"].pop("run")

    class Slow:
        def send(self, method, path, body):
            world.clock.sleep(5 if "rotation-staged" in path else 0)
            if method == "PATCH" and path.endswith(MEMORY):
                renewed.append(world.clock.seconds)
            return world.cluster.send(method, path, body)

    assert world.run(at=START + ONE_DAY, transport=Slow()) == 0
    assert renewed[-1] >= 40 * 5
    assert max(later - one for one, later in pairwise(renewed)) < 30
