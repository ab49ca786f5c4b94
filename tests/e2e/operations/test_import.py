"""`secretsctl import --from-cluster` on a real API server, by kubectl."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.process import PROJECT, Run, free_ports
from tools.build import build

SHOP, BILLING = "import-shop", "import-billing"
API = "external-secrets.io/v1"
# Notes what kubectl is called with and what it prints, and calls it.
NOTING = """#!/bin/sh
printf '%s\\n' "$*" >>{log}
printed="$({program} "$@")"
code=$?
printf '%s\\n' "$printed" | tee -a {log}
exit $code
"""


def manifest(kind: str, name: str, namespace: str | None = SHOP, **fields: Any) -> dict[str, Any]:
    api = {
        "Deployment": "apps/v1",
        "CronJob": "batch/v1",
        "Secret": "v1",
        "ServiceAccount": "v1",
        "PushSecret": "external-secrets.io/v1alpha1",
        "ConfigMap": "v1",
        "Ingress": "networking.k8s.io/v1",
        "Role": "rbac.authorization.k8s.io/v1",
        "RoleBinding": "rbac.authorization.k8s.io/v1",
    }
    place = {"namespace": namespace} if namespace else {}
    metadata = {"name": name, **place}
    return {"apiVersion": api.get(kind, API), "kind": kind, "metadata": metadata, **fields}


def external_secret(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    store = {"kind": "ClusterSecretStore", "name": "import-team"}
    spec = {"refreshInterval": "1h", "secretStoreRef": store, **spec}
    return manifest("ExternalSecret", name, namespace, spec=spec)


def pods(secret: str, **fields: Any) -> dict[str, Any]:
    container = {"name": "a", "image": "a", "envFrom": [{"secretRef": {"name": secret}}]}
    return {
        "metadata": {"labels": {"a": "a"}},
        "spec": {"containers": [container], **fields},
    }


USER = {"secretKey": "user", "remoteRef": {"key": "apps/web", "property": "user"}}
PROVIDER = {"vault": {"server": "https://vault.example.com", "auth": {}}}
TEXTS = {"configMap": {"name": "texts", "items": [{"key": "app.ini"}]}}
READING = {
    "apiGroups": [""],
    "resources": ["secrets"],
    "resourceNames": ["of-texts"],
    "verbs": ["get"],
}
BY_NAME = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "by-name"}
PULLER = {"kind": "ServiceAccount", "name": "puller", "namespace": SHOP}
JOB = {"spec": {"template": pods("web", restartPolicy="Never")}}
THERE = [
    manifest("ClusterSecretStore", "import-team", None, spec={"provider": PROVIDER}),
    external_secret("web", SHOP, data=[USER]),
    external_secret("whole", SHOP, dataFrom=[{"extract": {"key": "apps/whole"}}]),
    external_secret("ledger", BILLING, data=[USER]),
    manifest("ConfigMap", "texts", data={"app.ini": "user={{ .user }}\n"}),
    external_secret("of-texts", SHOP, data=[USER], target={"template": {"templateFrom": [TEXTS]}}),
    manifest(
        "Ingress",
        "front",
        spec={
            "tls": [{"hosts": ["shop.example.com"], "secretName": "web"}],
            "defaultBackend": {"service": {"name": "a", "port": {"number": 80}}},
        },
    ),
    manifest("Role", "by-name", rules=[READING]),
    manifest("RoleBinding", "by-name", roleRef=BY_NAME, subjects=[PULLER]),
    manifest("ServiceAccount", "puller", imagePullSecrets=[{"name": "web"}]),
    manifest(
        "Deployment",
        "shop",
        spec={
            "replicas": 0,
            "selector": {"matchLabels": {"a": "a"}},
            "template": pods("whole", serviceAccountName="puller"),
        },
    ),
    manifest(
        "CronJob",
        "nightly",
        spec={"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": JOB},
    ),
    manifest(
        "PushSecret",
        "push",
        spec={
            "secretStoreRefs": [{"name": "import-team", "kind": "ClusterSecretStore"}],
            "selector": {"secret": {"name": "web"}},
            "data": [{"match": {"remoteRef": {"remoteKey": "a"}}}],
        },
    ),
]


@dataclass
class Desk:
    """Somebody's folder, their kubeconfig, and what kubectl was called with and printed."""

    cluster: Cluster
    folder: Path
    canary: str

    @property
    def log(self) -> str:
        return (self.folder / "kubectl.log").read_text(encoding="utf-8")

    def run(
        self, out: str, *arguments: str, kubeconfig: Path | None = None
    ) -> tuple[int, str, str]:
        """The exit code, the output and the errors."""
        program = [sys.executable, "-m", "platform_secrets.secretsctl", "import"]
        given = ["--from-cluster", "--name", "shop", "--out", out, *arguments]
        done = self._run([*program, *given], kubeconfig or self.cluster.kubeconfig)
        return done.returncode, done.stdout, done.stderr

    def shell(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Runs lines as a shell does at which somebody types them."""
        return self._run(["/bin/sh", "-c", commands], self.cluster.kubeconfig)

    def _run(self, command: list[str], kubeconfig: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the project's own program
            command,
            cwd=self.folder,
            env={
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                "PYTHONPATH": str(PROJECT),
                "KUBECONFIG": str(kubeconfig),
                "HOME": str(self.folder),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def written(self, out: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        catalogue, stack = (
            yaml.safe_load((self.folder / out / name).read_text(encoding="utf-8"))
            for name in ("catalogue.yaml", "Pulumi.production.yaml")
        )
        return catalogue, stack["config"]["platform-secrets:environment"]


@pytest.fixture(scope="module")
def desk(run: Run, operator_crds: Cluster) -> Iterator[Desk]:
    cluster, folder, canary = operator_crds, run.new_folder("import"), token_hex(16)
    program = folder / "kubectl"
    program.write_text(NOTING.format(log=folder / "kubectl.log", program=build("kubectl")))
    program.chmod(0o755)
    for name in (SHOP, BILLING):
        cluster.create_namespace(name)
    for one in THERE:
        cluster.api.apply(one)
    values = {name: f"{canary}-{name}" for name in ("DB", "MAIL")}
    for name in ("whole", "by-hand"):
        secret = manifest("Secret", name, stringData=values)
        cluster.kubectl("apply", "--filename=-", stdin=json.dumps(secret))
    yield Desk(cluster, folder, canary)
    for name in (SHOP, BILLING):
        cluster.delete_namespace(name)
    cluster.api.delete(API, "ClusterSecretStore", "import-team")


def test_what_runs_in_some_namespaces_is_taken_with_its_readers(desk: Desk) -> None:
    code, output, errors = desk.run("some", "--namespace", SHOP, "--namespace", BILLING, "--json")
    catalogue, stack = desk.written("some")
    assert errors == ""
    assert {*catalogue["bundles"]} == {"web", "whole", "ledger", "of-texts"}
    assert catalogue["bundles"]["of-texts"]["texts"] == {"app.ini": "user=${user}\n"}
    assert {one["workload"]: one["reads"] for one in catalogue["services"].values()} == {
        "Deployment/shop": ["of-texts", "web", "whole"],
        "CronJob/nightly": ["web"],
        "Ingress/front": ["web"],
    }
    assert stack["namespaces"] == {BILLING: {"namespace": "existing", "bundles": ["ledger"]}}
    outcomes = {one["name"]: one["outcome"] for one in json.loads(output)["manifests"]}
    exact = dict.fromkeys(("web", "whole", "ledger"), "exact")
    assert outcomes == {**exact, "of-texts": "different", "push": "left out"}
    assert code == 1


def test_without_being_asked_to_it_has_no_secret_read(desk: Desk) -> None:
    before = len(desk.log)
    desk.run("none", "--namespace", SHOP)
    assert "get secrets " not in desk.log[before:]
    assert "keys" not in desk.written("none")[0]["bundles"]["whole"]
    assert "get externalsecrets" in desk.log[before:]


def test_of_secrets_only_names_leave_kubectl(desk: Desk) -> None:
    _, output, errors = desk.run("names", "--all-namespaces", "--secrets")
    catalogue, stack = desk.written("names")
    bundles = {one["secret"]: one for one in catalogue["bundles"].values()}
    assert [*bundles["whole"]["keys"]] == ["DB", "MAIL"]
    assert [*bundles["by-hand"]["keys"]] == ["DB", "MAIL"]
    assert "by-hand" in stack["without"]["bundles"]
    files = [path.read_text("utf-8") for path in desk.folder.rglob("*.yaml")]
    assert desk.canary not in "".join([output, errors, desk.log, *files])
    found = desk.cluster.api.get("v1", "Secret", "by-hand", SHOP)
    assert desk.canary in json.dumps(found)


def test_what_may_not_be_read_is_told_and_the_rest_is_taken(desk: Desk) -> None:
    rules = [
        {"apiGroups": ["external-secrets.io"], "resources": ["externalsecrets"], "verbs": ["*"]}
    ]
    api = "rbac.authorization.k8s.io/v1"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "little"}
    subject = {"kind": "ServiceAccount", "name": "puller", "namespace": SHOP}
    for one in (
        manifest("Role", "little", rules=rules),
        manifest("RoleBinding", "little", roleRef=reference, subjects=[subject]),
    ):
        desk.cluster.api.apply(one | {"apiVersion": api})
    little = desk.cluster.service_account_kubeconfig(SHOP, "puller")
    code, output, errors = desk.run("little", "--namespace", SHOP, kubeconfig=little)
    assert code == 1
    assert "deployments.apps is forbidden" in output
    assert {*desk.written("little")[0]["bundles"]} == {"web", "whole"}
    code, _, errors = desk.run("nothing", "--namespace", BILLING, kubeconfig=little)
    assert code == 2
    assert "externalsecrets.external-secrets.io is forbidden" in errors
    assert not (desk.folder / "nothing").exists()


def test_the_readme_s_commands_lead_from_a_cluster_to_a_tree(desk: Desk) -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    commands = readme.partition("**You have something already**")[2].split("```")[1]
    assert "--from-cluster --all-namespaces" in commands
    program = desk.folder / "secretsctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m platform_secrets.secretsctl "$@"\n')
    program.chmod(0o755)
    done = desk.shell(commands)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "rendered/production: " in done.stdout
    found = {path.name for path in desk.folder.glob("shop/rendered/production/**/*.yaml")}
    names = {"externalsecret-web.yaml", "externalsecret-whole.yaml", "externalsecret-ledger.yaml"}
    assert names <= {one.partition("_")[0].removesuffix(".yaml") + ".yaml" for one in found}


def test_a_cluster_that_can_t_be_reached_is_told(desk: Desk) -> None:
    config = yaml.safe_load(desk.cluster.kubeconfig.read_text(encoding="utf-8"))
    [port] = free_ports(1)
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    nowhere = desk.folder / "nowhere.conf"
    nowhere.write_text(yaml.safe_dump(config), encoding="utf-8")
    for arguments, kubeconfig, said in (
        ((), nowhere, "was refused"),
        (("--context", "other"), None, 'context "other" does not exist'),
    ):
        code, output, errors = desk.run("lost", *arguments, kubeconfig=kubeconfig)
        assert (code, output) == (2, "")
        assert errors.startswith("--from-cluster: ")
        assert said in errors
        assert "Traceback" not in errors
    assert not (desk.folder / "lost").exists()
