"""Policies that a cluster's owner has beside ours, and that change what is written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import wait_until

API = "admissionregistration.k8s.io/v1"
KIND = "MutatingAdmissionPolicy"
Resources = Mapping[str, list[str]]
"""By group."""
OURS: Resources = {
    "": ["configmaps", "events"],
    "external-secrets.io": ["externalsecrets", "pushsecrets"],
}
WORKLOADS: Resources = {"apps": ["deployments", "statefulsets", "daemonsets"]}
OF_EVERY_WRITE = 'oldObject == null ? "none" : string(dyn(oldObject).metadata.resourceVersion)'
"""Another text with each write."""


@contextmanager
def mutating(
    cluster: Cluster, namespace: str, name: str, resources: Resources, change: str
) -> Iterator[None]:
    """Inside, `change`, an expression for a part of the object, is laid over each of these
    resources in the namespace that anybody creates or updates."""
    policy, binding = _policy(namespace, name, resources, change)
    probe = {"name": name, "namespace": namespace}

    def is_in_force() -> bool:
        """A policy is in force, and out of it, a moment later: what it changes shows that."""
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": probe}
        metadata = cluster.api.apply(obj, only_try=True)["metadata"]
        return f"seen-by-{name}" in metadata.get("annotations", {})

    try:
        for obj in (policy, binding):
            cluster.api.apply(obj, manager="platform-team")
        wait_until(is_in_force, f"the policy {name} is in force")
        yield
    finally:
        for obj in (binding, policy):
            cluster.api.delete(API, obj["kind"], obj["metadata"]["name"])
        wait_until(lambda: not is_in_force(), f"the policy {name} is gone")


def _policy(namespace: str, name: str, resources: Resources, change: str) -> list[Manifest]:
    rules = [
        {
            "apiGroups": [group],
            "apiVersions": ["*"],
            "resources": of_group,
            "operations": ["CREATE", "UPDATE"],
        }
        for group, of_group in {"": ["configmaps"], **resources}.items()
    ]
    seen = f'Object{{metadata: Object.metadata{{annotations: {{"seen-by-{name}": "yes"}}}}}}'
    expression = f'object.metadata.name == "{name}" ? {seen} : {change}'
    spec = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": rules,
        },
        "mutations": [
            {
                "patchType": "ApplyConfiguration",
                "applyConfiguration": {"expression": expression},
            }
        ],
    }
    metadata = {"name": f"{namespace}-{name}"}
    return [
        {"apiVersion": API, "kind": KIND, "metadata": metadata, "spec": spec},
        {
            "apiVersion": API,
            "kind": f"{KIND}Binding",
            "metadata": metadata,
            "spec": {"policyName": metadata["name"]},
        },
    ]
