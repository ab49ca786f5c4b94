"""A change of a protected environment's files takes no Secret from its readers, neither by mistake
nor on the way that docs/runbook.md has for it; by Pulumi's engine, and by `kubectl apply --prune`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from platform_secrets.manifests.rotation.names import MEMORY
from tests.e2e.cluster import Cluster
from tests.e2e.deliveries import VAULT, Delivered, by_engine, by_tree
from tests.e2e.environments import ESO, fails
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import MARK, mark
from tests.e2e.secret_history import History, reading
from tests.e2e.stores import Stores, decoded, made_values

WAYS = {"engine": by_engine, "kubectl": by_tree}
AWS = {"provider": "aws", "region": "eu-central-1", "account-id": "123456789012"}
RBAC = "rbac.authorization.k8s.io/v1"
REMEMBERED = {"jwt-secret": "2026-01-31"}


@pytest.fixture(scope="module", params=WAYS)
def place(
    request: pytest.FixtureRequest,
    run: Run,
    cluster: Cluster,
    operator: OperatorRelease,
    stores: Stores,
) -> Iterator[Delivered]:
    with WAYS[request.param](run, cluster, operator, stores) as made:
        stores.prepare(made.settings)
        stores.put(made.settings, made_values(made.settings))
        for bundle, content in made.settings.catalogue.bundles.items():
            mark(stores, made.settings, bundle, next(iter(content.keys)))
        made.deliver()
        made.secrets()
        cluster.api.patch("v1", "ConfigMap", MEMORY, made.namespace, {"data": REMEMBERED})
        yield made


@contextmanager
def kept(place: Delivered) -> Iterator[dict[str, Manifest]]:
    """Inside, no Secret of now goes, and none of its values changes; yields those."""
    before = place.secrets()
    history = History(place.cluster, place.namespace)
    yield before
    assert history.changed(before) == []


def renamed(mapping: dict[str, Any], old: str, new: str) -> None:
    """Gives an entry another name, in its place."""
    items = [(new if name == old else name, value) for name, value in mapping.items()]
    mapping.clear()
    mapping.update(items)


def rename_bundle(catalogue: dict[str, Any]) -> None:
    renamed(catalogue["bundles"], "backend-api", "backend")
    catalogue["services"]["backend-api"]["reads"] = ["shared", "backend"]


def take_out_bundle(catalogue: dict[str, Any]) -> None:
    del catalogue["bundles"]["stream-server"]
    catalogue["services"]["stream-server"]["reads"] = ["shared"]


def move(place: Delivered, bundle: str, **stack: Any) -> None:
    """As docs/migrating.md has it, "To another layout or another store"."""
    place.change_stack(migrating=[bundle], **stack)
    place.deliver()
    place.secretsctl("migrate", bundle)
    place.secretsctl("migrate", bundle, "--finish")
    place.change_stack(migrating=None)
    place.deliver()
    place.secrets()


def test_a_bundle_is_renamed(place: Delivered) -> None:
    """Its values are in another entry then."""
    with kept(place):
        place.change_catalogue(rename_bundle)
        place.deliver()
        fails(place.cluster, place.namespace, "wren-backend-api-secrets")
        move(place, "backend")


def test_a_service_is_renamed(place: Delivered) -> None:
    account, secret = "wren-chat-server", "wren-chat-server-secrets"
    with kept(place), reading(place.cluster, place.namespace, account, secret) as refused:
        place.change_catalogue(lambda found: renamed(found["services"], "chat-server", "chat"))
        place.deliver()
    assert refused == []
    roles = {
        one["metadata"]["name"] for one in place.cluster.api.list(RBAC, "Role", place.namespace)
    }
    assert {"chat-secrets", "chat-server-secrets"} & roles == {"chat-secrets"}


def test_a_key_is_renamed(place: Delivered) -> None:
    old, new, secret = "stream-server-secret", "stream-secret", "wren-stream-server-secrets"

    def keys(catalogue: dict[str, Any]) -> dict[str, Any]:
        return catalogue["bundles"]["stream-server"]["keys"]

    with kept(place) as before:
        place.change_catalogue(lambda found: renamed(keys(found), old, new))
        place.deliver()
        fails(place.cluster, place.namespace, secret)
        place.change_catalogue(lambda found: keys(found).update({old: keys(found)[new]}))
        place.deliver()
        value = decoded(before[secret])[old]
        line = f"stream-server/{new}={value}\n"
        place.secretsctl("seed", "--from-env-file=-", "--yes", given=line)
        assert decoded(place.secrets()[secret]) == {old: value, new: value}
    history = History(place.cluster, place.namespace)
    place.change_catalogue(lambda found: keys(found).pop(old))
    place.deliver()
    assert decoded(place.secrets()[secret]) == {new: value}
    assert (history.lost(), history.held(secret, new)) == (set(), [value])


def test_the_provider_is_another_one_by_mistake(place: Delivered) -> None:
    with kept(place) as secrets:
        place.change_stack(stores={"aws": {**AWS, "layout": "bundle"}})
        place.deliver()
        for name in secrets:
            fails(place.cluster, place.namespace, name)
        place.change_stack(stores={"vault": VAULT})
        place.deliver()
        place.secrets()


def test_the_layout_is_another_one_by_mistake(place: Delivered) -> None:
    """It has an ExternalSecret more, which a way back would delete."""
    with kept(place) as secrets:
        place.change_stack(stores={"vault": {**VAULT, "layout": "per-key"}})
        place.deliver()
        for name in secrets:
            fails(place.cluster, place.namespace, name)
        place.change_stack(stores={"vault": VAULT})
        place.deliver_without("wren-secrets-overlap")
        place.secrets()


def test_a_bundle_moves_to_another_provider_and_layout(place: Delivered) -> None:
    bundles = {"chat-server": {"store": "aws"}}
    both = {"stores": {"vault": VAULT, "aws": AWS}, "default-store": "vault", "bundles": bundles}
    tags = [{"Key": key, "Value": value} for key, value in MARK.items()]
    entry = f"wren/{place.person.environment}/chat-server-secret"
    place.stores.aws.client("secretsmanager").create_secret(Name=entry, Tags=tags)
    with kept(place):
        move(place, "chat-server", **both)


def test_a_bundle_is_taken_out(place: Delivered) -> None:
    secret = "wren-stream-server-secrets"  # noqa: S105
    with kept(place):
        place.change_catalogue(take_out_bundle)
        assert secret in place.refusal()
    history = History(place.cluster, place.namespace)
    place.deliver_without(secret)
    wait_until(
        lambda: not place.cluster.api.get("v1", "Secret", secret, place.namespace),
        "the Secret goes with its ExternalSecret",
    )
    assert history.lost() == {secret}


def test_everything_is_destroyed(place: Delivered) -> None:
    with kept(place):
        assert place.refusal_to_destroy()
    memory = place.cluster.api.read("v1", "ConfigMap", MEMORY, place.namespace)
    assert memory["data"] == REMEMBERED
    found = place.cluster.api.list(ESO, "ExternalSecret", place.namespace)
    assert {one["metadata"]["name"] for one in found} == place.secrets().keys()
