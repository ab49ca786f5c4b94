"""Everything that a stack can want of the rotator's pods, and what Kubernetes is told then."""

from typing import Any

TOLERATION = {"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}
AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "arch", "operator": "In", "values": ["arm64"]}]}
            ]
        }
    },
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 10,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"app": "batch"}},
                },
            }
        ]
    },
}
WANTED: dict[str, Any] = {
    "labels": {"sidecar.istio.io/inject": "false"},
    "annotations": {"linkerd.io/inject": "disabled"},
    "node-selector": {"pool": "platform"},
    "tolerations": [TOLERATION],
    "affinity": AFFINITY,
    "priority-class-name": "platform",
    "image-pull-secrets": ["registry"],
    "run-as-user": 1000,
    "run-as-group": "cluster",
    "https-proxy": "http://proxy.example.com:3128",
    "no-proxy": [".internal.example.com"],
}
SPEC = {
    "nodeSelector": {"pool": "platform"},
    "tolerations": [TOLERATION],
    "affinity": AFFINITY,
    "priorityClassName": "platform",
    "imagePullSecrets": [{"name": "registry"}],
}
ENV = [
    {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"},
    {"name": "NO_PROXY", "value": ".internal.example.com"},
]
