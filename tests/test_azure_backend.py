"""The provider half of an Azure store: every right granted, and nothing beside it."""

import uuid

import pytest

from platform_secrets.components.backends.azure import AzureBackend
from platform_secrets.components.backends.azure_rights import push_role, role_assignments
from platform_secrets.settings import SettingsError
from tests.declaring import declare, run

SUBSCRIPTION = "99999999-0000-4000-8000-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/shop-test"
ROLES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
SECRETS_USER = f"{ROLES}/4633458b-17de-408a-b874-0445c86b69e6"
SECRETS_PUSH = f"{ROLES}/3e876b00-428a-5697-9757-0d8a96cbcc95"
WORKSPACE = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/audit"
SUBNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/cluster/subnets/nodes"
ISSUER = "https://westeurope.oic.prod-aks.azure.com/tenant/cluster/"

IDENTITIES = ("read", "rotation", "seed")
CLIENT_IDS = {each: f"aaaaaaaa-0000-4000-8000-00000000000{n}" for n, each in enumerate(IDENTITIES)}
MADE = {
    f"azure-{each}-identity": {"clientId": client_id, "principalId": f"principal-{each}"}
    for each, client_id in CLIENT_IDS.items()
}
DECLARED = {
    "provider": "azure",
    "backend": "declare",
    "vault-name": "shop-test",
    "tenant-id": "11111111-2222-4333-8444-555555555555",
    "client-ids": CLIENT_IDS,
    "subscription-id": SUBSCRIPTION,
    "resource-group": "shop",
    "location": "westeurope",
    "oidc-issuer": ISSUER,
}


@pytest.fixture
def declaring(settings_with):
    """A program that declares the provider half, for settings changed by keyword."""

    def program(store, changes):
        changes = {"seeding": {"groups": ["wren-operators"]}, **changes}
        settings = settings_with(stores={"azure": {**DECLARED, **store}}, **changes)
        return lambda: AzureBackend("azure", settings=settings, store="azure")

    return program


@pytest.fixture
def backend(declaring):
    """All that the provider half declares, by logical name."""

    def declared(store=(), **changes):
        found = declare(declaring(dict(store), changes), outputs=MADE)
        return {one.name: one for one in found.declared if one.is_custom}

    return declared


@pytest.fixture
def rights(backend):
    """All that is granted: (principal, role, scope)."""

    def granted(**changes):
        inputs = [
            one.inputs for one in backend(**changes).values() if one.type.endswith("RoleAssignment")
        ]
        assert all(each["principalType"] == "ServicePrincipal" for each in inputs)
        found = [(each["principalId"], each["roleDefinitionId"], each["scope"]) for each in inputs]
        assert len(found) == len(set(found))
        return set(found)

    return granted


def test_each_identity_has_the_rights_that_it_is_for_and_no_other(rights):
    assert rights() == {
        ("principal-read", SECRETS_USER, VAULT),
        ("principal-seed", SECRETS_PUSH, VAULT),
        ("principal-rotation", SECRETS_PUSH, f"{VAULT}/secrets/shop-test-signing-key"),
        ("principal-rotation", SECRETS_PUSH, f"{VAULT}/secrets/shop-test-signing-key-next"),
        ("principal-rotation", SECRETS_PUSH, f"{VAULT}/secrets/shop-test-signing-key-previous"),
    }


def test_the_role_for_pushes_can_neither_delete_list_nor_back_up_a_secret(backend):
    found = backend()["azure-push-role"].inputs
    assert found == {
        "roleDefinitionId": SECRETS_PUSH.rpartition("/")[2],
        "roleName": "shop-test-push",
        "roleType": "CustomRole",
        "description": "Reads and writes values of shop-test's secrets.",
        "scope": GROUP,
        "assignableScopes": [GROUP],
        "permissions": [
            {
                "actions": [],
                "notActions": [],
                "dataActions": [
                    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
                    "Microsoft.KeyVault/vaults/secrets/setSecret/action",
                ],
                "notDataActions": [],
            }
        ],
    }


def test_environments_in_one_resource_group_have_roles_of_their_own(settings_with):
    roles = [
        push_role(settings_with(stores={"azure": DECLARED}, environment=name), "azure")
        for name in ("test", "other")
    ]
    for field in ("role_definition_id", "role_name"):
        assert roles[0][field] != roles[1][field]


def test_where_nobody_writes_there_is_no_role_for_it(backend):
    assert "azure-push-role" not in backend(rotation="follower", seeding=None)


def test_a_follower_without_seeding_can_only_read(rights):
    assert rights(rotation="follower", seeding=None) == {("principal-read", SECRETS_USER, VAULT)}


def test_an_assignment_s_name_is_a_guid_of_its_own_and_always_the_same(settings_with):
    def names(environment):
        settings = settings_with(stores={"azure": DECLARED}, environment=environment)
        return [
            content["role_assignment_name"]
            for identity in settings.identities("azure")
            for content in role_assignments(settings, "azure", identity).values()
        ]

    first, again, other = names("test"), names("test"), names("other")
    assert first == again
    assert len({*first, *other}) == len(first) + len(other)
    assert [str(uuid.UUID(name)) for name in first] == first


def test_an_assignment_waits_for_the_vault_and_goes_before_another_of_its_name_comes(backend):
    found = backend()
    for one in (each for each in found.values() if each.type.endswith("RoleAssignment")):
        assert found["azure-vault"].urn in one.depends_on
        if one.name != "azure-read-role":
            assert found["azure-push-role"].urn in one.depends_on
        assert one.delete_before_replace


def test_an_identity_trusts_one_account_of_one_namespace_of_one_cluster(backend):
    found = backend()
    assert found["azure-rotation-identity"].inputs == {
        "resourceName": "shop-test-rotation",
        "resourceGroupName": "shop",
        "location": "westeurope",
    }
    assert found["azure-rotation-trust"].inputs == {
        "federatedIdentityCredentialResourceName": "azure-rotation-store",
        "resourceName": "shop-test-rotation",
        "resourceGroupName": "shop",
        "issuer": ISSUER,
        "subject": "system:serviceaccount:shop-test:azure-rotation-store",
        "audiences": ["api://AzureADTokenExchange"],
    }


def test_the_vault_is_closed_and_nothing_in_it_is_deleted_for_good(backend):
    networks = {"allowed-cidrs": ["203.0.113.0/24"], "allowed-subnets": [SUBNET]}
    assert backend(networks)["azure-vault"].inputs == {
        "vaultName": "shop-test",
        "resourceGroupName": "shop",
        "location": "westeurope",
        "properties": {
            "tenantId": DECLARED["tenant-id"],
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": True,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "enablePurgeProtection": True,
            "enabledForDeployment": False,
            "enabledForDiskEncryption": False,
            "enabledForTemplateDeployment": False,
            "networkAcls": {
                "defaultAction": "Deny",
                "bypass": "None",
                "ipRules": [{"value": "203.0.113.0/24"}],
                "virtualNetworkRules": [{"id": SUBNET}],
            },
        },
    }


def test_no_network_reaches_the_vault_unless_it_is_allowed(backend):
    acls = backend()["azure-vault"].inputs["properties"]["networkAcls"]
    assert (acls["defaultAction"], acls["ipRules"], acls["virtualNetworkRules"]) == ("Deny", [], [])


def test_each_request_to_the_vault_is_logged_where_the_settings_say(backend):
    assert "azure-audit-log" not in backend()
    assert backend({"log-analytics-workspace": WORKSPACE})["azure-audit-log"].inputs == {
        "name": "audit",
        "resourceUri": VAULT,
        "workspaceId": WORKSPACE,
        "logs": [{"category": "AuditEvent", "enabled": True}],
    }


def test_nothing_else_is_declared_and_no_secret(backend):
    assert {one.type for one in backend({"log-analytics-workspace": WORKSPACE}).values()} == {
        "pulumi:providers:azure-native",
        "azure-native:keyvault:Vault",
        "azure-native:monitor:DiagnosticSetting",
        "azure-native:managedidentity:UserAssignedIdentity",
        "azure-native:managedidentity:FederatedIdentityCredential",
        "azure-native:authorization:RoleAssignment",
        "azure-native:authorization:RoleDefinition",
    }


def test_the_subscription_and_the_cloud_are_the_settings_own(backend):
    found = backend({"cloud": "ChinaCloud"})
    provider = found.pop("azure-provider")
    assert provider.inputs == {
        "subscriptionId": SUBSCRIPTION,
        "tenantId": DECLARED["tenant-id"],
        "environment": "china",
    }
    assert {one.provider.rpartition("::")[0] for one in found.values()} == {provider.urn}


@pytest.mark.parametrize("protect", [True, False])
def test_what_holds_values_or_an_id_of_azure_s_is_protected_as_the_environment_is(backend, protect):
    found = backend({"log-analytics-workspace": WORKSPACE}, protect=protect)
    kept = {f"azure-{each}-identity" for each in IDENTITIES} | {"azure-vault", "azure-audit-log"}
    for name, one in found.items():
        assert (one.protect, one.retain_on_delete) == ((name in kept and protect),) * 2


def test_no_logical_name_has_the_environment_or_an_index(backend):
    for name in backend():
        assert "test" not in name.split("-")
        assert not any(part.isdigit() for part in name.split("-"))


def test_the_client_ids_are_exported_for_people_to_copy(declaring):
    assert declare(declaring({}, {}), outputs=MADE).outputs.keys() == {"azure-client-ids"}


def test_another_client_id_than_azure_gave_is_an_error_with_both_and_no_right_is_given(declaring):
    other = "bbbbbbbb-0000-4000-8000-000000000000"
    made = MADE | {"azure-seed-identity": {"clientId": other, "principalId": "principal-seed"}}
    found = run(declaring({}, {}), outputs=made)
    assert str(found.error).splitlines()[0] == (
        f"Pulumi.test.yaml: stores.azure.client-ids.seed: is {CLIENT_IDS['seed']}, "
        f"but the client ID of shop-test-seed is {other}"
    )
    assert not [one for one in found.declared if one.type.endswith("RoleAssignment")]


@pytest.mark.parametrize("name", ["subscription-id", "resource-group", "location", "oidc-issuer"])
def test_what_is_missing_is_told_with_the_setting_s_name(settings_with, name):
    store = {key: value for key, value in DECLARED.items() if key != name}
    settings_with(stores={"azure": store | {"backend": "existing"}})
    with pytest.raises(SettingsError, match=f"stores.azure.{name}: is missing"):
        settings_with(stores={"azure": store})


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ({"shared": "own"}, "stores.azure.shared: has no meaning"),
        ({"allowed-cidrs": ["2001:db8::/32"]}, "stores.azure.allowed-cidrs.0: must be an IPv4"),
        ({"allowed-subnets": [WORKSPACE]}, "stores.azure.allowed-subnets.0: must be a full ID"),
        ({"log-analytics-workspace": "audit"}, "log-analytics-workspace: must be a full ID"),
        ({"soft-delete-days": 6}, "stores.azure.soft-delete-days: must be at least 7"),
    ],
)
def test_what_azure_would_refuse_is_told_with_the_setting_s_name(settings_with, store, place):
    with pytest.raises(SettingsError, match=place):
        settings_with(stores={"azure": DECLARED | store})
