"""What the doctor finds in an environment: nothing in a healthy one, and each thing once."""

import json
import re
from dataclasses import replace

import pytest

from platform_secrets.diagnosing.diagnosis import LAYER_OF, LAYERS
from platform_secrets.diagnosing.ground import NOT_INSTALLED
from platform_secrets.manifests.rotation.names import MEMORY
from platform_secrets.rotator.contract import ROTATION_ID, SYNC_TOKEN
from platform_secrets.settings import catalogue_document, load, stack_document
from tests.conftest import PROJECT
from tests.healthy_environment import (
    ENTRY,
    EXTRACT,
    OPERATORS,
    READER,
    SECRET,
    STORE,
    Environment,
    ago,
    container,
    production,
)
from tests.platform import CATALOGUE_FILE, STACK_FILES


@pytest.fixture
def environment():
    return Environment(production())


def test_a_healthy_environment_has_nothing_to_say(environment):
    found = environment.diagnosed()
    assert (found.findings, found.following, found.unread) == ([], {}, {})


@pytest.mark.parametrize("name", STACK_FILES)
def test_every_example_is_healthy_when_all_is_as_it_asks(name):
    [settings] = load([stack_document(STACK_FILES[name])], catalogue_document(CATALOGUE_FILE))
    assert Environment(settings).diagnosed().findings == []


def test_nothing_of_a_provider_answer_is_passed_on(environment):
    """It may quote anything."""
    for kind, name in (("ExternalSecret", SECRET), ("SecretStore", STORE)):
        environment.fail(kind, name, f"{EXTRACT}canary-51c0 permission denied canary-51c0")
    found = environment.diagnosed()
    assert found.faults
    assert "canary-51c0" not in str(found)


def test_an_environment_without_values_yet_is_told_what_to_do():
    environment = Environment(production(), is_running=False)
    for one in environment.of("ExternalSecret"):
        name = one["metadata"]["name"]
        del one["status"]
        environment.fail("ExternalSecret", name, f"{EXTRACT}Secret does not exist")
        environment.drop("Secret", name)
    found = environment.diagnosed()
    assert found.faults == []
    assert {one.check for one in found.findings} == {"values-not-put-in"}
    todo = found.findings[0]
    assert "secretsctl seed --env production" in todo.step
    assert "secretsctl put-commands --env production" in todo.step


def test_a_rotation_in_flight_is_no_fault(environment):
    """The rotator touches the ExternalSecret, writes the Secret and restarts its readers."""
    live = environment.get("ExternalSecret", SECRET)
    live["metadata"]["annotations"] = {SYNC_TOKEN: "2026-11-27"}
    mark = {"annotations": {ROTATION_ID: "2026-11-27"}}
    metadata = {"name": "rotation-staged-jwt", "namespace": environment.namespace, **mark}
    environment.add({"kind": "ExternalSecret", "metadata": metadata, "spec": {}})
    secret = environment.get("Secret", SECRET)
    secret["metadata"]["managedFields"][0]["time"] = ago(seconds=20)
    assert environment.diagnosed().faults == []


@pytest.mark.parametrize(("seconds", "expected"), [(5, []), (600, ["pod-stale"])])
def test_readers_are_no_fault_while_somebody_has_the_rotator_s_lock(environment, seconds, expected):
    """Of a key of an engine's there are no one-shot objects, nor of one that people set."""
    memory = environment.get("ConfigMap", MEMORY)
    lock = {"holder": "secretsctl set", "renewed": ago(seconds=seconds)}
    memory["data"] = {**memory["data"], "lock": json.dumps(lock)}
    secret = environment.get("Secret", SECRET)
    secret["metadata"]["managedFields"][0]["time"] = ago(seconds=20)
    assert [*dict.fromkeys(one.check for one in environment.diagnosed().faults)] == expected


def test_a_migration_that_has_not_run_is_no_fault():
    changes = {"migrating": ["backend-api"], "seeding": {"groups": ["wren-operators"]}}
    environment = Environment(settings_with(changes))
    name = "wren-backend-api-secrets"
    environment.fail("ExternalSecret", name, "configmap has no adopt", said="x")
    found = environment.diagnosed()
    assert [(one.check, one.is_fault) for one in found.findings] == [("migration-not-done", False)]
    assert "secretsctl migrate backend-api --env production" in found.findings[0].step


def test_somebody_else_s_binding_to_a_widened_role_of_ours_is_told_too(environment):
    """To mend the Role does not take it away."""
    every = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    environment.get("Role", "backend-api-secrets")["rules"] = [every]
    metadata = {"name": "debug", "namespace": environment.namespace}
    role = {"kind": "Role", "name": "backend-api-secrets"}
    binding = {"kind": "RoleBinding", "metadata": metadata, "roleRef": role}
    environment.add({**binding, "subjects": [{"kind": "User", "name": "jo"}]})
    found = environment.diagnosed().findings
    assert [(one.check, one.at.name) for one in found] == [
        ("reader-right-changed", "backend-api-secrets"),
        ("reader-not-declared", "debug"),
    ]


@pytest.mark.parametrize(
    ("group", "is_fault"),
    [("owners", False), ("system:authenticated", True), ("system:serviceaccounts:other", True)],
)
@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_a_cluster_role_that_reads_secrets_is_a_fault_where_everybody_has_it(
    environment, kind, group, is_fault
):
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
    environment.add({"kind": "ClusterRole", "metadata": {"name": "admin"}, "rules": [rule]})
    metadata = {"name": "owners"}
    if kind == "RoleBinding":
        metadata["namespace"] = environment.namespace
    binding = {"kind": kind, "metadata": metadata, "roleRef": {"kind": "ClusterRole"}}
    binding["roleRef"]["name"] = "admin"
    environment.add({**binding, "subjects": [{"kind": "Group", "name": group}]})
    [found] = environment.diagnosed().findings
    assert (found.check, found.is_fault) == ("reader-not-declared", is_fault)
    advice = (
        "name it in the catalogue or in `readers`, or" if is_fault else "if that is not wanted,"
    )
    command = f"kubectl delete {kind.lower()} owners"
    assert found.step.startswith(f"{advice} take the right away: `{command}")


def test_what_may_not_be_looked_at_is_said_and_not_called_healthy(environment):
    for one in environment.of("Secret"):
        environment.drop("Secret", one["metadata"]["name"])
    place = f"Secret/{environment.namespace}"
    environment.unread = {place: "forbidden: User jo cannot list resource secrets"}
    found = environment.diagnosed()
    assert found.faults == []
    [told] = found.findings
    assert told.check == "not-looked-at"
    assert "kubectl auth can-i list secrets -n wren-production" in told.step
    assert [*found.unread] == ["secret"]


def test_a_kind_that_is_not_installed_hides_nothing(environment):
    environment.unread = {"Rollout": NOT_INSTALLED}
    assert (environment.diagnosed().findings, environment.diagnosed().unread) == ([], {})


def test_names_in_another_order_are_the_same_right(environment):
    for kind in ("Role", "RoleBinding"):
        for one in environment.of(kind):
            for rule in one.get("rules", []):
                for names in rule.values():
                    names.reverse()
            one.get("rules", []).reverse()
            one.get("subjects", []).reverse()
    assert environment.diagnosed().findings == []


def test_a_label_that_others_add_to_a_secret_makes_no_pod_stale(environment):
    live = environment.get("Secret", SECRET)
    label = {"manager": "kubectl-label", "time": ago(minutes=5)}
    live["metadata"]["managedFields"].append(label)
    assert environment.diagnosed().findings == []


def test_a_secret_that_pods_have_by_their_account_is_referred_to(environment):
    account = environment.get("ServiceAccount", READER)
    account["imagePullSecrets"] = [{"name": SECRET}, {"name": "wren-backend-api-secrets"}]
    spec = environment.get("Deployment", READER)["spec"]["template"]["spec"]
    spec["serviceAccountName"] = READER
    del container(environment)["envFrom"]
    assert environment.diagnosed().findings == []


def test_what_follows_from_a_fault_is_no_fault_of_its_own(environment):
    environment.drop("ServiceAccount", STORE)
    environment.fail("SecretStore", STORE, f'ServiceAccount "{STORE}" not found')
    for one in environment.of("ExternalSecret"):
        name = one["metadata"]["name"]
        environment.fail("ExternalSecret", name, f'SecretStore "{STORE}" is not ready')
    environment.drop("Secret", SECRET)
    found = environment.diagnosed()
    [root] = found.faults
    assert root.check == "account-missing"
    following = {one.check for one in found.following[root]}
    assert following == {"store-no-token", "external-secret-not-synced", "secret-missing"}


def test_a_fault_of_one_bundle_hides_none_of_another(environment):
    environment.fail("ExternalSecret", SECRET, f"{EXTRACT}Secret does not exist")
    environment.drop("Secret", "wren-backend-api-secrets")
    checks = [one.check for one in environment.diagnosed().faults]
    assert checks == ["entry-missing", "secret-missing"]


def test_a_key_is_named_that_has_no_value_in_its_entry(environment):
    environment.fail("ExternalSecret", SECRET, f"template: {ENTRY} has no redis-url", said="x")
    [found] = environment.diagnosed().faults
    assert (found.key, found.at.name) == ("shared/redis-url", SECRET)
    assert "secretsctl put-commands shared/redis-url --env production" in found.step


def test_a_network_policy_that_lets_the_operator_out_nowhere_is_named():
    """Beside an operator of others: there is none of ours that would let it out."""
    environment = Environment(settings_with({"operator": "existing"}))
    assert environment.diagnosed().faults == []
    metadata = {"name": "deny-all", "namespace": OPERATORS}
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    environment.add({"kind": "NetworkPolicy", "metadata": metadata, "spec": spec})
    environment.fail("SecretStore", STORE, "dial tcp: i/o timeout")
    found = environment.diagnosed()
    [root] = found.faults
    assert (root.check, LAYER_OF[root.check]) == ("network-blocked", "network")
    assert "store vault (port 8200)" in root.what or "store vault (port 443)" in root.what
    assert [one.check for one in found.following[root]] == ["store-unreachable"]


def settings_with(changes):
    document = stack_document(STACK_FILES["production"])
    assert isinstance(document.content, dict)
    changed = replace(document, content={**document.content, **changes})
    [settings] = load([changed], catalogue_document(CATALOGUE_FILE))
    return settings


def test_each_check_has_a_heading_and_each_heading_a_check():
    text = (PROJECT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    _, _, by_check = text.partition("## By check")
    headings = re.findall(r"^### ([a-z0-9-]+)$", by_check, re.MULTILINE)
    assert headings == [check for layer in LAYERS for check in layer.checks]
    assert len(LAYER_OF) == len(headings)
