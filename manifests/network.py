"""NetworkPolicies for the pods that this program installs: the operator's, the rotator's."""

from urllib.parse import urlsplit

from manifests import naming
from manifests.naming import Manifest
from settings import Settings, VaultStore

_COMPONENT = "network"

# Ports of the operator's chart: values.yaml of 2.9.0, metrics.listen.port, webhook.port.
_METRICS_PORT = 8080
_WEBHOOK_PORT = 10250


def operator_policies(settings: Settings) -> list[Manifest]:
    """All of the operator's pods reach DNS and the API server; only the controller the stores."""
    to_cluster = [_dns(), _api_server(settings)]
    everything = _policy(
        settings,
        "external-secrets",
        {},
        [{"ports": [_tcp(_METRICS_PORT), _tcp(_WEBHOOK_PORT)]}],
        to_cluster,
    )
    controller = _policy(
        settings,
        "external-secrets-stores",
        {"matchLabels": {"app.kubernetes.io/name": naming.OPERATOR_RELEASE}},
        None,
        [_providers(settings)],
    )
    return [everything, controller]


def rotation_policy(settings: Settings) -> Manifest:
    """The rotator's pods reach the API server alone: they know its address, so not even DNS."""
    selector = {"matchLabels": naming.labels(settings, "rotation")}
    namespace = settings.namespace
    return _policy(
        settings, "secrets-rotation", selector, [], [_api_server(settings)], namespace=namespace
    )


def _policy(
    settings: Settings,
    name: str,
    selector: Manifest,
    ingress: list[Manifest] | None,
    egress: list[Manifest],
    namespace: str | None = None,
) -> Manifest:
    namespace = namespace or settings.environment.operator_namespace
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": naming.metadata(settings, name, _COMPONENT, namespace=namespace),
        "spec": {
            "podSelector": selector,
            "policyTypes": ["Egress"] if ingress is None else ["Ingress", "Egress"],
            **({"ingress": ingress} if ingress else {}),
            "egress": egress,
        },
    }


def _tcp(port: int) -> Manifest:
    return {"protocol": "TCP", "port": port}


def _dns() -> Manifest:
    """The cluster's DNS, or its cache on each node (NodeLocal DNSCache's usual address)."""
    cluster_dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
    }
    return {
        "to": [cluster_dns, {"ipBlock": {"cidr": "169.254.20.10/32"}}],
        "ports": [{"protocol": "UDP", "port": 53}, _tcp(53)],
    }


def _api_server(settings: Settings) -> Manifest:
    api_server = settings.environment.network.api_server
    return _to(api_server.cidrs, [*api_server.ports])


def _providers(settings: Settings) -> Manifest:
    providers = settings.environment.network.providers
    ports = {
        urlsplit(store.server).port or 443 if isinstance(store, VaultStore) else 443
        for store in settings.environment.stores.values()
    }
    return _to(providers.cidrs, sorted(ports.union(providers.ports) or {443}))


def _to(cidrs: list[str], ports: list[int]) -> Manifest:
    rule: Manifest = {"ports": [_tcp(port) for port in ports]}
    return {"to": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs], **rule} if cidrs else rule
