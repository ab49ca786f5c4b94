"""Who may have the operator write by a rotation store: the rotator, and nobody else."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import KubernetesApi, Manifest
from tests.e2e.live_objects import empty
from tests.e2e.people import RBAC
from tests.e2e.rotating import rotating_settings
from tests.e2e.rotation_rights import Admitted, is_denied

PUSH = ("external-secrets.io/v1alpha1", "PushSecret")
STORE = {"kind": "SecretStore", "name": "vault-rotation-store"}
OWN = {"kind": "SecretStore", "name": "team-store"}
TEAM = "team"


@pytest.fixture(scope="module")
def world(operator_crds: Cluster) -> Iterator[Admitted]:
    made = Admitted(operator_crds, rotating_settings("production", "writers"))
    metadata = {"name": TEAM, "namespace": made.namespace}
    rule = {
        "apiGroups": ["external-secrets.io"],
        "resources": ["pushsecrets"],
        "verbs": ["create", "update", "patch"],
    }
    role: Manifest = {"apiVersion": f"{RBAC}/v1", "metadata": metadata}
    reference = {"apiGroup": RBAC, "kind": "Role", "name": TEAM}
    subject = {"kind": "ServiceAccount", **metadata}
    for obj in (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {**role, "kind": "Role", "rules": [rule]},
        {**role, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]},
    ):
        operator_crds.api.apply(obj)
    yield made
    empty(operator_crds, [made.namespace])


@pytest.fixture(scope="module", params=["an administrator", "an account of the namespace"])
def somebody(world: Admitted, request: pytest.FixtureRequest) -> KubernetesApi:
    """Who has the right to make PushSecrets, and is not the rotator."""
    cluster = world.cluster
    if request.param == "an administrator":
        return cluster.api
    return cluster.api_as(cluster.token(world.namespace, TEAM))


def push(world: Admitted, name: str = "some", *stores: Manifest, **spec: Any) -> Manifest:
    """A PushSecret of somebody's own."""
    match = {"secretKey": "value", "remoteRef": {"remoteKey": "some/entry", "property": "value"}}
    own = {
        "secretStoreRefs": [*stores],
        "selector": {"secret": {"name": "some"}},
        "data": [{"match": match}],
    }
    metadata = {"name": name, "namespace": world.namespace}
    return {"apiVersion": PUSH[0], "kind": PUSH[1], "metadata": metadata, "spec": own | spec}


def test_the_rotator_s_own_pushes_go_through(world: Admitted) -> None:
    pushes = [one for one in world.one_shots() if one["kind"] == "PushSecret"]
    assert STORE["name"] in {one["spec"]["secretStoreRefs"][0]["name"] for one in pushes}
    assert {one["metadata"]["name"]: world.creating(one) for one in pushes} == dict.fromkeys(
        (one["metadata"]["name"] for one in pushes), ""
    )


def test_nobody_else_s_goes_through_not_even_the_same(
    world: Admitted, somebody: KubernetesApi
) -> None:
    labels = {"kind": "SecretStore", "labelSelector": {"matchLabels": {"a": "b"}}}
    for obj in (
        world.one_shot("rotation-promote-jwt-secret"),
        push(world, "some", STORE),
        push(world, "some", {"name": STORE["name"]}),
        push(world, "some", OWN, STORE),
        push(world, "some", labels),
        push(world, "some", STORE, refreshInterval="1h", updatePolicy="IfNotExists"),
    ):
        assert is_denied(world.creating(obj, somebody), world, "stores"), obj


def test_a_push_to_another_store_goes_through_and_is_not_turned_to_this_one(
    world: Admitted, somebody: KubernetesApi
) -> None:
    assert world.creating(push(world, "some", OWN), somebody) == ""
    world.cluster.api.apply(push(world, "other", OWN))
    turned = {"spec": {"secretStoreRefs": [STORE]}}
    assert is_denied(world.patching(PUSH, "other", turned, somebody), world, "stores")
    assert world.patching(PUSH, "other", {"spec": {"refreshInterval": "2h"}}, somebody) == ""


def test_who_marks_the_rotator_s_push_is_not_refused_and_who_changes_it_is(
    world: Admitted, somebody: KubernetesApi
) -> None:
    """The operator marks it, and a cluster's own policies."""
    name = "rotation-promote-jwt-secret"
    if world.cluster.api.get(*PUSH, name, world.namespace) is None:
        world.rotator.create(world.one_shot(name))
    marks = {"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/waits"]}}
    assert world.patching(PUSH, name, marks, somebody) == ""
    change = {"spec": {"selector": {"secret": {"name": "some"}}}}
    assert is_denied(world.patching(PUSH, name, change, somebody), world, "stores")


def test_other_namespaces_are_none_of_its_business(world: Admitted) -> None:
    elsewhere = push(world, "some", STORE)
    elsewhere["metadata"]["namespace"] = "default"
    assert world.creating(elsewhere, world.cluster.api) == ""
