"""The life of a stack on the engine, recorded: brought up, looked at again, destroyed."""

import secrets
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from platform_secrets.manifests.entries import bundle_entries
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import Deployment
from tests.e2e.engine import EngineError, Outcome
from tests.e2e.environments import PATIENCE_SECONDS, is_synced, secret_values, sync
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.live_objects import Name, contents, versions
from tests.e2e.process import PROJECT, wait_until
from tests.e2e.stores import Stores, made_values
from tests.platform import CATALOGUE_FILE

RELEASE = "kubernetes:helm.sh/v3:Release"
FOREIGN = "example.com/team=payments"
DRIFT: Manifest = {
    "Role": {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]},
    "ExternalSecret": {"spec": {"target": {"deletionPolicy": "Delete"}}},
    "Namespace": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
}


@dataclass
class End:
    """How the stack went. `refusal` is the engine's text where it is protected, "" elsewhere.

    `left` is what is in its namespaces afterwards. Of the other environments on the cluster:
    `others_untouched` when not one object was written, `others_sync` when a value that changed in
    their store afterwards is in their Secret.
    """

    refusal: str
    changed_by_refusal: set[tuple[Name, str]]
    before: dict[Name, Manifest]
    destroy: Outcome
    left: dict[Name, Manifest]
    others_untouched: bool
    others_sync: bool


@dataclass
class Life:
    """A stack that was brought up: what the engine said each time, and what belongs there."""

    made: Deployment
    cluster: Cluster
    stores: Stores
    values: dict[str, str]
    rendered: list[Manifest]
    preview: Outcome = field(default_factory=Outcome)
    up: Outcome = field(default_factory=Outcome)
    preview_again: Outcome = field(default_factory=Outcome)
    refresh: Outcome = field(default_factory=Outcome)
    drifted: list[Manifest] = field(default_factory=list)
    refresh_of_drift: Outcome = field(default_factory=Outcome)
    up_mending: Outcome = field(default_factory=Outcome)
    end: End | None = None

    def begin(self) -> None:
        """Stores filled; previewed with the policy pack, brought up, synced, previewed again,
        refreshed."""
        settings, stack = self.made.settings, self.made.stack
        self.stores.prepare(settings)
        if settings.environment.secrets == "basic":
            write_secrets_env(self.made.folder, self.values)
        else:
            self.stores.put(settings, self.values)
        self.preview = stack.preview(policy_packs=[str(self.made.policy_pack)])
        self.up = stack.up()
        self.wait_for_sync()
        self.preview_again = stack.preview()
        self.refresh = stack.refresh()

    def disturb(self) -> None:
        """Somebody adds a label and an annotation to every object, and changes declared fields of
        `drifted`; then a refresh and an update."""
        namespace = self.made.settings.namespace
        kinds = {obj["kind"] for obj in self.rendered if "namespace" in obj["metadata"]}
        where = (",".join(kinds).lower(), "--all", f"--namespace={namespace}", FOREIGN)
        self.cluster.kubectl("label", *where)
        self.cluster.kubectl("annotate", *where)
        names = ("secrets-reader", next(iter(self.secrets)), namespace)
        for manifest in self.rendered:
            kind, name = manifest["kind"], manifest["metadata"]["name"]
            if name in names and kind in DRIFT:
                where = (manifest["apiVersion"], kind, name, manifest["metadata"].get("namespace"))
                self.cluster.api.patch(*where, DRIFT[kind])
                self.drifted.append(manifest)
        self.refresh_of_drift = self.made.stack.refresh()
        self.up_mending = self.made.stack.up()
        self.wait_for_sync()

    def finish(self, others: Iterable["Life"]) -> None:
        """Destroyed; where it is protected, only after the engine has refused to."""
        others = list(others)
        namespaces = self.made.namespaces
        elsewhere = {name for life in others for name in life.made.namespaces}
        before, others_before = (contents(self.cluster, each) for each in (namespaces, elsewhere))
        refusal, changed = "", set()
        if self.made.settings.environment.protect:
            with pytest.raises(EngineError) as refused:
                self.made.stack.destroy_by_command()
            refusal = str(refused.value)
            after = contents(self.cluster, namespaces)
            changed = set(versions(before).items()) ^ set(versions(after).items())
            self.made.stack.unprotect()
        destroy = self.made.stack.destroy()
        others_after = contents(self.cluster, elsewhere)
        self.end = End(
            refusal,
            changed,
            before,
            destroy,
            contents(self.cluster, namespaces),
            versions(others_before) == versions(others_after),
            all(life.syncs_a_new_value() for life in others),
        )

    def syncs_a_new_value(self) -> bool:
        """Changes a value in the store; whether it arrives once the operator looks."""
        settings = self.made.settings
        bundle = next(iter(settings.catalogue.bundles.values()))
        key = list(bundle.keys)[-1]
        self.values[key] = secrets.token_hex(24)
        self.stores.put(settings, {key: self.values[key]})
        sync(self.cluster, settings.namespace, bundle.secret)
        found = secret_values(self.cluster, settings.namespace, bundle.secret) or {}
        return found[key] == self.values[key]

    def wait_for_sync(self) -> None:
        """Returns once the operator has synced every ExternalSecret as it is now."""
        for manifest in self.rendered:
            if manifest["kind"] == "ExternalSecret":
                wait_until(
                    lambda m=manifest: is_synced(self.live(m)),
                    f"{manifest['metadata']['name']} is synced",
                    timeout_seconds=PATIENCE_SECONDS,
                )

    def live(self, manifest: Manifest) -> Manifest:
        """The object in the cluster that a manifest describes, {} without one."""
        metadata = manifest["metadata"]
        where = (manifest["apiVersion"], manifest["kind"], metadata["name"])
        return self.cluster.api.get(*where, metadata.get("namespace")) or {}

    @property
    def secrets(self) -> dict[str, set[str]]:
        """The keys that each Secret is to hold."""
        bundles = self.made.settings.catalogue.bundles.values()
        if self.made.settings.environment.secrets == "basic":
            return {bundle.secret: set(bundle.keys) for bundle in bundles}
        return {
            obj["metadata"]["name"]: set(obj["spec"]["target"]["template"]["data"])
            for obj in self.rendered
            if obj["kind"] == "ExternalSecret"
        }

    def names(self, *kinds: str) -> set[Name]:
        """What is rendered of these kinds."""
        return {
            (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            for obj in self.rendered
            if obj["kind"] in kinds
        }


def life_of(made: Deployment, cluster: Cluster, stores: Stores, stack_file: Path) -> Life:
    """A stack before its first preview, with a value for each entry."""
    settings = made.settings
    values = made_values(settings)
    if settings.environment.stores:
        for bundle in settings.catalogue.bundles:
            for derived in bundle_entries(settings, bundle).keys() - values.keys():
                values[derived] = secrets.token_hex(24)
    return Life(made, cluster, stores, values, rendered(stack_file))


def rendered(stack_file: Path) -> list[Manifest]:
    """What `secretsctl render` writes for a stack file."""
    module = "platform_secrets.secretsctl"
    which = [f"--stack={stack_file}", f"--catalogue={CATALOGUE_FILE}"]
    command = ["-m", module, "render", *which, "--out=-"]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, *command], cwd=PROJECT, stdout=subprocess.PIPE, check=True
    )
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def write_secrets_env(folder: Path, values: dict[str, str]) -> None:
    path = folder / "secrets.env"
    path.touch(mode=0o600)
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")


def declared(outcome: Outcome, operation: str) -> dict[str, str]:
    """The URN of each object and release in the cluster with this operation, by logical name."""
    found = {}
    for done, urn in outcome.steps:
        type_token, name = urn.split("::")[2].rpartition("$")[2], urn.rpartition("::")[2]
        if done == operation and type_token.startswith("kubernetes:"):
            assert name not in found, f"{name} is there twice"
            found[name] = urn
    return found


def waits(outcome: Outcome, later: str, earlier: str, operation: str) -> bool:
    """Whether a step, by logical name, began only after another was done."""
    urns = declared(outcome, operation)
    begun = outcome.steps.index((operation, urns[later]))
    return begun >= outcome.done_before[urns[earlier]]
