"""Stores that answer with old values for a while after a write: a run says that it has rotated only
once the services' Secret holds the new value."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import FAILED, RESTORED, ROTATED, Ended, rotating_settings
from tests.e2e.rotation_journey import ALL, ALONE, Journey, Watch, journeys
from tests.e2e.stores import Stores

# Shorter than it takes Google at times; each of a rotation's two or more writes waits for it.
LAG_SECONDS, DEADLINE_SECONDS = 2.5, 2
PER_KEY = {"entry-pattern": "{platform}-{environment}-{key}"}
PER_BUNDLE = {"entry-pattern": "{platform}-{environment}-{bundle}", "layout": "bundle"}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gcp": ("production-gcp", {"gcp": PER_KEY}),
    "gcp-bundle": ("production-gcp", {"gcp": PER_BUNDLE}),
    "aws": ("production-aws", {}),
    "aws-bundle": ("production-aws", {"aws": {"layout": "bundle"}}),
    "azure": ("production-azure", {}),
}
RESTORED_IN = ("gcp", "gcp-bundle")


@contextmanager
def late(stores: Stores, seconds: float) -> Iterator[None]:
    with (
        stores.gcp.lag.of(seconds),
        stores.azure.lag.of(seconds),
        stores.aws_gate.lag.of(seconds),
    ):
        yield


@pytest.fixture(scope="module")
def made(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Journey]]:
    settings = {
        name: rotating_settings(file, f"late-{name}", stores=changes)
        for name, (file, changes) in CASES.items()
    }
    with journeys(run, cluster, stores, operator, settings, progress_seconds=8) as found:
        yield found


def each(made: dict[str, Journey], *arguments: str) -> dict[str, Ended]:
    """A rotation in every environment, side by side."""
    for journey in made.values():
        journey.next_rotation()
    with ThreadPoolExecutor() as pool:
        return dict(
            zip(made, pool.map(lambda one: one.rotate(*arguments), made.values()), strict=True)
        )


def test_readers_restart_only_with_the_new_value_however_late_the_store_answers(
    made: dict[str, Journey], stores: Stores
) -> None:
    watches = {name: Watch(journey.place, ALL) for name, journey in made.items()}
    with late(stores, LAG_SECONDS):
        runs = each(made)
    for name, ended in runs.items():
        assert ended.code == ROTATED, (name, ended.text)
        watches[name].one_new_value_everywhere()


def test_a_run_fails_at_its_deadline_with_the_reason_and_the_next_one_finishes(
    made: dict[str, Journey], stores: Stores
) -> None:
    watches = {name: Watch(journey.place, (ALONE,)) for name, journey in made.items()}
    for journey in made.values():
        journey.place.plan_changes = {"sync_seconds": DEADLINE_SECONDS}
    try:
        with late(stores, 600):
            failed = each(made, f"--key={ALONE}")
    finally:
        for journey in made.values():
            journey.place.plan_changes = {}
    for name, ended in failed.items():
        place, watch = made[name].place, watches[name]
        assert ended.code == FAILED, (name, ended.text)
        assert "does not hold what was pushed" in ended.verdict
        assert place.held()[ALONE] != watch.before[ALONE]
        assert place.secret(ALONE) == watch.before[ALONE]
        assert {pod.values[ALONE] for pod in place.readers(ALONE)} == {watch.before[ALONE]}
    for name, ended in each(made, f"--key={ALONE}").items():
        assert ended.code == ROTATED, (name, ended.text)
        watches[name].one_new_value_everywhere()


def test_a_value_before_is_restored_only_once_the_secret_holds_it(
    made: dict[str, Journey], stores: Stores
) -> None:
    workload = "Deployment/wren-chat-server"
    for name in RESTORED_IN:
        journey = made[name]
        place = journey.place
        journey.next_rotation()
        before = place.held()[ALONE]
        with place.kubelet.refusing(place.namespace, workload, ALONE), late(stores, LAG_SECONDS):
            ended = journey.rotate(f"--key={ALONE}")
        assert ended.code == RESTORED, ended.text
        assert place.held()[ALONE] == place.secret(ALONE) == before
        place.wait_for_workloads()
        assert {pod.values[ALONE] for pod in place.readers(ALONE)} == {before}
