"""A cluster, a Vault and an operator of their own, to be broken: an environment for each fault."""

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from unittest.mock import patch

from platform_secrets.diagnosing.diagnosis import Diagnosis, diagnosis
from platform_secrets.manifests import eso as operator_part
from platform_secrets.manifests import layer, naming
from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.secretsctl.doctor_command import live_case
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import Document, Settings, catalogue_document, load, stack_document
from platform_secrets.settings.entries import entry as entry_of
from tests.e2e import eso
from tests.e2e.cluster import Cluster
from tests.e2e.kubelet import Kubelet
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.stores import Stores, decoded, made_values
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tools.build import build

ESO = "external-secrets.io/v1"
STORE = "vault-store"
# A loaded machine and the operator's back-off together.
PATIENCE_SECONDS = 180
Condition = tuple[str, str, str]
"""Ready: status, reason, message."""
VALID = ("True", "Valid", "store validated")
SYNCED = ("True", "SecretSynced", "secret synced")


@dataclass
class Place:
    """An environment with production's own objects; `bundle` and `key` are what a fault hits.

    `spare` is another bundle, for a second thing that happens at the same time. `values` are what
    the store holds, by key.
    """

    cluster: Cluster
    stores: Stores
    settings: Settings
    bundle: str
    key: str
    spare: str
    values: dict[str, str] = field(default_factory=dict)
    settled_versions: dict[str, str] = field(default_factory=dict)
    """`versions` before anything happened."""

    def __post_init__(self) -> None:
        self.namespace = self.settings.namespace
        self.secret = self.settings.catalogue.bundles[self.bundle].secret
        self.spare_secret = self.settings.catalogue.bundles[self.spare].secret
        self.spare_key = next(iter(self.settings.catalogue.bundles[self.spare].keys))
        self.entry = entry_of(self.settings, self.bundle, self.key).key
        self.objects = [
            obj for wave in layer.waves(self.settings, rotator_source()) for obj in wave.objects
        ]
        self.values |= made_values(self.settings)
        for bundle in self.settings.catalogue.bundles:
            for derived in bundle_entries(self.settings, bundle).keys() - self.values.keys():
                self.values[derived] = token_hex(24)

    def fill_store(self) -> None:
        """Makes the environment's identities and puts every value."""
        self.stores.prepare(self.settings)
        self.stores.put(self.settings, self.values)

    def apply(self, kind: str | None = None, name: str | None = None) -> None:
        """Applies the environment's objects, or those of a kind and name."""
        for obj in self.objects:
            if kind in (None, obj["kind"]) and name in (None, obj["metadata"]["name"]):
                self.cluster.api.apply(obj, manager="platform-secrets")

    def delete(self, api_version: str, kind: str, name: str) -> None:
        """Returns once the object is gone."""
        self.cluster.api.delete(api_version, kind, name, self.namespace)
        wait_until(
            lambda: self.cluster.api.get(api_version, kind, name, self.namespace) is None,
            f"{kind} {name} is gone",
            timeout_seconds=PATIENCE_SECONDS,
        )

    def put(self, key: str, value: str) -> None:
        """Changes a value in the store."""
        self.values[key] = value
        self.stores.put(self.settings, {key: value})

    def write_entry(self, *, without: str | None) -> None:
        """Makes the entry that holds `key` hold all its keys but `without`; none at all for None.

        In layout `per-key` an entry has but one.
        """
        content = {
            str(entry.property): self.values[key]
            for key, entry in bundle_entries(self.settings, self.bundle).items()
            if entry.key == self.entry and without not in (None, key)
        }
        self.stores.bao.write(f"secret/data/{self.entry}", data=content)

    def touch(self, kind: str, name: str) -> None:
        """Has the operator look at an object now, and not after its interval or back-off."""
        change = {"metadata": {"annotations": {"force-sync": token_hex(4)}}}
        self.cluster.api.patch(ESO, kind, name, self.namespace, change)

    def touch_all(self) -> None:
        """Has the operator look at the store, and at what is read from it."""
        names = [("SecretStore", STORE), *(("ExternalSecret", name) for name in self.expected)]
        for kind, name in names:
            if self.cluster.api.get(ESO, kind, name, self.namespace):
                self.touch(kind, name)

    def condition(self, kind: str, name: str) -> Condition | None:
        """The object's condition Ready; None without the object or the condition."""
        obj = self.cluster.api.get(ESO, kind, name, self.namespace) or {}
        for found in obj.get("status", {}).get("conditions", []):
            if found["type"] == "Ready":
                return found["status"], found["reason"], found["message"]
        return None

    def shows(self, kind: str, name: str, expected: Condition | None) -> None:
        """Returns once the condition is the expected one."""

        def is_shown() -> bool:
            found = self.condition(kind, name)
            assert found == expected, found
            return True

        wait_until(
            is_shown,
            f"{self.namespace}: {kind} {name} shows {expected}",
            timeout_seconds=PATIENCE_SECONDS,
        )

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        """The values of every Secret that should be there, by name; {} for a missing one."""
        return {name: self.read(name) for name in self.expected}

    @property
    def expected(self) -> dict[str, dict[str, str]]:
        """What the Secrets hold when all is well."""
        return {
            obj["metadata"]["name"]: {
                key: self.values[key] for key in obj["spec"]["target"]["template"]["data"]
            }
            for obj in self.objects
            if obj["kind"] == "ExternalSecret"
        }

    @property
    def versions(self) -> dict[str, str]:
        """The resource version of every Secret; two that are equal had no write between them."""
        found = self.cluster.api.list("v1", "Secret", self.namespace)
        return {obj["metadata"]["name"]: obj["metadata"]["resourceVersion"] for obj in found}

    def warns(self, words: str) -> None:
        """Returns once a warning event of the environment holds `words`."""

        def is_said() -> bool:
            events = self.cluster.api.list("v1", "Event", self.namespace)
            said = [event["message"] for event in events if event["type"] == "Warning"]
            assert any(words in message for message in said), said
            return True

        wait_until(
            is_said,
            f"{self.namespace}: an event says {words!r}",
            timeout_seconds=PATIENCE_SECONDS,
        )

    def diagnosed(self) -> Diagnosis:
        """What the doctor finds."""
        return diagnosed(self.cluster, self.settings)

    def read(self, secret: str) -> dict[str, str]:
        found = self.cluster.api.get("v1", "Secret", secret, self.namespace)
        return decoded(found) if found else {}

    def is_well(self) -> bool:
        """Whether every Secret holds its values; a comparison that shows none."""
        return self.secrets == self.expected

    def becomes_well(self) -> None:
        wait_until(
            self.is_well,
            f"the Secrets of {self.namespace} hold their values",
            timeout_seconds=PATIENCE_SECONDS,
        )


def diagnosed(cluster: Cluster, settings: Settings) -> Diagnosis:
    """What `secretsctl doctor` finds in an environment at one look, by the cluster's kubectl."""
    programs = f"{build('kubectl').parent}:{os.environ['PATH']}"
    own = {"PATH": programs, "KUBECONFIG": str(cluster.kubeconfig)}
    with patch.dict(os.environ, own):
        return diagnosis(live_case(settings))


class FaultsWorld:
    """The parts, and the environments in them."""

    def __init__(self, run: Run, program: str, layout: str, seed: int) -> None:
        name = f"faults-{program}-{layout}"
        self.run, self.program, self.layout = run, program, layout
        self._random = random.Random(seed)  # noqa: S311 - picks what a fault hits
        self.cluster = Cluster(run, name)
        eso.install_crds(self.cluster, program)
        self.stores = Stores(run, self.cluster, f"{name}-stores")
        self.operator = OperatorRelease(
            run, self.cluster, env=self.stores.operator_env, program=program
        )
        self.places: dict[str, Place] = {}
        settings = self._settings("operator", "faults-operator", operator="install")
        for wave in layer.waves(settings, rotator_source()):
            if wave.name == layer.OPERATOR:
                for obj in wave.objects:
                    self.cluster.api.apply(obj, manager="platform-secrets")
        self.operator_namespace = settings.environment.operator_namespace
        self._release: Manifest = {
            "name": naming.OPERATOR_RELEASE,
            "namespace": self.operator_namespace,
            "values": operator_part.chart_values(settings),
        }

    def settle(self, faults: Mapping[str, int]) -> None:
        """Makes an environment for each fault, hitting a bundle with at least so many keys, and
        waits until all are synced."""
        for number, (fault, keys) in enumerate(faults.items()):
            settings = self._settings(
                f"fault-{number}", f"faults-{fault.replace(' ', '-').lower()}"
            )
            bundles = settings.catalogue.bundles
            bundle = self._random.choice([b for b in bundles if len(bundles[b].keys) >= keys])
            key = self._random.choice(list(bundles[bundle].keys))
            spare = self._random.choice([b for b in bundles if b != bundle])
            place = Place(self.cluster, self.stores, settings, bundle, key, spare)
            self.places[fault] = place
            place.fill_store()
        self.operator.install(self._release)
        for place in self.places.values():
            place.apply()
        for place in self.places.values():
            place.shows("SecretStore", STORE, VALID)
            # What was looked at before its store was ready would wait for the back-off.
            place.touch_all()
        for place in self.places.values():
            for name in place.expected:
                place.shows("ExternalSecret", name, SYNCED)
            place.settled_versions = place.versions

    def _settings(
        self, environment: str, namespace: str, *, operator: str = "existing"
    ) -> Settings:
        own = stack_document(STACK_FILES["production"]).content
        assert isinstance(own, dict)
        stores = {name: {**store, "layout": self.layout} for name, store in own["stores"].items()}
        changes = {
            "environment": environment,
            "namespace-name": namespace,
            "operator": operator,
            "stores": stores,
            "cluster": {"uid": self.cluster.uid},
            "monitoring": {"prometheus": "files"},
        }
        document = Document("Pulumi.production.yaml", {**own, **changes})
        [settings] = load([document], catalogue_document(CATALOGUE_FILE))
        return settings


@contextmanager
def faults_world(run: Run, program: str, layout: str, seed: int) -> Iterator[FaultsWorld]:
    """The parts, stopped at the end so that the next world has the machine to itself."""
    earlier = len(run.processes)
    try:
        world = FaultsWorld(run, program, layout, seed)
        with Kubelet(world.cluster, [world.operator_namespace]):
            yield world
        world.stores.stop()
    finally:
        for process in reversed(run.processes[earlier:]):
            process.stop()
