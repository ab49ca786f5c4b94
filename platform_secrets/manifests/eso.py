"""The External Secrets Operator: its namespace, and its chart's values in every delivery."""

from platform_secrets.manifests import naming
from platform_secrets.manifests.account_tokens import account_token_manifests
from platform_secrets.manifests.chart import ChartRelease, laid_over
from platform_secrets.manifests.entries import has_overlap_secret
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import providers
from platform_secrets.settings import Settings

_COMPONENT = "operator"

# From measurements of a first sync (docs/architecture.md, "Size of the operator"): up to so many
# ExternalSecrets, (concurrent reconciles, client QPS, client burst).
_SIZES = ((500, (20, 200, 400)), (None, (50, 1000, 2000)))

_LOG = {"level": "info", "timeEncoding": "rfc3339"}
_RESOURCES = {
    "controller": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
    "webhook": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    "certController": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
}


def operator_namespace(settings: Settings) -> Manifest:
    """The operator's namespace; nothing else runs there."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": settings.environment.operator_namespace,
            "labels": {
                **naming.labels(settings, _COMPONENT),
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            },
            "annotations": dict(naming.NEVER_PRUNED),
        },
    }


def operator_bounds(settings: Settings) -> list[Manifest]:
    """What the operator's pods are refused, whatever Secrets the chart lets them write."""
    namespace = settings.environment.operator_namespace
    return account_token_manifests(
        settings,
        f"{namespace}-account-tokens",
        _COMPONENT,
        [f"system:serviceaccounts:{namespace}"],
        namespace=None,
    )


def operator_release(settings: Settings) -> ChartRelease:
    """The operator's chart as it is installed."""
    chart = settings.environment.chart
    return ChartRelease(
        name=naming.OPERATOR_RELEASE,
        namespace=settings.environment.operator_namespace,
        chart=naming.OPERATOR_RELEASE,
        version=chart.version,
        repository=chart.repository,
        path=chart.path,
        values=chart_values(settings),
    )


def chart_values(settings: Settings) -> Manifest:
    """Values of chart external-secrets 2.9.0: highly available, no right that is not used."""
    is_of_the_cluster = settings.environment.operator_scope == "cluster"
    values = _controller_values(settings)
    values |= _webhook_values() if is_of_the_cluster else _namespace_values(settings)
    if any(store.is_cluster_wide for store in settings.environment.stores.values()):
        values["processClusterStore"] = values["crds"]["createClusterSecretStore"] = True
    if any(provider.caches_tokens for provider in providers(settings)):
        values["vault"] = {"enableTokenCache": True}
    return laid_over(values, settings.environment.chart.values)


def _webhook_values() -> Manifest:
    return {
        "webhook": {
            "replicaCount": 2,
            "failurePolicy": "Fail",
            "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
            **_small_pod("webhook"),
        },
        # One replica, and so no PodDisruptionBudget: it would block every drain.
        "certController": _small_pod("certController"),
    }


def _namespace_values(settings: Settings) -> Manifest:
    """Roles in the one namespace, for which alone it asks. No webhook: a cluster can have only one,
    and what keeps its certificate may read every Secret."""
    return {
        "scopedNamespace": settings.namespace,
        "scopedRBAC": True,
        "webhook": {"create": False},
        "certController": {"create": False},
    }


def _small_pod(name: str) -> Manifest:
    return {"revisionHistoryLimit": 3, "log": dict(_LOG), "resources": _RESOURCES[name]}


def _controller_values(settings: Settings) -> Manifest:
    concurrent, qps, burst = _size(settings)
    return {
        "replicaCount": 2,
        "leaderElect": True,
        "revisionHistoryLimit": 3,
        "concurrent": concurrent,
        # Strings: the chart writes a bare `--flag` for a YAML boolean, and for a number in its
        # scientific form what the operator can't read.
        "extraArgs": {"client-qps": str(qps), "client-burst": str(burst)},
        "log": dict(_LOG),
        "resources": _RESOURCES["controller"],
        "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
        "livenessProbe": {"enabled": True},
        "readinessProbe": {"enabled": True},
        "metrics": {"service": {"enabled": True}},
        "installCRDs": settings.environment.operator_crds == "install",
        "crds": {
            "annotations": {"helm.sh/resource-policy": "keep"},
            "createClusterExternalSecret": False,
            "createClusterGenerator": False,
            "createClusterPushSecret": False,
            "createClusterSecretStore": False,
        },
        "processClusterExternalSecret": False,
        "processClusterGenerator": False,
        "processClusterPushSecret": False,
        "processClusterStore": False,
        "rbac": {
            "aggregateToAdmin": False,
            "aggregateToEdit": False,
            "aggregateToView": False,
            "serviceAccountTokenCreate": False,
            "servicebindings": {"create": False},
        },
        "serviceAccount": {"name": settings.environment.operator_service_account},
    }


def _size(settings: Settings) -> tuple[int, int, int]:
    count = settings.environment.expected_external_secrets
    if settings.environment.stores:
        for bundle in settings.catalogue.bundles:
            count += 2 if has_overlap_secret(settings, bundle) else 1
    return next(size for most, size in _SIZES if most is None or count <= most)
