"""The rendered audit policy in a real API server: who read, wrote or asked for what is told, and
no value is."""

import json
import os
import re
import secrets
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from platform_secrets.manifests.admission.objects import namespace_bounds
from platform_secrets.manifests.control_plane import audit_policy
from tests.e2e import eso
from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError, Manifest
from tests.e2e.process import PROJECT, Run, wait_until
from tests.e2e.rotating import rotating_settings

NAMESPACE = "shop-audited"
READER = f"system:serviceaccount:{NAMESPACE}:reader"
STRANGER = f"system:serviceaccount:{NAMESPACE}:stranger"
SECRET = {"namespace": NAMESPACE, "name": "shop-secrets"}
needs_jq = pytest.mark.skipif(
    shutil.which("jq") is None and not os.environ.get("CI"), reason="there is no jq on PATH"
)
EXTERNAL_SECRET = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret"}
NOTE = "validation.policy.admission.k8s.io/validation_failure"
Access = tuple[str, str, str, str, int]
"""User, verb, resource with its subresource, name, and the answer's code."""


@dataclass(frozen=True)
class Audited:
    """A cluster and its audit log; `canary` is the value that was in everything."""

    cluster: Cluster
    log: Path
    canary: str

    @property
    def accesses(self) -> list[Access]:
        """In their order; what began and ended, as a watch does, once."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [*dict.fromkeys(access_of(json.loads(line)) for line in lines)]


def access_of(event: Manifest) -> Access:
    about = event["objectRef"]
    resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    code = event.get("responseStatus", {}).get("code", 0)
    return event["user"]["username"], event["verb"], resource, about.get("name", ""), code


@pytest.fixture(scope="module")
def audited(run: Run) -> Iterator[Audited]:
    """After one of each access, by those who may and by one who may not."""
    folder = run.new_folder("audit")
    policy, log = folder / "audit-policy.yaml", folder / "audit.log"
    policy.write_text(yaml.safe_dump(audit_policy()), encoding="utf-8")
    flags = [f"--audit-policy-file={policy}", f"--audit-log-path={log}"]
    cluster = Cluster(run, "audited", api_server_flags=flags)
    eso.install_crds(cluster, only=["externalsecrets.external-secrets.io"])
    cluster.create_namespace(NAMESPACE)
    canary = secrets.token_hex(24)
    write_all(cluster, canary)
    read_all(cluster.api_as(cluster.token(NAMESPACE, "reader")))
    read_all(cluster.api_as(cluster.token(NAMESPACE, "stranger")))
    found = Audited(cluster, log, canary)
    wait_until(lambda: (STRANGER, "list", "secrets", "", 403) in found.accesses, "all is logged")
    yield found
    cluster.stop()


def write_all(cluster: Cluster, canary: str) -> None:
    for name in ("reader", "stranger"):
        metadata = {"name": name, "namespace": NAMESPACE}
        cluster.api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    metadata = {"name": "reader", "namespace": NAMESPACE}
    rbac = "rbac.authorization.k8s.io"
    verbs = ["get", "list", "watch"]
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}
    subject = {"kind": "ServiceAccount", **metadata}
    role = {"apiGroup": rbac, "kind": "Role", "name": "reader"}
    of_rbac = {"apiVersion": f"{rbac}/v1", "metadata": metadata}
    cluster.api.create({**of_rbac, "kind": "Role", "rules": [rule]})
    cluster.api.create({**of_rbac, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]})
    data = {"stringData": {"jwt-secret": canary}}
    cluster.api.create({"apiVersion": "v1", "kind": "Secret", "metadata": SECRET, **data})
    cluster.api.patch("v1", "Secret", SECRET["name"], NAMESPACE, {"stringData": {"b": canary}})
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": SECRET, "data": {"a": canary}}
    cluster.api.create(content)
    cluster.api.create({**EXTERNAL_SECRET, "metadata": SECRET, "spec": {}})
    cluster.api.delete("external-secrets.io/v1", "ExternalSecret", SECRET["name"], NAMESPACE)


def read_all(api: KubernetesApi) -> None:
    with suppress(KubernetesApiError):
        api.read("v1", "Secret", SECRET["name"], NAMESPACE)
    with suppress(KubernetesApiError, ValueError):  # several answers are no JSON
        path = api.path("v1", "Secret", None, NAMESPACE)
        api.request("GET", path, params={"watch": "1", "timeoutSeconds": "1"})
    with suppress(KubernetesApiError):
        api.list("v1", "Secret", NAMESPACE)


def test_each_read_is_told_with_who_and_what(audited: Audited) -> None:
    assert [one for one in audited.accesses if one[0] == READER] == [
        (READER, "get", "secrets", "shop-secrets", 200),
        (READER, "watch", "secrets", "", 200),
        (READER, "list", "secrets", "", 200),
    ]


def test_each_refused_read_is_told_too(audited: Audited) -> None:
    assert [one for one in audited.accesses if one[0] == STRANGER] == [
        (STRANGER, "get", "secrets", "shop-secrets", 403),
        (STRANGER, "watch", "secrets", "", 403),
        (STRANGER, "list", "secrets", "", 403),
    ]


def test_each_write_and_each_token_is_told(audited: Audited) -> None:
    own = [one for one in audited.accesses if one[0] == "admin" and one[1] != "watch"]
    assert [one for one in own if one[2] in ("secrets", "serviceaccounts/token")] == [
        ("admin", "create", "secrets", "shop-secrets", 201),
        ("admin", "patch", "secrets", "shop-secrets", 200),
        ("admin", "create", "serviceaccounts/token", "reader", 201),
        ("admin", "create", "serviceaccounts/token", "stranger", 201),
    ]
    external = [one[1] for one in own if one[2:4] == ("externalsecrets", "shop-secrets")]
    assert external == ["create", "delete"]


def test_of_nothing_else_anything_is_told(audited: Audited) -> None:
    told = {resource for _, _, resource, _, _ in audited.accesses}
    assert told & {"configmaps", "serviceaccounts", "roles", "pods", "leases"} == set()
    others = told - {"secrets", "serviceaccounts/token"}
    kinds = audited.cluster.kubectl("api-resources", "-o", "name", "--verbs=list").split()
    operators = {one.partition(".")[0] for one in kinds if one.endswith("external-secrets.io")}
    assert others <= operators


@pytest.fixture
def asked(audited: Audited, tmp_path: Path) -> Callable[[str], list[list[str]]]:
    """What the query below this heading of docs/audit.md prints, without its counts, of the log and
    of one before it in which there was no stranger."""
    page = (PROJECT / "docs" / "audit.md").read_text(encoding="utf-8")
    [reads] = re.findall(r"```\n(reads=.*?)```", page, re.DOTALL)

    def ask(heading: str) -> list[list[str]]:
        lines = audited.log.read_text(encoding="utf-8").splitlines()
        (tmp_path / "audit.log").write_text("\n".join(lines), encoding="utf-8")
        before = [line for line in lines if STRANGER not in line]
        (tmp_path / "before.log").write_text("\n".join(before), encoding="utf-8")
        query = page.partition(f"**{heading}**")[2].split("```\n")[1]
        done = subprocess.run(  # noqa: S603 - the page's own text
            ["bash", "-euo", "pipefail", "-c", reads + query],  # noqa: S607
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return [re.sub(r"^ *\d+ ", "", line).split("\t") for line in done.stdout.splitlines()]

    return ask


@needs_jq
def test_the_query_for_people_finds_who_is_no_part_of_the_cluster(
    audited: Audited, asked: Callable[[str], list[list[str]]]
) -> None:
    audited.cluster.api.read("v1", "Secret", SECRET["name"], NAMESPACE)
    read = ["admin", "get", NAMESPACE, SECRET["name"], "200"]
    wait_until(lambda: tuple(read[:2]) in {one[:2] for one in audited.accesses}, "it is logged")
    found = asked("A person reads")
    assert [one for one in found if one[2] == NAMESPACE] == [read]
    assert {one[0] for one in found} == {"admin"}, "the tests' controllers are admin too"


@needs_jq
def test_the_query_for_lists_finds_who_reads_all(asked: Callable[[str], list[list[str]]]) -> None:
    found = asked("All are listed or watched")
    assert [one for one in found if one[2] == NAMESPACE] == [
        [READER, "list", NAMESPACE, "*", "200"],
        [READER, "watch", NAMESPACE, "*", "200"],
        [STRANGER, "list", NAMESPACE, "*", "403"],
        [STRANGER, "watch", NAMESPACE, "*", "403"],
    ]
    assert {one[0] for one in found} <= {READER, STRANGER, "admin"}


@needs_jq
def test_the_query_for_first_reads_finds_who_never_read_before(
    asked: Callable[[str], list[list[str]]],
) -> None:
    assert asked("Who never read this before") == [
        [STRANGER, NAMESPACE, "*"],
        [STRANGER, NAMESPACE, SECRET["name"]],
    ]


@needs_jq
def test_the_query_for_refusals_finds_who_tried(asked: Callable[[str], list[list[str]]]) -> None:
    assert {one[0] for one in asked("Somebody tries")} == {STRANGER}


def test_no_value_is_told(audited: Audited) -> None:
    text = audited.log.read_text(encoding="utf-8")
    assert audited.canary not in text
    assert b64encode(audited.canary.encode()).decode() not in text
    assert '"requestObject"' not in text
    assert '"responseObject"' not in text


def test_what_admission_is_to_note_is_a_note_of_the_write_that_goes_through(
    audited: Audited,
) -> None:
    settings = rotating_settings("production", "noted", admission="audit")
    api = audited.cluster.api
    audited.cluster.create_namespace(settings.namespace)
    for obj in namespace_bounds(settings, settings):
        api.apply(obj, manager="platform-secrets")

    def noted() -> str | None:
        name = f"mine-{secrets.token_hex(4)}"
        metadata = {"name": name, "namespace": settings.namespace}
        api.create({**EXTERNAL_SECRET, "metadata": metadata, "spec": {}})
        lines = audited.log.read_text(encoding="utf-8").splitlines()
        [event] = [one for one in map(json.loads, lines) if one["objectRef"].get("name") == name]
        return event.get("annotations", {}).get(NOTE)

    [note] = json.loads(wait_until(noted, "the policy is in force"))
    assert note["validationActions"] == ["Audit"]
    assert note["message"].startswith("no such ExternalSecret is declared")
