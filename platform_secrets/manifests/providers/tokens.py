"""Short-lived tokens: for each store a generator of the operator, which asks for a new one at each
refresh, and the ServiceAccount as which it asks."""

from urllib.parse import urlsplit

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.aws import WithRole
from platform_secrets.manifests.providers.gcp import service_account_email, workload_identity
from platform_secrets.manifests.providers.provider import Provider
from platform_secrets.settings import AcrTokens, GcpTokens, GithubTokens, Identity


class Ecr(WithRole):
    """Logins to AWS' registries."""

    generator = "ECRAuthorizationToken"

    @property
    def address(self) -> tuple[object, ...]:
        return (self._store.provider, self._store.account_id, self._store.region)


class GcpToken(Provider):
    """Google's access tokens."""

    generator = "GCRAccessToken"

    def __init__(self, store: GcpTokens) -> None:
        self._store = store

    @property
    def address(self) -> tuple[object, ...]:
        return (self._store.provider, self._store.project)

    def account_annotations(
        self, identity: Identity, name: str, namespace: str
    ) -> dict[str, str] | None:
        if self._store.access == "direct":
            return {}
        return {"iam.gke.io/gcp-service-account": service_account_email(self._store, name)}

    def spec(self, account: str, name: str) -> Manifest:
        return workload_identity(self._store, account)


class Acr(Provider):
    """Logins to an Azure registry."""

    generator = "ACRAccessToken"

    def __init__(self, store: AcrTokens) -> None:
        self._store = store

    @property
    def address(self) -> tuple[object, ...]:
        return (self._store.provider, self._store.registry)

    def account_annotations(
        self, identity: Identity, name: str, namespace: str
    ) -> dict[str, str] | None:
        """This generator looks for the tenant here too."""
        ids = {"client-id": self._store.client_id, "tenant-id": self._store.tenant_id}
        return {f"azure.workload.identity/{key}": value for key, value in ids.items()}

    def spec(self, account: str, name: str) -> Manifest:
        store = self._store
        return {
            "registry": store.registry,
            "tenantId": store.tenant_id,
            "environmentType": store.cloud,
            **({"scope": store.scope} if store.scope else {}),
            "auth": {"workloadIdentity": {"serviceAccountRef": {"name": account}}},
        }


class Github(Provider):
    """Tokens of a GitHub App, asked for with its private key."""

    generator = "GithubAccessToken"

    def __init__(self, store: GithubTokens) -> None:
        self._store = store

    @property
    def address(self) -> tuple[object, ...]:
        return (self._store.provider, self._store.url, self._store.installation_id)

    @property
    def port(self) -> int:
        return urlsplit(self._store.url).port or 443

    def account_annotations(
        self, identity: Identity, name: str, namespace: str
    ) -> dict[str, str] | None:
        return None

    def spec(self, account: str, name: str) -> Manifest:
        store = self._store
        private_key = {"name": store.private_key.name, "key": store.private_key.key}
        return {
            "url": store.url,
            "appID": store.app_id,
            "installID": store.installation_id,
            "permissions": dict(store.permissions),
            **({"repositories": [*store.repositories]} if store.repositories else {}),
            "auth": {"privateKey": {"secretRef": private_key}},
        }
