"""Who may have the operator write as seed, and what: asked of a real API server, both ways."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from platform_secrets.manifests.entries import identity_entries
from platform_secrets.manifests.migration import record_manifest
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.seeding import seeding_manifests
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError
from tests.e2e.process import wait_until
from tests.e2e.rotating import rotating_settings

PUSHES, ESO = "external-secrets.io/v1alpha1", "external-secrets.io/v1"
STRANGER = "only the groups"


class Door:
    """A namespace with the policies of seeding."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        settings = rotating_settings(
            *("production", "seeders"),
            seeding={"groups": [PEOPLE]},
            migrating=["backend-api", "chat-server"],
        )
        self.record, self.planted = (
            record_manifest(settings, bundle) for bundle in settings.environment.migrating
        )
        self.namespace = settings.namespace
        self.entry, *_ = identity_entries(settings, "vault", "seed").values()
        cluster.create_namespace(self.namespace)
        cluster.api.create(self.planted | {"data": {"adopt": "password: mine"}})
        for obj in seeding_manifests(settings):
            cluster.api.apply(obj, manager="platform-secrets")
        admin = cluster.api
        wait_until(lambda: self.creating(self.push(), admin), "the policy of pushes is in force")
        wait_until(lambda: self.creating(self.read(), admin), "the policy of reads is in force")
        opened = self.record | {"data": {"adopt": "{}"}}
        wait_until(lambda: self.creating(opened, admin), "the policy of records is in force")

    def push(self, **spec: Any) -> Manifest:
        """A PushSecret as `secretsctl` makes it, with changes."""
        remote = {"remoteKey": self.entry, "property": "password"}
        own = {
            "refreshInterval": "0s",
            "updatePolicy": "IfNotExists",
            "deletionPolicy": "None",
            "secretStoreRefs": [{"kind": "SecretStore", "name": "vault-seed-store"}],
            "selector": {"secret": {"name": "some"}},
            "data": [{"match": {"secretKey": "password", "remoteRef": remote}}],
        }
        changed = {name: content for name, content in (own | spec).items() if content is not None}
        return self._object(PUSHES, "PushSecret", changed)

    def read(self, store: str = "vault-seed-store", **spec: Any) -> Manifest:
        """An ExternalSecret that reads the same by a store."""
        own = {
            "secretStoreRef": {"kind": "SecretStore", "name": store},
            "data": [{"secretKey": "password", "remoteRef": {"key": self.entry}}],
        }
        return self._object(ESO, "ExternalSecret", own | spec)

    def change_record(self, change: Manifest, by: KubernetesApi) -> Manifest:
        """The record of a migration with a change by somebody."""
        name = self.record["metadata"]["name"]
        return by.patch("v1", "ConfigMap", name, self.namespace, change)

    def _object(self, version: str, kind: str, spec: Manifest) -> Manifest:
        metadata = {"name": "some", "namespace": self.namespace}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}

    def creating(self, obj: Manifest, by: KubernetesApi, *, is_tried: bool = True) -> str:
        """What the API server says to somebody's wish to create this; "" if it would."""
        path = by.path(obj["apiVersion"], obj["kind"], None, obj["metadata"]["namespace"])
        params = {"fieldValidation": "Strict", **({"dryRun": "All"} if is_tried else {})}
        try:
            by.request("POST", path, obj, params=params)
        except KubernetesApiError as error:
            return str(error)
        return ""


@pytest.fixture(scope="module")
def door(operator_crds: Cluster) -> Iterator[Door]:
    found = Door(operator_crds)
    yield found
    operator_crds.delete_namespace(found.namespace)


def test_the_people_of_the_group_may_push_and_an_administrator_may_not(
    door: Door, cluster: Cluster
) -> None:
    assert door.creating(door.push(), cluster.person) == ""
    assert STRANGER in door.creating(door.push(), cluster.api)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"refreshInterval": "1h"}, "pushed again"),
        ({"refreshInterval": None}, "pushed again"),
        ({"deletionPolicy": "Delete"}, "its entry deleted"),
        ({"selector": {"secret": {"selector": {"matchLabels": {"a": "b"}}}}}, "one Secret"),
        ({"selector": {"generatorRef": {"kind": "Password", "name": "some"}}}, "one Secret"),
        (
            {
                "secretStoreRefs": [
                    {"kind": "SecretStore", "name": "vault-seed-store"},
                    {"kind": "SecretStore", "name": "another"},
                ]
            },
            "more than one seed store",
        ),
        (
            {"secretStoreRefs": [{"kind": "SecretStore", "labelSelector": {"matchLabels": {}}}]},
            "more than one seed store",
        ),
        (
            {"template": {"templateFrom": [{"secret": {"name": "x", "items": [{"key": "y"}]}}]}},
            "another object's texts",
        ),
        (
            {"template": {"templateFrom": [{"literal": "{{ fail .password }}"}]}},
            "another object's texts",
        ),
    ],
)
def test_a_push_that_is_no_single_one_of_one_secret_is_refused_to_them_too(
    door: Door, cluster: Cluster, change: dict[str, Any], refusal: str
) -> None:
    answer = door.creating(door.push(**change), cluster.person)
    assert refusal in answer


def test_nobody_reads_by_a_seed_store(door: Door, cluster: Cluster) -> None:
    one = {"secretKey": "password", "remoteRef": {"key": door.entry}}
    own = {"sourceRef": {"storeRef": {"name": "vault-seed-store", "kind": "SecretStore"}}}
    readings = [
        door.read(),
        door.read("vault-store", data=[one | own]),
        door.read("vault-store", data=[], dataFrom=[{"extract": {"key": door.entry}} | own]),
    ]
    for reading in readings:
        assert "nothing is read as seed" in door.creating(reading, cluster.person)


def test_others_stores_and_other_namespaces_are_none_of_its_business(
    door: Door, cluster: Cluster
) -> None:
    store = [{"kind": "SecretStore", "name": "team-store"}]
    assert door.creating(door.push(secretStoreRefs=store, refreshInterval="1h"), cluster.api) == ""
    assert door.creating(door.read("vault-store"), cluster.api) == ""
    elsewhere = copy.deepcopy(door.push())
    elsewhere["metadata"]["namespace"] = "default"
    assert door.creating(elsewhere, cluster.api) == ""


def test_who_marks_or_labels_what_is_there_is_not_refused(door: Door, cluster: Cluster) -> None:
    """The operator does, and a cluster's own policies."""
    assert door.creating(door.push(), cluster.person, is_tried=False) == ""
    path = cluster.api.path(PUSHES, "PushSecret", "some", door.namespace)
    merge = "application/merge-patch+json"
    marks = {"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/waits"]}}
    marked = cluster.api.request("PATCH", path, marks, content_type=merge)
    assert marked["metadata"]["finalizers"] == ["example.com/waits"]
    change = {"spec": {"updatePolicy": "Replace"}}
    with pytest.raises(KubernetesApiError, match=STRANGER):
        cluster.api.request("PATCH", path, change, content_type=merge)
    free = {"metadata": {"finalizers": None}}
    cluster.api.request("PATCH", path, free, content_type=merge)


def test_the_record_of_a_migration_has_no_entry_but_by_the_people_of_the_group(
    door: Door, cluster: Cluster
) -> None:
    """With an entry of it the operator takes a Secret over. It is declared without."""
    delivery, person = cluster.api, cluster.person
    opened = {"data": {"adopt": "{}"}}
    assert STRANGER in door.creating(door.record | opened, delivery)
    delivery.apply(door.record, manager="platform-secrets")
    with pytest.raises(KubernetesApiError, match=STRANGER):
        door.change_record(opened, delivery)
    with pytest.raises(KubernetesApiError, match=STRANGER):
        door.change_record({"data": {"before": "{}"}}, delivery)
    assert door.change_record(opened, person)["data"] == opened["data"]
    applied = delivery.apply(door.record, manager="platform-secrets")
    assert applied["data"] == opened["data"], "as Pulumi, Argo CD and Flux do again and again"
    with pytest.raises(KubernetesApiError, match=STRANGER):
        door.change_record({"data": None}, delivery)
    door.change_record({"data": None}, person)


@pytest.mark.parametrize(
    "text", ["password: mine", "{{ fail .password }}", "{{ .password | toYaml }}", " {}"]
)
def test_no_other_text_is_let_into_a_secret_by_a_record_not_even_by_them(
    door: Door, cluster: Cluster, text: str
) -> None:
    """The operator runs it over the values, and what fails puts them into an Event."""
    changed = door.record | {"data": {"adopt-0a1b2c3d": text}}
    assert "its adopt is not {}" in door.creating(changed, cluster.person)


def test_a_text_that_was_there_before_the_policy_stops_the_delivery(
    door: Door, cluster: Cluster
) -> None:
    with pytest.raises(KubernetesApiError, match="delete this ConfigMap"):
        cluster.api.apply(door.planted, manager="platform-secrets")


def test_other_config_maps_are_none_of_its_business(door: Door, cluster: Cluster) -> None:
    other = copy.deepcopy(door.record) | {"data": {"adopt": "anything"}}
    other["metadata"]["name"] = "migration-of-a-database"
    assert door.creating(other, cluster.api) == ""
    del other["metadata"]["name"]
    other["metadata"]["generateName"] = "some-"
    assert door.creating(other, cluster.api) == ""
