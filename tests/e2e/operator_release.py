"""What stands in for Helm and the kubelet: a release of the operator's chart as a local process."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import httpx
import yaml

from tests.e2e import eso
from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import KubernetesApiError, Manifest
from tests.e2e.process import Process, Run, free_ports, wait_until
from tools.build import build

IDENTITY_KINDS = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


class OperatorRelease:
    """Renders the operator's own chart with the release's values and makes it real.

    The rendered ServiceAccounts and rights are applied, and the operator runs as the rendered
    ServiceAccount with the flags of the rendered Deployment. Nothing else of the chart is used.
    """

    def __init__(
        self,
        run: Run,
        cluster: Cluster,
        *,
        env: Mapping[str, str] | None = None,
        program: str = eso.CURRENT,
    ) -> None:
        self._run = run
        self._cluster = cluster
        self._env = env
        self._program = program
        self._applied: list[Manifest] = []
        self._has_crds = False
        self.process: Process | None = None

    def install(self, release: Manifest) -> None:
        """Installs, or replaces what is installed; `release` has name, namespace and values."""
        self._stop()
        if not self._has_crds:
            eso.install_crds(self._cluster, self._program)
            self._has_crds = True
        if self._cluster.api.get("v1", "Namespace", release["namespace"]) is None:
            self._cluster.create_namespace(release["namespace"])
        rendered = self.render(release)
        before = self._applied
        self._applied = [obj for obj in rendered if obj["kind"] in IDENTITY_KINDS]
        if release.get("values", {}).get("rbac", {}).get("serviceAccountTokenCreate") is False:
            drop_token_right(self._applied)
        for obj in self._applied:
            self._cluster.api.apply(obj, manager="helm")
        there = [_identity(obj) for obj in self._applied]
        self._delete([obj for obj in before if _identity(obj) not in there])
        self._deployment = operator_deployment(rendered)
        pod = self._deployment["spec"]["template"]["spec"]
        self._kubeconfig = self._cluster.service_account_kubeconfig(
            release["namespace"], pod["serviceAccountName"]
        )
        self._flags = pod["containers"][0]["args"]
        self.start()

    def start(self) -> None:
        """Starts what is installed, anew after `process` was stopped or killed."""
        (port,) = free_ports(1)
        self.metrics_url = f"http://127.0.0.1:{port}/metrics"
        self.process = eso.start_operator(
            self._run,
            self._kubeconfig,
            flags=self._flags,
            env=self._env,
            program=self._program,
            metrics_port=port,
        )

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside, a Deployment and a lease show the operator, which is a process outside of the
        cluster: as they would if it ran in pods. Somebody has to run the Deployment's pods."""
        metadata = self._deployment["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        template = self._deployment["spec"]["template"]
        template["metadata"]["labels"]["app"] = name
        lease: Manifest = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        lease["metadata"] = {"name": "external-secrets-controller", "namespace": namespace}
        shown = [self._deployment, lease]
        for obj in shown:
            self._cluster.api.apply(obj, manager="helm")
        is_over = Event()
        Thread(target=self._renew, args=(lease, is_over), daemon=True).start()
        try:
            wait_until(
                lambda: (
                    (self._cluster.api.get("apps/v1", "Deployment", name, namespace) or {})
                    .get("status", {})
                    .get("availableReplicas")
                ),
                "the operator's pods are shown",
            )
            yield
        finally:
            is_over.set()
            for obj in shown:
                names = obj["metadata"]["name"], obj["metadata"]["namespace"]
                self._cluster.api.delete(obj["apiVersion"], obj["kind"], *names)

    def _renew(self, lease: Manifest, is_over: Event) -> None:
        """Renews it until it is over, as the leader does."""
        names = lease["metadata"]["name"], lease["metadata"]["namespace"]
        while not is_over.is_set():
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
            with suppress(KubernetesApiError, httpx.TransportError):
                spec = {"holderIdentity": "external-secrets-1", "renewTime": now}
                self._cluster.api.patch(lease["apiVersion"], "Lease", *names, {"spec": spec})
            is_over.wait(10)

    def uninstall(self, release: Manifest) -> None:
        """Stops the operator and removes its rights; the CRDs stay, as Helm leaves them."""
        self._stop()
        self._delete(self._applied)
        self._applied = []

    def _delete(self, objects: list[Manifest]) -> None:
        for obj in reversed(objects):
            self._cluster.api.delete(*_identity(obj))

    def render(self, release: Manifest) -> list[Manifest]:
        """The chart's objects. Values that this version of the chart does not know are ignored."""
        values = self._run.folder / "values.json"
        values.write_text(json.dumps(release.get("values", {})), encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - our own helm
            [
                *(build("helm"), "template", release["name"], self.chart()),
                f"--namespace={release['namespace']}",
                f"--values={values}",
                "--skip-schema-validation",
                "--kube-version=1.36",
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return [obj for obj in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if obj]

    def chart(self) -> Path:
        """A copy of the chart without its one dependency, which is not in the Go module."""
        chart = self._run.folder / f"chart-{self._program}"
        if not chart.exists():
            shutil.copytree(eso.operator_files(self._program) / "charts/external-secrets", chart)
            description = chart / "Chart.yaml"
            content = yaml.safe_load(description.read_text(encoding="utf-8"))
            del content["dependencies"]
            description.write_text(yaml.safe_dump(content), encoding="utf-8")
        return chart

    def _stop(self) -> None:
        if self.process:
            self.process.stop()


def _identity(obj: Manifest) -> tuple[str, str, str, str | None]:
    metadata = obj["metadata"]
    return obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace")


def drop_token_right(rendered: list[Manifest]) -> None:
    """What `rbac.serviceAccountTokenCreate: false` does, which this version's chart does not know:
    without it the operator may ask for tokens of every ServiceAccount in the cluster."""
    for obj in rendered:
        if "rules" in obj:
            obj["rules"] = [
                rule for rule in obj["rules"] if "serviceaccounts/token" not in rule["resources"]
            ]


def operator_deployment(rendered: list[Manifest]) -> Manifest:
    """The operator's Deployment among the chart's, which also has those of webhook and certs."""
    (found,) = (
        obj
        for obj in rendered
        if obj["kind"] == "Deployment"
        and obj["metadata"]["labels"]["app.kubernetes.io/name"] == "external-secrets"
    )
    return found
