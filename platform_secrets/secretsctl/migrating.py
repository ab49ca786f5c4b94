"""A Secret's migration into its store and to the operator, step by step.

Each step may be done again: a command that was killed is repeated, and goes on. The steps stand in
the record (a ConfigMap without values); the one-shot objects are those of `manifests.migration`.
"""

import json
import time
from dataclasses import dataclass
from functools import cached_property

from platform_secrets.manifests import migration, naming, one_shot_objects
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.inventory import (
    FoundSecret,
    found_secret,
    kubectl_output,
    planned,
    refusals,
    replaced_metadata,
)
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.settings import Settings

COPY, ADOPT, ADOPTED, UNDO, FINISHED = "copy", "adopt", "adopted", "undo", "finished"
_LEFT_ALONE = "so it was left as it is"
_LIST = {"apiVersion": "v1", "kind": "List"}
_PAUSE_SECONDS = 0.5


@dataclass
class Migration:
    """The migration of one bundle, in its namespace. Each method raises ClusterError."""

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

    @cached_property
    def _backup(self) -> Manifest:
        return migration.backup(self.settings, self.bundle, self.external_secret)

    @cached_property
    def checks(self) -> dict[str, Manifest]:
        return migration.checks(self.settings, self.bundle, self.external_secret)

    def found(self) -> FoundSecret:
        """The Secret, without its values."""
        names = [name for named in self._own_metadata.values() for name in named]
        text = self.kubectl.get_by("secret", self.secret, kubectl_output(names))
        if not text:
            raise ClusterError(f"Secret/{self.secret}: does not exist: there is nothing to migrate")
        return found_secret(text)

    @property
    def _own_metadata(self) -> dict[str, dict[str, str]]:
        """The labels and annotations that the Secret gets."""
        own = self.external_secret["spec"]["target"]["template"]["metadata"]
        return {each: own.get(each, {}) for each in ("labels", "annotations")}

    @property
    def noted(self) -> dict[str, str]:
        """What stands in the record."""
        return self._record().get("data", {})

    def described(self) -> str:
        """What a run would do. ClusterError where it would refuse."""
        found = self._migratable()
        lines = planned(self.settings, self.bundle, found)
        return "".join(f"{line}\n" for line in lines)

    def run(self) -> str:
        """Copies, compares and has the Secret taken over."""
        step = self.noted.get("step")
        if step == UNDO:
            raise ClusterError(f"{self.name}: is being undone: `migrate --undo` ends that")
        if step in (None, COPY):
            self._copy()
        if step in (None, COPY, ADOPT):
            self._adopt()
        return f"{self.secret}: taken over, values as they were; `migrate --finish` is next\n"

    def _copy(self) -> None:
        found = self._migratable()
        before = json.dumps(replaced_metadata(found, self._own_metadata))
        self._note(step=COPY, uid=found.uid, before=before)
        self._remove_one_shots()
        if not one_shot_objects.leaves_values(self.settings, self.bundle):
            self._look()
        self._make(migration.copy(self.settings, self.bundle))
        self._make(self._backup)
        compared = self._migratable()
        self._compare(_LEFT_ALONE)
        if self.found() != compared or compared.uid != found.uid:
            raise ClusterError(f"Secret/{self.secret}: was changed meanwhile: run this again")
        self._note(step=ADOPT, **{naming.MIGRATION_GATE: naming.OPEN_GATE})

    def _look(self) -> None:
        """Refuses to write where the store has all values, and another one among them."""
        self.kubectl.apply(self._backup)
        if waiting.looked_at(self.kubectl, "ExternalSecret", self.name):
            self._compare(_LEFT_ALONE)
        self._remove_one_shots()

    def _adopt(self) -> None:
        self._sync()
        found = self.found()
        if found.uid != self.noted["uid"]:
            raise ClusterError(f"Secret/{self.secret}: is another one than at the beginning")
        self._remove_checks()
        self._compare("`migrate --undo` gives it back")
        self._remove(migration.copy(self.settings, self.bundle), *self.checks.values())
        self._note(step=ADOPTED)

    def finish(self) -> str:
        """Deletes the copy of what was before. There is no undo after it."""
        step = self.noted.get("step")
        if step not in (ADOPTED, FINISHED):
            raise ClusterError(f"{self.name}: is not taken over yet: run `migrate` first")
        self._note(step=FINISHED)
        self._remove_one_shots()
        return f"{self.secret}: finished; take {self.bundle} out of `migrating` in the stack file\n"

    def undo(self) -> str:
        """Gives the Secret back as it was, to nobody; what was copied stays in the store."""
        step = self.noted.get("step")
        if step == FINISHED:
            raise ClusterError(f"{self.name}: is finished, and the copy of what was before is gone")
        found = self.found()
        is_taken = found.owner == ("ExternalSecret", self.secret)
        if step in (ADOPT, ADOPTED, UNDO):
            self._note(step=UNDO)
            if is_taken or naming.MIGRATION_GATE in self.noted:
                self._give_back()
            self._note(**{naming.MIGRATION_GATE: None})
            if self.kubectl.get("externalsecret", self.secret):
                change = waiting.annotated("force-sync")  # or it stays Ready for its interval
                self.kubectl.patch("externalsecret", self.secret, change)
            self._release()
            time.sleep(_PAUSE_SECONDS)  # the operator may have been at it
            self._release()
        self._remove_one_shots()
        self._note(step=None, uid=None, before=None, **{naming.MIGRATION_GATE: None})
        return f"{self.secret}: as it was before; the store keeps what was copied\n"

    def _give_back(self) -> None:
        """Has the Secret its values of before, where it has others now."""
        self._remove_checks()
        if not self._differing():
            return
        waiting.say(f"{self.secret}: has other values than before; they are given back")
        self._make(migration.restore(self.settings, self.bundle))
        self._sync()
        self._remove_checks()
        self._compare("its values from before are in the Secret " + self.name)

    def _release(self) -> None:
        """Gives the Secret the metadata of before: it outlives its ExternalSecret then."""
        metadata = json.loads(self.noted["before"])
        text = self.kubectl.get_by("secret", self.secret, "jsonpath={.metadata.ownerReferences}")
        ours = ("ExternalSecret", self.secret)
        owners = [one for one in json.loads(text or "[]") if (one["kind"], one["name"]) != ours]
        change = {"metadata": {**metadata, "ownerReferences": owners}}
        self.kubectl.patch_blindly("secret", self.secret, change)

    def _migratable(self) -> FoundSecret:
        self._record()
        found = self.found()
        held = self.kubectl.get("externalsecret", self.secret)
        if held is None or not _waits_for(self.name, held):
            message = "does not wait for the migration: apply the environment first"
            raise ClusterError(f"ExternalSecret/{self.secret}: {message}")
        if lines := refusals(self.settings, self.bundle, found):
            raise ClusterError("\n".join(f"Secret/{self.secret}: {line}" for line in lines))
        return found

    def _sync(self) -> None:
        change = waiting.annotated("force-sync")
        self.kubectl.patch("externalsecret", self.secret, change)
        self._synced("ExternalSecret", self.secret)

    def _compare(self, otherwise: str) -> None:
        if differing := self._differing():
            fields = ", ".join(differing)
            message = f"the store has another value than the Secret for: {fields}; {otherwise}"
            raise ClusterError(f"Secret/{self.secret}: {message}")
        waiting.say(f"{self.secret}: all {len(self.checks)} values are the same in the store")

    def _differing(self) -> list[str]:
        """The fields of which the copy has another value than the Secret."""
        self.kubectl.apply({**_LIST, "items": [*self.checks.values()]})
        fields = {check["metadata"]["name"]: field for field, check in self.checks.items()}
        same = waiting.passed(self.kubectl, fields, self.patience_seconds, enough=len(fields))
        return [field for name, field in fields.items() if name not in same]

    def _make(self, manifest: Manifest) -> None:
        name, kind = manifest["metadata"]["name"], manifest["kind"]
        self.kubectl.apply(manifest)
        self._synced(kind, name)

    def _synced(self, kind: str, name: str) -> None:
        start = time.monotonic()
        waiting.say(waiting.synced(self.kubectl, name, kind))
        self.patience_seconds = max(self.patience_seconds, 3 * (time.monotonic() - start))

    def _remove_one_shots(self) -> None:
        pushes = [part(self.settings, self.bundle) for part in (migration.copy, migration.restore)]
        self._remove(*pushes, *self.checks.values(), self._backup)
        self.kubectl.delete("secret", [self.name])

    def _remove_checks(self) -> None:
        self._remove(*self.checks.values())

    def _remove(self, *manifests: Manifest) -> None:
        for kind in ("pushsecret", "externalsecret"):
            of_kind = [one for one in manifests if one["kind"].lower() == kind]
            self.kubectl.delete(kind, [one["metadata"]["name"] for one in of_kind])

    def _record(self) -> Manifest:
        found = self.kubectl.get("configmap", self.name)
        if found is None:
            raise ClusterError(f"ConfigMap/{self.name}: is missing; apply the environment first")
        return found

    def _note(self, **data: str | None) -> None:
        version = self._record()["metadata"]["resourceVersion"]
        change = {"metadata": {"resourceVersion": version}, "data": data}
        self.kubectl.patch("configmap", self.name, change)


def _waits_for(record: str, external_secret: Manifest) -> bool:
    template = external_secret["spec"]["target"].get("template", {})
    names = [one.get("configMap", {}).get("name") for one in template.get("templateFrom", [])]
    return record in names
