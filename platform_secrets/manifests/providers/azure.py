"""Azure Key Vault: a token of the identity's ServiceAccount, exchanged by Workload ID."""

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.provider import Provider
from platform_secrets.settings import AzureStore, Identity

# https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#dns-suffixes
_SUFFIXES = {
    "PublicCloud": "vault.azure.net",
    "USGovernmentCloud": "vault.usgovcloudapi.net",
    "ChinaCloud": "vault.azure.cn",
}


class Azure(Provider):
    """A store in Azure Key Vault."""

    def __init__(self, store: AzureStore) -> None:
        self._store = store

    @property
    def address(self) -> tuple[object, ...]:
        return ("azure", self._store.cloud, self._store.vault_name.lower())

    def account_annotations(
        self, identity: Identity, name: str, namespace: str
    ) -> dict[str, str] | None:
        """The managed identity whose federated credential trusts this account."""
        client_id: str = getattr(self._store.client_ids_of(namespace), identity)
        return {"azure.workload.identity/client-id": client_id}

    def spec(self, account: str, name: str) -> Manifest:
        """The tenant stands here alone: the operator refuses it in both spec and annotation."""
        store = self._store
        return {
            "azurekv": {
                "authType": "WorkloadIdentity",
                "environmentType": store.cloud,
                "tenantId": store.tenant_id,
                "vaultUrl": f"https://{store.vault_name}.{_SUFFIXES[store.cloud]}",
                "serviceAccountRef": {"name": account},
            }
        }
