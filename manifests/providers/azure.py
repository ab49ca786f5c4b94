"""Azure Key Vault: a token of the identity's ServiceAccount, exchanged by Workload ID."""

from manifests.naming import Manifest
from settings import AzureStore, Identity

# https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#dns-suffixes
_SUFFIXES = {
    "PublicCloud": "vault.azure.net",
    "USGovernmentCloud": "vault.usgovcloudapi.net",
    "ChinaCloud": "vault.azure.cn",
}


def account_annotations(store: AzureStore, identity: Identity, name: str) -> dict[str, str]:
    """The managed identity whose federated credential trusts this account."""
    client_id: str = getattr(store.client_ids, identity)
    return {"azure.workload.identity/client-id": client_id}


def provider_spec(store: AzureStore, account: str, name: str) -> Manifest:
    """The `provider` of a SecretStore that acts as `account`.

    The tenant stands here alone: the operator refuses it in both spec and annotation.
    """
    return {
        "azurekv": {
            "authType": "WorkloadIdentity",
            "environmentType": store.cloud,
            "tenantId": store.tenant_id,
            "vaultUrl": f"https://{store.vault_name}.{_SUFFIXES[store.cloud]}",
            "serviceAccountRef": {"name": account},
        }
    }
