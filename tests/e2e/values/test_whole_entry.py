"""A Secret with everything that its entry holds, made by the real operator."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from platform_secrets.manifests.entries import identity_entries
from platform_secrets.settings import Document, Settings, load
from tests.e2e.cluster import Cluster
from tests.e2e.environments import ESO, fails, operated, secret_values, sync, touch
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import wait_until
from tests.e2e.stores import Stores

NAMESPACE = "harbour-whole"
CATALOGUE: dict[str, Any] = {
    "platform": "harbour",
    "bundles": {
        "charts": {
            "secret": "charts-env",
            "whole-entry": True,
            "keys": {"TOKEN": {"description": "of the API"}},
        },
        "unnamed": {"secret": "unnamed-env", "whole-entry": True, "keys": {}},
        "both": {"secret": "both-env", "whole-entry": True},
        "parts": {
            "secret": "parts-env",
            "creation": "orphan",
            "keys": {name: {"description": "p", "hidden": True} for name in ("A", "TOKEN")},
            "texts": {"URL": "https://${A}:${TOKEN}@example.com", "EMPTY": ""},
        },
    },
    "services": {},
}
STACK: dict[str, Any] = {
    "environment": "whole",
    "operator": "install",
    "protect": False,
    "stores": {"vault": {"provider": "vault", "server": "https://vault.example.com:8200"}},
    "bundles": {
        "charts": {"entry": "apps/charts"},
        "unnamed": {"entry": "apps/unnamed"},
        "both": {"entries": ["apps/unnamed", "apps/later"]},
        "parts": {"entries": ["apps/unnamed", "apps/later"]},
    },
}


@pytest.fixture(scope="module")
def held(
    cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, dict[str, str]]]:
    """What the two entries hold, by entry."""
    [settings] = load([Document("Pulumi.whole.yaml", STACK)], Document("catalogue.yaml", CATALOGUE))
    stores.prepare(settings)
    _let_read(stores, settings)
    entries = {
        "apps/charts": {"TOKEN": secrets.token_hex(8), "tls.key": f"{{{{ {secrets.token_hex(8)}"},
        "apps/unnamed": {"A": secrets.token_hex(8), "b-c": secrets.token_hex(8)},
        "apps/later": {"A": secrets.token_hex(8), "TOKEN": secrets.token_hex(8)},
    }
    for entry, content in entries.items():
        stores.bao.write(f"secret/data/{entry}", data=content)
    with operated(cluster, operator, [settings]):
        yield entries


def _let_read(stores: Stores, settings: Settings) -> None:
    entries = identity_entries(settings, "vault", "read").values()
    rules = [f'path "secret/data/{entry}" {{ capabilities = ["read"] }}' for entry in entries]
    role = settings.identity_name("vault", "read")
    stores.bao.write(f"sys/policies/acl/{role}", policy="\n".join(rules))


@pytest.mark.parametrize(
    ("secret", "entry"), [("charts-env", "apps/charts"), ("unnamed-env", "apps/unnamed")]
)
def test_everything_arrives_as_it_is_and_nothing_of_the_external_secret_itself(
    held: dict[str, dict[str, str]], cluster: Cluster, secret: str, entry: str
) -> None:
    sync(cluster, NAMESPACE, secret)
    assert secret_values(cluster, NAMESPACE, secret) == held[entry]
    made = cluster.api.get("v1", "Secret", secret, NAMESPACE) or {}
    owned = [name for name in made["metadata"].get("annotations", {}) if "external-secrets" in name]
    assert {*made["metadata"].get("annotations", {})} == {*owned}
    assert made["metadata"]["labels"]["app.kubernetes.io/part-of"] == "harbour"


def test_of_a_name_that_stands_in_two_entries_the_later_one_s_value_is_taken(
    held: dict[str, dict[str, str]], cluster: Cluster
) -> None:
    later = held["apps/later"]
    sync(cluster, NAMESPACE, "both-env")
    assert secret_values(cluster, NAMESPACE, "both-env") == held["apps/unnamed"] | later
    sync(cluster, NAMESPACE, "parts-env")
    url = f"https://{later['A']}:{later['TOKEN']}@example.com"
    assert secret_values(cluster, NAMESPACE, "parts-env") == {"URL": url, "EMPTY": ""}


def test_a_secret_is_its_external_secret_s_own_unless_it_is_to_stay(
    held: dict[str, dict[str, str]], cluster: Cluster
) -> None:
    owners = {}
    for name in ("both-env", "parts-env"):
        sync(cluster, NAMESPACE, name)
        made = cluster.api.get("v1", "Secret", name, NAMESPACE) or {}
        owners[name] = [one["kind"] for one in made["metadata"].get("ownerReferences", [])]
    assert owners == {"both-env": ["ExternalSecret"], "parts-env": []}


def test_a_secret_of_an_external_secret_of_another_name_is_taken_over_as_the_docs_say(
    held: dict[str, dict[str, str]], cluster: Cluster
) -> None:
    sync(cluster, NAMESPACE, "both-env")
    ours = cluster.api.get(ESO, "ExternalSecret", "both-env", NAMESPACE) or {}
    ours = {
        "apiVersion": ESO,
        "kind": "ExternalSecret",
        "metadata": {"name": "both-env", "namespace": NAMESPACE},
        "spec": ours["spec"],
    }
    _delete_without_its_secret(cluster, "both-env")
    before = cluster.api.get("v1", "Secret", "both-env", NAMESPACE) or {}
    cluster.api.create({**ours, "metadata": {"name": "old", "namespace": NAMESPACE}})
    sync(cluster, NAMESPACE, "old")
    cluster.api.create(ours)
    fails(cluster, NAMESPACE, "both-env")
    _delete_without_its_secret(cluster, "old")
    sync(cluster, NAMESPACE, "both-env")
    after = cluster.api.get("v1", "Secret", "both-env", NAMESPACE) or {}
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["data"] == before["data"]
    assert [one["name"] for one in after["metadata"]["ownerReferences"]] == ["both-env"]


def _delete_without_its_secret(cluster: Cluster, name: str) -> None:
    cluster.api.delete(ESO, "ExternalSecret", name, NAMESPACE, propagation="Orphan")
    wait_until(
        lambda: cluster.api.get(ESO, "ExternalSecret", name, NAMESPACE) is None,
        f"{name} is gone",
        timeout_seconds=30,
    )


def test_a_text_whose_key_none_of_the_entries_has_stops_the_sync_and_the_secret_stays(
    held: dict[str, dict[str, str]], cluster: Cluster, stores: Stores
) -> None:
    sync(cluster, NAMESPACE, "parts-env")
    before = secret_values(cluster, NAMESPACE, "parts-env")
    stores.bao.write("secret/data/apps/later", data={"A": held["apps/later"]["A"]})
    touch(cluster, NAMESPACE, "parts-env")
    fails(cluster, NAMESPACE, "parts-env")
    assert secret_values(cluster, NAMESPACE, "parts-env") == before
    stores.bao.write("secret/data/apps/later", data=held["apps/later"])
    sync(cluster, NAMESPACE, "parts-env")


def test_what_somebody_adds_arrives_and_what_is_taken_away_goes(
    held: dict[str, dict[str, str]], cluster: Cluster, stores: Stores
) -> None:
    changed = {"A": held["apps/unnamed"]["A"], "new.key": secrets.token_hex(8)}
    stores.bao.write("secret/data/apps/unnamed", data=changed)
    sync(cluster, NAMESPACE, "unnamed-env")
    assert secret_values(cluster, NAMESPACE, "unnamed-env") == changed


def test_a_named_key_that_is_missing_stops_the_sync_and_the_secret_stays(
    held: dict[str, dict[str, str]], cluster: Cluster, stores: Stores
) -> None:
    sync(cluster, NAMESPACE, "charts-env")
    stores.bao.write("secret/data/apps/charts", data={"tls.key": secrets.token_hex(8)})
    touch(cluster, NAMESPACE, "charts-env")
    fails(cluster, NAMESPACE, "charts-env")
    assert secret_values(cluster, NAMESPACE, "charts-env") == held["apps/charts"]
    stores.bao.write("secret/data/apps/charts", data=held["apps/charts"])
    sync(cluster, NAMESPACE, "charts-env")
