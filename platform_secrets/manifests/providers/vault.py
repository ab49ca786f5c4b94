"""HashiCorp Vault and OpenBao: a token of the identity's ServiceAccount, exchanged for a role."""

import base64
from urllib.parse import urlsplit

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.provider import Provider
from platform_secrets.settings import VaultStore


class Vault(Provider):
    """A store in Vault or OpenBao."""

    def __init__(self, store: VaultStore) -> None:
        self._store = store

    @property
    def address(self) -> tuple[object, ...]:
        return ("vault", self._store.server, self._store.namespace, self._store.mount)

    @property
    def port(self) -> int:
        return urlsplit(self._store.server).port or 443

    @property
    def ports_of_its_server(self) -> set[int]:
        issuer, database = self._store.cluster_issuer, self._store.database
        ports = {urlsplit(issuer).port or 443} if issuer else set[int]()
        return ports | ({database.port} if database else set())

    @property
    def caches_tokens(self) -> bool:
        return True

    def spec(self, account: str, name: str) -> Manifest:
        """No annotation is needed: Vault knows the ServiceAccount by its name and namespace."""
        store = self._store
        vault: Manifest = {
            "server": store.server,
            "path": store.mount,
            "version": "v2",
            "auth": {store.auth_method: _auth(store, account, name)},
        }
        if store.namespace:
            vault["namespace"] = store.namespace
        if store.ca_certificate:
            vault["caBundle"] = base64.b64encode(store.ca_certificate.encode()).decode()
        return {"vault": vault}

    def newest_version(self, account: str, name: str, entry: str) -> Manifest:
        """A read of the entry as a whole, whose answer has the version beside the values."""
        provider = self.spec(account, name)["vault"]
        del provider["path"]
        path = f"{self._store.mount}/data/{entry}"
        return {"method": "GET", "path": path, "resultType": "Data", "provider": provider}


def _auth(store: VaultStore, account: str, role: str) -> Manifest:
    reference = {"name": account, "audiences": [store.audience]}
    if store.auth_method == "jwt":
        token = {"serviceAccountRef": reference}
        return {"path": store.auth_mount, "role": role, "kubernetesServiceAccountToken": token}
    return {"mountPath": store.auth_mount, "role": role, "serviceAccountRef": reference}
