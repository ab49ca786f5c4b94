"""HashiCorp Vault and OpenBao: a token of the identity's ServiceAccount, exchanged for a role."""

import base64

from manifests.naming import Manifest
from settings import Identity, VaultStore


def account_annotations(store: VaultStore, identity: Identity, role: str) -> dict[str, str]:
    """None: Vault knows the ServiceAccount by its name and namespace."""
    return {}


def provider_spec(store: VaultStore, account: str, role: str) -> Manifest:
    """The `provider` of a SecretStore that logs in as `account` to the Vault role `role`."""
    vault: Manifest = {
        "server": store.server,
        "path": store.mount,
        "version": "v2",
        "auth": {store.auth_method: _auth(store, account, role)},
    }
    if store.namespace:
        vault["namespace"] = store.namespace
    if store.ca_certificate:
        vault["caBundle"] = base64.b64encode(store.ca_certificate.encode()).decode()
    return {"vault": vault}


def _auth(store: VaultStore, account: str, role: str) -> Manifest:
    reference = {"name": account, "audiences": [store.audience]}
    if store.auth_method == "jwt":
        token = {"serviceAccountRef": reference}
        return {"path": store.auth_mount, "role": role, "kubernetesServiceAccountToken": token}
    return {"mountPath": store.auth_mount, "role": role, "serviceAccountRef": reference}
