"""The provider half of Azure, declared by the real engine; the local Entra ID and Key Vault then
check the operator's own tokens against just what it declared."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.settings import Identity, Settings
from tests.e2e import azure_server
from tests.e2e.azure_provider import IDENTITY, ROLE_ASSIGNMENT, VAULT, AzureProvider
from tests.e2e.cloud_clients import CloudClients
from tests.e2e.cluster import ISSUER, Cluster
from tests.e2e.deployment import STACK_KEY, Deployment, deployment
from tests.e2e.engine import EngineError, Outcome
from tests.e2e.environments import secret_values, sync
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.stores import AZURE_TENANT, AZURE_VAULT, Stores, made_values
from tests.platform import STACK_FILES

SUBSCRIPTION = "99999999-0000-4000-8000-000000000000"
VAULT_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/wren"
    f"/providers/Microsoft.KeyVault/vaults/{AZURE_VAULT}"
)
UNKNOWN = {
    each: f"00000000-0000-4000-8000-00000000000{n}"
    for n, each in enumerate(("read", "rotation", "seed"))
}
ANNEX = "wren-annex"
UNKNOWN_THERE = {each: one.replace("-4000-", "-4001-") for each, one in UNKNOWN.items()}
BUNDLE = {
    "secret": "annex-env",
    "keys": {
        "annex-token": {"description": "a token", "rotate": {"by": "generate", "every": "90d"}},
        "redis-url": {"description": "the platform's", "same-as": "shared/redis-url"},
    },
}
THERE = {"wren-production-annex-token", "wren-production-redis-url"}
NOT_OURS = "wren-staging-jwt-secret"
READ, WRITE = {"GET": 200, "PUT": 403}, {"GET": 200, "PUT": 200}
NOTHING = {"GET": 403, "PUT": 403}


@dataclass
class Half:
    """Production on Azure: what its first update said, and how it was once its settings named the
    client IDs."""

    made: Deployment
    azure: AzureProvider
    first: str
    stores_after_first: list[Any]
    rights_after_first: list[Any]
    again: list[Outcome]
    outputs: dict[str, Any]
    values: dict[str, str]


@pytest.fixture(scope="module")
def half(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[Half]:
    azure = AzureProvider()
    store = {
        "provider": "azure",
        "backend": "declare",
        "vault-name": AZURE_VAULT,
        "tenant-id": AZURE_TENANT,
        "client-ids": UNKNOWN,
        "namespace-client-ids": {ANNEX: UNKNOWN_THERE},
        "subscription-id": SUBSCRIPTION,
        "resource-group": "wren",
        "location": "germanywestcentral",
        "oidc-issuer": ISSUER,
    }
    path = STACK_FILES["production-azure"]
    parts = (run, cluster, operator, path)
    with (
        azure.serve() as port,
        deployment(
            *parts,
            name="half-azure",
            ports={"azure-native": port},
            seeding={"groups": ["wren-operators"]},
            stores={"azure": store},
            namespaces={ANNEX: {"bundles": ["annex"]}},
        ) as made,
    ):
        made.add_bundle("annex", BUNDLE)
        with pytest.raises(EngineError) as refused:
            made.stack.up()
        stores_after_first = [u for u in made.provider.urns("create") if ":SecretStore::" in u]
        rights_after_first = azure.of_type(ROLE_ASSIGNMENT)
        for view, identity in made.settings.all_identities("azure"):
            of = f"namespace-client-ids.{ANNEX}" if view.is_of_another else "client-ids"
            made.stack.set_config(
                f"{STACK_KEY}.stores.azure.{of}.{identity}",
                azure.client_ids()[view.identity_name("azure", identity)],
            )
        stores.azure.declared_credentials = lambda: azure.trusts(ISSUER)
        made.stack.up()
        stores.azure.grants |= azure.grants(VAULT_ID, [*entries_of(made.settings), NOT_OURS])
        values = made_values(made.settings)
        stores.put(made.settings, values)
        yield Half(
            made,
            azure,
            str(refused.value),
            stores_after_first,
            rights_after_first,
            [made.stack.preview(), made.stack.refresh()],
            made.stack.outputs,
            values,
        )


@pytest.fixture(scope="module")
def clients(stores: Stores) -> CloudClients:
    return CloudClients(stores.proxy.url, stores.trust)


def test_until_the_settings_name_azure_s_client_ids_no_right_is_given(half: Half) -> None:
    for place, unknown, of in (
        ("client-ids", UNKNOWN, "wren-production-"),
        (f"namespace-client-ids.{ANNEX}", UNKNOWN_THERE, f"wren-production-{ANNEX}--"),
    ):
        for identity, wrong in unknown.items():
            name = f"{of}{identity}"
            assert f"stores.azure.{place}.{identity}: is {wrong}" in half.first
            assert f"the client ID of {name} is {half.azure.client_ids()[name]}" in half.first
    assert (half.stores_after_first, half.rights_after_first) == ([], [])


def test_the_client_ids_are_outputs_of_the_stack(half: Half) -> None:
    ids = half.azure.client_ids()
    assert half.outputs["azure-client-ids"] == {
        **{each: ids[f"wren-production-{each}"] for each in UNKNOWN},
        **{f"{ANNEX}/{each}": ids[f"wren-production-{ANNEX}--{each}"] for each in UNKNOWN},
    }


def test_a_second_run_finds_nothing_to_do(half: Half) -> None:
    assert [outcome.changes for outcome in half.again] == [{}, {}]


def test_everything_is_declared_in_the_settings_subscription(half: Half) -> None:
    assert {one["subscriptionId"] for one in half.azure.configured} == {SUBSCRIPTION}


def test_the_operator_reads_through_what_was_declared(cluster: Cluster, half: Half) -> None:
    settings = half.made.settings
    for name, bundle in settings.catalogue.bundles.items():
        namespace = settings.namespace_of(name)
        sync(cluster, namespace, bundle.secret)
        found = secret_values(cluster, namespace, bundle.secret) or {}
        expected = {key: half.values[key] for key in bundle.keys}
        assert {key: found[key] for key in bundle.keys} == expected


def test_a_token_of_another_account_audience_or_identity_is_refused(
    cluster: Cluster, clients: CloudClients, half: Half
) -> None:
    own, entra = half.made.settings.namespace, azure_server.AUDIENCE
    for namespace, account, audience, identity, status in (
        (own, "azure-store", entra, "read", 200),
        (own, "azure-store", entra, "rotation", 401),
        (own, "azure-rotation-store", entra, "read", 401),
        (own, "wren-backend-api", entra, "read", 401),
        (own, "azure-store", ISSUER, "read", 401),
        (own, "azure-store", entra, f"{ANNEX}--read", 401),
        (ANNEX, "azure-store", entra, f"{ANNEX}--read", 200),
        (ANNEX, "azure-store", entra, "read", 401),
        (ANNEX, "azure-rotation-store", entra, "rotation", 401),
    ):
        token = cluster.token(namespace, account, audience=audience)
        answer = sign_in(clients, half, identity, token)
        assert answer.status == status, (namespace, account, audience, identity)


def test_every_identity_may_do_with_every_secret_what_it_is_for_and_nothing_else(
    cluster: Cluster, stores: Stores, clients: CloudClients, half: Half
) -> None:
    settings = half.made.settings
    stores.azure.set(NOT_OURS, secrets.token_hex())
    own, _ = settings.by_namespace
    for entry, is_generated in [*entries_of(settings).items(), (NOT_OURS, False)]:
        stores.azure.set(entry, secrets.token_hex())
        is_ours = entry != NOT_OURS
        for view in settings.by_namespace:
            is_lent = entry == "wren-production-redis-url"
            is_there = is_ours and (entry in THERE) == view.is_of_another
            may_read = is_there or (is_lent and view == own)
            may_seed = view == own if is_lent else is_there
            wanted: dict[Identity, dict[str, int]] = {
                "read": READ if may_read else NOTHING,
                "rotation": WRITE if is_there and is_generated else NOTHING,
                "seed": WRITE if may_seed else NOTHING,
            }
            assert wanted == {
                each: allowed(cluster, clients, half, view, each, entry) for each in wanted
            }, (entry, view.namespace)


def test_no_value_is_in_the_state(half: Half) -> None:
    state = half.made.stack.state_text
    assert not [value for value in half.values.values() if value in state]


def test_a_destroy_in_production_is_refused_and_unprotected_it_leaves_vault_and_identities(
    half: Half,
) -> None:
    with pytest.raises(EngineError, match="protect"):
        half.made.stack.destroy_by_command()
    assert half.azure.of_type(ROLE_ASSIGNMENT)
    half.made.stack.unprotect()
    half.made.stack.destroy()
    assert len(half.azure.of_type(VAULT)) == 1
    assert len(half.azure.of_type(IDENTITY)) == 2 * len(UNKNOWN)
    assert half.azure.of_type(ROLE_ASSIGNMENT) == []


def entries_of(settings: Settings) -> dict[str, bool]:
    """Each entry, and whether a rotation writes it."""
    return {
        entry.key: key not in content.keys or content.keys[key].is_generated
        for bundle, content in settings.catalogue.bundles.items()
        for key, entry in bundle_entries(settings, bundle).items()
    }


def sign_in(clients: CloudClients, half: Half, identity: str, token: str) -> Any:
    client_id = half.azure.client_ids()[f"wren-production-{identity}"]
    return clients.sign_in(AZURE_TENANT, client_id, token)


def allowed(
    cluster: Cluster,
    clients: CloudClients,
    half: Half,
    view: Settings,
    identity: Identity,
    entry: str,
) -> dict[str, int]:
    """The vault's answers to an identity's own account that reads a secret, and writes it."""
    account = naming.secret_store("azure", identity)
    jwt = cluster.token(view.namespace, account, audience=azure_server.AUDIENCE)
    name = view.identity_name("azure", identity).removeprefix("wren-production-")
    entra = sign_in(clients, half, name, jwt).content["access_token"]
    ask = clients.key_vault(f"{AZURE_VAULT}.vault.azure.net", entra)
    value = {"value": secrets.token_hex()}
    path = f"/secrets/{entry}"
    return {"GET": ask("GET", path).status, "PUT": ask("PUT", path, value).status}
