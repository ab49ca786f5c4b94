"""Workloads that a rotation meets: one that is stuck before it starts, Rollouts, with Argo's own
controller, that get through or are aborted, and readers that nobody restarts here."""

import secrets
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.argo_rollouts import argo_rollouts
from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import FAILED, RESTORED, ROTATED, rotating_settings
from tests.e2e.rotation_journey import ALL, ALONE, Journey, Watch, journeys
from tests.e2e.stores import Stores

PROGRESS_SECONDS = 8
ROLLOUT, ITS_KEY = "Rollout/wren-stream-server", "stream-server-secret"
STUCK = "wren-chat-server"
OTHERS = {
    "nightly": {"workload": "CronJob/nightly", "reads": ["stream-server"]},
    "ingest-db": {"workload": "Cluster/ingest-db", "reads": ["stream-server"]},
}


@pytest.fixture(scope="module")
def journey(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Journey]:
    services = {"stream-server": {"workload": ROLLOUT}, **OTHERS}
    settings = rotating_settings("production", "workloads", catalogue={"services": services})
    with (
        argo_rollouts(run, cluster),
        journeys(
            *(run, cluster, stores, operator, {"vault": settings}),
            replicas=2,
            progress_seconds=PROGRESS_SECONDS,
        ) as made,
    ):
        yield made["vault"]


def test_a_rollout_restarts_as_every_workload_does(journey: Journey) -> None:
    journey.next_rotation()
    watch = Watch(journey.place, ALL)
    done = journey.rotate()
    assert done.code == ROTATED, done.text
    watch.one_new_value_everywhere()
    rest = "not restarted: CronJob/nightly (its next run reads the new value), "
    assert f"{rest}Cluster/ingest-db (whoever runs it restarts it)" in done.verdict
    happened = journey.place.kubelet.of(journey.place.namespace, since=watch.since)
    started = Counter(one.workload for one in happened if one.what == "started")
    assert started[ROLLOUT] == 2 * 2


def test_a_rollout_that_is_aborted_has_the_value_before_again(
    journey: Journey, cluster: Cluster
) -> None:
    journey.next_rotation()
    place = journey.place
    before = place.held()
    with place.kubelet.refusing(place.namespace, ROLLOUT, ITS_KEY):
        failed = journey.rotate(f"--key={ITS_KEY}")
        after, left = place.held(), place.one_shots
        assert place.is_complete(ROLLOUT)
    assert failed.code == RESTORED, failed.text
    assert f"{ROLLOUT} is stuck: Degraded: RolloutAborted" in failed.verdict
    assert after == before
    assert left == []
    watch = Watch(place, (ITS_KEY,))
    again = journey.rotate(f"--key={ITS_KEY}", days_later=1)
    assert again.code == ROTATED, again.text
    watch.one_new_value_everywhere()


def test_a_key_whose_reader_is_stuck_beforehand_is_not_started(
    journey: Journey, cluster: Cluster
) -> None:
    """Its readers can't be blamed, and nothing is staged; once it is mended the key rotates."""
    journey.next_rotation()
    place = journey.place
    before, since = place.held(), len(place.kubelet.happenings)
    note = {"template": {"metadata": {"annotations": {"example.com/note": secrets.token_hex(4)}}}}
    with place.kubelet.refusing(place.namespace, f"Deployment/{STUCK}"):
        cluster.api.patch("apps/v1", "Deployment", STUCK, place.namespace, {"spec": note})
        failed = journey.rotate(f"--key={ALONE}")
    assert failed.code == FAILED, failed.text
    assert f"{ALONE}: not started: Deployment/{STUCK} is stuck" in failed.verdict
    assert "ProgressDeadlineExceeded" in failed.verdict
    assert place.held() == before
    seen = {one.name for one in place.kubelet.of(place.namespace, since=since)}
    assert not [name for name in seen if name.startswith("rotation-")]
    place.wait_for_workloads()
    watch = Watch(place, (ALONE,))
    done = journey.rotate(f"--key={ALONE}", days_later=1)
    assert done.code == ROTATED, done.text
    watch.one_new_value_everywhere()
