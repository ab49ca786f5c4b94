"""The one-shot objects of a migration in the cluster: made, waited for, and taken away."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from platform_secrets.manifests import migration, naming
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.settings import Settings

_LIST = {"apiVersion": "v1", "kind": "List"}


@dataclass
class MigrationObjects:
    """Those of one bundle, in its namespace. Each method raises ClusterError."""

    settings: Settings
    bundle: str
    kubectl: Kubectl
    patience_seconds: float = waiting.CHECK_SECONDS
    """How long a check may take: it is longer where the operator was slow before."""

    @property
    def secret(self) -> str:
        return self.settings.catalogue.bundles[self.bundle].secret

    @property
    def name(self) -> str:
        return naming.migration(self.secret)

    @cached_property
    def external_secret(self) -> Manifest:
        return external_secret_manifests(self.settings, self.bundle)[0]

    def is_all_there(self, held: Collection[str]) -> bool:
        """Whether the store has every value already; what it has is kept then. Writes nothing, so
        whether the operator works at all is known before anything is written."""
        self.kubectl.apply(self._backup(held))
        try:
            return waiting.looked_at(self.kubectl, "ExternalSecret", self.name)
        except (ClusterError, KeyboardInterrupt):
            self.remove()  # an operator that looks later is to find nothing
            raise

    def copy(self, held: Collection[str], held_apart: Collection[str]) -> None:
        """Has the values of a Secret with these keys in the store, and keeps what is there then as
        the Secret would become."""
        self.kubectl.delete_all(self._kept)
        for one in migration.copies(self.settings, self.bundle, held, held_apart):
            self._make(one)
        self._make(self._backup(held))

    def restore(self, held: Collection[str]) -> None:
        """Has what is kept in the store again, and in the Secret."""
        self._make(migration.restore(self.settings, self.bundle, held))
        self.sync()

    def sync(self) -> None:
        """Has the Secret made of what is in the store."""
        change = waiting.annotated("force-sync")
        self.kubectl.patch("externalsecret", self.secret, change)
        self._wait_for("ExternalSecret", self.secret)

    def no_texts(self) -> list[str]:
        """The keys of which the Secret has bytes that are no text."""
        # A store that is down makes every check fail.
        self._make(migration.probe(self.settings, self.bundle))
        return self._failing(migration.text_checks(self.settings, self.bundle))

    def differing(self, held: Collection[str]) -> list[str]:
        """The fields of which the Secret has another value than what is kept."""
        checks = migration.checks(self.settings, self.bundle, self.external_secret, held)
        return self._failing(checks)

    def remove_pushes(self) -> None:
        self.kubectl.delete_all(self._pushes)

    def remove(self) -> None:
        """Takes away everything, also what is kept."""
        self.kubectl.delete_all([*self._pushes, *self._kept])

    @property
    def _pushes(self) -> list[str]:
        names = migration.push_names(self.settings, self.bundle, self.external_secret)
        return [f"pushsecret/{name}" for name in names]

    @property
    def _kept(self) -> list[str]:
        return [f"externalsecret/{self.name}", f"secret/{self.name}"]

    def _backup(self, held: Collection[str]) -> Manifest:
        return migration.backup(self.settings, self.bundle, self.external_secret, held)

    def _failing(self, checks: Mapping[str, Manifest]) -> list[str]:
        """What these checks find now; earlier ones of their names are gone before."""
        found = {check["metadata"]["name"]: field for field, check in checks.items()}
        self.kubectl.delete("pushsecret", [*found])
        self.kubectl.apply({**_LIST, "items": [*checks.values()]})
        passed = waiting.passed(self.kubectl, found, self.patience_seconds, enough=len(found))
        return [field for name, field in found.items() if name not in passed]

    def _make(self, manifest: Manifest) -> None:
        self.kubectl.apply(manifest)
        self._wait_for(manifest["kind"], manifest["metadata"]["name"])

    def _wait_for(self, kind: str, name: str) -> None:
        start = time.monotonic()
        waiting.say(waiting.synced(self.kubectl, name, kind))
        self.patience_seconds = max(self.patience_seconds, 3 * (time.monotonic() - start))
