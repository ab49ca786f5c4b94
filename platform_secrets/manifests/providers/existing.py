"""A SecretStore or ClusterSecretStore that others declare: nothing of it is declared here."""

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.provider import Provider
from platform_secrets.settings import ExistingStore


class Existing(Provider):
    """A store of any of the operator's providers, by its name in the cluster."""

    def __init__(self, store: ExistingStore) -> None:
        self._store = store

    @property
    def address(self) -> tuple[object, ...]:
        return ("existing", self._store.kind, self._store.name)

    def reference(self, store: str) -> Manifest:
        return {"kind": self._store.kind, "name": self._store.name}

    def spec(self, account: str, name: str) -> Manifest:
        raise LookupError("others declare this store")
