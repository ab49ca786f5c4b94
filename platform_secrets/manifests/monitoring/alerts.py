"""When Prometheus alerts: the rules of an environment, and those of the operator that it installs.

Metrics are the operator's own, those of kube-state-metrics about Jobs and CronJobs, and one of the
API server. docs/monitoring.md has a heading for each alert.
"""

from datetime import timedelta
from typing import Literal

from platform_secrets.manifests.entries import refresh_period
from platform_secrets.manifests.monitoring.jobs import Jobs
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings
from platform_secrets.settings.layout import overlap_secret
from platform_secrets.settings.rotator import AGE_CHECK, ROTATION

Severity = Literal["critical", "warning"]

_NAME = "app.kubernetes.io/name"

# ExternalSecrets that the program itself creates for the length of one command or rotation.
_SHORT_LIVED = "(rotation|migration|new-value|value-before|older-version)-.*|.+[.]seeding-look"
# Two refreshes, each up to 5 % late, and what an operator may take over them.
_REFRESHES, _LATE = 2.1, timedelta(minutes=10)
# A CronJob may start a run so much later than its schedule says.
_LATEST_START = timedelta(hours=6)


def environment_alerts(settings: Settings) -> list[Manifest]:
    """Rules about the stores, ExternalSecrets and rotation of one environment."""
    found = [
        _alert(
            settings,
            "SecretStoreNotReady",
            _not_ready(settings, "secretstore"),
            lasting="10m",
            severity="critical",
            summary="{{ $labels.namespace }}: the operator can't use {{ $labels.name }}",
            first="kubectl describe secretstore -n {{ $labels.namespace }} {{ $labels.name }}",
        ),
        _alert(
            settings,
            "ExternalSecretNotReady",
            _not_ready(settings, "externalsecret"),
            lasting="15m",
            severity="warning",
            summary="{{ $labels.namespace }}: {{ $labels.name }} keeps old values",
            first="kubectl describe externalsecret -n {{ $labels.namespace }} {{ $labels.name }}",
        ),
    ]
    found += [_stale(settings, selector, period) for selector, period in _periods(settings)]
    for view in settings.by_namespace:
        if view.bundles:
            found.append(_operator_absent(settings, view.namespace))
    return found + (_rotation_alerts(settings) if settings.has_rotation else [])


def operator_alerts(settings: Settings) -> list[Manifest]:
    """Rules about an operator: its calls of providers, and its webhook, where it has one."""
    env = settings.environment
    calls = "externalsecret_provider_api_calls_count"
    fail = _alert(
        settings,
        "ProviderCallsFail",
        f'sum by (provider, call) (rate({calls}{{status="error"}}[15m]))'
        f" > 0.2 * sum by (provider, call) (rate({calls}[15m]))",
        lasting="15m",
        severity="warning",
        summary="{{ $labels.provider }} throttles or refuses {{ $labels.call }}",
        first=f"kubectl logs -n {env.operator_namespace} -l {_NAME}=external-secrets --since=15m",
    )
    return [*(_webhook_alerts(settings) if env.operator_scope == "cluster" else []), fail]


def _webhook_alerts(settings: Settings) -> list[Manifest]:
    namespace = settings.environment.operator_namespace
    return [
        _alert(
            settings,
            "ExternalSecretsWebhookUnreachable",
            "sum by (name) (increase(apiserver_admission_webhook_rejection_count"
            '{name=~".+[.]external-secrets[.]io",error_type="calling_webhook_error"}[10m])) > 0',
            lasting="5m",
            severity="warning",
            summary="The API server can't ask {{ $labels.name }}: changes are refused",
            first=f"kubectl get pods,endpointslices -n {namespace}",
        ),
        _alert(
            settings,
            "ExternalSecretsCertificateNotRenewed",
            "sum by (controller) (increase(controller_runtime_reconcile_errors_total"
            f'{{namespace="{namespace}",container="cert-controller"}}[30m])) > 0',
            lasting="1h",
            severity="warning",
            summary="The webhook's certificate or its place in the API server is not kept",
            first=f"kubectl logs -n {namespace} -l {_NAME}=external-secrets-cert-controller",
        ),
    ]


def of_environment(settings: Settings) -> str:
    """What chooses the metrics of its namespaces."""
    return f'namespace=~"{"|".join(view.namespace for view in settings.by_namespace)}"'


def _not_ready(settings: Settings, kind: str) -> str:
    selector = f'{of_environment(settings)},condition="Ready",status="False"'
    return f"max by (namespace, name) ({kind}_status_condition{{{selector}}}) == 1"


def _periods(settings: Settings) -> list[tuple[str, timedelta]]:
    """How often ExternalSecrets are refreshed, with what chooses those of each period."""
    usual = settings.environment.refresh_interval
    others: dict[timedelta, list[str]] = {}
    for name, bundle in settings.catalogue.bundles.items():
        period = refresh_period(settings, name)
        if period != usual:
            names = (bundle.secret, overlap_secret(bundle.secret))
            others.setdefault(period, []).extend(one.replace(".", "[.]") for one in names)
    left_out = [_SHORT_LIVED, *(one for names in others.values() for one in names)]
    found = [(f'name!~"{"|".join(left_out)}"', usual)]
    found += [(f'name=~"{"|".join(names)}"', period) for period, names in others.items() if period]
    return [(f"{of_environment(settings)},{names}", period) for names, period in found]


def _stale(settings: Settings, selector: str, period: timedelta) -> Manifest:
    window = f"{round((_REFRESHES * period + _LATE).total_seconds())}s"
    calls = f"externalsecret_sync_calls_total{{{selector}}}"
    return _alert(
        settings,
        "ExternalSecretStale",
        f"sum by (namespace, name) (increase({calls}[{window}])) == 0"
        f" and sum by (namespace, name) ({calls} offset {window})",
        lasting="5m",
        severity="warning",
        summary="{{ $labels.namespace }}: {{ $labels.name }} is no longer refreshed",
        first=f"kubectl get pods -n {settings.environment.operator_namespace}",
    )


def _operator_absent(settings: Settings, namespace: str) -> Manifest:
    return _alert(
        settings,
        "ExternalSecretsOperatorAbsent",
        f'absent(externalsecret_sync_calls_total{{namespace="{namespace}"}})',
        lasting="10m",
        severity="critical",
        summary=f"{namespace}: no operator refreshes its Secrets, or nobody scrapes it",
        first=f"kubectl get pods -n {settings.environment.operator_namespace}",
    )


def _rotation_alerts(settings: Settings) -> list[Manifest]:
    namespace, rotator = settings.namespace, settings.environment.rotator
    memory = f"kubectl get configmap -n {namespace} secrets-rotation-memory -o yaml"
    ages = f"kubectl logs -n {namespace} -l batch.kubernetes.io/job-name=JOB"
    jobs = f"kubectl get jobs,events -n {namespace}"
    rotations, checks = Jobs(namespace, ROTATION), Jobs(namespace, AGE_CHECK)
    return [
        _alert(
            settings,
            "SecretsRotationFailed",
            rotations.last_was(rotations.gave_up),
            lasting="0m",
            severity="warning",
            summary=f"{namespace}: the last rotation failed; readers have values that work",
            first=memory,
        ),
        _alert(
            settings,
            "SecretsRotationRestored",
            rotations.last_was(rotations.final),
            lasting="0m",
            severity="critical",
            summary=f"{namespace}: the last rotation was taken back: a reader did not come up",
            first=memory,
        ),
        _alert(
            settings,
            "SecretsRotationMissing",
            rotations.not_scheduled_for(rotator.longest_pause + _LATEST_START),
            lasting="15m",
            severity="warning",
            summary=f"{namespace}: no rotation is started, or kube-state-metrics is missing",
            first=f"kubectl get cronjob -n {namespace}",
        ),
        _alert(
            settings,
            "SecretTooOld",
            checks.last_was(checks.final),
            lasting="0m",
            severity="critical",
            summary=f"{namespace}: a key is beyond its limit, or its rotation can't work",
            first=ages,
        ),
        _alert(
            settings,
            "SecretsAgeCheckMissing",
            checks.without_verdict_for(2 * rotator.longest_pause_of_age_checks + _LATEST_START),
            lasting="15m",
            severity="warning",
            summary=f"{namespace}: nobody has looked at the age of keys",
            first=jobs,
        ),
    ]


def _alert(
    settings: Settings,
    name: str,
    expression: str,
    *,
    lasting: str,
    severity: Severity,
    summary: str,
    first: str,
) -> Manifest:
    """One rule; `first` is the command that whom it wakes runs first."""
    monitoring = settings.environment.monitoring
    page = monitoring.runbook_url if monitoring else None
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": severity, **_whose(settings)},
        "annotations": {
            "summary": summary,
            "description": f"First: {first}",
            **({"runbook_url": f"{page}#{name.lower()}"} if page else {}),
        },
    }


def _whose(settings: Settings) -> dict[str, str]:
    return {
        "platform": settings.catalogue.platform,
        "environment": settings.environment.environment,
    }
