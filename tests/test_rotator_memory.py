"""The memory and its lock: one run at a time, and a loss of it that is safe."""

import json

import pytest

from platform_secrets.rotator.__main__ import FAILED
from platform_secrets.rotator.api import Api
from platform_secrets.rotator.memory import (
    LockLostError,
    Memory,
    Remembered,
    remembered,
    timestamp,
)
from tests.rotator_api import MEMORY, NAMESPACE, Cluster, FakeClock, Killed, Mortal
from tests.rotator_world import DUE, ONE_DAY, START, World, generated

WEB = "Deployment/web"


def world_with_one_key():
    return World({"signing-key": generated("signing-key", readers=[WEB])}, {WEB: ["shared"]}).age()


def memory_of(cluster, holder, clock=None):
    clock = clock or FakeClock(START)
    return Memory(Api(cluster, clock, NAMESPACE), clock, MEMORY, holder, lock_seconds=30)


def verdict_in(world):
    return json.loads(world.cluster.objects["ConfigMap", MEMORY]["data"]["run"])["verdict"]


def test_a_run_gives_the_lock_back_and_leaves_its_verdict():
    world = world_with_one_key()
    world.run()
    assert "lock" not in world.cluster.objects["ConfigMap", MEMORY]["data"]
    assert verdict_in(world) == "rotated: signing-key"


def test_a_lock_that_is_renewed_is_waited_for_and_then_named():
    cluster, clock = Cluster(), FakeClock(START)
    other = memory_of(cluster, "other", clock)
    other.lock(patience_seconds=0)

    class Alive(FakeClock):
        def sleep(self, seconds):
            super().sleep(seconds)
            clock.sleep(seconds)
            other.write({})

    with pytest.raises(LockLostError, match="other"):
        memory_of(cluster, "mine", Alive(START)).lock(patience_seconds=300)


def test_the_lock_of_a_run_that_died_is_taken_when_it_has_not_changed_for_a_while():
    cluster, clock = Cluster(), FakeClock(START)
    memory_of(cluster, "dead").lock(patience_seconds=0)
    memory_of(cluster, "mine", clock).lock(patience_seconds=300)
    assert 30 <= clock.seconds < 40


def test_a_run_whose_lock_was_taken_writes_nothing_more():
    cluster, clock = Cluster(), FakeClock(START)
    slow = memory_of(cluster, "slow", clock)
    slow.lock(patience_seconds=0)
    memory_of(cluster, "other").lock(patience_seconds=60)
    clock.sleep(40)
    with pytest.raises(LockLostError, match="other"):
        slow.hold()
    with pytest.raises(LockLostError, match="other"):
        slow.write({"signing-key": Remembered(START)})
    slow.end("ended")
    assert "other" in cluster.objects["ConfigMap", MEMORY]["data"]["lock"]


def test_a_run_that_lost_its_lock_stops_before_its_next_write():
    world = world_with_one_key()
    thief, pushes = memory_of(world.cluster, "thief"), []

    def steal(cluster):
        if any(name.startswith("rotation-staged") for name in cluster.one_shots()) and not pushes:
            pushes.append(list(cluster.written))
            thief.lock(patience_seconds=60)

    world.cluster.observers.append(steal)
    assert world.run() == FAILED
    assert world.cluster.written == []


def test_a_write_by_somebody_else_to_the_memory_is_kept():
    world = world_with_one_key()
    data = world.cluster.objects["ConfigMap", MEMORY]["data"]
    data["stripe-key"] = json.dumps({"first_seen": "2026-01-01T00:00:00Z"})
    world.run()
    assert world.cluster.memory("stripe-key") == {"first_seen": "2026-01-01T00:00:00Z"}


def test_a_memory_that_changes_during_the_run_stops_nothing():
    world = world_with_one_key()

    def relabel(cluster):
        version = str(1000 + len(cluster.log))
        cluster.objects["ConfigMap", MEMORY]["metadata"]["resourceVersion"] = version

    world.cluster.observers.append(relabel)
    assert world.run() == 0
    assert len({value for _, value in world.cluster.written}) == 1


def test_a_lost_memory_rotates_nothing_at_once():
    world = world_with_one_key()
    world.cluster.objects["ConfigMap", MEMORY]["data"] = {}
    assert world.run() == 0
    assert world.cluster.written == []
    assert world.cluster.memory("signing-key")["first_seen"].startswith(f"{DUE:%Y-%m-%d}")


def test_what_is_in_flight_is_finished_although_the_memory_is_lost():
    whole = world_with_one_key()
    whole.run()
    for call in range(10, len(whole.cluster.log)):
        world = world_with_one_key()
        with pytest.raises(Killed):
            world.run(transport=Mortal(world.cluster, call))
        was_begun = any("staged" in name for name in world.cluster.one_shots())
        world.cluster.objects["ConfigMap", MEMORY]["data"] = {}
        assert world.run(at=DUE + ONE_DAY) == 0
        assert world.cluster.one_shots() == []
        assert len(world.cluster.written) <= 1, call
        if was_begun:
            assert world.cluster.value("shared", "signing-key") in world.cluster.generated
            assert world.cluster.restarts[WEB] == 1


def test_an_entry_that_can_t_be_read_counts_as_lost():
    world = world_with_one_key()
    world.cluster.objects["ConfigMap", MEMORY]["data"]["signing-key"] = "{"
    assert world.run() == 0
    assert world.cluster.written == []


def test_without_the_memory_s_configmap_nothing_is_done(capsys):
    world = world_with_one_key()
    del world.cluster.objects["ConfigMap", MEMORY]
    assert world.run() == FAILED
    assert "apply the environment first" in capsys.readouterr().out
    assert world.cluster.written == []


def test_a_verdict_is_cut_to_what_admission_takes():
    cluster = Cluster()
    memory = memory_of(cluster, "mine")
    memory.lock(patience_seconds=0)
    memory.write({"signing-key": Remembered(START, failed="ä" * 50_000)})
    memory.end("ä" * 50_000)
    data = cluster.objects["ConfigMap", MEMORY]["data"]
    assert max(map(len, data.values())) <= 16384


def test_no_write_is_tried_again_once_another_run_has_taken_the_lock():
    world = world_with_one_key()

    class Busy:
        """The first creation is to be tried again in a minute; in it the lock is taken."""

        is_asked = False

        def send(self, method, path, body):
            if method == "POST" and not self.is_asked:
                self.is_asked = True
                memory_of(world.cluster, "thief").lock(patience_seconds=60)
                return 503, {"Retry-After": "60"}, b"{}"
            return world.cluster.send(method, path, body)

    assert world.run(transport=Busy()) == FAILED
    assert world.cluster.one_shots() == []


def test_what_is_remembered_is_short_and_read_as_it_was_written_before():
    known = Remembered(START, DUE, "2026-06-10")
    assert len(known.text()) < 60
    whole = {"first_seen": timestamp(START), "rotated": timestamp(DUE), "id": known.id}
    assert remembered(json.dumps({**whole, "failed": None})) == known
    assert remembered(known.text()) == Remembered(DUE, DUE, known.id)
    assert remembered(Remembered(START).text()) == Remembered(START)
