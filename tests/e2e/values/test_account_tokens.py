"""Who becomes a ServiceAccount by a Secret: asked of a real API server and its controllers, by the
operator's accounts, by those who seed, and by everybody else."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from platform_secrets.manifests.eso import operator_bounds
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.seeding import seeding_manifests
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError
from tests.e2e.process import wait_until
from tests.e2e.rotating import rotating_settings

REFUSED = "nobody gets another account's token by a Secret"
TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secrets
MERGE = "application/merge-patch+json"
# Names that end no text of the policies, and widen them to nobody.
ODD_GROUPS = [
    '"] || true || group in ["',
    "`'",
    "\\",
    "\\u0022",
    "{{ people }}",
    "\U0001f511 Prüfer",
]
OPERATOR, ELSEWHERE = "guarded-operator", "unguarded"
RBAC = "rbac.authorization.k8s.io"


class Guarded:
    """A cluster with the bounds of an operator and of seeding; the operator's accounts may write
    every Secret, as by its chart."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.admin, self.seeder = cluster, cluster.api, cluster.person
        operator: dict[str, Any] = {"operator-namespace": OPERATOR}
        settings = rotating_settings(
            "production",
            "tokens",
            catalogue=None,
            seeding={"groups": [*ODD_GROUPS, PEOPLE]},
            **operator,
        )
        self.namespace = settings.namespace
        for name in (self.namespace, OPERATOR, ELSEWHERE):
            cluster.create_namespace(name)
        self._may_write_secrets(OPERATOR)
        self.operator = cluster.api_as(cluster.token(OPERATOR, "default"))
        self.objects = [*operator_bounds(settings), *seeding_manifests(settings)]
        for obj in self.objects:
            cluster.api.apply(obj, manager="platform-secrets")
        wait_until(
            lambda: (
                self.creating(self.operator, ELSEWHERE)
                and self.creating(self.seeder, self.namespace)
            ),
            "the policies are in force",
        )

    def _may_write_secrets(self, namespace: str) -> None:
        metadata = {"name": OPERATOR}
        role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": metadata}
        rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "get", "patch"]}
        self.cluster.api.apply({**role, "rules": [rule]})
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
        binding = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": metadata}
        ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": OPERATOR}
        self.cluster.api.apply({**binding, "roleRef": ref, "subjects": [subject]})

    def secret(self, namespace: str, name: str, secret_type: str) -> Manifest:
        annotations = {"kubernetes.io/service-account.name": "default"}
        metadata = {"name": name, "namespace": namespace, "annotations": annotations}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": secret_type}

    def creating(
        self, by: KubernetesApi, namespace: str, secret_type: str = TOKEN, *, is_tried: bool = True
    ) -> str:
        """What the API server says to somebody's wish to create such a Secret; "" if it would."""
        obj = self.secret(namespace, f"some-{secrets.token_hex(4)}", secret_type)
        params = {"dryRun": "All"} if is_tried else {}
        try:
            by.request("POST", by.path("v1", "Secret", None, namespace), obj, params=params)
        except KubernetesApiError as error:
            return str(error)
        return ""

    def patching(self, by: KubernetesApi, namespace: str, name: str, change: Any) -> str:
        """What it says to a change."""
        path = by.path("v1", "Secret", name, namespace)
        try:
            by.request("PATCH", path, change, content_type=MERGE, params={"dryRun": "All"})
        except KubernetesApiError as error:
            return str(error)
        return ""

    def filled(self, namespace: str) -> str:
        """The name of a Secret of the type that an administrator made and Kubernetes filled."""
        self.admin.apply(self.secret(namespace, "of-default", TOKEN))
        wait_until(
            lambda: (
                "token" in self.admin.read("v1", "Secret", "of-default", namespace).get("data", {})
            ),
            "the controller has filled the Secret",
        )
        return "of-default"


@pytest.fixture(scope="module")
def guarded(cluster: Cluster) -> Iterator[Guarded]:
    found = Guarded(cluster)
    yield found
    for obj in found.objects:
        cluster.api.delete(obj["apiVersion"], obj["kind"], obj["metadata"]["name"])
    for kind in ("ClusterRoleBinding", "ClusterRole"):
        cluster.api.delete(f"{RBAC}/v1", kind, OPERATOR)
    for name in (found.namespace, OPERATOR, ELSEWHERE):
        cluster.delete_namespace(name)


def test_the_operator_becomes_no_account_anywhere(guarded: Guarded) -> None:
    for namespace in ("kube-system", ELSEWHERE, OPERATOR, guarded.namespace):
        assert REFUSED in guarded.creating(guarded.operator, namespace), namespace


def test_the_operator_turns_nobody_s_token_into_another_account_s(guarded: Guarded) -> None:
    name = guarded.filled(ELSEWHERE)
    other = {"metadata": {"annotations": {"kubernetes.io/service-account.name": "other"}}}
    assert REFUSED in guarded.patching(guarded.operator, ELSEWHERE, name, other)


def test_the_operator_writes_every_other_secret(guarded: Guarded) -> None:
    for secret_type in ("Opaque", "example.com/own"):
        assert guarded.creating(guarded.operator, ELSEWHERE, secret_type) == ""
    guarded.admin.apply(guarded.secret(ELSEWHERE, "plain", "Opaque"))
    change = {"metadata": {"labels": {"a": "b"}}}
    assert guarded.patching(guarded.operator, ELSEWHERE, "plain", change) == ""


def test_who_seeds_becomes_no_account_of_the_namespace(guarded: Guarded) -> None:
    assert REFUSED in guarded.creating(guarded.seeder, guarded.namespace)
    assert guarded.creating(guarded.seeder, guarded.namespace, "Opaque") == ""


def test_others_and_other_namespaces_are_none_of_its_business(guarded: Guarded) -> None:
    """Kubernetes fills what an administrator makes, also where both bounds hold."""
    assert guarded.creating(guarded.seeder, ELSEWHERE) == ""
    assert guarded.creating(guarded.admin, ELSEWHERE) == ""
    assert guarded.filled(guarded.namespace) == "of-default"
