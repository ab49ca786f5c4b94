"""A Secret's migration into its store and to the operator, step by step.

Each step may be done again: a command that was killed is repeated, and goes on. The steps stand in
the record (a ConfigMap without values); the one-shot objects are those of `manifests.migration`.
"""

import json
import time
from dataclasses import dataclass
from functools import cached_property

from platform_secrets.manifests import migration, naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.inventory import (
    FoundSecret,
    found_secret,
    kubectl_output,
    left_fields,
    planned,
    refusals,
    replaced_metadata,
)
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.secretsctl.migration_objects import MigrationObjects
from platform_secrets.settings import Settings
from platform_secrets.settings.layout import overlap_secret

COPY, ADOPT, ADOPTED, UNDO, FINISHED = "copy", "adopt", "adopted", "undo", "finished"
_LEFT_ALONE = "so it was left as it is"
_COMPARISONS = 3  # of a Secret that is written while it is compared
_PAUSE_SECONDS = 0.5


@dataclass
class Migration:
    """The migration of one bundle, in its namespace. Each method raises ClusterError."""

    settings: Settings
    bundle: str
    kubectl: Kubectl

    @cached_property
    def objects(self) -> MigrationObjects:
        return MigrationObjects(self.settings, self.bundle, self.kubectl)

    @property
    def secret(self) -> str:
        return self.objects.secret

    @property
    def name(self) -> str:
        return self.objects.name

    @property
    def gate(self) -> str:
        """The record's entry for which the ExternalSecret waits."""
        [gate] = _gates(self.objects.external_secret)
        return gate

    def found(self) -> FoundSecret:
        """The Secret, without its values."""
        found = self._found(self.secret)
        if found is None:
            raise ClusterError(f"Secret/{self.secret}: does not exist: there is nothing to migrate")
        return found

    def _found(self, secret: str) -> FoundSecret | None:
        names = [name for named in self._own_metadata.values() for name in named]
        text = self.kubectl.get_by("secret", secret, kubectl_output(names))
        return found_secret(text) if text else None

    def _derived_apart(self) -> list[str]:
        """The keys of the Secret of derived ones, where the bundle has such keys."""
        has_derived = migration.has_derived(self.settings, self.bundle)
        found = self._found(overlap_secret(self.secret)) if has_derived else None
        return [*found.keys] if found else []

    @property
    def _own_metadata(self) -> dict[str, dict[str, str]]:
        """The labels and annotations that the Secret gets."""
        own = self.objects.external_secret["spec"]["target"]["template"]["metadata"]
        return {each: own.get(each, {}) for each in ("labels", "annotations")}

    @property
    def noted(self) -> dict[str, str]:
        """What stands in the record."""
        return self._record().get("data", {})

    @property
    def _keys(self) -> list[str]:
        """The Secret's keys at the beginning, which are compared."""
        return json.loads(self.noted["keys"])

    @property
    def _step(self) -> str | None:
        """How far it is; None also where what was done before was a migration to other entries."""
        noted = self.noted
        step = noted.get("step")
        return step if step == UNDO or noted.get("to") == self.gate else None

    def described(self) -> str:
        """What a run would do. ClusterError where it would refuse."""
        found = self._migratable()
        lines = planned(self.settings, self.bundle, found)
        return "".join(f"{line}\n" for line in lines)

    def run(self) -> str:
        """Copies, compares and has the Secret taken over."""
        step = self._step
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
        # A gate that an earlier migration opened would let the Secret go back there unseen.
        begun = {"step": COPY, "to": self.gate, "uid": found.uid, "before": before}
        begun["keys"] = json.dumps([*found.keys])
        self._note(**{**dict.fromkeys(self.noted), **begun})
        self.objects.remove()
        apart = self._derived_apart()
        is_there = self.objects.is_all_there(found.keys)
        if not is_there:
            self._require_texts()
        elif apart:  # where the operator takes an entry for a value it would write all over
            self._compare(_LEFT_ALONE)
        if apart or not is_there:
            self.objects.copy(found.keys, apart)
        # The operator may still be writing its label, which changes no value.
        if not any(self._is_same_throughout(found.uid) for _ in range(_COMPARISONS)):
            raise ClusterError(f"Secret/{self.secret}: was changed meanwhile: run this again")
        self._note(step=ADOPT, **{self.gate: naming.OPEN_GATE})

    def _is_same_throughout(self, uid: str) -> bool:
        """Whether nobody writes the Secret while it is compared. Raises ClusterError where the
        store has another value."""
        compared = self._migratable()
        self._compare(_LEFT_ALONE)
        return self.found() == compared and compared.uid == uid

    def _require_texts(self) -> None:
        if names := self.objects.no_texts():
            what = f"has bytes that are no text in: {', '.join(names)}"
            remedy = "a store keeps texts alone: `stored-as: base64` of the key in the catalogue"
            raise ClusterError(f"Secret/{self.secret}: {what}; {remedy}; {_LEFT_ALONE}")

    def _adopt(self) -> None:
        self.objects.sync()
        found = self.found()
        if found.uid != self.noted["uid"]:
            raise ClusterError(f"Secret/{self.secret}: is another one than at the beginning")
        self._compare("`migrate --undo` gives it back")
        self.objects.remove_pushes()
        self._note(step=ADOPTED)

    def finish(self) -> str:
        """Deletes the copy of what was before. There is no undo after it."""
        if self._step not in (ADOPTED, FINISHED):
            raise ClusterError(f"{self.name}: is not taken over yet: run `migrate` first")
        self._note(step=FINISHED)
        self.objects.remove()
        return f"{self.secret}: finished; take {self.bundle} out of `migrating` in the stack file\n"

    def undo(self) -> str:
        """Gives the Secret back as it was, to nobody; what was copied stays in the store."""
        step = self._step
        if step == FINISHED:
            raise ClusterError(f"{self.name}: is finished, and the copy of what was before is gone")
        found = self.found()
        is_taken = ("ExternalSecret", self.secret) in found.owners
        if step in (ADOPT, ADOPTED, UNDO):
            self._note(step=UNDO)
            if is_taken or self.gate in self.noted:
                self._give_back()
            self._note(**{self.gate: None})
            if self.kubectl.get("externalsecret", self.secret):
                change = waiting.annotated("force-sync")  # or it stays Ready for its interval
                self.kubectl.patch("externalsecret", self.secret, change)
            self._release()
            time.sleep(_PAUSE_SECONDS)  # the operator may have been at it
            self._release()
        self.objects.remove()
        self._note(**dict.fromkeys(self.noted))
        return f"{self.secret}: as it was before; the store keeps what was copied\n"

    def _give_back(self) -> None:
        """Has the Secret its values of before, where it has others now."""
        keys = self._keys
        if not self.objects.differing(keys):
            return
        waiting.say(f"{self.secret}: has other values than before; they are given back")
        self.objects.restore(keys)
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
        live = self.kubectl.get("externalsecret", self.secret)
        if live is None or self.gate not in _gates(live):
            message = "does not wait for the migration: apply the environment first"
            raise ClusterError(f"ExternalSecret/{self.secret}: {message}")
        lines = [
            *refusals(self.settings, self.bundle, found),
            *left_fields(self.settings, self.objects.external_secret, live),
        ]
        if lines:
            raise ClusterError("\n".join(lines))
        return found

    def _compare(self, otherwise: str) -> None:
        keys = self._keys
        if differing := self.objects.differing(keys):
            fields = ", ".join(differing)
            message = f"the store has another value than the Secret for: {fields}; {otherwise}"
            raise ClusterError(f"Secret/{self.secret}: {message}")
        waiting.say(f"{self.secret}: all values are the same in the store")

    def _record(self) -> Manifest:
        found = self.kubectl.get("configmap", self.name)
        if found is None:
            raise ClusterError(f"ConfigMap/{self.name}: is missing; apply the environment first")
        return found

    def _note(self, **data: str | None) -> None:
        version = self._record()["metadata"]["resourceVersion"]
        change = {"metadata": {"resourceVersion": version}, "data": data}
        self.kubectl.patch("configmap", self.name, change)


def _gates(external_secret: Manifest) -> list[str]:
    """The entries of a migration's record that an ExternalSecret waits for."""
    template = external_secret["spec"]["target"].get("template", {})
    maps = [one.get("configMap") or {} for one in template.get("templateFrom", [])]
    return [item["key"] for one in maps for item in one.get("items", [])]
