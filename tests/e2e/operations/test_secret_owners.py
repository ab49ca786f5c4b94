"""A Secret that belongs to others is released by what `secretsctl migrate` says, and by their own
programs: Helm, Argo CD's library, Flux's controllers."""

import base64
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import pytest
import yaml

from platform_secrets.secretsctl.inventory import found_secret, kubectl_output, refusals
from platform_secrets.settings import Settings
from tests.e2e import flux_controllers, gitops_kinds
from tests.e2e.certificates import certificates_for
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.flux_world import KUSTOMIZATION, SOURCE
from tests.e2e.git_server import GitServer, Repository
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import rotating_settings
from tests.e2e.stores import decoded
from tools.build import build

BUNDLE = "chat-server"
CHART = """{{ if .Values.secret }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Values.secret.name }}}
stringData: {{ toJson .Values.secret.values }}
{{ end }}"""
TRACKED = "argocd.argoproj.io/tracking-id"


@dataclass
class Place:
    """A namespace with a Secret that somebody else makes."""

    cluster: Cluster
    settings: Settings
    folder: Path
    chart: str = field(default_factory=lambda: f"web-{token_hex(2)}")

    @property
    def namespace(self) -> str:
        return self.settings.namespace

    @property
    def name(self) -> str:
        return self.settings.catalogue.bundles[BUNDLE].secret

    def values(self) -> dict[str, str]:
        """New ones for all of its keys."""
        return {key: token_hex(16) for key in self.settings.catalogue.bundles[BUNDLE].keys}

    def secret(self) -> Manifest | None:
        return self.cluster.api.get("v1", "Secret", self.name, self.namespace)

    def state(self) -> tuple[str, dict[str, str]] | None:
        """Which Secret it is, and what is in it."""
        found = self.secret()
        return (found["metadata"]["uid"], decoded(found)) if found else None

    def told(self) -> str:
        """What `migrate` has against the Secret as it is."""
        where = ("secret", self.name, f"--namespace={self.namespace}")
        text = self.cluster.kubectl("get", *where, f"--output={kubectl_output([])}")
        return "\n".join(refusals(self.settings, BUNDLE, found_secret(text)))

    def release(self) -> None:
        """Types what `migrate` says, and nothing else."""
        [command] = re.findall("`(kubectl [^`]+)`", self.told())
        self.cluster.kubectl(*shlex.split(command)[1:])
        assert self.told() == ""

    def change(self) -> tuple[str, dict[str, str]] | None:
        """What it is once the operator has written another value into it."""
        data = {
            key: base64.b64encode(text.encode()).decode() for key, text in self.values().items()
        }
        self.cluster.api.patch("v1", "Secret", self.name, self.namespace, {"data": data})
        return self.state()

    def helm(self, command: str, values: Manifest | None) -> None:
        """Helm with a release whose Secret has these values; without any it has no Secret."""
        secret = {"name": self.name, "values": values} if values else None
        (self.folder / "templates").mkdir(exist_ok=True)
        (self.folder / "templates" / "secret.yaml").write_text(CHART)
        (self.folder / "Chart.yaml").write_text("{apiVersion: v2, name: web, version: 1.0.0}")
        (self.folder / "values.yaml").write_text(yaml.safe_dump({"secret": secret}))
        chart = [] if command == "uninstall" else [str(self.folder)]
        self._run("helm", command, self.chart, *chart, f"--namespace={self.namespace}")

    def argo_cd(self, values: Manifest | None) -> str:
        """A sync of Argo CD's Application `web` that prunes: what was done."""
        mark = f"web:/Secret:{self.namespace}/{self.name}"
        metadata = {"name": self.name, "namespace": self.namespace, "annotations": {TRACKED: mark}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
        wanted = json.dumps([secret] if values else [])
        return self._run("argo-cd", "sync", "web", self.namespace, given=wanted)

    def flux(self, repository: Repository, values: Manifest | None) -> None:
        """A commit to what Flux's Kustomization `others` follows; returns once that is applied."""
        folder = repository.folder / "others"
        folder.mkdir(exist_ok=True)
        metadata = {"name": self.name, "namespace": self.namespace}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
        stays = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        objects = [stays, secret] if values else [stays]
        (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
        commit, api = repository.commit("Others"), self.cluster.api
        asked = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token_hex(4)}}}
        api.patch(*SOURCE, "others", flux_controllers.NAMESPACE, asked)

        def is_applied() -> bool:
            found = api.read(*KUSTOMIZATION, "others", flux_controllers.NAMESPACE)
            return found.get("status", {}).get("lastAppliedRevision", "").endswith(commit)

        wait_until(is_applied, f"Flux has applied {commit}", timeout_seconds=60)

    def _run(self, program: str, *arguments: str, given: str = "") -> str:
        done = subprocess.run(  # noqa: S603 - our own programs
            [build(program), *arguments],
            input=given,
            env={**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.fixture(scope="module")
def settings(cluster: Cluster) -> Iterator[Settings]:
    found = rotating_settings(
        "production", "owned", seeding={"groups": [PEOPLE]}, migrating=[BUNDLE]
    )
    cluster.create_namespace(found.namespace)
    yield found
    cluster.delete_namespace(found.namespace)


@pytest.fixture
def place(cluster: Cluster, settings: Settings, tmp_path: Path) -> Iterator[Place]:
    found = Place(cluster, settings, tmp_path)
    yield found
    cluster.api.delete("v1", "Secret", found.name, found.namespace)


def test_helm_leaves_a_released_secret_alone(place: Place) -> None:
    place.helm("install", place.values())
    assert f"belongs to Helm's release {place.chart}:" in place.told()
    place.release()
    place.helm("upgrade", None)
    ours = place.change()
    place.helm("upgrade", None)
    assert place.state() == ours
    place.helm("uninstall", None)
    assert place.state() == ours


@pytest.mark.parametrize("command", ["upgrade", "uninstall"])
def test_helm_deletes_one_that_is_not_released(place: Place, command: str) -> None:
    place.helm("install", place.values())
    if command == "uninstall":
        place.release()  # which is for an upgrade without it alone
    place.helm(command, None)
    assert place.secret() is None


def test_argo_cd_leaves_a_released_secret_alone(place: Place) -> None:
    values = place.values()
    place.argo_cd(values)
    assert "belongs to Argo CD's web" in place.told()
    place.release()
    place.argo_cd(values)
    assert place.told() == "", "a sync before it leaves Git takes the release away"
    assert place.argo_cd(None) == f"PruneSkipped Secret/{place.name}\n"
    ours = place.change()
    place.argo_cd(None)
    assert place.state() == ours


def test_argo_cd_deletes_one_that_is_not_released(place: Place) -> None:
    place.argo_cd(place.values())
    assert place.argo_cd(None) == f"Pruned Secret/{place.name}\n"
    # By "foreground": the garbage collector ends it.
    wait_until(lambda: place.secret() is None, "the Secret is gone")


def test_what_releases_a_sealed_secret_s_takes_nothing_else_from_it(place: Place) -> None:
    """Its controller was run by hand: docs/migrating.md."""
    owner = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "controller": True}
    metadata = {
        "name": place.name,
        "namespace": place.namespace,
        "annotations": {"sealedsecrets.bitnami.com/managed": "true", "team": "payments"},
        "ownerReferences": [owner | {"name": place.name, "uid": token_hex(8)}],
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    place.cluster.api.create(secret | {"stringData": place.values()})
    ours = place.state()
    assert f"belongs to SealedSecret/{place.name}" in place.told()
    place.release()
    left = (place.secret() or {})["metadata"]
    assert (left.get("ownerReferences"), left["annotations"]) == (None, {"team": "payments"})
    assert place.state() == ours


@pytest.fixture(scope="module")
def repository(run: Run, cluster: Cluster) -> Iterator[Repository]:
    """What Flux's Kustomization `others` follows, which prunes."""
    gitops_kinds.install_crds(cluster)
    cluster.create_namespace(flux_controllers.NAMESPACE)
    folder, api = run.new_folder("git"), cluster.api
    certificates = certificates_for(["localhost"], run.new_folder("git-authority"))
    found = Repository(folder, "others.git")
    with ExitStack() as stack:
        server = stack.enter_context(GitServer(folder, {}, certificates))
        env = {"SSL_CERT_FILE": str(certificates.trust)}
        for process in flux_controllers.start(run, cluster, env):
            stack.callback(process.stop)
        metadata = {"name": "others", "namespace": flux_controllers.NAMESPACE}
        url = f"https://localhost:{server.port}/others.git"
        source = {"kind": "GitRepository", "name": "others"}
        specs = {
            SOURCE: {"interval": "10m", "url": url, "ref": {"branch": "main"}},
            KUSTOMIZATION: {
                **{"interval": "10m", "retryInterval": "1s"},
                **{"prune": True, "path": "./others", "sourceRef": source},
            },
        }
        for (api_version, kind), spec in specs.items():
            one = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
            api.apply(one)
        yield found
        for api_version, kind in (KUSTOMIZATION, SOURCE):
            where = (api_version, kind, "others", flux_controllers.NAMESPACE)
            api.delete(*where)  # The controllers take finalizers away.
            wait_until(lambda of=where: api.get(*of) is None, f"{kind} is gone")
    cluster.delete_namespace(flux_controllers.NAMESPACE)


def test_flux_leaves_a_released_secret_alone(place: Place, repository: Repository) -> None:
    place.flux(repository, place.values())
    assert "belongs to Flux' Kustomization others" in place.told()
    place.release()
    ours = place.change()
    place.flux(repository, place.values())
    assert (place.told(), place.state()) == ("", ours)
    place.flux(repository, None)
    assert place.state() == ours


def test_flux_takes_back_what_kubectl_annotated_for_it_not_to_prune(
    place: Place, repository: Repository
) -> None:
    place.flux(repository, place.values())
    mark = "kustomize.toolkit.fluxcd.io/prune"
    where = f"--namespace={place.namespace}"
    place.cluster.kubectl("annotate", "secret", place.name, where, f"{mark}=disabled")
    assert "belongs to Flux' Kustomization others" in place.told()
    place.flux(repository, place.values())
    assert mark not in (place.secret() or {})["metadata"].get("annotations", {})
    place.flux(repository, None)
    wait_until(lambda: place.secret() is None, "the Secret is gone")
