"""In every stack file and example the Kubernetes half names what the provider half declares."""

import pytest

from platform_secrets.settings import AwsStore, AzureStore, GcpStore, VaultStore
from tests.conftest import STACKS

DECLARING = sorted(
    name
    for name, stack in STACKS.items()
    if any(store.declares_backend for store in stack.settings.environment.stores.values())
)
ENTRIES = {
    "aws:secretsmanager/secret:Secret": "name",
    "gcp:secretmanager/secret:Secret": "secretId",
}


def declared(stack, token, field):
    """The values of one input of all resources of a type, by logical name."""
    found = [one for one in stack.declared.declared if one.type == token]
    return {one.name: one.inputs[field] for one in found}


def rendered(stack, kind):
    return {one["metadata"]["name"]: one for one in stack.rendered_objects if one["kind"] == kind}


def test_there_is_such_a_stack_for_every_provider():
    stores = [s for name in DECLARING for s in STACKS[name].settings.environment.stores.values()]
    assert {type(store) for store in stores} == {VaultStore, AwsStore, GcpStore, AzureStore}


@pytest.mark.parametrize("name", DECLARING)
def test_each_account_acts_as_the_identity_that_is_declared_for_it(name):
    stack = STACKS[name]
    env, accounts = stack.settings.environment, rendered(stack, "ServiceAccount")
    for store_name, store in env.stores.items():
        for identity in stack.settings.identities(store_name):
            account = (
                f"{store_name}-store" if identity == "read" else (f"{store_name}-{identity}-store")
            )
            annotations = accounts[account]["metadata"].get("annotations", {})
            found = {
                VaultStore: of_vault,
                AwsStore: of_aws,
                GcpStore: of_gcp,
                AzureStore: of_azure,
            }[type(store)](stack, store_name, identity, account, annotations)
            assert found


def of_vault(stack, store, identity, account, annotations):
    spec = rendered(stack, "SecretStore")[account]["spec"]["provider"]["vault"]
    [(method, login)] = spec["auth"].items()
    token = f"vault:{method}/authBackendRole:AuthBackendRole"
    role = f"{store}-{identity}-role"
    mount = login.get("mountPath") or login["path"]
    assert declared(stack, token, "roleName")[role] == login["role"]
    return declared(stack, token, "backend")[role] == mount


def of_aws(stack, store, identity, account, annotations):
    role = declared(stack, "aws:iam/role:Role", "name")[f"{store}-{identity}-role"]
    return annotations["eks.amazonaws.com/role-arn"].endswith(f":role/{role}")


def of_gcp(stack, store, identity, account, annotations):
    token, name = "gcp:serviceaccount/account:Account", f"{store}-{identity}-account"
    email = annotations["iam.gke.io/gcp-service-account"]
    assert email.startswith(f"{declared(stack, token, 'accountId')[name]}@")
    return email.endswith(f"@{declared(stack, token, 'project')[name]}.iam.gserviceaccount.com")


def of_azure(stack, store, identity, account, annotations):
    """The client ID itself is checked by the update: Azure chooses it."""
    kind = "azure-native:managedidentity:FederatedIdentityCredential"
    subject = declared(stack, kind, "subject")[f"{store}-{identity}-trust"]
    return subject == f"system:serviceaccount:{stack.settings.namespace}:{account}"


@pytest.mark.parametrize("name", ["production-aws", "production-gcp"])
def test_every_entry_that_is_read_is_declared_and_no_other(name):
    stack = STACKS[name]
    made = {
        entry
        for token, field in ENTRIES.items()
        for entry in declared(stack, token, field).values()
    }
    read = {
        reference["remoteRef"]["key"]
        for one in rendered(stack, "ExternalSecret").values()
        for reference in one["spec"]["data"]
    }
    assert read == made
