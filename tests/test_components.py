"""What each component declares: its manifests and nothing else, in order, protected, waited for."""

from collections import Counter
from importlib.metadata import version

import pytest

from platform_secrets.components.access import SecretsReader, ServiceAccess
from platform_secrets.components.eso import Operator
from platform_secrets.components.external_secret import ExternalSecret
from platform_secrets.components.layer import Layer
from platform_secrets.components.namespace import EnvironmentNamespace
from platform_secrets.components.network import OperatorNetwork, RotationNetwork, VaultNetwork
from platform_secrets.components.rotation import (
    RotatedKey,
    Rotation,
    RotationAdmission,
    RotationMemory,
)
from platform_secrets.components.secret_store import SecretStore
from platform_secrets.components.vault_server import VaultServers
from platform_secrets.manifests.access import reader_manifests, service_manifests
from platform_secrets.manifests.eso import operator_bounds, operator_namespace
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.namespace import namespace_manifests
from platform_secrets.manifests.network import operator_policies, rotation_policy, vault_policies
from platform_secrets.manifests.rotation.admission import admission_manifests
from platform_secrets.manifests.rotation.cron_jobs import (
    generator_manifests,
    memory_config_map,
    rotation_manifests,
)
from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.manifests.vault_server import server_manifests
from platform_secrets.settings import VaultServer
from tests.declaring import CLUSTER_UID, declare

ENVIRONMENTS = ("development", "staging", "production")
PEOPLE = {"groups": ["shop-operators"]}
SERVER = VaultServer.model_validate({})

# A component of the shop's environment, and the manifests that it is made of.
PARTS = {
    "namespace": (
        lambda s: EnvironmentNamespace("part", settings=s),
        lambda s: namespace_manifests(s),
    ),
    "service": (
        lambda s: ServiceAccess("web", settings=s, service="web", account="web", after=[]),
        lambda s: service_manifests(s, "web", s.catalogue.services["web"]),
    ),
    "reader": (
        lambda s: SecretsReader("part", settings=s, after=[]),
        lambda s: reader_manifests(s),
    ),
    "network": (
        lambda s: OperatorNetwork("part", settings=s, after=[]),
        lambda s: operator_policies(s),
    ),
    "rotation-network": (
        lambda s: RotationNetwork("part", settings=s, after=[]),
        lambda s: [rotation_policy(s)],
    ),
    "rotation-admission": (
        lambda s: RotationAdmission("part", settings=s, after=[]),
        lambda s: admission_manifests(s),
    ),
    "rotation-memory": (
        lambda s: RotationMemory("part", settings=s, after=[]),
        lambda s: [memory_config_map(s)],
    ),
    "rotated-key": (
        lambda s: RotatedKey("part", settings=s, key="signing-key", after=[]),
        lambda s: generator_manifests(s, "signing-key"),
    ),
    "rotation": (
        lambda s: Rotation("part", settings=s, program={"plan.py": "# a plan"}, after=[]),
        lambda s: rotation_manifests(s, {"plan.py": "# a plan"}),
    ),
    "store": (
        lambda s: SecretStore("part", settings=s, store="vault", identity="read", after=[]),
        lambda s: store_manifests(s, "vault", "read"),
    ),
    "external-secret": (
        lambda s: ExternalSecret("shared", settings=s, bundle="shared", after=[]),
        lambda s: external_secret_manifests(s, "shared"),
    ),
    "operator": (
        lambda s: Operator("part", settings=s),
        lambda s: [operator_namespace(s), *operator_bounds(s)],
    ),
    "vault-server": (
        lambda s: VaultServers("part", settings=s, server=SERVER),
        lambda s: server_manifests(s, SERVER),
    ),
    "vault-network": (
        lambda s: VaultNetwork("part", settings=s, server=SERVER, after=[]),
        lambda s: vault_policies(s, SERVER),
    ),
}  # fmt: skip


def only(found):
    """The single item of a list."""
    [one] = found
    return one


def id_of(manifest):
    return manifest["kind"], manifest["metadata"]["name"]


def kinds(found):
    return sorted(one.inputs["kind"] for one in found)


@pytest.mark.parametrize("part", PARTS)
def test_a_component_declares_its_manifests_as_its_children(part, settings_with):
    component, manifests = PARTS[part]
    settings = settings_with(readers=PEOPLE)
    found = declare(lambda: component(settings))
    declared = {id_of(one.manifest): one.manifest for one in found.objects()}
    assert declared == {id_of(one): one for one in manifests(settings)}
    parent = only([one for one in found.declared if not one.is_custom])
    assert {one.parent for one in found.declared if one.is_custom} == {parent.urn}


@pytest.mark.parametrize("part", PARTS)
def test_what_does_the_work_of_a_component_comes_after_its_other_objects(part, settings_with):
    component, manifests = PARTS[part]
    settings = settings_with(readers=PEOPLE)
    urns = {id_of(one.manifest): one for one in declare(lambda: component(settings)).objects()}
    ones = manifests(settings)
    works, others = [], []
    for one in ones:
        (works if one["kind"] == ones[-1]["kind"] else others).append(urns[id_of(one)])
    assert {one.depends_on for one in others} <= {frozenset()}
    assert {one.depends_on for one in works} == {frozenset(one.urn for one in others)}


def test_every_part_belongs_to_the_layer(any_stack):
    found = any_stack.declared
    layer = only(found.components("platform-secrets:layer:SecretsLayer"))
    parts = {one.urn for one in found.declared if one.parent == layer.urn}
    assert {one.parent for one in found.objects()} <= parts


def test_a_store_comes_after_its_token_role_and_the_operator_and_both_namespaces(stack):
    found = stack.declared
    installs = stack.settings.environment.operator == "install"
    for store in found.of_kind("SecretStore"):
        before = [one for one in found.declared if one.urn in found.before(store) and one.manifest]
        own = [one for one in before if one.parent == store.parent]
        assert kinds(own) == ["Role", "RoleBinding", "ServiceAccount"]
        assert kinds(before).count("Namespace") == 1 + installs
        releases = [one for one in found.declared if one.type == "kubernetes:helm.sh/v3:Release"]
        assert {one.urn for one in releases} <= found.before(store)
        assert len(releases) == installs


def test_an_external_secret_comes_after_the_store_that_it_reads(stack):
    found = stack.declared
    stores = {one.inputs["metadata"]["name"]: one for one in found.of_kind("SecretStore")}
    for one in found.of_kind("ExternalSecret"):
        store = stores[one.inputs["spec"]["secretStoreRef"]["name"]]
        before = found.before(one)
        assert store.urn in before
        others = {each.urn for each in stores.values()} - {store.urn}
        assert not others & before, "it needs no other store"


def test_rights_and_basic_secrets_come_after_the_namespace(any_stack):
    found = any_stack.declared
    namespace = only(
        one
        for one in found.of_kind("Namespace")
        if one.inputs["metadata"]["name"] == any_stack.settings.namespace
    )
    inside = [
        one
        for one in found.objects()
        if one.inputs["metadata"].get("namespace") == any_stack.settings.namespace
    ]
    assert all(namespace.urn in found.before(one) for one in inside)


def test_network_policies_come_after_the_operator_s_namespace(stack_named):
    found = stack_named("production").declared
    policies = [
        one
        for one in found.of_kind("NetworkPolicy")
        if one.inputs["metadata"]["namespace"] == "external-secrets-system"
    ]
    namespace = only(
        one
        for one in found.of_kind("Namespace")
        if one.inputs["metadata"]["name"] == "external-secrets-system"
    )
    assert len(policies) == 2
    assert all(namespace.urn in found.before(one) for one in policies)


def test_production_protects_and_retains_what_secrets_depend_on(stack_named):
    found = stack_named("production").declared
    protected = [one for one in found.declared if one.protect]
    kinds_protected = Counter(
        one.type.rpartition(":")[2] for one in protected if one.package == "kubernetes"
    )
    assert kinds_protected == {
        "ConfigMap": 1,
        "ExternalSecret": 4,
        "Namespace": 2,
        "Release": 1,
        "ValidatingAdmissionPolicy": 1,
        "ValidatingAdmissionPolicyBinding": 1,
    }
    assert sorted(one.name for one in protected if one.package == "vault") == [
        "vault-audit",
        "vault-auth",
        "vault-auth-config",
        "vault-mount",
        "vault-mount-limits",
    ]
    assert [one for one in found.declared if one.retain_on_delete] == protected


def test_staging_protects_nothing_and_retains_the_namespace_that_holds_more_than_ours(stack_named):
    found = stack_named("staging").declared
    assert not [one for one in found.declared if one.protect]
    retained = only(one for one in found.declared if one.retain_on_delete)
    assert retained.inputs["metadata"]["name"] == "wren-staging"


def test_stores_are_waited_for_and_external_secrets_are_not(any_stack):
    waiting = {
        "SecretStore": {"pulumi.com/waitFor": "condition=Ready"},
        "ExternalSecret": {"pulumi.com/skipAwait": "true"},
    }
    for one in any_stack.declared.objects():
        assert one.pulumi_annotations == waiting.get(one.inputs["kind"], {})


def test_an_operator_that_exists_is_left_alone(stack_named):
    found = stack_named("shared-cluster-staging").declared
    assert not found.components("platform-secrets:eso:Operator")
    assert not found.components("platform-secrets:network:OperatorNetwork")
    assert "kubernetes:helm.sh/v3:Release" not in {one.type for one in found.declared}
    assert len(found.of_kind("Namespace")) == 1


def test_what_rotates_comes_after_its_bounds_and_all_that_it_needs(stack_named):
    found = stack_named("production").declared
    acting = list(found.of_kind("CronJob"))
    acting += [
        one
        for one in found.of_kind("RoleBinding")
        if one.inputs["metadata"]["name"] == "secrets-rotation"
    ]
    needed = [
        one.urn
        for kind in (
            "ValidatingAdmissionPolicyBinding",
            "ExternalSecret",
            "Password",
            "NetworkPolicy",
            "SecretStore",
        )
        for one in found.of_kind(kind)
        if one.inputs["metadata"].get("namespace") in (None, "wren-production")
    ]
    assert len(acting) == 3
    assert len(needed) > 12
    for one in acting:
        assert {*needed} <= found.before(one)


def test_what_guards_data_comes_last_so_that_a_destroy_takes_it_away_first(settings_with):
    settings = settings_with(refuse_deletion=True, cluster={"uid": CLUSTER_UID})
    found = declare(lambda: Layer("secrets", settings=settings, values={}, rotator={}))
    [guard] = (
        one
        for one in found.of_kind("ValidatingAdmissionPolicyBinding")
        if one.inputs["metadata"]["name"] == "shop-test-deletion"
    )
    guarded = [*found.of_kind("ExternalSecret"), *found.of_kind("Namespace")]
    guarded += [one for one in found.of_kind("ConfigMap") if "memory" in one.name]
    assert len(guarded) > 3
    assert {one.urn for one in guarded} <= found.before(guard)


def test_with_delivery_by_gitops_nothing_of_kubernetes_is_declared(settings_with):
    settings = settings_with(
        delivery="gitops", gitops={"repository": "https://git.example.com/shop.git"}
    )
    found = declare(lambda: Layer("secrets", settings=settings, values={}, rotator={}))
    assert [one.name for one in found.declared] == ["secrets"]


def test_logical_names_never_contain_an_environment(any_stack):
    names = [one.name for one in any_stack.declared.declared]
    assert not [name for name in names if any(each in name for each in ENVIRONMENTS)]


def test_urns_are_unique(any_stack):
    urns = Counter(one.urn for one in any_stack.declared.declared)
    assert not [urn for urn, count in urns.items() if count > 1]


def test_two_environments_have_the_same_logical_names(stack_named):
    staging = {one.name for one in stack_named("staging").declared.declared}
    production = {one.name for one in stack_named("production").declared.declared}
    assert production - staging == {
        "secrets-reader-role-binding",  # staging names no readers
        "vault-audit",
        "vault-auth-config",  # staging's Vault asks no cluster
        "vault-mount",
        "vault-mount-limits",
    }
    assert not staging - production


def test_type_tokens_name_the_module_and_the_class(stack_named):
    """They are part of every URN: to change one is to replace all that is below it."""
    found = [*stack_named("production").declared.declared]
    found += stack_named("development").declared.declared
    assert {one.type for one in found if not one.is_custom} == {
        "platform-secrets:layer:SecretsLayer",
        "platform-secrets:namespace:EnvironmentNamespace",
        "platform-secrets:access:ServiceAccess",
        "platform-secrets:access:SecretsReader",
        "platform-secrets:eso:Operator",
        "platform-secrets:network:OperatorNetwork",
        "platform-secrets:network:RotationNetwork",
        "platform-secrets:rotation:Rotation",
        "platform-secrets:rotation:RotationAdmission",
        "platform-secrets:rotation:RotationMemory",
        "platform-secrets:rotation:RotatedKey",
        "platform-secrets:stores:SecretStore",
        "platform-secrets:secrets:ExternalSecret",
        "platform-secrets:secrets:BasicSecret",
        "platform-secrets:backends:VaultBackend",
    }


def test_every_object_names_the_installed_version_of_its_provider(any_stack):
    found = {(one.package, one.version) for one in any_stack.declared.declared if one.is_custom}
    assert found == {(package, version(f"pulumi-{package}")) for package, _ in found}
