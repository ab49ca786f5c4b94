"""One value is replaced by a person's: written, synced, its readers restarted; or given back.

A command that was killed is repeated with the value. The value before is kept from the first try
on, until the readers are up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from platform_secrets.manifests import naming, new_value
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator import proof
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept


@dataclass
class NewValue:
    """A new value of a key; `kubectl` is in the environment's own namespace. Each method raises
    ClusterError."""

    settings: Settings
    bundle: str
    value: Kept
    kubectl: Kubectl

    def written(self, text: str) -> list[str]:
        """Has the readers use this value, and says what was done."""
        self._claim()
        with self._without_leftovers():
            self._own.create(new_value.source(*self._what, text))
            self._made(new_value.push(*self._what))
        try:
            done = self._reached()
        except ClusterError as error:
            self._give_back(str(error))
            raise ClusterError(f"{error}; the value before is in use again") from None
        self._forget()
        return [*done, *(f"{one}: not restarted: {how}" for one, how in self._others.items())]

    @cached_property
    def _view(self) -> Settings:
        return _view_of(self.settings, self.bundle)

    @property
    def _own(self) -> Kubectl:
        """In the namespace of the bundle."""
        return self.kubectl.within(self._view.namespace)

    @property
    def _what(self) -> tuple[Settings, str, Kept]:
        return self._view, self.bundle, self.value

    @property
    def _secret(self) -> str:
        return self.settings.catalogue.bundles[self.bundle].secret

    @property
    def _before(self) -> str:
        return naming.value_before(self._secret)

    @property
    def _bundles(self) -> list[str]:
        return [*self.settings.catalogue.bundles_of[self.value.id]]

    @property
    def _readers(self) -> list[str]:
        found = [reader for one in self._bundles for reader in self.settings.readers[one]]
        return list(dict.fromkeys(found))

    @property
    def _others(self) -> dict[str, str]:
        return names.not_restarted(self._readers)

    def _claim(self) -> None:
        """The value before is kept; an earlier try's is the one that was in use."""
        kept = self._own.get("externalsecret", self._before)
        if kept is None:
            self._require_health()
        elif (key := kept["metadata"].get("annotations", {}).get(new_value.KEY)) != self.value.key:
            message = f"{key} is being set: end that first, by `secretsctl set {self.bundle}/{key}`"
            raise ClusterError(f"ExternalSecret/{self._before}: {message}")
        self._made(new_value.before(*self._what))

    def _require_health(self) -> None:
        """Else the new value would be blamed for what was there before it."""
        if fault := proof.fault(self._own.get("externalsecret", self._secret)):
            message = "so there is no value before; `secretsctl put-commands` puts first ones in"
            raise ClusterError(f"ExternalSecret/{self._secret}: {fault}; {message}")
        for reader in names.restarted(self._readers):
            if lacking := waiting.incomplete(self.kubectl, reader):
                raise ClusterError(f"{reader}: not started: {lacking}")

    @contextmanager
    def _without_leftovers(self) -> Iterator[None]:
        """The new value is in the cluster only inside; at an interruption it goes, too."""
        self._own.delete("pushsecret", [self._before])
        self._remove_new()
        try:
            yield
        finally:
            self._remove_new()

    def _remove_new(self) -> None:
        for kind in ("pushsecret", "secret"):
            self._own.delete(kind, [naming.new_value(self._secret)])

    def _reached(self) -> list[str]:
        """Syncs every Secret that has the value, and restarts its readers."""
        done: list[str] = []
        for bundle in self._bundles:
            view = _view_of(self.settings, bundle)
            within = self.kubectl.within(view.namespace)
            for one in external_secret_manifests(view, bundle):
                name = one["metadata"]["name"]
                within.patch("externalsecret", name, waiting.annotated("force-sync"))
                done.append(waiting.synced(within, name))
        seconds = self.settings.environment.rotator.rollout_deadline.total_seconds()
        for reader in names.restarted(self._readers):
            done.append(waiting.restarted(self.kubectl, reader, seconds))
        return done

    def _give_back(self, why: str) -> None:
        waiting.say(f"{why}; the value before is given back")
        try:
            self._made(new_value.restore(*self._what))
            self._reached()
        except ClusterError as error:
            kept = f"the value before is in Secret/{self._before}"
            raise ClusterError(f"{why}; it could not be given back: {error}; {kept}") from None
        self._forget()

    def _forget(self) -> None:
        self._own.delete("pushsecret", [self._before])
        self._own.delete("externalsecret", [self._before])
        self._own.delete("secret", [self._before])

    def _made(self, manifest: Manifest) -> None:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if self._own.get(kind.lower(), name) is None:
            self._own.create(manifest)
        waiting.say(waiting.synced(self._own, name, kind))


def _view_of(settings: Settings, bundle: str) -> Settings:
    return next(view for view in settings.by_namespace if bundle in view.bundles)
