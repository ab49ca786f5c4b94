"""No object can reach a cluster that is not the stack's."""

import uuid

import pulumi
import pytest

from platform_secrets.components.layer import Layer
from tests.declaring import CLUSTER_UID, declare, run

READER, VERIFIED = "cluster-reader", "cluster"


@pytest.fixture
def layer(settings_with):
    """A program that declares the whole layer of the stack whose cluster has this UID."""

    def program(uid=None, **changes):
        cluster = {"uid": uid} if uid else {}
        settings = settings_with(cluster=cluster, **changes)
        return lambda: Layer("secrets", settings=settings, values={}, rotator={})

    return program


def custom_resources(found):
    return {one.name for one in found.declared if one.is_custom}


def of_cluster(found):
    """The warnings, but those of the settings."""
    return [one for one in found.warnings if "placeholder" not in one]


def provider(found, name):
    [one] = [one for one in found.declared if one.name == name]
    return one


def test_the_uid_of_kube_system_is_read_through_a_provider_of_its_own(layer):
    found = declare(layer(CLUSTER_UID))
    assert [(one.id, one.provider.split("::")[-2]) for one in found.read] == [
        ("kube-system", READER)
    ]


def test_on_the_stack_s_own_cluster_everything_is_declared_through_the_verified_provider(any_stack):
    found = any_stack.declared
    urn = provider(found, VERIFIED).urn
    in_cluster = [one for one in found.declared if one.is_custom and "kubernetes" in one.package]
    through = {one.provider.rpartition("::")[0] for one in in_cluster}
    assert through == {"", urn}, "the two providers themselves have none"
    assert {one.name for one in in_cluster if not one.provider} == {READER, VERIFIED}


def test_on_another_cluster_the_provider_half_is_not_touched_either(layer, vault):
    stores = {"vault": vault | {"backend": "declare", "shared": "own"}}
    found = run(layer(str(uuid.uuid4()), stores=stores))
    assert isinstance(found.error, pulumi.RunError)
    assert custom_resources(found) == {READER}


def test_with_delivery_by_gitops_the_provider_half_needs_no_cluster(layer, vault):
    stores = {"vault": vault | {"backend": "declare"}}
    gitops = {"repository": "https://git.example.com/shop/secrets.git"}
    found = declare(layer(stores=stores, delivery="gitops", gitops=gitops))
    assert "vault-read-role" in custom_resources(found)
    assert not {READER, VERIFIED} & custom_resources(found)


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
def test_another_cluster_is_refused_before_anything_is_declared(layer, preview):
    found = run(layer(str(uuid.uuid4())), preview=preview)
    assert isinstance(found.error, pulumi.RunError)
    assert "Pulumi.test.yaml: cluster.uid" in str(found.error)
    assert CLUSTER_UID in str(found.error)
    assert custom_resources(found) == {READER}


def test_an_update_of_a_stack_without_cluster_says_how_to_name_it(layer):
    found = run(layer())
    line = f"write beside `environment`: cluster: {{uid: {CLUSTER_UID}}}"
    assert isinstance(found.error, pulumi.RunError)
    assert str(found.error).endswith(line)
    assert custom_resources(found) == {READER}


def test_a_preview_of_a_stack_without_cluster_shows_everything_and_warns(layer):
    found = declare(layer(), preview=True)
    assert [warning.split(": ")[1] for warning in of_cluster(found)] == ["cluster.uid"]
    assert CLUSTER_UID in of_cluster(found)[0]
    whole = declare(layer(CLUSTER_UID), preview=True)
    assert not of_cluster(whole)
    assert custom_resources(found) == custom_resources(whole) > {READER, VERIFIED}


def test_the_verified_provider_is_known_by_the_cluster_and_not_by_its_kubeconfig(
    layer, monkeypatch
):
    monkeypatch.setenv("KUBECONFIG", "/home/first/kubeconfig")
    found = declare(layer(CLUSTER_UID))
    assert provider(found, VERIFIED).inputs["clusterIdentifier"] == CLUSTER_UID
    assert provider(found, VERIFIED).inputs["kubeconfig"] == ""
    assert provider(found, READER).inputs["kubeconfig"] == ""


def test_a_preview_without_a_cluster_shows_everything_and_says_so_in_one_line(layer):
    found = declare(layer(CLUSTER_UID), preview=True, cluster_uid="")
    [warning] = of_cluster(found)
    assert "the cluster was not asked" in warning
    assert "\n" not in warning
    assert custom_resources(found) == custom_resources(declare(layer(CLUSTER_UID), preview=True))
    assert provider(found, VERIFIED).inputs["clusterIdentifier"] == CLUSTER_UID, "no difference"


@pytest.mark.parametrize("uid", [CLUSTER_UID, None], ids=["named", "unnamed"])
def test_an_update_without_a_cluster_is_refused_before_anything_is_declared(layer, uid):
    found = run(layer(uid), cluster_uid="")
    assert isinstance(found.error, pulumi.RunError)
    assert "the cluster was not asked" in str(found.error)
    assert custom_resources(found) == {READER}


def test_objects_are_applied_on_the_server_so_that_fields_of_others_stay(layer):
    found = declare(layer(CLUSTER_UID))
    assert provider(found, VERIFIED).inputs["enableServerSideApply"] == "true"


def test_what_others_changed_of_what_is_declared_is_changed_back(layer):
    found = declare(layer(CLUSTER_UID))
    assert provider(found, VERIFIED).inputs["enablePatchForce"] == "true"


def test_a_changed_value_changes_its_secret_instead_of_replacing_it(layer):
    found = declare(layer(CLUSTER_UID))
    assert provider(found, VERIFIED).inputs["enableSecretMutable"] == "true"
    assert provider(found, VERIFIED).inputs["enableConfigMapMutable"] == "true"


def test_both_providers_use_the_context_of_the_settings(settings_with):
    settings = settings_with(cluster={"uid": CLUSTER_UID, "context": "shop-cluster"})
    found = declare(lambda: Layer("secrets", settings=settings, values={}, rotator={}))
    assert provider(found, READER).inputs["context"] == "shop-cluster"
    assert provider(found, VERIFIED).inputs["context"] == "shop-cluster"


def test_delivery_by_gitops_needs_no_cluster(layer):
    found = declare(
        layer(delivery="gitops", gitops={"repository": "https://git.example.com/shop.git"})
    )
    assert not found.read
    assert [one.type for one in found.declared] == ["platform-secrets:layer:SecretsLayer"]
