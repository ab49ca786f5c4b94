"""A repository that Flux's own controllers follow, and what they make of it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import yaml

from platform_secrets.secretsctl import tree
from platform_secrets.secretsctl.rendering import rendered_files
from platform_secrets.settings import Settings
from tests.e2e import eso, flux_controllers
from tests.e2e.cluster import Cluster
from tests.e2e.environments import ESO
from tests.e2e.git_server import Repository
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import wait_until
from tests.e2e.rotating import rotating_settings
from tests.e2e.stores import Stores
from tests.platform import CATALOGUE_FILE

HOST, PATH = "git.example.com", "wren/platform-secrets.git"
CHARTS = ("charts.external-secrets.io", "openbao.github.io")
KUSTOMIZATION = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
RELEASE = ("helm.toolkit.fluxcd.io/v2", "HelmRelease")
SOURCE = ("source.toolkit.fluxcd.io/v1", "GitRepository")
GITOPS = {"repository": f"https://{HOST}/{PATH}"}
MEMORY = "secrets-rotation-memory"
# An index with one chart is what makes a HelmRepository Ready; nobody gets the chart from it.
INDEX = yaml.safe_dump(
    {
        "apiVersion": "v1",
        "generated": "2026-01-01T00:00:00Z",
        "entries": {
            "none": [
                {"apiVersion": "v2", "name": "none", "version": "1.0.0", "urls": ["none-1.0.0.tgz"]}
            ]
        },
    }
)


@dataclass
class World:
    """The repository, and what Flux makes of it. The tests are its helm-controller."""

    cluster: Cluster
    operator: OperatorRelease
    stores: Stores
    repository: Repository
    changes: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Settings] = field(default_factory=dict)
    release: Manifest = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        own = {"cluster": {"uid": self.cluster.uid}, **self.changes}
        return rotating_settings("production", "flux", **own)

    @property
    def namespace(self) -> str:
        return self.settings.namespace

    @property
    def tree(self) -> Path:
        return self.repository.folder / "rendered"

    def commit(self, message: str, **changes: Any) -> str:
        """Renders with these settings and commits: the new commit. Flux hears of it at once."""
        self.changes |= changes
        shutil.rmtree(self.tree, ignore_errors=True)
        for one in (self.settings, *self.others.values()):
            tree.write(
                {self.tree / one.environment.environment: rendered_files(one, CATALOGUE_FILE)}
            )
        made = self.repository.commit(message)
        for source in self.cluster.api.list(*SOURCE):
            self._ask(SOURCE, source["metadata"]["name"])
        return made

    def reconcile(self, name: str) -> None:
        """Returns once a Kustomization was applied again."""
        asked = self._ask(KUSTOMIZATION, name)
        handled = lambda: self.kustomizations()[name]["status"].get("lastHandledReconcileAt")  # noqa: E731
        wait_until(lambda: handled() == asked, f"{name} is applied again")

    def _ask(self, kind: tuple[str, str], name: str) -> str:
        """What `flux reconcile` does."""
        mark = token_hex(4)
        change = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": mark}}}
        self.cluster.api.patch(*kind, name, flux_controllers.NAMESPACE, change)
        return mark

    def kustomizations(self) -> dict[str, Manifest]:
        return {one["metadata"]["name"]: one for one in self.cluster.api.list(*KUSTOMIZATION)}

    def arrives(self, commit: str, *, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Returns once every Kustomization that there is has applied this commit."""

        def is_there() -> bool:
            meanwhile()
            found = self.kustomizations()
            assert found
            for name, one in found.items():
                applied = one.get("status", {}).get("lastAppliedRevision", "")
                assert applied.endswith(commit), (name, one.get("status", {}).get("conditions"))
                assert "deletionTimestamp" not in one["metadata"], name
                assert eso.has_condition(one, "Ready"), name
            return True

        wait_until(is_there, f"Flux has applied {commit}", timeout_seconds=60, interval=0.3)

    def helm(self) -> None:
        """What helm-controller does: each release as it is now is installed, and said to be."""
        for one in self.cluster.api.list(*RELEASE):
            generation = one["metadata"]["generation"]
            if one.get("status", {}).get("observedGeneration") == generation:
                continue
            spec, where = one["spec"], (one["metadata"]["name"], one["metadata"]["namespace"])
            if where[0] == "external-secrets":
                self.release = {"name": where[0], "namespace": where[1], "values": spec["values"]}
                self.operator.install(self.release)
            ready = {"type": "Ready", "status": "True", "reason": "InstallSucceeded"}
            ready |= {"message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            status = {"observedGeneration": generation, "conditions": [ready]}
            change = {"status": status}
            self.cluster.api.patch(*RELEASE, *where, change, subresource="status")

    def holding_data(self) -> dict[str, str]:
        """The UID of all that holds data: equal ones mean that it was never deleted."""
        api, found = self.cluster.api, {}
        for api_version, kind in ((ESO, "ExternalSecret"), ("v1", "Secret"), ("v1", "ConfigMap")):
            for one in api.list(api_version, kind, self.namespace):
                if kind != "ConfigMap" or one["metadata"]["name"] == MEMORY:
                    found[f"{kind}/{one['metadata']['name']}"] = one["metadata"]["uid"]
        namespace = api.get("v1", "Namespace", self.namespace) or {}
        return found | {"namespace": namespace["metadata"]["uid"]}
