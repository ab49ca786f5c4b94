"""What Prometheus and Grafana are told, by objects or by files."""

import json

from platform_secrets.manifests import naming
from platform_secrets.manifests.monitoring.alerts import environment_alerts, operator_alerts
from platform_secrets.manifests.monitoring.dashboard import dashboard
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings

_API = "monitoring.coreos.com/v1"
_COMPONENT = "monitoring"
_NAME_LABEL = "app.kubernetes.io/name"
_PORT = "metrics"
# By which the sidecar of Grafana's own chart and of kube-prometheus-stack chooses.
_DASHBOARD = {"grafana_dashboard": "1"}


def monitoring_manifests(settings: Settings) -> list[Manifest]:
    """Grafana's dashboard, and what the Prometheus Operator reads."""
    monitoring = settings.environment.monitoring
    if monitoring is None:
        return []
    found = [_dashboard(settings)] if monitoring.grafana else []
    return found + (_of_operator(settings) if monitoring.prometheus == "operator" else [])


def _dashboard(settings: Settings) -> Manifest:
    metadata = naming.metadata(settings, "secrets-dashboard", _COMPONENT)
    metadata["labels"] |= _DASHBOARD
    # Grafana knows a dashboard by its file's name too.
    file = f"{settings.namespace}-secrets.json"
    data = {file: json.dumps(dashboard(settings), indent=1) + "\n"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _of_operator(settings: Settings) -> list[Manifest]:
    """Of the Prometheus Operator: alerts of the environment, and, where this stack installs the
    External Secrets Operator, whom to scrape and the alerts about it."""
    rules = [_object(settings, "PrometheusRule", "secrets", settings.namespace)]
    rules[0]["spec"] = {"groups": [_environment_group(settings)]}
    if settings.environment.operator != "install":
        return rules
    namespace = settings.environment.operator_namespace
    pods = _object(settings, "PodMonitor", naming.OPERATOR_RELEASE, namespace)
    selected = {"key": _NAME_LABEL, "operator": "In", "values": _pod_names(settings)}
    pods["spec"] = {
        "selector": {"matchExpressions": [selected]},
        # The operator says of which namespace a metric is: not of the pod's own.
        "podMetricsEndpoints": [{"port": _PORT, "honorLabels": True}],
    }
    rules.append(_object(settings, "PrometheusRule", naming.OPERATOR_RELEASE, namespace))
    rules[1]["spec"] = {"groups": [_operator_group(settings)]}
    return [pods, *rules]


def prometheus_files(settings: Settings) -> dict[str, Manifest]:
    """The same for any other Prometheus, by file name: `rule_files`, `scrape_config_files`."""
    monitoring = settings.environment.monitoring
    if monitoring is None or monitoring.prometheus != "files":
        return {}
    groups = [_environment_group(settings)]
    if settings.environment.operator != "install":
        return {"rules.yaml": {"groups": groups}}
    return {
        "rules.yaml": {"groups": [*groups, _operator_group(settings)]},
        "scrape.yaml": {"scrape_configs": [_scraping(settings)]},
    }


def _environment_group(settings: Settings) -> Manifest:
    return {"name": settings.namespace, "rules": environment_alerts(settings)}


def _operator_group(settings: Settings) -> Manifest:
    name = settings.environment.operator_namespace
    return {"name": name, "rules": operator_alerts(settings)}


def _object(settings: Settings, kind: str, name: str, namespace: str) -> Manifest:
    metadata = naming.metadata(settings, name, _COMPONENT, namespace=namespace)
    if settings.environment.monitoring:
        metadata["labels"] |= settings.environment.monitoring.labels
    return {"apiVersion": _API, "kind": kind, "metadata": metadata}


def _pod_names(settings: Settings) -> list[str]:
    """The controller's pods, the webhook's, and those that keep its certificate."""
    env = settings.environment
    name = env.chart.name_override or naming.OPERATOR_RELEASE
    of_webhook = [f"{name}-webhook", f"{name}-cert-controller"]
    return [name, *(of_webhook if env.operator_scope == "cluster" else [])]


def _scraping(settings: Settings) -> Manifest:
    """What the PodMonitor says, with the labels that the Prometheus Operator would add."""
    pod = "__meta_kubernetes_pod"
    names = "|".join(_pod_names(settings))
    kept = (
        (f"{pod}_label_app_kubernetes_io_name", f"({names})"),
        (f"{pod}_container_port_name", _PORT),
    )
    named = {
        "__meta_kubernetes_namespace": "namespace",
        f"{pod}_name": "pod",
        f"{pod}_container_name": "container",
    }
    return {
        "job_name": naming.OPERATOR_RELEASE,
        "honor_labels": True,
        "kubernetes_sd_configs": [
            {"role": "pod", "namespaces": {"names": [settings.environment.operator_namespace]}}
        ],
        "relabel_configs": [
            *(
                {"source_labels": [label], "regex": regex, "action": "keep"}
                for label, regex in kept
            ),
            *(
                {"source_labels": [label], "target_label": target}
                for label, target in named.items()
            ),
        ],
    }
