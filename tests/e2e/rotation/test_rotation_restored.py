"""A workload does not come up with the new value: the one before is in use again everywhere."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from platform_secrets.manifests import naming
from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import FAILED, RESTORED, ROTATED, Ended, refused_tokens, rotating_settings
from tests.e2e.rotation_journey import ALONE, OVERLAP, SECRETS, Journey, Watch, journeys
from tests.e2e.stores import Stores

# Long enough for a loaded machine, and what each of these tests waits for.
PROGRESS_SECONDS = 8
NEXT, _ = naming.derived_keys(OVERLAP)


@dataclass(frozen=True)
class Case:
    """Which key rotates, which workload does not come up, and with another value of what ("" for
    never at all)."""

    key: str
    workload: str
    refused: str


CASES = {
    "next": Case(OVERLAP, "Deployment/wren-chat-server", NEXT),
    "promoted": Case(OVERLAP, "Deployment/wren-stream-server", OVERLAP),
    "alone": Case(ALONE, "Deployment/wren-chat-server", ALONE),
    "never": Case(ALONE, "Deployment/wren-chat-server", ""),
}


@dataclass
class Story:
    """A run that failed, what the store held before it and after it, and the run after its cause
    had gone."""

    journey: Journey
    case: Case
    before: dict[str, str]
    failed: Ended
    after: dict[str, str]
    left: list[str]
    again: Ended
    watch: Watch


def story(journey: Journey, case: Case) -> Story:
    place = journey.place
    journey.next_rotation()
    before = place.held()
    with place.kubelet.refusing(place.namespace, case.workload, case.refused):
        failed = journey.rotate(f"--key={case.key}")
        after, left = place.held(), place.one_shots
    place.wait_for_workloads()
    watch = Watch(place, (case.key,))
    again = journey.rotate(f"--key={case.key}", days_later=1)
    return Story(journey, case, before, failed, after, left, again, watch)


@pytest.fixture(scope="module")
def stories(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Story]]:
    settings = {name: rotating_settings("production", f"back-{name}") for name in CASES}
    with (
        journeys(
            *(run, cluster, stores, operator, settings), progress_seconds=PROGRESS_SECONDS
        ) as made,
        ThreadPoolExecutor() as pool,
    ):
        told = pool.map(lambda name: story(made[name], CASES[name]), CASES)
        yield dict(zip(CASES, told, strict=True))


RESTORING = [name for name in CASES if CASES[name].refused]


@pytest.mark.parametrize("name", RESTORING)
def test_the_value_before_is_in_use_again_and_the_verdict_says_why(
    stories: dict[str, Story], name: str
) -> None:
    told = stories[name]
    assert told.failed.code == RESTORED, told.failed.text
    assert told.after[told.case.key] == told.before[told.case.key]
    assert told.case.key in told.failed.verdict
    assert told.case.workload in told.failed.verdict
    assert told.left == []


@pytest.mark.parametrize("name", RESTORING)
def test_once_its_cause_has_gone_the_rotation_succeeds(
    stories: dict[str, Story], name: str
) -> None:
    told = stories[name]
    assert told.again.code == ROTATED, told.again.text
    told.watch.one_new_value_everywhere()


@pytest.mark.parametrize("name", ["next", "promoted"])
def test_no_token_is_refused_while_a_value_is_taken_back(
    stories: dict[str, Story], name: str
) -> None:
    place = stories[name].journey.place
    assert refused_tokens(place.kubelet.of(place.namespace), OVERLAP, SECRETS) == []


def test_a_value_that_cannot_be_taken_back_is_kept_and_the_verdict_says_how_to_finish(
    stories: dict[str, Story],
) -> None:
    told = stories["never"]
    assert told.failed.code == FAILED, told.failed.text
    assert "Secret/rotation-before-chat-server-secret" in told.failed.text
    assert "Secret/rotation-before-chat-server-secret" in told.left


def test_a_later_run_finishes_what_could_not_be_taken_back(stories: dict[str, Story]) -> None:
    told = stories["never"]
    assert told.again.code in (ROTATED, RESTORED), told.again.text
    place = told.journey.place
    value = place.held()[ALONE]
    assert place.secret(ALONE) == value
    assert {pod.values[ALONE] for pod in place.readers(ALONE)} == {value}
    assert place.one_shots == []
