"""What NetworkPolicies allow, as Kubernetes defines them: without a network that enforces them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any


@dataclass(frozen=True)
class Pod:
    """A pod in the policies' own cluster."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)


Peer = Pod | str
"""A pod, or an address that is no pod's."""


def reaches(policies: list[dict[str, Any]], pod: Pod, to: Peer, port: int, by: str = "TCP") -> bool:
    """Whether the pod's policies let it open a connection to `to`."""
    return _allows(policies, pod, "Egress", to, port, by)


def answers(policies: list[dict[str, Any]], pod: Pod, to: Peer, port: int) -> bool:
    """Whether the pod's policies let `to` open a connection over TCP to it."""
    return _allows(policies, pod, "Ingress", to, port, "TCP")


def _allows(
    policies: list[dict[str, Any]], pod: Pod, direction: str, peer: Peer, port: int, by: str
) -> bool:
    specs = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace
        and _matches(policy["spec"]["podSelector"], pod.labels)
        and direction in policy["spec"]["policyTypes"]
    ]
    peers, rules = {"Egress": ("to", "egress"), "Ingress": ("from", "ingress")}[direction]
    return not specs or any(
        {"protocol": by, "port": port} in rule["ports"]
        and (peers not in rule or any(_is(one, peer, pod) for one in rule[peers]))
        for spec in specs
        for rule in spec.get(rules, [])
    )


def _is(described: dict[str, Any], peer: Peer, pod: Pod) -> bool:
    if "ipBlock" in described:
        cidr = ip_network(described["ipBlock"]["cidr"])
        return isinstance(peer, str) and ip_address(peer) in cidr
    if not isinstance(peer, Pod):
        return False
    own = {"matchLabels": {"kubernetes.io/metadata.name": pod.namespace}}
    namespace = {"kubernetes.io/metadata.name": peer.namespace}
    return _matches(described.get("namespaceSelector", own), namespace) and _matches(
        described.get("podSelector", {}), peer.labels
    )


def _matches(selector: dict[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()
