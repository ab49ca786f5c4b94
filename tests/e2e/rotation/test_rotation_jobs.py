"""What the controllers of Jobs and CronJobs make of the rotator's, in a namespace with quotas: each
has a pod, what another try may mend is tried again, and finished Jobs do not stay."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from platform_secrets.manifests.rotation.cron_jobs import rotation_manifests
from platform_secrets.secretsctl.operations import rotation_job
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import Settings
from platform_secrets.settings.rotator import AGE_CHECK, ROTATION
from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import Run, free_ports, wait_until
from tests.e2e.prometheus import Alerting, assert_true, metrics_of, rules_file, series_in
from tests.e2e.rotating import rotating_settings
from tests.rotator_pods import ENV, SPEC, WANTED
from tools.build import build

BATCH = "batch/v1"
ROTATED, FAILED, WRONG_INPUT, RESTORED, OVERDUE = 0, 1, 2, 4, 5
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


# What a platform team gives a namespace: no pod without limits, none too small, none that may take
# far more than it asks for.
QUOTA = {
    "requests.cpu": "10",
    "requests.memory": "10Gi",
    "limits.cpu": "10",
    "limits.memory": "10Gi",
}
LIMIT_RANGE = {
    "type": "Container",
    "min": {"cpu": "50m", "memory": "64Mi"},
    "maxLimitRequestRatio": {"cpu": "2", "memory": "2"},
}
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@dataclass(frozen=True)
class Jobs:
    cluster: Cluster
    settings: Settings

    @property
    def namespace(self) -> str:
        return self.settings.namespace

    def job(self, name: str) -> Manifest:
        return self.cluster.api.get(BATCH, "Job", name, self.namespace) or {}

    def pods(self, name: str) -> list[Manifest]:
        pods = self.cluster.api.list("v1", "Pod", self.namespace)
        label = "batch.kubernetes.io/job-name"
        return [pod for pod in pods if pod["metadata"]["labels"].get(label) == name]

    def quota_in_force(self) -> Manifest:
        quota = self.cluster.api.get("v1", "ResourceQuota", "platform", self.namespace) or {}
        return quota.get("status", {}).get("hard", {})

    @property
    def names(self) -> set[str]:
        jobs = self.cluster.api.list(BATCH, "Job", self.namespace)
        return {job["metadata"]["name"] for job in jobs}

    def cron_job(self, name: str = ROTATION) -> Manifest:
        return self.cluster.api.get(BATCH, "CronJob", name, self.namespace) or {}

    def rotate(self, name: str, cron_job: Manifest | None = None) -> None:
        """What `secretsctl rotate` makes, under a name of the test's."""
        job = rotation_job(cron_job or self.cron_job(), "jwt-secret", "none")
        metadata = {**job["metadata"], "name": name, "namespace": self.namespace}
        self.cluster.api.create({**job, "metadata": metadata})

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
        phase = "Failed" if case.code else "Succeeded"
        status: dict[str, Any] = {"phase": phase, "containerStatuses": [ended]}
        status |= {"conditions": drained} if case.is_drained else {}
        where = ("v1", "Pod", pod["metadata"]["name"], self.namespace)
        self.cluster.api.patch(*where, {"status": status}, subresource="status")


@pytest.fixture(scope="module")
def jobs(cluster: Cluster) -> Iterator[Jobs]:
    """A Job of each case, side by side, each after its first pod has ended."""
    settings = rotating_settings("production", "jobs", monitoring={"prometheus": "files"})
    found = Jobs(cluster, settings)
    cluster.create_namespace(found.namespace, **RESTRICTED)
    for kind, spec in (
        ("ResourceQuota", {"hard": QUOTA}),
        ("LimitRange", {"limits": [LIMIT_RANGE]}),
    ):
        metadata = {"name": "platform", "namespace": found.namespace}
        cluster.api.apply({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec})
    wait_until(lambda: found.quota_in_force() == QUOTA, "the quota is in force")
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


def test_kube_state_metrics_tells_prometheus_what_became_of_them(
    run: Run, jobs: Jobs, tmp_path: Path
) -> None:
    rules = rules_file(tmp_path, jobs.settings)
    asked = {one for one in metrics_of(rules) if one.startswith("kube_")}
    port, telemetry = free_ports(2)
    program = [
        *(build("kube-state-metrics"), f"--kubeconfig={jobs.cluster.kubeconfig}"),
        *("--host=127.0.0.1", f"--port={port}"),
        *("--telemetry-host=127.0.0.1", f"--telemetry-port={telemetry}"),
        *(f"--namespaces={jobs.namespace}", "--resources=jobs,cronjobs"),
    ]
    among = "SecretsRotation(Failed|Restored)|SecretTooOld"

    def told() -> dict[str, str]:
        page = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        found = series_in(page, asked)
        for name in FINAL:
            assert f'job_name="{name}",condition="true"' in page
        return found

    with run.start("kube-state-metrics", program, is_ready=told):
        series = told()
    # No schedule has come yet, and no Job is complete.
    late = {"kube_cronjob_status_last_schedule_time", "kube_job_complete"}
    assert {one.partition("{")[0] for one in series} >= asked - late
    expected = [(name, jobs.namespace, "") for name in ("SecretsRotationRestored", "SecretTooOld")]
    assert_true(tmp_path, [rules], [Alerting("now", series, expected, among=among)])


@pytest.mark.parametrize("name", TRIED_AGAIN)
def test_what_another_try_may_mend_is_tried_again_and_a_drained_node_is_no_failure(
    jobs: Jobs, name: str
) -> None:
    wait_until(lambda: len(jobs.pods(name)) == 2, f"{name} has a second pod", timeout_seconds=60)
    failures = jobs.job(name)["status"].get("failed", 0)
    assert failures == (0 if TRIED_AGAIN[name].is_drained else 1)


def test_a_pod_has_all_that_its_cluster_wants(jobs: Jobs) -> None:
    settings = rotating_settings("production", "jobs", rotator={"pod": WANTED})
    [wanted] = [
        one
        for one in rotation_manifests(settings, rotator_source())
        if one["kind"] == "CronJob" and one["metadata"]["name"] == ROTATION
    ]
    name = WANTED["priority-class-name"]
    scheduling = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    jobs.cluster.api.apply({**scheduling, "metadata": {"name": name}, "value": 1000})
    live = jobs.cron_job()
    jobs.rotate("wanted", {**wanted, "metadata": live["metadata"]})
    [pod] = wait_until(lambda: jobs.pods("wanted"), "wanted has a pod", timeout_seconds=60)
    spec = pod["spec"]
    assert spec.pop("tolerations")[0] == SPEC["tolerations"][0]
    assert {field: spec.get(field) for field in SPEC if field != "tolerations"} == {
        field: value for field, value in SPEC.items() if field != "tolerations"
    }
    assert WANTED["labels"].items() <= pod["metadata"]["labels"].items()
    assert WANTED["annotations"].items() <= pod["metadata"]["annotations"].items()
    assert spec["securityContext"]["runAsUser"] == WANTED["run-as-user"]
    assert "runAsGroup" not in spec["securityContext"]
    assert spec["containers"][0]["env"][-len(ENV) :] == ENV


def test_a_run_of_the_schedule_does_not_wait_for_one_that_people_asked_for(jobs: Jobs) -> None:
    jobs.rotate("asked-for")
    wait_until(lambda: jobs.pods("asked-for"), "asked-for has a pod", timeout_seconds=60)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    where = (BATCH, "CronJob", ROTATION, jobs.namespace)
    status = {"status": {"lastScheduleTime": f"{an_hour_ago:%Y-%m-%dT%H:%M:%SZ}"}}
    jobs.cluster.api.patch(*where, {"spec": {"schedule": "* * * * *"}})
    jobs.cluster.api.patch(*where, status, subresource="status")
    wait_until(
        lambda: jobs.cron_job()["status"].get("active"), "it is scheduled", timeout_seconds=60
    )
    [active] = jobs.cron_job()["status"]["active"]
    jobs.cluster.api.patch(*where, {"spec": {"suspend": True}})
    assert active["name"] != "asked-for"
    assert "asked-for" in jobs.names


def test_of_the_finished_jobs_that_people_asked_for_the_last_three_stay(jobs: Jobs) -> None:
    asked_for = [f"asked-for-{number}" for number in range(1, 6)]
    for name in asked_for:
        jobs.rotate(name)
        jobs.end_pod(name, Case(ROTATION, ROTATED))
    wait_until(lambda: len(jobs.names & {*asked_for}) == 3, "two are gone", timeout_seconds=60)
    left = [jobs.job(name) for name in sorted(jobs.names & {*asked_for})]
    assert {job["spec"]["ttlSecondsAfterFinished"] for job in left} == {7 * 86400}
