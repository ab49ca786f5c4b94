"""The Job controller tries again what another try may mend, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from manifests.rotation.cron_jobs import rotation_manifests
from secretsctl.projects import rotator_source
from settings.rotator import AGE_CHECK, ROTATION
from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import wait_until
from tests.e2e.rotating import rotating_settings

BATCH = "batch/v1"
FAILED, WRONG_INPUT, RESTORED, OVERDUE = 1, 2, 4, 5
TERMINATED = 143


@dataclass(frozen=True)
class Case:
    """How the first pod of a Job ends: its exit code, and whether its node was drained."""

    cron_job: str
    code: int
    is_drained: bool = False


FINAL = {
    "restored": Case(ROTATION, RESTORED),
    "wrong-input": Case(ROTATION, WRONG_INPUT),
    "overdue": Case(AGE_CHECK, OVERDUE),
}
TRIED_AGAIN = {
    "failed": Case(ROTATION, FAILED),
    "no-answer": Case(AGE_CHECK, FAILED),
    "drained": Case(ROTATION, TERMINATED, is_drained=True),
    "drained-check": Case(AGE_CHECK, TERMINATED, is_drained=True),
}


@dataclass(frozen=True)
class Jobs:
    cluster: Cluster
    namespace: str

    def job(self, name: str) -> Manifest:
        return self.cluster.api.get(BATCH, "Job", name, self.namespace) or {}

    def pods(self, name: str) -> list[Manifest]:
        pods = self.cluster.api.list("v1", "Pod", self.namespace)
        label = "batch.kubernetes.io/job-name"
        return [pod for pod in pods if pod["metadata"]["labels"].get(label) == name]

    def end_pod(self, name: str, case: Case) -> None:
        """What a kubelet says of a pod whose container has ended."""
        [pod] = wait_until(lambda: self.pods(name), f"{name} has a pod", timeout_seconds=60)
        [container] = pod["spec"]["containers"]
        ended = {
            "name": container["name"],
            **{"image": container["image"], "imageID": "", "ready": False, "restartCount": 0},
            "state": {"terminated": {"exitCode": case.code}},
        }
        drained = [
            {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        ]
        status: dict[str, Any] = {"phase": "Failed", "containerStatuses": [ended]}
        status |= {"conditions": drained} if case.is_drained else {}
        where = ("v1", "Pod", pod["metadata"]["name"], self.namespace)
        self.cluster.api.patch(*where, {"status": status}, subresource="status")


@pytest.fixture(scope="module")
def jobs(cluster: Cluster) -> Iterator[Jobs]:
    """A Job of each case, side by side, each after its first pod has ended."""
    settings = rotating_settings("Pulumi.production", "jobs")
    found = Jobs(cluster, settings.namespace)
    cluster.create_namespace(found.namespace)
    for manifest in rotation_manifests(settings, rotator_source()):
        if manifest["kind"] in ("ServiceAccount", "CronJob"):
            cluster.api.apply(manifest)
    cases = FINAL | TRIED_AGAIN
    for name, case in cases.items():
        where = ("-n", found.namespace, "create", "job", name)
        cluster.kubectl(*where, f"--from=cronjob/{case.cron_job}")
    for name, case in cases.items():
        found.end_pod(name, case)
    yield found
    cluster.api.delete("v1", "Namespace", found.namespace)


@pytest.mark.parametrize("name", FINAL)
def test_what_people_have_to_do_is_told_at_once_and_not_tried_again(jobs: Jobs, name: str) -> None:
    def failed() -> Any:
        conditions = jobs.job(name)["status"].get("conditions", [])
        return [one["reason"] for one in conditions if one["type"] == "Failed"]

    assert wait_until(failed, f"{name} has failed", timeout_seconds=60) == ["PodFailurePolicy"]
    assert len(jobs.pods(name)) == 1


@pytest.mark.parametrize("name", TRIED_AGAIN)
def test_what_another_try_may_mend_is_tried_again_and_a_drained_node_is_no_failure(
    jobs: Jobs, name: str
) -> None:
    wait_until(lambda: len(jobs.pods(name)) == 2, f"{name} has a second pod", timeout_seconds=60)
    failures = jobs.job(name)["status"].get("failed", 0)
    assert failures == (0 if TRIED_AGAIN[name].is_drained else 1)
