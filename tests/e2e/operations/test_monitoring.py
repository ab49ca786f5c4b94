"""When the rendered rules alert, by Prometheus' own evaluation.

Over metrics of running programs: of the API server here, of the operator in test_faults.py, of
kube-state-metrics in ../rotation/test_rotation_jobs.py.
"""

from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from platform_secrets.manifests.monitoring.dashboard import panels
from platform_secrets.manifests.monitoring.objects import prometheus_files
from platform_secrets.settings import Settings
from tests.e2e.cluster import Cluster
from tests.e2e.environments import settings_of
from tests.e2e.kubernetes_api import KubernetesApiError
from tests.e2e.process import wait_until
from tests.e2e.prometheus import (
    Alerting,
    Querying,
    assert_true,
    metrics_of,
    promtool,
    rules_file,
    series_in,
)
from tests.platform import STACK_FILES

DAY = 86400
"""In seconds. An evaluation begins at the moment 0, so what was before it is negative."""
SHOP = "shop-monitored"
OPERATOR = "external-secrets-system"
ABOUT = f'namespace="{SHOP}",name="shop-secrets"'
CREATED = {
    f'kube_cronjob_created{{namespace="{SHOP}",cronjob="secrets-{one}"}}': "0"
    for one in ("rotation", "age-check")
}
SCHEDULED = (
    f'kube_cronjob_status_last_schedule_time{{namespace="{SHOP}",cronjob="secrets-rotation"}}'
)
REFRESHED = {f"externalsecret_sync_calls_total{{{ABOUT}}}": "0+0.1x3000"}
WELL = {
    **CREATED,
    **REFRESHED,
    f'externalsecret_status_condition{{{ABOUT},condition="Ready",status="False"}}': "0",
    f'secretstore_status_condition{{{ABOUT},condition="Ready",status="False"}}': "0",
    'externalsecret_provider_api_calls_count{provider="V",call="Get",status="success"}': "0+9x3000",
    'externalsecret_provider_api_calls_count{provider="V",call="Get",status="error"}': "0+1x3000",
}


def job(cron_job: str, name: str, start: int, **ended: str) -> dict[str, str]:
    """What kube-state-metrics says of a Job that ended as its keywords say."""
    labels = f'namespace="{SHOP}",job_name="{name}"'
    owner = f'owner_kind="CronJob",owner_name="{cron_job}"'
    found = {
        f"kube_job_owner{{{labels},{owner}}}": "1",
        f"kube_job_status_start_time{{{labels}}}": str(start),
    }
    if "complete" in ended:
        found[f'kube_job_complete{{{labels},condition="true"}}'] = "1"
    if "failed" in ended:
        found[f'kube_job_failed{{{labels},condition="true"}}'] = "1"
        found[f'kube_job_status_failed{{{labels},reason="{ended["failed"]}"}}'] = "1"
    return found


def rotation(start: int, **ended: str) -> dict[str, str]:
    return job("secrets-rotation", f"secrets-rotation-{start}", start, **ended)


def age_check(start: int, **ended: str) -> dict[str, str]:
    return job("secrets-age-check", f"secrets-age-check-{start}", start, **ended)


STALLED = {f"externalsecret_sync_calls_total{{{ABOUT}}}": "0+0.1x60 6+0x3000"}
PROVIDER = "externalsecret_provider_api_calls_count"
WEBHOOK = "validate.externalsecret.external-secrets.io"
CASES = [
    Alerting("all is well", WELL, set(), 200),
    Alerting(
        "a store that can't be used",
        {**WELL, f'secretstore_status_condition{{{ABOUT},condition="Ready",status="False"}}': "1"},
        {("SecretStoreNotReady", SHOP, "shop-secrets")},
        11,
    ),
    Alerting(
        "… for a moment",
        {**WELL, f'secretstore_status_condition{{{ABOUT},condition="Ready",status="False"}}': "1"},
        set(),
        9,
    ),
    Alerting(
        "a Secret that is not synced",
        {
            **WELL,
            f'externalsecret_status_condition{{{ABOUT},condition="Ready",status="False"}}': "1",
        },
        {("ExternalSecretNotReady", SHOP, "shop-secrets")},
        16,
    ),
    Alerting(
        "an operator that hangs",
        {**WELL, **STALLED},
        {("ExternalSecretStale", SHOP, "shop-secrets")},
        300,
    ),
    Alerting("… within two refreshes", {**WELL, **STALLED}, set(), 180),
    Alerting(
        "an operator that started anew, and counts from nothing",
        {
            **WELL,
            f"externalsecret_sync_calls_total{{{ABOUT}}}": "40+1x0 1+0x58 2+0x58 3+0x58 4x3000",
        },
        set(),
        240,
    ),
    Alerting(
        "an operator that stopped",
        {**WELL, f"externalsecret_sync_calls_total{{{ABOUT}}}": "1x10 stale"},
        {("ExternalSecretsOperatorAbsent", SHOP, "")},
        30,
    ),
    Alerting(
        "a rotation that gave up",
        WELL | rotation(60, complete="") | rotation(120, failed="BackoffLimitExceeded"),
        {("SecretsRotationFailed", SHOP, "")},
        5,
    ),
    Alerting(
        "a rotation whose pod was refused",
        WELL | rotation(120, failed="DeadlineExceeded"),
        {("SecretsRotationFailed", SHOP, "")},
        5,
    ),
    Alerting(
        "… and one that went well since",
        WELL | rotation(120, failed="DeadlineExceeded") | rotation(180, complete=""),
        set(),
        5,
    ),
    Alerting(
        "a rotation that was taken back",
        WELL | rotation(60, complete="") | rotation(120, failed=""),
        {("SecretsRotationRestored", SHOP, "")},
        5,
    ),
    Alerting(
        "a rotation whose pod failed and is tried again",
        WELL
        | {f'kube_job_status_failed{{namespace="{SHOP}",job_name="r",reason=""}}': "1"}
        | job("secrets-rotation", "r", 60),
        set(),
        5,
    ),
    Alerting(
        "a key beyond its limit",
        WELL | age_check(60, complete="") | age_check(120, failed=""),
        {("SecretTooOld", SHOP, "")},
        5,
    ),
    Alerting(
        "no rotation for a day and more",
        WELL | {SCHEDULED: f"-{2 * DAY}"},
        {("SecretsRotationMissing", SHOP, "")},
        20,
    ),
    Alerting(
        "no CronJob that rotates, or nobody who tells",
        REFRESHED,
        {("SecretsRotationMissing", SHOP, "")},
        20,
    ),
    Alerting(
        "no age check that came to a verdict",
        WELL
        | dict.fromkeys(CREATED, f"-{3 * DAY}")
        | {SCHEDULED: "0"}
        | age_check(60, failed="DeadlineExceeded"),
        {("SecretsAgeCheckMissing", SHOP, "")},
        20,
    ),
    Alerting(
        "a provider that throttles",
        {**WELL, f'{PROVIDER}{{provider="V",call="Get",status="error"}}': "0+9x3000"},
        {("ProviderCallsFail", "", "")},
        40,
    ),
    Alerting(
        "a webhook that the API server can't reach",
        WELL
        | {
            "apiserver_admission_webhook_rejection_count"
            f'{{name="{WEBHOOK}",error_type="calling_webhook_error"}}': "0+1x3000"
        },
        {("ExternalSecretsWebhookUnreachable", "", WEBHOOK)},
        10,
    ),
    Alerting(
        "a certificate that is not renewed",
        WELL
        | {
            "controller_runtime_reconcile_errors_total"
            f'{{namespace="{OPERATOR}",container="cert-controller"}}': "0+1x3000"
        },
        {("ExternalSecretsCertificateNotRenewed", "", "")},
        70,
    ),
]


@pytest.fixture(scope="module")
def monitored() -> Settings:
    changes = {
        "environment": "monitored",
        "namespace-name": SHOP,
        "operator": "install",
        "monitoring": {"prometheus": "files"},
    }
    return settings_of(STACK_FILES["production"], changes)


def test_a_rule_alerts_when_it_should(monitored: Settings, tmp_path: Path) -> None:
    assert_true(tmp_path, [rules_file(tmp_path, monitored)], CASES)


def test_every_alert_has_a_case(monitored: Settings) -> None:
    groups = prometheus_files(monitored)["rules.yaml"]["groups"]
    names = {rule["alert"] for group in groups for rule in group["rules"]}
    assert names == {alert for case in CASES for alert, _, _ in case.expected}


def test_the_dashboard_shows_what_is_wrong_and_what_happens(
    monitored: Settings, tmp_path: Path
) -> None:
    """Of an environment with a store that can't be used, and a rotation that went well."""
    not_ready = f'secretstore_status_condition{{{ABOUT},condition="Ready",status="False"}}'
    refreshed = {f"externalsecret_sync_calls_total{{{ABOUT}}}": "0+60x3000"}
    series = (
        WELL | refreshed | {not_ready: "1"} | rotation(60, complete="") | age_check(120, failed="")
    )
    shown: dict[str, dict[str, float]] = {
        "Stores not ready": {"{}": 1},
        "ExternalSecrets not ready": {"{}": 0},
        "Since the last rotation that went well": {f'{{namespace="{SHOP}"}}': 1740},
        "Since the last age check that went well": {},
        "Refreshes": {'{name="shop-secrets"}': 1},
        "Calls of providers": {
            '{provider="V",call="Get",status="success"}': 9 / 60,
            '{provider="V",call="Get",status="error"}': 1 / 60,
        },
    }
    alerts = {"SecretStoreNotReady": "shop-secrets", "SecretTooOld": ""}
    named = [
        f'alertname="{alert}"' + (f',name="{name}"' if name else "")
        for alert, name in alerts.items()
    ]
    of_type: dict[tuple[str, str], dict[str, float]] = {
        ("Alerts", "stat"): {"{}": len(alerts)},
        ("Alerts", "state-timeline"): {f"{{{one}}}": 1 for one in named},
    }
    cases = [
        Querying(
            panel.title,
            series,
            panel.query.replace("$__rate_interval", "5m"),
            shown.get(panel.title, of_type.get((panel.title, panel.type), {})),
        )
        for panel in panels(monitored)
    ]
    assert len(cases) == len(shown) + len(of_type)
    assert_true(tmp_path, [rules_file(tmp_path, monitored)], cases)


def test_prometheus_takes_the_files(monitored: Settings, tmp_path: Path) -> None:
    for name, content in prometheus_files(monitored).items():
        (tmp_path / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    config = tmp_path / "prometheus.yaml"
    content = {"rule_files": ["rules.yaml"], "scrape_config_files": ["scrape.yaml"]}
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = promtool("check", "config", "--lint-fatal", config)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_api_server_counts_a_webhook_that_it_can_t_reach(
    operator_crds: Cluster, monitored: Settings, tmp_path: Path
) -> None:
    cluster, metadata = operator_crds, {"name": "monitored-webhook"}
    rules = rules_file(tmp_path, monitored)
    selector = {"matchLabels": {"kubernetes.io/metadata.name": SHOP}}
    webhook = {
        "name": WEBHOOK,
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "rules": [
            {
                "apiGroups": ["external-secrets.io"],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["externalsecrets"],
            }
        ],
        "namespaceSelector": selector,
        **{"sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail"},
    }
    cluster.create_namespace(SHOP)
    kind = "ValidatingWebhookConfiguration"
    api = "admissionregistration.k8s.io/v1"
    cluster.api.apply(
        {"apiVersion": api, "kind": kind, "metadata": metadata, "webhooks": [webhook]}
    )

    probe = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "probe", "namespace": SHOP},
        "spec": {"secretStoreRef": {"name": "none"}},
    }

    def counted() -> dict[str, str]:
        with suppress(KubernetesApiError):
            cluster.api.create(probe)
        return series_in(cluster.kubectl("get", "--raw", "/metrics"), metrics_of(rules))

    try:
        found = wait_until(counted, "the API server counts a refused call")
    finally:
        cluster.api.delete(api, kind, metadata["name"])
        cluster.api.delete("v1", "Namespace", SHOP)
    growing = dict.fromkeys(found, "0+1x60")
    expected = {("ExternalSecretsWebhookUnreachable", "", WEBHOOK)}
    case = Alerting("refused", growing, expected, among=".*Webhook.*")
    assert_true(tmp_path, [rules], [case])
