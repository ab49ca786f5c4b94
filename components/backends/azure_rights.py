"""Who may do what with an environment's secrets on Azure: trust, roles, and their assignments.

Functions from settings to plain values; `azure.py` declares them.
"""

import uuid
from typing import Any, cast

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import adopted_entries, identity_entries
from platform_secrets.settings import AzureStore, Identity, Settings

Document = dict[str, Any]

# The operator asks for its token with this audience, in every cloud.
_AUDIENCE = "api://AzureADTokenExchange"

# A built-in role, the same in every tenant:
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security
_SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"

# What the operator's push of release 2.9.0 asks for: it looks at the tag and compares, then writes
# (providers/v1/azure/keyvault/keyvault.go, setKeyVaultSecret). Every built-in role that may write
# may delete too.
PUSH_ACTIONS = [
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/setSecret/action",
]
_NAMES = uuid.uuid5(uuid.NAMESPACE_DNS, naming.PROJECT)


def group_id(config: AzureStore) -> str:
    """The resource group's full ID."""
    return f"/subscriptions/{config.subscription_id}/resourceGroups/{config.resource_group}"


def vault_id(settings: Settings, store: str) -> str:
    """The key vault's full ID."""
    config = _store(settings, store)
    return f"{group_id(config)}/providers/Microsoft.KeyVault/vaults/{config.vault_name}"


def trust(settings: Settings, store: str, identity: Identity) -> Document:
    """The one ServiceAccount of the one cluster whose tokens an identity accepts."""
    config = _store(settings, store)
    account = naming.secret_store(store, identity)
    return {
        "federated_identity_credential_resource_name": account,
        "resource_name_": settings.identity_name(store, identity),
        "resource_group_name": config.resource_group,
        "issuer": config.oidc_issuer,
        "subject": f"system:serviceaccount:{settings.namespace}:{account}",
        "audiences": [_AUDIENCE],
    }


def push_role(settings: Settings, store: str) -> Document:
    """The environment's own role for pushes: nothing but reading and writing a secret's value.

    Azure lets a role be assignable in a resource group, and in nothing smaller.
    """
    group = group_id(_store(settings, store))
    name = settings.name_at_provider(store, "push")
    return {
        "role_definition_id": str(uuid.uuid5(_NAMES, f"{group} {name}")),
        "role_name": name,
        "role_type": "CustomRole",
        "description": f"Reads and writes values of {settings.namespace}'s secrets.",
        "scope": group,
        "assignable_scopes": [group],
        "permissions": [
            {"actions": [], "not_actions": [], "data_actions": PUSH_ACTIONS, "not_data_actions": []}
        ],
    }


def role_assignments(settings: Settings, store: str, identity: Identity) -> dict[str, Document]:
    """An identity's rights, without its principal, by a name that has no environment in it.

    Readers and seeders act on the whole vault where it holds nothing but their namespace's entries,
    and entry by entry where some were there already or are another namespace's; a rotator on the
    entries of generated and derived keys alone.
    """
    scope = vault_id(settings, store)
    own = push_role(settings, store)["role_definition_id"]
    role = _SECRETS_USER if identity == "read" else own
    scopes = {f"{identity}-role": scope}
    is_shared = _is_shared(settings, store) or adopted_entries(settings, store)
    if identity == "rotation" or is_shared:
        scopes = {
            f"{identity}-role-{name}": f"{scope}/secrets/{entry}"
            for name, entry in identity_entries(settings, store, identity).items()
        }
    subscription = f"/subscriptions/{_store(settings, store).subscription_id}"
    definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    principal = settings.identity_name(store, identity)
    return {
        name: {
            "role_assignment_name": str(uuid.uuid5(_NAMES, f"{each} {role} {principal}")),
            "scope": each,
            "role_definition_id": definition,
            "principal_type": "ServicePrincipal",
        }
        for name, each in scopes.items()
    }


def _is_shared(settings: Settings, store: str) -> bool:
    """Whether the vault holds bundles of another namespace too."""
    others = settings.catalogue.bundles.keys() - settings.bundles
    return any(settings.store_name(bundle) == store for bundle in others)


def _store(settings: Settings, store: str) -> AzureStore:
    return cast(AzureStore, settings.environment.stores[store])
