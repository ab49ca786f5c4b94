"""Schedules and time zones on a real API server: it accepts and refuses what the settings do."""

from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import KubernetesApiError
from tests.test_cron import KUBERNETES_ACCEPTS, KUBERNETES_REFUSES, NEVER

INVALID = 422


def is_accepted(cluster: Cluster, schedule: str, time_zone: str = "Etc/UTC") -> bool:
    container = {"name": "nothing", "image": "nothing"}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {"spec": {"template": pod}}
    path = "/apis/batch/v1/namespaces/default/cronjobs?dryRun=All"
    cron_job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "schedule"},
        "spec": {"schedule": schedule, "timeZone": time_zone, "jobTemplate": job},
    }
    try:
        cluster.api.request("POST", path, cron_job)
    except KubernetesApiError as error:
        if error.status != INVALID:
            raise
        return False
    return True


def test_kubernetes_takes_the_schedules_that_the_settings_take(cluster: Cluster) -> None:
    texts = [*KUBERNETES_ACCEPTS, *NEVER, *KUBERNETES_REFUSES]
    accepted = [text for text in texts if is_accepted(cluster, text)]
    assert accepted == [*KUBERNETES_ACCEPTS, *NEVER]


def test_kubernetes_knows_the_time_zones_that_the_settings_take(cluster: Cluster) -> None:
    for zone in ("UTC", "Europe/Berlin", "America/Indiana/Knox"):
        assert is_accepted(cluster, "0 3 * * *", zone)
    assert not is_accepted(cluster, "0 3 * * *", "Europe/Berln")
