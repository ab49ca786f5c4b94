"""What the policy pack stops, on the real engine; what it lets through: test_stacks.py."""

import re
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pulumi import CustomResource, Output
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2_grpc

from tests.e2e.cluster import Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import EngineError
from tests.e2e.grpc_server import served
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.platform import STACK_FILES

Program = Callable[[], None]


@pytest.fixture(scope="module")
def production(run: Run, cluster: Cluster, operator: OperatorRelease) -> Iterator[Deployment]:
    """The stack before its first update."""
    path = STACK_FILES["production"]
    with deployment(run, cluster, operator, path, name="judged") as made:
        yield made


def declare(api_version: str, kind: str, name: str, **content: Any) -> None:
    group = api_version if "/" in api_version else f"core/{api_version}"
    base = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}
    CustomResource(f"kubernetes:{group}:{kind}", name, {**base, **content})


def broken(own: Program, value: str) -> Program:
    """A program that declares more than its own, each against a rule."""

    def program() -> None:
        own()
        rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}
        declare("rbac.authorization.k8s.io/v1", "Role", "broad", rules=[rule])
        declare("v1", "Secret", "plain", stringData={"key": Output.secret(value)})
        login = {"tokenSecretRef": {"name": "root"}, "kubernetes": {"serviceAccountRef": {}}}
        vault = {"server": "https://vault.example.com", "auth": login}
        store = {"provider": {"vault": vault}}
        declare("external-secrets.io/v1", "SecretStore", "keyed", spec=store)
        glob = 'path "secret/*" { capabilities = ["read"] }'
        CustomResource("vault:index/policy:Policy", "wide", {"name": "wide", "policy": glob})

    return program


def update_by_command(made: Deployment, program: Program) -> str:
    """`pulumi up --yes` with the pack, which begins with a preview."""
    add = language_pb2_grpc.add_LanguageRuntimeServicer_to_server
    with served(partial(add, LanguageServer(program)), threads=4) as port:
        pack = ("--policy-pack", str(made.policy_pack))
        return made.stack.served_by_command("up", "--yes", *pack, port=port)


def test_what_breaks_a_rule_is_told_and_nothing_is_made(production: Deployment) -> None:
    value = secrets.token_hex(20)
    with pytest.raises(EngineError) as refusal:
        update_by_command(production, broken(production.stack.program, value))
    said = str(refusal.value)
    for rule, of, violation in (
        ("no-wildcard", "Role: broad", "rules[0].verbs has a `*`; right: name each one"),
        ("no-value", "Secret: plain", "stringData holds values; right: an ExternalSecret; "),
        ("keyless-store", "SecretStore: keyed", "spec.provider.vault.auth.tokenSecretRef logs in "),
        ("exact-rights", "Policy: wide", "policy has the glob secret/*; right: name each path"),
    ):
        told = rf"\[mandatory\]  {rule}  \(\S+:{of}\)\s+{re.escape(violation)}"
        assert re.search(told, said)
    assert said.count("[mandatory]") == 4
    assert production.provider.history == []
    assert value not in said + production.stack.state_text


def test_a_mistake_in_the_stack_file_is_told_without_a_traceback(production: Deployment) -> None:
    right = production.stack_file.read_text()
    production.stack_file.write_text(right.replace("stores:", "stors:"))
    try:
        with pytest.raises(EngineError) as refusal:
            production.stack.preview(policy_packs=[str(production.policy_pack)])
    finally:
        production.stack_file.write_text(right)
    assert "Pulumi.judged.yaml" in str(refusal.value)
    assert "stors: unknown key (did you mean stores?)" in str(refusal.value)
    assert "Traceback" not in str(refusal.value)
