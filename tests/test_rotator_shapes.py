"""The one-shot objects, field by field, and the proof that the operator is done with one."""

import hashlib
import json
from dataclasses import replace

import pytest

from platform_secrets.rotator import proof, shapes
from platform_secrets.rotator.plan import parse
from platform_secrets.rotator.rollout import progress
from tests.rotator_world import LABELS, World, database, generated

REMOTE = {"key": "shop/shared", "property": "signing-key"}
TEMPLATE = {
    "engineVersion": "v2",
    "mergePolicy": "Replace",
    "metadata": {"labels": LABELS},
}


@pytest.fixture
def plan():
    keys = {
        "signing-key": generated("signing-key", readers=[], overlap=True),
        "database-url": database("database-url", readers=[]),
    }
    return parse(json.dumps(World(keys, {}).plan))


def comparing(value):
    """The template of a value, and of a text for each field that it may be compared with."""
    data = {value: f"{{{{ .{value} }}}}"}
    fields = {"current": "", "next": "-next", "previous": "-previous"}
    for field, name in ((field, f"signing-key{end}") for field, end in fields.items()):
        data[f"is-{field}"] = (
            f"{{{{ $v := .{value} }}}}"
            f'{{{{ `{{{{ $f := "" }}}}{{{{ range splitList "/" "{name}" }}}}'
            "{{ $f = default (index $ .) $f }}{{ end }}"
            '{{ if ne ($f | sha256sum) "` }}'
            "{{ $v | sha256sum }}"
            f'{{{{ `" }}}}{{{{ fail "{name} has another value" }}}}{{{{ end }}}}` }}}}'
        )
    return {**TEMPLATE, "data": data}


def test_before_reads_the_current_value_once(plan):
    assert shapes.before(plan, plan.keys["signing-key"], "2026-06-01.2") == {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {
            "name": "rotation-before-signing-key",
            "namespace": "shop-production",
            "labels": LABELS,
            "annotations": {"platform-secrets/rotation": "2026-06-01.2"},
        },
        "spec": {
            "refreshPolicy": "CreatedOnce",
            "refreshInterval": "0s",
            "secretStoreRef": {"kind": "SecretStore", "name": "vault-rotation-store"},
            "target": {
                "name": "rotation-before-signing-key",
                "creationPolicy": "Owner",
                "deletionPolicy": "Retain",
                "immutable": True,
                "template": comparing("value"),
            },
            "data": [
                {
                    "secretKey": "value",
                    "remoteRef": {
                        **REMOTE,
                        "conversionStrategy": "Default",
                        "decodingStrategy": "None",
                        "metadataPolicy": "None",
                    },
                }
            ],
        },
    }


def test_a_value_that_is_in_a_text_alone_is_compared_by_that_text_s_hash(plan):
    fields, text = ["URL", "next", "previous"], 'printf "redis://:%s@redis" ($v | urlquery)'
    key = replace(plan.keys["signing-key"], fields=fields, text=text)
    data = shapes.staged(plan, key, "2026-06-01")["spec"]["target"]["template"]["data"]
    assert data["is-current"] == (
        '{{ $v := .password }}{{ `{{ $f := "" }}{{ range splitList "/" "URL" }}'
        '{{ $f = default (index $ .) $f }}{{ end }}{{ if ne ($f | sha256sum) "` }}'
        '{{ printf "redis://:%s@redis" ($v | urlquery) | sha256sum }}'
        '{{ `" }}{{ fail "URL has another value" }}{{ end }}` }}'
    )


@pytest.mark.parametrize("key", ["signing-key", "database-url"])
def test_staged_runs_a_generator_once(plan, key):
    if key == "signing-key":
        made = shapes.staged(plan, plan.keys[key], "2026-06-01")
        kind, generator, creation = "Password", "rotation-signing-key", "Owner"
        template = comparing("password")
    else:
        made = shapes.staged_account(plan, plan.keys[key], "2026-06-01", "b")
        kind, generator, creation = "VaultDynamicSecret", "rotation-database-url-b", "Orphan"
        template = TEMPLATE
    reference = {
        "apiVersion": "generators.external-secrets.io/v1alpha1",
        "kind": kind,
        "name": generator,
    }
    assert made["spec"] == {
        "refreshPolicy": "CreatedOnce",
        "refreshInterval": "0s",
        "target": {
            "name": f"rotation-staged-{key}",
            "creationPolicy": creation,
            "deletionPolicy": "Retain",
            "immutable": True,
            "template": template,
        },
        "dataFrom": [{"sourceRef": {"generatorRef": reference}}],
    }


@pytest.mark.parametrize(
    ("step", "source", "field", "written"),
    [
        ("reserve", "staged", "password", "signing-key-previous"),
        ("next", "staged", "password", "signing-key-next"),
        ("previous", "before", "value", "signing-key-previous"),
        ("promote", "staged", "password", "signing-key"),
        ("restore", "before", "value", "signing-key"),
        ("withdraw", "before", "value", "signing-key-next"),
    ],
)
def test_each_push_has_one_source_and_one_entry(plan, step, source, field, written):
    spec = shapes.push(plan, plan.keys["signing-key"], "2026-06-01", step)["spec"]
    remote = {"remoteKey": "shop/shared", "property": written}
    assert spec == {
        "refreshInterval": "0s",
        "updatePolicy": "Replace",
        "deletionPolicy": "None",
        "secretStoreRefs": [{"kind": "SecretStore", "name": "vault-rotation-store"}],
        "selector": {"secret": {"name": f"rotation-{source}-signing-key"}},
        "data": [
            {
                "conversionStrategy": "None",
                "match": {"secretKey": field, "remoteRef": remote},
            }
        ],
    }


@pytest.mark.parametrize(
    ("step", "texts"),
    [
        ("reserved", [("staged", "is-previous")]),
        ("kept", [("before", "is-previous")]),
        ("published", [("before", "is-previous"), ("staged", "is-next")]),
        ("promoted", [("staged", "is-current")]),
        ("restored", [("before", "is-current")]),
        ("withdrawn", [("before", "is-next")]),
    ],
)
@pytest.mark.parametrize("of_derived", [None, "shared-overlap"])
def test_each_check_runs_texts_over_one_secret_and_pushes_nothing(plan, step, texts, of_derived):
    key = replace(plan.keys["signing-key"], overlap_external_secret=of_derived)
    is_of_derived = step in ("reserved", "kept", "published", "withdrawn")
    [check] = shapes.checks(plan, key, "2026-06-01", step)
    assert check["spec"] == {
        "refreshInterval": "0s",
        "updatePolicy": "Replace",
        "deletionPolicy": "None",
        "secretStoreRefs": [{"kind": "SecretStore", "name": "vault-rotation-store"}],
        "selector": {"secret": {"name": of_derived if is_of_derived and of_derived else "shared"}},
        "template": {
            "engineVersion": "v2",
            "mergePolicy": "Replace",
            "templateFrom": [
                {
                    "target": "Data",
                    "secret": {
                        "name": f"rotation-{source}-signing-key",
                        "items": [{"key": text, "templateAs": "Values"}],
                    },
                }
                for source, text in texts
            ],
        },
    }


def synced(kind="ExternalSecret", **change):
    obj = {
        "kind": kind,
        "metadata": {"generation": 3, "annotations": {"b": "2", "a": "1"}, "labels": {"l": "x"}},
        "spec": {},
    }
    ready = {"type": "Ready", "status": "True", "message": "secret synced"}
    ready["reason"] = "SecretSynced" if kind == "ExternalSecret" else "Synced"
    version = proof.synced_resource_version(obj)
    obj["status"] = {"syncedResourceVersion": version, "conditions": [ready | change]}
    return obj


def test_the_synced_version_is_made_as_the_operator_makes_it():
    obj = {"metadata": {"generation": 3, "annotations": {"b": "2", "a": "1"}, "labels": {}}}
    text = b"{annotations:map[a:1 b:2] labels:map[]}"
    assert proof.synced_resource_version(obj) == f"3-{hashlib.sha3_224(text).hexdigest()}"


@pytest.mark.parametrize("kind", ["ExternalSecret", "PushSecret"])
def test_what_is_synced_has_no_fault(kind):
    assert proof.fault(synced(kind)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"status": "False", "reason": "SecretSyncedError", "message": "no such entry"},
        {"reason": "SecretDeleted"},
        {"reason": "SecretMissing"},
        {"message": "secret retained due to DeletionPolicy=Retain"},
    ],
)
def test_ready_alone_proves_nothing(change):
    fault = proof.fault(synced(**change))
    assert fault is not None
    assert change.get("message", change.get("reason")) in fault


@pytest.mark.parametrize("policy", ["Periodic", "OnChange"])
def test_an_orphan_s_secret_must_be_there_unless_it_is_a_trigger(policy):
    obj = synced(message="secret retained due to DeletionPolicy=Retain")
    obj["spec"] = {"refreshPolicy": "CreatedOnce", "target": {"creationPolicy": "Orphan"}}
    assert proof.fault(obj) is None
    obj["spec"]["refreshPolicy"] = policy
    assert "retained" in (proof.fault(obj) or "")


def test_a_sync_of_an_earlier_state_proves_nothing():
    obj = synced()
    obj["metadata"]["annotations"]["c"] = "3"
    assert "has not synced its last change" in (proof.fault(obj) or "")


def test_an_object_that_is_made_once_stays_done_whatever_labels_it_gets():
    obj = synced()
    obj["spec"] = {"refreshPolicy": "CreatedOnce"}
    obj["metadata"]["labels"]["tool"] = "argocd"
    assert proof.fault(obj) is None


def workload(kind="Deployment", spec=None, **status):
    counts = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    return {
        "kind": kind,
        "metadata": {"generation": 4},
        "spec": {"replicas": 2, "template": {}, **(spec or {})},
        "status": {"observedGeneration": 4, **counts, **status},
    }


DAEMONS = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (workload(), "complete"),
        (workload(observedGeneration=3), "waiting"),
        (workload(updatedReplicas=1), "waiting"),
        (workload(availableReplicas=1), "waiting"),
        (workload(replicas=3), "waiting"),  # an old pod is still there
        (workload(spec={"paused": True}), "stuck"),
        (workload(conditions=[{"reason": "ProgressDeadlineExceeded"}]), "stuck"),
        (
            workload(observedGeneration=3, conditions=[{"reason": "ProgressDeadlineExceeded"}]),
            "waiting",  # the deadline of the rollout before
        ),
        (workload("StatefulSet", currentRevision="1", updateRevision="1"), "complete"),
        (workload("StatefulSet", currentRevision="1", updateRevision="2"), "waiting"),
        (workload("StatefulSet", spec={"updateStrategy": {"type": "OnDelete"}}), "stuck"),
        (
            workload("StatefulSet", spec={"updateStrategy": {"rollingUpdate": {"partition": 1}}}),
            "stuck",
        ),
        (workload("DaemonSet", **DAEMONS), "complete"),
        (workload("DaemonSet", **DAEMONS | {"updatedNumberScheduled": 1}), "waiting"),
        (workload("DaemonSet", **DAEMONS | {"numberAvailable": 1}), "waiting"),
        (workload("Rollout", observedGeneration="4", phase="Healthy"), "complete"),
        (workload("Rollout", observedGeneration="4", phase="Progressing"), "waiting"),
        (workload("Rollout", observedGeneration="4", phase="Degraded"), "stuck"),
    ],
)
def test_a_rollout_is_complete_when_all_pods_are_new_and_available(found, state):
    assert progress(found)[0] == state


def test_a_rollout_that_takes_its_pods_from_another_object_is_stuck():
    found = workload("Rollout")
    del found["spec"]["template"]
    assert progress(found) == ("stuck", "it has no pod template of its own")
