"""Whom `secretsctl who --live` names: exactly those whom the API server lets read a Secret."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_secrets.manifests import layer
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.environments import settings_of
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import PROJECT, Run
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tools.build import build

ENVIRONMENT = "who"
NAMESPACE = f"wren-{ENVIRONMENT}"
SECRET, OTHER = "wren-chat-server-secrets", "wren-secrets"
RBAC = "rbac.authorization.k8s.io"
SETTINGS: dict[str, Any] = {"environment": ENVIRONMENT, "readers": {"groups": ["wren-people"]}}


def role(kind: str, name: str, *rules: Manifest) -> Manifest:
    metadata = {"name": name, **({"namespace": NAMESPACE} if kind == "Role" else {})}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": [*rules]}


def rule(*verbs: str, group: str = "", resource: str = "secrets", **names: list[str]) -> Manifest:
    return {"apiGroups": [group], "resources": [resource], "verbs": [*verbs], **names}


def binding(kind: str, name: str, role: str, *subjects: Manifest) -> Manifest:
    metadata = {"name": name, **({"namespace": NAMESPACE} if kind == "RoleBinding" else {})}
    role_kind, role_name = role.split("/")
    reference = {"apiGroup": RBAC, "kind": role_kind, "name": role_name}
    content = {"metadata": metadata, "roleRef": reference, "subjects": [*subjects]}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, **content}


def person(kind: str, name: str) -> Manifest:
    return {"apiGroup": RBAC, "kind": kind, "name": name}


ACCOUNT = {"kind": "ServiceAccount", "name": "backup", "namespace": "default"}
OF_OTHERS: list[Manifest] = [
    role("ClusterRole", "who-reads-all", rule("get", "list")),
    binding("ClusterRoleBinding", "who-everywhere", "ClusterRole/who-reads-all", ACCOUNT),
    binding("RoleBinding", "who-admins", "ClusterRole/admin", person("Group", "who-admins")),
    role("Role", "lists", rule("list")),
    binding("RoleBinding", "lists", "Role/lists", person("User", "lister")),
    role("Role", "one", rule("get", resourceNames=[SECRET])),
    binding("RoleBinding", "one", "Role/one", person("User", "knows-one")),
    role("ClusterRole", "who-everything", rule("*", group="*", resource="*")),
    binding("RoleBinding", "all", "ClusterRole/who-everything", person("User", "does-all")),
    # What gives no right to read it:
    role("Role", "other", rule("get", resourceNames=[OTHER])),
    binding("RoleBinding", "other", "Role/other", person("User", "knows-other")),
    role("Role", "writes", rule("create", "delete")),
    binding("RoleBinding", "writes", "Role/writes", person("User", "writer")),
    role("Role", "maps", rule("get", "list", resource="configmaps")),
    binding("RoleBinding", "maps", "Role/maps", person("User", "of-maps")),
    role("Role", "others", rule("get", group="apps", resource="secrets")),
    binding("RoleBinding", "others", "Role/others", person("User", "of-apps")),
    role("Role", "unbound", rule("get")),
    binding("RoleBinding", "gone", "Role/not-there", person("User", "of-no-role")),
]
ASKED = {
    "ServiceAccount default/backup": ["--as=system:serviceaccount:default:backup"],
    "Group who-admins": ["--as=somebody", "--as-group=who-admins"],
    "Group wren-people": ["--as=somebody", "--as-group=wren-people"],
    "Group system:masters": ["--as=somebody", "--as-group=system:masters"],
    **{
        f"ServiceAccount {NAMESPACE}/{name}": [f"--as=system:serviceaccount:{NAMESPACE}:{name}"]
        for name in ("wren-chat-server", "wren-backend-api", "default", "vault-store")
    },
    **{
        f"User {name}": [f"--as={name}"]
        for name in (
            *("lister", "knows-one", "does-all", "knows-other", "writer"),
            *("of-maps", "of-apps", "of-no-role", "nobody"),
        )
    },
}


@pytest.fixture(scope="module")
def folder(run: Run, cluster: Cluster) -> Iterator[Path]:
    """A project's folder; its environment's rights on the cluster, with those that others gave."""
    settings = settings_of(STACK_FILES["production"], SETTINGS)
    cluster.create_namespace(NAMESPACE)
    declared = [one for wave in layer.waves(settings, {}) for one in wave.objects]
    for one in declared:
        if one["kind"] in ("Role", "RoleBinding") and one["metadata"]["namespace"] == NAMESPACE:
            cluster.api.apply(one, manager="platform-secrets")
    for one in OF_OTHERS:
        cluster.api.apply(one, manager="others")
    cluster.api.delete(f"{RBAC}/v1", "RoleBinding", "chat-server-secrets", NAMESPACE)
    stack = yaml.safe_load(STACK_FILES["production"].read_text(encoding="utf-8"))
    stack["config"][STACK_KEY] |= {**SETTINGS, "cluster": {"uid": cluster.uid}}
    folder = run.new_folder("who")
    (folder / f"Pulumi.{ENVIRONMENT}.yaml").write_text(yaml.safe_dump(stack))
    (folder / "catalogue.yaml").write_bytes(CATALOGUE_FILE.read_bytes())
    yield folder
    for one in OF_OTHERS:
        place = one["metadata"].get("namespace")
        cluster.api.delete(one["apiVersion"], one["kind"], one["metadata"]["name"], place)
    cluster.delete_namespace(NAMESPACE)


@pytest.fixture(scope="module")
def readers(cluster: Cluster, folder: Path) -> list[dict[str, Any]]:
    """What the command says of the chat server's secret."""
    done = subprocess.run(  # noqa: S603 - the project's own program
        [
            *(sys.executable, "-m", "platform_secrets.secretsctl"),
            *("who", "chat-server", "--env", ENVIRONMENT, "--live", "--json"),
        ],
        cwd=folder,
        env={
            "PATH": f"{build('kubectl').parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "KUBECONFIG": str(cluster.kubeconfig),
            "HOME": str(folder),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    [answer] = json.loads(done.stdout)
    return answer["readers"]


def of_kind(readers: list[dict[str, Any]], kind: str) -> dict[str, set[str]]:
    """The Secrets that each reader of a kind reads."""
    found: dict[str, set[str]] = {}
    for one in readers:
        if one["kind"] == kind:
            found.setdefault(one["name"], set()).update(one["what"])
    return found


def may(cluster: Cluster, verb: str, secret: str, who: list[str]) -> bool:
    """What the API server says itself."""
    asked = ["auth", "can-i", verb, f"secrets/{secret}", f"--namespace={NAMESPACE}", *who]
    done = subprocess.run(  # noqa: S603 - our own kubectl
        [build("kubectl"), *asked],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() == "yes"


def test_each_is_named_whom_the_api_server_lets_read_it_and_nobody_else(cluster, readers):
    found = of_kind(readers, "in the cluster, not declared")
    found |= of_kind(readers, "Kubernetes itself")
    declared = {f"Group {name}" for name in SETTINGS["readers"]["groups"]}
    for subject, who in ASKED.items():
        is_let = any(may(cluster, verb, SECRET, who) for verb in ("get", "list", "watch"))
        assert is_let == (subject in found or subject in declared), subject


def test_what_is_declared_and_was_taken_away_is_named(readers):
    found = of_kind(readers, "declared, not in the cluster")
    assert found == {f"ServiceAccount {NAMESPACE}/wren-chat-server": {f"{NAMESPACE}/{SECRET}"}}


def test_what_is_declared_is_not_named_once_more(readers):
    assert "Group wren-people" not in of_kind(readers, "in the cluster, not declared")
    assert of_kind(readers, "people") == {"Group wren-people": {f"{NAMESPACE}/{SECRET}"}}


def test_each_stands_with_the_role_and_the_binding_that_give_the_right(readers):
    [found] = [one for one in readers if one["name"] == "ServiceAccount default/backup"]
    assert found["by"] == "ClusterRole who-reads-all, ClusterRoleBinding who-everywhere"
