"""The rotator is killed at every step, and its calls fail: there is one new value, and no reader
ever sees another."""

import json
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Timer
from typing import Any

import pytest

from tests.e2e.api_proxy import Call, Forward, Reply
from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.outages import PARTS, Outages
from tests.e2e.process import Run
from tests.e2e.rotating import FAILED, ROTATED, Rotating, rotating_settings
from tests.e2e.rotation_journey import ONE_KEY, OVERLAP, Journey, Watch, journeys
from tests.e2e.stores import Stores


@dataclass
class Deaths:
    """Kills the rotator before and after each step of its that it has not yet died at: one call
    that writes, told by what it says."""

    place: Rotating
    died: set[tuple[str, str]] = field(default_factory=set)
    whens: tuple[str, ...] = ("before", "after")

    def at_changes(self, call: Call, forward: Forward) -> Reply | None:
        """Lives on where something is only noted, or a push or check is marked or cleared away: a
        run finds there what it finds after the write before."""
        is_noted = call.path.endswith("/events") or "secrets-rotation-memory" in call.path
        return forward() if is_noted or "/pushsecrets/" in call.path else self(call, forward)

    def __call__(self, call: Call, forward: Forward) -> Reply | None:
        if not call.writes:
            return forward()
        for when in self.whens:
            death = (step(call), when)
            if death not in self.died:
                self.died.add(death)
                if when == "after":
                    forward()
                assert self.place.process
                self.place.process.kill()
                return None
        return forward()


def step(call: Call) -> str:
    """What a call does, the same in each run."""
    said: Any = json.loads(call.body or b"{}")
    what = f"{call.method} {call.path.partition('?')[0].rpartition('/namespaces/')[2]}"
    if call.path.endswith("/events"):
        return f"{what} {said['reason']}"
    if "secrets-rotation-memory" in call.path:
        run = json.loads(said["data"].get("run", "{}"))
        return f"{what} {sorted(said['data'])} {run.get('step')} {bool(run.get('verdict'))}"
    if call.method == "POST":
        return f"{what} {said['metadata']['name']}"
    if "/pushsecrets/" in call.path:
        return what  # with a mark of its own in each run
    return f"{what} {json.dumps(said, sort_keys=True)}"


@pytest.fixture(scope="module")
def journey(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Journey]:
    settings = {"vault": rotating_settings("production", "killed", catalogue=ONE_KEY)}
    with journeys(run, cluster, stores, operator, settings) as made:
        yield made["vault"]


def test_killed_after_every_call_there_is_one_new_value(journey: Journey) -> None:
    """What a run finds that follows one killed before a call, it finds after the call before."""
    journey.next_rotation()
    watch = Watch(journey.place, (OVERLAP,))
    deaths = Deaths(journey.place, whens=("after",))
    runs = journey.rotate_until_done(meddle=deaths)
    assert runs[-1].code == ROTATED, runs[-1].text
    watch.one_new_value_everywhere()
    steps = "\n".join(name for name, _ in deaths.died)
    for kind in ("before", "staged", "next", "previous", "promote", "published", "promoted"):
        assert f"POST {journey.place.namespace}" in steps
        assert f"rotation-{kind}-{OVERLAP}" in steps


def test_nothing_of_a_rotation_is_left_when_its_run_ends(journey: Journey) -> None:
    """What is left would be taken for the next rotation's: also while the controller that deletes
    an owner's objects is slow."""
    journey.next_rotation()
    controllers = journey.place.cluster.controller_manager

    def hold_up(call: Call, forward: Forward) -> Reply | None:
        if call.method == "DELETE" and f"rotation-before-{OVERLAP}" in call.path:
            os.kill(controllers.pid, signal.SIGSTOP)
            Timer(1, os.kill, (controllers.pid, signal.SIGCONT)).start()
        return forward()

    done = journey.rotate(meddle=hold_up)
    left = journey.place.one_shots
    assert done.code == ROTATED, done.text
    assert left == []


def test_a_server_that_is_busy_and_breaks_off_delays_a_rotation_alone(journey: Journey) -> None:
    journey.next_rotation()
    watch = Watch(journey.place, (OVERLAP,))
    seed = random.randrange(2**32)  # noqa: S311 - shown on a failure
    chance = random.Random(seed)  # noqa: S311

    def trouble(call: Call, forward: Forward) -> Reply | None:
        kind = chance.choice(["busy", "broken", "lost", "failing", *["well"] * 16])
        if kind == "busy":
            return Reply(429, headers={"Retry-After": "0"})
        if kind == "failing":
            return Reply(503)
        reply = forward() if kind in ("lost", "well") else None
        return reply if kind == "well" else None

    done = journey.rotate(meddle=trouble)
    assert done.code == ROTATED, (seed, done.text)
    watch.one_new_value_everywhere()


@pytest.mark.parametrize("part", PARTS)
def test_what_goes_away_before_in_and_after_promotion_delays_a_rotation_alone(
    journey: Journey, operator: OperatorRelease, stores: Stores, part: str
) -> None:
    journey.next_rotation()
    watch = Watch(journey.place, (OVERLAP,))
    outages = Outages(part, journey.place.cluster, operator, stores.bao)
    done = journey.rotate(meddle=outages)
    outages.end()
    assert (done.code, outages.left) == (ROTATED, []), done.text
    watch.one_new_value_everywhere()


@pytest.mark.parametrize("phase", ["before", "next", "promote"])
def test_a_store_that_stays_sealed_fails_the_run_and_the_next_one_goes_on(
    journey: Journey, stores: Stores, phase: str
) -> None:
    journey.next_rotation()
    watch = Watch(journey.place, (OVERLAP,))

    def seal(call: Call, forward: Forward) -> Reply | None:
        if f"rotation-{phase}-{OVERLAP}".encode() in call.body:
            stores.bao.seal()
        return forward()

    journey.place.plan_changes = {"sync_seconds": 2}
    try:
        failed = journey.rotate(meddle=seal)
    finally:
        stores.bao.unseal()
        journey.place.plan_changes = {}
    assert failed.code == FAILED, failed.text
    assert f"rotation-{phase}-{OVERLAP}" in failed.verdict
    assert journey.place.secret(OVERLAP) == watch.before[OVERLAP]
    done = journey.rotate(days_later=1)
    assert done.code == ROTATED, done.text
    watch.one_new_value_everywhere()
