"""NetworkPolicies for the pods that this program installs."""

from urllib.parse import urlsplit

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import providers
from platform_secrets.settings import Settings, VaultServer
from platform_secrets.settings.rotator import ROTATION

_COMPONENT = "network"

_BOTH = ("UDP", "TCP")
_VAULT_PORT = 8200
_VAULT_CLUSTER_PORT = 8201


def operator_policies(settings: Settings) -> list[Manifest]:
    """All of the operator's pods reach DNS and the API server; only the controller the stores."""
    namespace = settings.environment.operator_namespace
    chart = settings.environment.chart
    has_webhook = settings.environment.operator_scope == "cluster"
    ports = chart.listening_ports(has_webhook=has_webhook)
    incoming = [{"ports": [_tcp(port) for port in ports]}]
    to_cluster = [_dns(settings), _api_server(settings)]
    everything = _policy(settings, namespace, "external-secrets", {}, incoming, to_cluster)
    server = settings.environment.vault_server
    controller = _policy(
        settings,
        namespace,
        "external-secrets-stores",
        {"matchLabels": {"app.kubernetes.io/name": chart.name_override or naming.OPERATOR_RELEASE}},
        None,
        [
            _providers(settings),
            *_pod_identity_agent(settings),
            *([_vault(server)] if server else []),
        ],
    )
    return [everything, controller]


def vault_policies(settings: Settings, server: VaultServer) -> list[Manifest]:
    """The servers answer the operator and each other; they reach each other, DNS, the API server
    (reviews of tokens), and what they are set to use: the seal's key, an issuer, databases."""
    operator = {
        "from": [_namespace(settings.environment.operator_namespace)],
        "ports": [_tcp(_VAULT_PORT)],
    }
    servers = {"podSelector": _vault_pods()}
    between = [_tcp(_VAULT_PORT), _tcp(_VAULT_CLUSTER_PORT)]
    return [
        _policy(
            settings,
            server.namespace,
            naming.VAULT_RELEASE,
            _vault_pods(),
            [operator, {"from": [servers], "ports": between}],
            [
                {"to": [servers], "ports": between},
                _dns(settings),
                _api_server(settings),
                *_used_by_vault(settings, server),
            ],
        )
    ]


def _used_by_vault(settings: Settings, server: VaultServer) -> list[Manifest]:
    """What is outside the cluster, or anywhere: by port alone."""
    ports = {port for store in providers(settings) for port in store.ports_of_its_server}
    if server.seal:
        ports.add(443)
    more = settings.environment.network.providers.ports
    found = [_to([], sorted(ports.union(more)))] if ports else []
    if server.seal and server.seal.provider == "gcp":
        found.append(_gke_metadata())
    return found


def _gke_metadata() -> Manifest:
    """Whence Google's clients have their identity: the node's metadata server, by its address and
    by where GKE leads that (https://cloud.google.com/kubernetes-engine/docs/how-to/network-policy).
    """
    addresses = ("169.254.169.254/32", "169.254.169.252/32")
    return {
        "to": [{"ipBlock": {"cidr": cidr}} for cidr in addresses],
        "ports": [_tcp(80), _tcp(988)],
    }


def _vault(server: VaultServer) -> Manifest:
    to = {**_namespace(server.namespace), "podSelector": _vault_pods()}
    return {"to": [to], "ports": [_tcp(_VAULT_PORT)]}


def _vault_pods() -> Manifest:
    labels = {"app.kubernetes.io/instance": naming.VAULT_RELEASE, "component": "server"}
    return {"matchLabels": labels}


def _namespace(name: str) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def rotation_policy(settings: Settings) -> Manifest:
    """The rotator's pods reach the API server alone: they know its address, so not even DNS. Where
    AWS rotates a database's password, STS and Secrets Manager too, or the proxy before them."""
    to_aws: list[Manifest] = []
    if naming.secrets_manager_keys(settings):
        network = settings.environment.network.providers
        proxy = urlsplit(settings.environment.rotator.pod.https_proxy or "").port
        to_stores = _to(network.cidrs, sorted({443, proxy or 443, *network.ports}))
        to_aws = [_dns(settings), to_stores, *_pod_identity_agent(settings)]
    return _policy(
        settings,
        settings.namespace,
        ROTATION,
        {"matchLabels": naming.labels(settings, "rotation")},
        [],
        [_api_server(settings), *to_aws],
    )


def _policy(
    settings: Settings,
    namespace: str,
    name: str,
    selector: Manifest,
    ingress: list[Manifest] | None,
    egress: list[Manifest],
) -> Manifest:
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


def _dns(settings: Settings) -> Manifest:
    dns = settings.environment.network.dns
    return {
        "to": [
            *(_namespace(name) for name in dns.namespaces),
            *({"ipBlock": {"cidr": cidr}} for cidr in dns.cidrs),
        ],
        "ports": [{"protocol": protocol, "port": port} for port in dns.ports for protocol in _BOTH],
    }


def _api_server(settings: Settings) -> Manifest:
    api_server = settings.environment.network.api_server
    return _to(api_server.cidrs, [*api_server.ports])


def _providers(settings: Settings) -> Manifest:
    network = settings.environment.network.providers
    ports = {provider.port for provider in providers(settings)}
    return _to(network.cidrs, sorted(ports.union(network.ports) or {443}))


def _pod_identity_agent(settings: Settings) -> list[Manifest]:
    """Where EKS Pod Identity gives credentials to pods: on every node, at addresses of AWS's."""
    if any(provider.is_reached_by_pod_identity for provider in providers(settings)):
        return [_to(["169.254.170.23/32", "fd00:ec2::23/128"], [80])]
    return []


def _to(cidrs: list[str], ports: list[int]) -> Manifest:
    rule: Manifest = {"ports": [_tcp(port) for port in ports]}
    return {"to": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs], **rule} if cidrs else rule
