"""The snapshot of a cluster: what is read, what is not, and that no value is in it."""

import json
import os
import sys
from datetime import UTC, datetime

import pytest
import yaml

from platform_secrets.diagnosing.snapshot import snapshot_of
from platform_secrets.secretsctl.cluster_snapshot import environment_snapshot, folder_snapshot
from platform_secrets.secretsctl.kubectl import ClusterError
from platform_secrets.settings import SettingsError
from tests.declaring import CLUSTER_UID

CANARY = "canary-b4d6c6f0"
NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
NAMESPACE = "wren-production"
KUBECTL = """#!{python}
import json, sys
asked = [one for one in sys.argv[1:] if not one.startswith("--")]
known = json.load(open({answers!r}))
code, output, errors = known.get(asked[0 if asked[0] == "api-resources" else 1], (0, "", ""))
sys.stdout.write(output)
sys.stderr.write(errors)
sys.exit(code)
"""
APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": CANARY})}


def named(kind, name, namespace=NAMESPACE, *, annotations=None, labels=None, **fields):
    metadata = {"name": name, "namespace": namespace, "annotations": annotations or {}}
    return {"kind": kind, "metadata": {**metadata, "labels": labels or {}}, **fields}


def with_values():
    """Objects as an API gives them, with a value wherever one may be."""
    made = {"description": CANARY, "managed": {"reconcile.external-secrets.io/managed": "true"}}
    own = {"app.kubernetes.io/managed-by": "platform-secrets"}
    env = {"env": [{"name": "TOKEN", "value": CANARY}, {"name": "OTHER", "valueFrom": {}}]}
    pod = {"containers": [{"name": "app", **env}], "initContainers": [{"name": "first", **env}]}
    return [
        named(
            "Secret",
            "app",
            annotations={**APPLIED, "note": made["description"]},
            labels={"owner": CANARY, **made["managed"]},
            data={"token": CANARY},
            stringData={"other": CANARY},
        ),
        named("ConfigMap", "theirs", data={"password": CANARY}, annotations=APPLIED),
        named("ConfigMap", "memory", labels=own, data={"run": "{}"}),
        named("Pod", "app-1", spec=pod),
        named("Deployment", "app", annotations=APPLIED, spec={"template": {"spec": pod}}),
        named("CronJob", "nightly", spec={"jobTemplate": {"spec": {"template": {"spec": pod}}}}),
    ]


def shown(snapshot):
    return json.dumps([*snapshot.objects.values(), snapshot.unread])


def test_no_value_is_in_a_snapshot_and_its_source_is_as_it_was():
    source = with_values()
    snapshot = snapshot_of([{"kind": "List", "items": source}], NOW)
    assert CANARY not in shown(snapshot)
    assert source == with_values()


def test_what_may_be_seen_is_in_a_snapshot():
    snapshot = snapshot_of(with_values(), NOW)
    [secret] = snapshot.of("Secret")
    assert (secret["data"], secret["stringData"]) == ({"token": ""}, {"other": ""})
    assert secret["metadata"]["labels"] == {
        "owner": "",
        "reconcile.external-secrets.io/managed": "true",
    }
    [memory] = [one for one in snapshot.of("ConfigMap") if one["metadata"]["name"] == "memory"]
    assert memory["data"] == {"run": "{}"}
    [pod] = snapshot.of("Pod", NAMESPACE)
    [container] = pod["spec"]["containers"]
    assert container["env"] == [{"name": "TOKEN"}, {"name": "OTHER", "valueFrom": {}}]


def test_objects_are_found_by_kind_and_namespace():
    objects = [named("Pod", "a"), named("Pod", "b", "other"), named("Job", "a")]
    snapshot = snapshot_of(objects, NOW, {"Event/other": "forbidden", "Lease": "not installed"})
    assert [one["metadata"]["name"] for one in snapshot.of("Pod", "other")] == ["b"]
    assert len(snapshot.of("Pod")) == 2
    assert snapshot.get("Pod", NAMESPACE, "b") is None
    assert snapshot.why_unread("Event", "other") == "forbidden"
    assert snapshot.why_unread("Event", NAMESPACE) is None
    assert snapshot.why_unread("Lease", NAMESPACE) == "not installed"


@pytest.fixture
def production(settings_with):
    return settings_with(cluster={"uid": CLUSTER_UID})


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """A kubectl that answers what it is told of each resource: exit code, output, errors."""
    program, answers = tmp_path / "bin" / "kubectl", tmp_path / "answers.json"
    program.parent.mkdir()
    program.write_text(KUBECTL.format(python=sys.executable, answers=str(answers)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def told(served, **given):
        kube_system = (0, json.dumps({"metadata": {"uid": CLUSTER_UID}}), "")
        known = {"api-resources": (0, served, ""), "namespace": kube_system, **given}
        answers.write_text(json.dumps(known))

    return told


def listed(*objects, errors=""):
    return (1 if errors else 0, json.dumps({"items": objects}), errors)


def test_a_kind_that_may_not_be_listed_hides_no_other_one(kubectl, production):
    denied = (
        'Error from server (Forbidden): pods is forbidden: User "ann" cannot list resource "pods" '
        f'in API group "" in the namespace "{production.namespace}"\n'
    )
    found = named("Event", "e", production.namespace)
    kubectl("pods events", **{"pods,events": listed(found, errors=denied)})
    snapshot = environment_snapshot(production, is_whole=False)
    assert snapshot.get("Event", production.namespace, "e")
    why = snapshot.why_unread("Pod", production.namespace) or ""
    assert why.startswith("(Forbidden): pods is forbidden")
    assert snapshot.why_unread("Event", production.namespace) is None
    assert snapshot.why_unread("Rollout", production.namespace) == "not installed"


def test_an_object_that_may_not_be_read_by_its_name_hides_nothing_else(kubectl, production):
    denied = "Error from server (Forbidden): it is forbidden\n"
    found = named("Event", "e", production.namespace)
    refused = dict.fromkeys(("configmaps", "namespaces"), (1, "", denied))
    kubectl("events", **{"events": listed(found), **refused})
    snapshot = environment_snapshot(production)
    assert snapshot.get("Event", production.namespace, "e")
    for kind in ("ConfigMap", "Namespace"):
        why = snapshot.why_unread(kind, production.namespace)
        assert "it is forbidden" in str(why)


def test_an_error_that_names_no_kind_is_about_all_that_did_not_come(kubectl, production):
    errors = "Error from server (ServiceUnavailable): the server is busy\n"
    found = named("Event", "e", production.namespace)
    kubectl("pods events", **{"pods,events": listed(found, errors=errors)})
    snapshot = environment_snapshot(production, is_whole=False)
    assert "the server is busy" in str(snapshot.why_unread("Pod", production.namespace))
    assert snapshot.why_unread("Event", production.namespace) is None


def test_secrets_are_not_asked_for_unless_that_is_wanted(kubectl, production):
    name = production.catalogue.bundles["shared"].secret
    printed = f"secret {production.namespace} {name} Opaque\nkey redis-url\n"
    kubectl("", secrets=(0, printed, ""))
    assert not environment_snapshot(production).of("Secret")
    snapshot = environment_snapshot(production, reads_secrets=True)
    assert [one["data"] for one in snapshot.of("Secret")] == [{"redis-url": ""}]


def test_where_there_are_none_of_ours_no_secret_is_asked_for(kubectl, settings_with):
    others = {"others": {"bundles": ["shared", "billing"]}}
    settings = settings_with(cluster={"uid": CLUSTER_UID}, namespaces=others)
    kubectl("", secrets=(1, "", "Error from server (Forbidden): no\n"))
    snapshot = environment_snapshot(settings, is_whole=False, reads_secrets=True)
    assert [one for one in snapshot.unread if one.startswith("Secret/")] == ["Secret/others"]


def test_a_cluster_that_does_not_answer_is_told(kubectl, production):
    kubectl("pods", pods=(1, "", "Unable to connect to the server: timeout\n"))
    with pytest.raises(ClusterError, match="Unable to connect to the server: timeout"):
        environment_snapshot(production, is_whole=False)


def test_a_folder_is_read_without_values(tmp_path, production):
    there = with_values()
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({"kind": "List", "items": there[:3]}))
    (tmp_path / "rest.json").write_text(json.dumps({"kind": "List", "items": there[3:]}))
    snapshot = folder_snapshot(production, str(tmp_path))
    assert CANARY not in shown(snapshot)
    assert len(snapshot.objects) == len(there)
    assert snapshot.why_unread("Event") == f"none is in {tmp_path}"
    assert snapshot.why_unread("Pod") is None


def test_a_folder_is_as_old_as_the_latest_moment_in_it(tmp_path, production):
    event = named("Event", "e", lastTimestamp="2026-11-27T02:59:00Z")
    pod = named("Pod", "p", status={"startTime": "2026-11-26T10:00:00Z"})
    (tmp_path / "a.yaml").write_text(f"{yaml.safe_dump(event)}---\n{yaml.safe_dump(pod)}")
    taken_at = folder_snapshot(production, str(tmp_path)).taken_at
    assert taken_at == datetime(2026, 11, 27, 2, 59, tzinfo=UTC)


def test_what_of_a_folder_can_not_be_read_is_told(tmp_path, production):
    (tmp_path / "broken.yaml").write_text("kind: Pod\nmetadata: [\n")
    [place] = [one for one in folder_snapshot(production, str(tmp_path)).unread if "/" in one]
    assert place.startswith(f"{tmp_path}/broken.yaml:")
    with pytest.raises(SettingsError, match="no such file or folder"):
        folder_snapshot(production, str(tmp_path / "nothing"))
