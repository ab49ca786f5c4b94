"""One value is replaced by another: written, synced, proved, its readers restarted; or given back.

A command that was killed is repeated. The value before and the new one are kept until the readers
are up: so the next try finds out which of them is in use.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from platform_secrets.manifests import new_value
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.new_value import Place
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator import proof
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.settings import Settings

_LIST = {"apiVersion": "v1", "kind": "List"}


@dataclass
class NewValue:
    """A new value of a key; `places` are its Secrets, its own first. Each method raises
    ClusterError."""

    settings: Settings
    places: list[Place]
    kubectl: Kubectl
    patience_seconds: float = waiting.CHECK_SECONDS
    """How long a check may take: it is longer where the operator was slow before."""
    is_resumed: bool = False
    """Whether an earlier try has written its value: what is kept is from before that."""
    _noted_version: str | None = None
    _is_unwritten: bool = False

    def brought(self, make: Callable[[Place], Manifest], version: str | None = None) -> list[str]:
        """Has the readers use the value that these manifests make, of a version of the entry where
        that is said, and says what was done. It is kept, as the one before, until `forget`. `begin`
        is first."""
        if version != self._noted_version:
            change = {"metadata": {"annotations": {new_value.VERSION: version}}}
            self._at(self._own).patch("externalsecret", self._own.before, change)
        try:
            for place in self.places:
                self._make(place, make(place))
            self._is_unwritten = False
            self._make(self._own, new_value.push(self._own, self._own.new))
        except ClusterError as error:
            self._end_unwritten(error)
        try:
            return [*self._reached(new=True), *self._others]
        except ClusterError as error:
            self._give_back(str(error))
            raise ClusterError(f"{error}; the value before is in use again") from None

    def forget(self) -> None:
        """Deletes all that is kept, the new value last: without it nothing was written yet."""
        self._remove_pushes()
        for new in (False, True):
            for place in self.places:
                name = place.new if new else place.before
                self._at(place).delete("externalsecret", [name])
                self._at(place).delete("secret", [name])

    @property
    def _own(self) -> Place:
        return self.places[0]

    def _at(self, place: Place) -> Kubectl:
        return self.kubectl.within(place.settings.namespace)

    @property
    def _readers(self) -> list[str]:
        found = [reader for one in self.places for reader in self.settings.readers[one.bundle]]
        return list(dict.fromkeys(found))

    @property
    def _others(self) -> list[str]:
        others = names.not_restarted(self._readers).items()
        return [f"{reader}: not restarted: {how}" for reader, how in others]

    def begin(self) -> str | None:
        """The value in use is kept; of an earlier try that is in use, what was there before it.
        Returns the version of the entry that such a try wrote, if it was one."""
        kubectl, name = self._at(self._own), self._own.before
        kept = kubectl.get("externalsecret", name)
        self._is_unwritten = not kept
        noted = (kept or {"metadata": {}})["metadata"].get("annotations", {})
        if kept and (key := noted.get(new_value.KEY)) != self._own.value.key:
            again = f"`secretsctl set {self._own.bundle}/{key}`"
            message = f"{key} was being set, and is not settled: end that first, by {again}"
            raise ClusterError(f"ExternalSecret/{name}: {message}")
        if kept and self._is_earlier_in_use(noted):
            waiting.say("an earlier try wrote its value: the one from before it is kept")
            kubectl.patch("externalsecret", name, waiting.annotated(new_value.WRITTEN))
            self._remove_new()
            self.is_resumed, self._noted_version = True, noted.get(new_value.VERSION)
            return self._noted_version
        self.forget()
        self._is_unwritten = True
        self._require_health()
        try:
            for place in self.places:
                self._make(place, new_value.before(place))
        except ClusterError as error:
            with suppress(ClusterError):
                self.forget()
            raise ClusterError(f"{error}; nothing was written") from None
        return None

    def stop(self) -> str:
        """Leaves what the next try needs, and nothing if it needs nothing; says which of both."""
        if self._is_unwritten:
            self.forget()
            return "stopped; nothing was written"
        settles = "run this again, which finds out which value is in use"
        return f"stopped before the end: {settles}; the one before is in Secret/{self._own.before}"

    def _is_earlier_in_use(self, noted: Mapping[str, str]) -> bool:
        """Whether an earlier try has written its value, so that it is no value before."""
        self._remove_pushes()
        if new_value.WRITTEN in noted:
            return True
        self._sync(self._own)
        return self._same(self._own, [self._own.before, self._own.new]) == self._own.new

    def _require_health(self) -> None:
        """Else the new value would be blamed for what was there before it."""
        secret = self._own.secret
        if fault := proof.fault(self._at(self._own).get("externalsecret", secret)):
            message = "so there is no value before; `secretsctl seed` puts first ones in"
            raise ClusterError(f"ExternalSecret/{secret}: {fault}; {message}")
        for reader in names.restarted(self._readers):
            if lacking := waiting.incomplete(self.kubectl, reader):
                raise ClusterError(f"{reader}: not started: {lacking}")

    def _end_unwritten(self, error: ClusterError) -> None:
        """Ends a try whose push failed. It raises in any case."""
        self._remove_pushes()
        is_known = isinstance(error, waiting.NotManagedError)
        if is_known and self.is_resumed:
            raise ClusterError(f"{error}; what an earlier try wrote is in use: repeat this then")
        if not is_known:
            try:
                self._sync(self._own)
                is_known = self._same(self._own, [self._own.before]) is not None
            except ClusterError:
                unknown = "whether it was written is not known; repeat this once that is mended"
                raise ClusterError(f"{error}; {unknown}") from None
        if is_known:
            self.forget()
            raise ClusterError(f"{error}; the value is what it was")
        self._give_back(str(error))
        raise ClusterError(f"{error}; the value before is in use again")

    def _reached(self, *, new: bool) -> list[str]:
        """Syncs every Secret that has the value, proves that, and restarts its readers."""
        done = [line for place in self.places for line in self._shown(place, new=new)]
        seconds = self.settings.environment.rotator.rollout_deadline.total_seconds()
        for reader in names.restarted(self._readers):
            done.append(waiting.restarted(self.kubectl, reader, seconds))
        return done

    def _shown(self, place: Place, *, new: bool) -> list[str]:
        """Says that a Secret has the value, once a check shows it: a store may answer with an old
        one for a while."""
        name, end = place.new if new else place.before, time.monotonic() + waiting.SYNC_SECONDS
        while True:
            done = self._sync(place)
            if self._same(place, [name]):
                return [*done, f"{place.secret}: has the value"]
            if time.monotonic() > end:
                waited = f"{waiting.SYNC_SECONDS} s and several syncs after it was written"
                raise ClusterError(f"Secret/{place.secret}: has not the value, {waited}")
            waiting.say(f"{place.secret}: has not the value yet")

    def _sync(self, place: Place) -> list[str]:
        start, done = time.monotonic(), list[str]()
        for one in external_secret_manifests(place.settings, place.bundle):
            name = one["metadata"]["name"]
            self._at(place).patch("externalsecret", name, waiting.annotated("force-sync"))
            done.append(waiting.synced(self._at(place), name))
        took = time.monotonic() - start
        self.patience_seconds = max(self.patience_seconds, 3 * took)
        return done

    def _same(self, place: Place, kept: list[str]) -> str | None:
        """Which of these values the Secret has, by their names; None if it has another."""
        kubectl = self._at(place)
        checks = {f"{one}.check": one for one in kept if place.is_shown or self._reads(place, one)}
        if not checks:
            return None
        items = [new_value.check(place, name) for name in checks.values()]
        kubectl.apply({**_LIST, "items": items})
        same = waiting.passed(kubectl, checks, self.patience_seconds, enough=1)
        kubectl.delete("pushsecret", [*checks])
        return next((name for check, name in checks.items() if check in same), None)

    def _reads(self, place: Place, kept: str) -> bool:
        """Whether the store has this value, of which the Secret has only a text; what compares that
        is there then."""
        external_secret, *_ = external_secret_manifests(place.settings, place.bundle)
        manifest = new_value.reading(place, kept, external_secret)
        kubectl, name = self._at(place), manifest["metadata"]["name"]
        for kind in ("externalsecret", "secret"):
            kubectl.delete(kind, [name])
        kubectl.apply(manifest)
        return waiting.looked_at(kubectl, "ExternalSecret", name)

    def _give_back(self, why: str) -> None:
        waiting.say(f"{why}; the value before is given back")
        try:
            self._remove_pushes()
            self._make(self._own, new_value.push(self._own, self._own.before))
            self._reached(new=False)
        except ClusterError as error:
            kept = f"the value before is in Secret/{self._own.before}"
            raise ClusterError(f"{why}; it could not be given back: {error}; {kept}") from None
        self.forget()

    def _remove_pushes(self) -> None:
        for place in self.places:
            kept = (place.new, place.before)
            checks = [f"{one}.check" for one in kept]
            self._at(place).delete("pushsecret", [*kept, *checks])
            for kind in () if place.is_shown else ("externalsecret", "secret"):
                self._at(place).delete(kind, checks)

    def _remove_new(self) -> None:
        for place in self.places:
            for kind in ("externalsecret", "secret"):
                self._at(place).delete(kind, [place.new])

    def _make(self, place: Place, manifest: Manifest) -> None:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        self._at(place).apply(manifest)
        if kind != "Secret":
            waiting.say(waiting.synced(self._at(place), name, kind))
