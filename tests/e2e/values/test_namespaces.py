"""Two namespaces of one environment: each has its Secrets, and its identity reads only their
entries. The operator and OpenBao are real, and so are the rights that the program declares."""

from collections.abc import Iterator
from typing import Any

import pytest

from platform_secrets.components.backends.vault import policies
from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.settings import Document, Settings, VaultStore, load
from tests.e2e.cluster import Cluster
from tests.e2e.environments import operated, secret_values, sync
from tests.e2e.openbao import OpenBaoError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.providers.test_vault_backend import FORBIDDEN, login
from tests.e2e.stores import Stores, made_values

OWN, BILLING = "harbour-spaces", "harbour-billing"
ENTRIES = {
    "token": {OWN, BILLING},
    "login": {OWN},
    "password": {BILLING},
}
CATALOGUE: dict[str, Any] = {
    "platform": "harbour",
    "bundles": {
        "gate": {
            "secret": "gate",
            "keys": {"token": {"description": "for the maps"}, "login": {"description": "a login"}},
        },
        "ledger": {
            "secret": "ledger",
            "keys": {
                "password": {"description": "at the bank"},
                "maps": {"description": "the gate's", "same-as": "gate/token"},
            },
        },
    },
    "services": {
        "gate": {"workload": "Deployment/gate", "reads": ["gate"]},
        "ledger": {"workload": "Deployment/ledger", "reads": ["ledger"]},
    },
}
STACK: dict[str, Any] = {
    "environment": "spaces",
    "operator": "install",
    "namespaces": {BILLING: {"bundles": ["ledger"]}},
    "protect": False,
    "stores": {
        "vault": {
            "provider": "vault",
            "server": "https://vault.example.com:8200",
            "layout": "per-key",
        }
    },
}


@pytest.fixture(scope="module")
def made(cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[Settings]:
    stack = Document("Pulumi.spaces.yaml", STACK)
    [settings] = load([stack], Document("catalogue.yaml", CATALOGUE))
    stores.prepare(settings)
    for view, identity in settings.all_identities("vault"):
        rights = "".join(policies(view, "vault", identity))
        name = view.identity_name("vault", identity)
        stores.bao.write(f"sys/policies/acl/{name}", policy=rights)
    stores.put(settings, made_values(settings))
    with operated(cluster, operator, [settings]):
        yield settings


def entry(settings: Settings, key: str) -> str:
    for bundle in settings.catalogue.bundles:
        if found := bundle_entries(settings, bundle).get(key):
            return found.key
    raise LookupError(key)


def test_the_secrets_of_both_namespaces_arrive_and_share_the_lent_value(
    made: Settings, cluster: Cluster
) -> None:
    for namespace, name in ((OWN, "gate"), (BILLING, "ledger")):
        sync(cluster, namespace, name)
    gate = secret_values(cluster, OWN, "gate") or {}
    ledger = secret_values(cluster, BILLING, "ledger") or {}
    assert (sorted(gate), sorted(ledger)) == (["login", "token"], ["maps", "password"])
    assert ledger["maps"] == gate["token"]
    assert secret_values(cluster, OWN, "ledger") is None
    assert secret_values(cluster, BILLING, "gate") is None


@pytest.mark.parametrize("key", ENTRIES)
def test_an_identity_reads_the_entries_of_its_namespace_and_no_other(
    made: Settings, cluster: Cluster, stores: Stores, key: str
) -> None:
    readers = set()
    for view in made.by_namespace:
        token = login(cluster, stores, view, "read")
        try:
            stores.bao.request("GET", f"secret/data/{entry(made, key)}", token=token)
            readers.add(view.namespace)
        except OpenBaoError as error:
            if error.status != FORBIDDEN:
                raise
    assert readers == ENTRIES[key]


def test_no_account_has_the_role_of_the_other_namespace(
    made: Settings, cluster: Cluster, stores: Stores
) -> None:
    store = made.environment.stores["vault"]
    assert isinstance(store, VaultStore)
    first, second = made.by_namespace
    for account, role in ((first, second), (second, first)):
        name = naming.secret_store("vault", "read")
        jwt = cluster.token(account.namespace, name, audience="vault")
        body = {"role": role.identity_name("vault", "read"), "jwt": jwt}
        with pytest.raises(OpenBaoError, match=r"403|not authorized"):
            stores.bao.request("POST", f"auth/{store.auth_mount}/login", body)
