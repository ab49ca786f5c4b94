"""Rotations with accidents at random moments, in both layouts: a seed makes each one again."""

import os
import random
import secrets
import time
from collections.abc import Callable, Iterator
from threading import Timer
from typing import Any

import pytest

from tests.e2e.api_proxy import Call, Forward, Reply
from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import ROTATED, rotating_settings
from tests.e2e.rotation.test_rotation_killed import Deaths
from tests.e2e.rotation_journey import ALL, Journey, Watch, journeys
from tests.e2e.stores import Stores

pytestmark = pytest.mark.e2e_long
LAYOUTS = ("bundle", "per-key")
# The seed is in the name of each test; E2E_SEED makes the same accidents again.
FIRST_SEED = int(os.environ.get("E2E_SEED") or secrets.randbelow(10**6))
SEEDS = range(FIRST_SEED, FIRST_SEED + 8)
# What a rotation of three keys takes at least.
MOST_CALLS = 150


@pytest.fixture(scope="module")
def all_journeys(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Journey]]:
    settings = {
        layout: rotating_settings(
            "production", f"random-{layout}", stores={"vault": {"layout": layout}}
        )
        for layout in LAYOUTS
    }
    with journeys(run, cluster, stores, operator, settings) as made:
        yield made


@pytest.fixture(params=LAYOUTS)
def journey(request: pytest.FixtureRequest, all_journeys: dict[str, Journey]) -> Journey:
    return all_journeys[request.param]


def test_killed_before_and_after_every_call_all_keys_have_one_new_value(journey: Journey) -> None:
    journey.next_rotation()
    watch = Watch(journey.place, ALL)
    runs = journey.rotate_until_done(meddle=Deaths(journey.place))
    assert runs[-1].code == ROTATED, runs[-1].text
    watch.one_new_value_everywhere()


class Accident:
    """Something that happens once, at a random call of the rotator's."""

    def __init__(self, chance: random.Random, happen: Callable[[], object]) -> None:
        self._left, self._happen = chance.randrange(MOST_CALLS), happen
        self._is_after = chance.random() < 0.5

    def __call__(self, call: Call, forward: Forward) -> Reply | None:
        self._left -= 1
        if self._left:
            return forward()
        reply = forward() if self._is_after else None
        self._happen()
        return reply or forward()


@pytest.mark.parametrize("seed", SEEDS)
def test_after_random_accidents_all_keys_have_one_new_value(
    journey: Journey, operator: OperatorRelease, stores: Stores, seed: int
) -> None:
    chance = random.Random(f"{journey.place.namespace} {seed}")  # noqa: S311
    journey.next_rotation()
    place, watch = journey.place, Watch(journey.place, ALL)

    returns: list[Timer] = []

    def later(come: Callable[[], object]) -> None:
        returns.append(Timer(chance.uniform(0.1, 5), come))
        returns[-1].start()

    def kill_rotator() -> None:
        assert place.process
        place.process.kill()

    def kill_operator() -> None:
        assert operator.process
        if operator.process.is_running:
            operator.process.kill()
            later(operator.start)

    def seal_store() -> None:
        stores.bao.seal()
        later(stores.bao.unseal)

    def restart_api_server() -> None:
        place.cluster.restart_api_server(lambda: time.sleep(chance.uniform(0, 2)))

    accidents: list[Any] = [kill_rotator] * 5 + [kill_operator, seal_store, restart_api_server]
    done, left = journey.rotate(meddle=Accident(chance, chance.choice(accidents))), 20
    while done.code != ROTATED and (left := left - 1):
        done = journey.rotate(meddle=Accident(chance, chance.choice(accidents)))
    for one in returns:
        one.join()  # what the run no longer needed may still be away
    assert done.code == ROTATED, done.text
    watch.one_new_value_everywhere()
