"""What could somebody do who has stolen the rotator's token? Every right, from both sides."""

import copy
import secrets
import uuid

import pytest

from platform_secrets.manifests.chart import laid_over
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator import contract
from tests.e2e import argo_rollouts
from tests.e2e.kubernetes_api import KubernetesApiError
from tests.e2e.live_objects import empty
from tests.e2e.process import wait_until
from tests.e2e.rotating import rotating_settings
from tests.e2e.rotation_rights import ACTED_ON, EXTERNAL_SECRET, STAMPS, Admitted, is_denied

DATABASE = {
    "host": "db.example.com",
    "name": "wren",
    "admin-user": "vault",
    "users": ["wren_a", "wren_b"],
    "grants": ["wren"],
}
CHANGES = {
    "pod-security": {"enforce": "restricted"},
    "stores": {"vault": {"database": DATABASE, "layout": "per-key"}},
}
SERVICES = {
    "chat-server": {"workload": "StatefulSet/wren-chat-server"},
    "stream-server": {"workload": "DaemonSet/wren-stream-server"},
    "frontend": {"workload": "Rollout/wren-frontend", "reads": ["shared"]},
}
DEPLOYMENT = ("apps/v1", "Deployment")
CONFIG_MAP = ("v1", "ConfigMap")
API = "wren-backend-api"
GONE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "gone",
    "uid": "5f0b6c2e-77aa-4c7e-9d7c-0f6a1b2c3d4e",
}


@pytest.fixture(scope="module")
def world(operator_crds):
    argo_rollouts.install_crds(operator_crds)
    catalogue = {"services": SERVICES}
    settings = rotating_settings("production", "rights", catalogue=catalogue, **CHANGES)
    yield Admitted(operator_crds, settings)
    empty(operator_crds, [settings.namespace])


def restarting(token, **more):
    return {
        "spec": {
            "template": {"metadata": {"annotations": {"platform-secrets/restarted": token, **more}}}
        }
    }


def syncing(token, **more):
    return {"metadata": {"annotations": {"platform-secrets/sync": token, **more}}}


STAMPED = {"metadata": {"labels": STAMPS, "annotations": STAMPS}}


def acted_on(change):
    """A change with, each time, a label or annotation more, that some program acts on."""
    for name in ACTED_ON:
        for part in ("labels", "annotations"):
            yield laid_over(change, {"metadata": {part: {name: "other"}}})


def test_exactly_these_verbs_on_these_names_are_its_rights(world):
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": world.namespace},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    rules = world.rotator.request("POST", path, review)["status"]["resourceRules"]
    # What every account may: ask about itself.
    own = [
        rule
        for rule in rules
        if not rule["apiGroups"][0].endswith(("authorization.k8s.io", "authentication.k8s.io"))
    ]
    found = {
        (group, resource, verb, name)
        for rule in own
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", ["*"])
    }
    eso, secret = (
        "external-secrets.io",
        ("jwt-secret", "chat-server-secret", "stream-server-secret"),
    )
    external = {f"rotation-{word}-{key}" for word in ("before", "staged") for key in secret}
    external |= {"rotation-before-database-url", "rotation-staged-database-url"}
    pushes = {f"rotation-{push}-{key}" for push in ("promote", "restore") for key in secret}
    pushes |= {
        f"rotation-{push}-jwt-secret" for push in ("reserve", "next", "previous", "withdraw")
    }
    pushes |= {f"rotation-{check}-{key}" for check in ("promoted", "restored") for key in secret}
    pushes |= {
        f"rotation-{check}-jwt-secret" for check in ("reserved", "kept", "published", "withdrawn")
    }
    pushes |= {"rotation-promoted-database-url", "rotation-restored-database-url"}
    bundles = (
        "wren-secrets",
        "wren-secrets-overlap",
        "wren-chat-server-secrets",
        "wren-stream-server-secrets",
    )
    workloads = {
        ("apps", "deployments", API),
        ("apps", "statefulsets", "wren-chat-server"),
        ("apps", "daemonsets", "wren-stream-server"),
        ("argoproj.io", "rollouts", "wren-frontend"),
    }
    config_maps = ("secrets-rotation-memory", "database-url-active")
    # Those open no API: admission looks up in them what an object of a key may name.
    looked_up = {one for one in found if one[0] == "platform-secrets"}
    assert looked_up == {
        ("platform-secrets", "rotations", verb, contract.right_name(parts))
        for key in world.plan.rotated
        for _, (verb, parts) in contract.rights(key)
    }
    entry, store = "wren/rights/jwt-secret", "vault-rotation-store"
    assert {one[3] for one in looked_up if one[2] == "current" and "jwt" in one[3]} == {
        f"jwt-secret {store} {entry} value"
    }
    assert found - looked_up == {
        (eso, "externalsecrets", "create", "*"),
        (eso, "pushsecrets", "create", "*"),
        ("", "events", "create", "*"),
        *((eso, "externalsecrets", verb, n) for n in external for verb in ("get", "delete")),
        *((eso, "pushsecrets", verb, n) for n in pushes for verb in ("get", "patch", "delete")),
        *((eso, "externalsecrets", verb, n) for n in bundles for verb in ("get", "patch")),
        *(("", "configmaps", verb, n) for n in config_maps for verb in ("get", "patch")),
        *(
            (*workload[:2], verb, workload[2])
            for workload in workloads
            for verb in ("get", "patch")
        ),
    }


def test_the_age_check_reads_the_memory_and_nothing_else(world):
    api = world.cluster.api_as(world.cluster.token(world.namespace, "secrets-age-check"))
    assert api.get(*CONFIG_MAP, names.MEMORY, world.namespace)["metadata"]["name"] == names.MEMORY
    for kind, name in ((CONFIG_MAP, names.PLAN), (EXTERNAL_SECRET, "wren-secrets")):
        with pytest.raises(KubernetesApiError, match="403"):
            api.get(*kind, name, world.namespace)
    with pytest.raises(KubernetesApiError, match="403"):
        api.patch(*CONFIG_MAP, names.MEMORY, world.namespace, {"data": {"lock": "{}"}})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "secrets/wren-secrets", None),
        ("GET", "secrets", None),
        ("GET", "secrets/rotation-staged-jwt-secret", None),
        ("GET", "configmaps", None),
        ("GET", "configmaps/secrets-rotation-plan", None),
        ("GET", "pods", None),
        ("POST", "pods", {"spec": {"containers": [{"name": "a", "image": "a"}]}}),
        ("POST", "configmaps", {"metadata": {"name": "mine"}}),
        ("DELETE", "configmaps/secrets-rotation-memory", None),
        ("POST", "serviceaccounts/secrets-rotation/token", {"spec": {}}),
        ("POST", "serviceaccounts/vault-rotation-store/token", {"spec": {}}),
        ("POST", "serviceaccounts/vault-store/token", {"spec": {}}),
    ],
)  # fmt: skip
def test_no_right_reaches_a_value_a_pod_or_another_account(method, path, body, world):
    whole = f"/api/v1/namespaces/{world.namespace}/{path}"
    answer = world.asking(method, whole, body)
    assert answer.startswith("403 Forbidden"), answer


ESO = "external-secrets.io/v1"
ESO_ALPHA = "external-secrets.io/v1alpha1"
GENERATORS = "generators.external-secrets.io/v1alpha1"
ADMISSION = "apis/admissionregistration.k8s.io/v1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "apis/apps/v1/namespaces/{}/deployments/wren-backend-api"),
        ("PATCH", "apis/apps/v1/namespaces/{}/deployments/wren-backend-api/scale"),
        ("DELETE", f"apis/{ESO}/namespaces/{{}}/externalsecrets/wren-secrets"),
        ("DELETE", f"apis/{ESO}/namespaces/{{}}/externalsecrets"),
        ("GET", f"apis/{ESO}/namespaces/{{}}/externalsecrets"),
        ("GET", f"apis/{ESO}/namespaces/{{}}/externalsecrets/wren-backend-api-secrets"),
        ("PATCH", f"apis/{ESO}/namespaces/{{}}/externalsecrets/rotation-staged-jwt-secret"),
        ("PATCH", f"apis/{ESO}/namespaces/{{}}/externalsecrets/wren-secrets/status"),
        ("PATCH", f"apis/{ESO}/namespaces/{{}}/secretstores/vault-rotation-store"),
        ("PATCH", f"apis/{ESO_ALPHA}/namespaces/{{}}/pushsecrets/rotation-next-chat-server-secret"),
        ("PATCH", f"apis/{GENERATORS}/namespaces/{{}}/passwords/rotation-jwt-secret"),
        ("PATCH", "apis/batch/v1/namespaces/{}/cronjobs/secrets-rotation"),
        ("POST", "apis/batch/v1/namespaces/{}/jobs"),
        ("PATCH", "apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles/secrets-rotation"),
        ("PATCH", f"{ADMISSION}/validatingadmissionpolicies/{{}}-rotation-syncs"),
        ("DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/{{}}-rotation-syncs"),
        ("GET", "api/v1/namespaces/kube-system/configmaps"),
    ],
)  # fmt: skip
def test_no_right_reaches_beyond_its_own_objects(method, path, world):
    body = {"metadata": {"labels": {"a": "b"}}} if method in ("PATCH", "POST") else None
    content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = world.asking(method, f"/{path.format(world.namespace)}", body, content_type)
    assert answer.startswith("403 Forbidden"), answer


def test_attack_a_foreign_secret_is_overwritten_through_the_target(world):
    obj = world.one_shot("rotation-staged-jwt-secret")
    target = {"name": "wren-secrets", "creationPolicy": "Merge", "deletionPolicy": "Retain"}
    answer = world.creating({**obj, "spec": {**obj["spec"], "target": target}})
    assert is_denied(answer, world, "one-shots")


def test_attack_the_next_value_is_one_s_own_choice(world):
    obj = world.one_shot("rotation-staged-jwt-secret")
    target = {**obj["spec"]["target"], "template": {"data": {"password": "chosen"}}}
    answer = world.creating({**obj, "spec": {**obj["spec"], "target": target}})
    assert is_denied(answer, world, "one-shots")


def test_attack_another_secret_is_copied_into_the_staged_one(world):
    obj = world.one_shot("rotation-staged-jwt-secret")
    source = {"name": "wren-backend-api-secrets", "items": [{"key": "stripe-api-key"}]}
    target = {**obj["spec"]["target"], "template": {"templateFrom": [{"secret": source}]}}
    answer = world.creating({**obj, "spec": {**obj["spec"], "target": target}})
    assert is_denied(answer, world, "one-shots")


@pytest.mark.parametrize("name", ["rotation-staged-jwt-secret", "rotation-before-database-url"])
def test_attack_another_key_of_the_secret_is_compared(name, world):
    obj = world.one_shot(name)
    key = name.partition("-")[2].partition("-")[2]
    for other in ("stripe-api-key", "x` }}{{ .password }}{{ `"):
        target = copy.deepcopy(obj["spec"]["target"])
        texts = target["template"]["data"]
        for item, text in texts.items():
            of_other = text.replace(f'"{key}"', f'"{other}"')
            # What its own error says is the key's too, so that the rest is as it should be.
            texts[item] = of_other.replace(f'"{key} ', f'"{other} ')
        answer = world.creating({**obj, "spec": {**obj["spec"], "target": target}})
        assert is_denied(answer, world, "one-shots"), answer


def test_attack_one_s_own_value_is_pushed(world):
    obj = world.one_shot("rotation-promote-jwt-secret")
    template = {"data": {"password": "chosen"}}
    for spec in (
        {**obj["spec"], "template": template},
        {**obj["spec"], "selector": {"secret": {"name": "wren-backend-api-secrets"}}},
    ):
        assert is_denied(world.creating({**obj, "spec": spec}), world, "pushes")


def test_attack_a_check_tells_whether_a_guess_is_right(world):
    """Of what the services' Secret holds, a check tells only whether it is what was pushed."""
    obj = world.one_shot("rotation-promoted-jwt-secret")
    template = obj["spec"]["template"]
    guess = '{{ if ne (index . "jwt-secret") "guess" }}{{ fail "no" }}{{ end }}'
    another = {"name": "wren-backend-api-secrets", "items": [{"key": "stripe-api-key"}]}
    for change in (
        {"template": {**template, "data": {"guess": guess}}},
        {"template": {**template, "templateFrom": [{"literal": guess}]}},
        {"template": {**template, "templateFrom": [{"secret": another}]}},
        {"template": {**template, "templateFrom": []}},
        {"selector": {"secret": {"name": "wren-backend-api-secrets"}}},
    ):
        answer = world.creating({**obj, "spec": {**obj["spec"], **change}})
        assert is_denied(answer, world, "pushes"), change


def test_a_push_is_made_anew_and_changed_in_no_other_way(world):
    obj = world.one_shot("rotation-promote-jwt-secret")
    world.rotator.create(obj)
    kind, name, token = (obj["apiVersion"], "PushSecret"), obj["metadata"]["name"], "run-1"
    assert world.patching(kind, name, syncing(token)) == ""
    for change in (
        syncing(token, **{"platform-secrets/restarted": token}),
        syncing("Not a token"),
        syncing(token) | {"spec": {"refreshInterval": "1h"}},
        {"spec": {"selector": {"secret": {"name": "wren-backend-api-secrets"}}}},
        {"spec": {"template": {"data": {"password": "chosen"}}}},
        {"metadata": {"labels": {"app.kubernetes.io/part-of": "other"}}},
        {"metadata": {"ownerReferences": [GONE]}},
        {"metadata": {"finalizers": ["example.com/kept"]}},
        {"metadata": {"annotations": {"platform-secrets/rotation": "2026-03-02"}}},
    ):
        assert is_denied(world.patching(kind, name, change), world, "syncs"), change


def test_attack_a_deployment_is_given_an_owner_that_does_not_exist(world):
    change = {"metadata": {"ownerReferences": [GONE]}}
    answer = world.patching(DEPLOYMENT, API, change | restarting(secrets.token_hex(4)))
    assert is_denied(answer, world, "restarts")
    assert is_denied(world.patching(DEPLOYMENT, API, change), world, "restarts")
    for kind, name, policy in (
        (EXTERNAL_SECRET, "wren-secrets", "syncs"),
        (CONFIG_MAP, names.MEMORY, "config-maps"),
        (CONFIG_MAP, "database-url-active", "config-maps"),
    ):
        assert is_denied(world.patching(kind, name, change), world, policy)


def test_an_external_secret_that_services_read_is_synced_and_changed_in_no_other_way(world):
    token = secrets.token_hex(8)
    own = world.cluster.api.get(*EXTERNAL_SECRET, "wren-secrets", world.namespace)
    others = [
        *acted_on(syncing(token)),
        syncing("Not a token"),
        syncing(None),
        syncing(token) | {"spec": {"refreshInterval": "10h"}},
        {"spec": {"target": {"name": "rotation-other"}}},
        {"spec": {"refreshPolicy": "CreatedOnce"}},
        {"spec": {"secretStoreRef": {"name": "vault-rotation-store"}}},
        {"spec": {"target": {"template": {"data": {"jwt-secret": "chosen"}}}}},
        {"spec": {"target": {"template": {"metadata": {"annotations": {"a": "b"}}}}}},
        {"spec": {"data": None}},
        {"metadata": {"labels": None}},
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "other"}}},
        {"metadata": {"finalizers": ["example.com/kept"]}},
        {"metadata": {"generateName": "other-"}},
        {"metadata": {"annotations": dict.fromkeys(own["metadata"]["annotations"])}},
        {"metadata": {"annotations": {next(iter(own["metadata"]["annotations"])): "other"}}},
    ]
    for change in others:
        answer = world.patching(EXTERNAL_SECRET, "wren-secrets", change)
        assert is_denied(answer, world, "syncs"), (change, answer)
    assert world.patching(EXTERNAL_SECRET, "wren-secrets", syncing(token)) == ""
    first = laid_over(syncing("first"), STAMPED)
    world.rotator.patch(*EXTERNAL_SECRET, "wren-secrets", world.namespace, first)
    assert world.patching(EXTERNAL_SECRET, "wren-secrets", syncing(token)) == ""
    changed = {"metadata": {"labels": {"team": "other"}, "annotations": {"team": "other"}}}
    assert world.patching(EXTERNAL_SECRET, "wren-secrets", changed) == ""
    removed = {"metadata": {"labels": {"team": None}}}
    assert is_denied(world.patching(EXTERNAL_SECRET, "wren-secrets", removed), world, "syncs")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (DEPLOYMENT, API),
        (("apps/v1", "StatefulSet"), "wren-chat-server"),
        (("apps/v1", "DaemonSet"), "wren-stream-server"),
        (("argoproj.io/v1alpha1", "Rollout"), "wren-frontend"),
    ],
)
def test_a_workload_is_restarted_and_changed_in_no_other_way(kind, name, world):
    token = secrets.token_hex(8)
    world.cluster.api.patch(
        *kind, name, world.namespace, {"metadata": {"labels": {"tier": "first"}}}
    )
    container = {"name": "service", "image": "example.com/other:1"}
    pod = {"spec": {"template": {"spec": {"containers": [container]}}}}
    others = [
        restarting(token, other="annotation"),
        restarting("Not a token"),
        pod,
        *(
            laid_over(restarting(token), {"metadata": {part: {name: "other"}}})
            for part in ("labels", "annotations")
            for name in ("a.example.com/b", "keel.sh/policy", "argocd.argoproj.io/tracking-id")
        ),
        {"metadata": {"labels": {"tier": "other"}}},
        {"spec": {"template": {"spec": {"serviceAccountName": "vault-rotation-store"}}}},
        {"spec": {"template": {"spec": {"hostNetwork": True}}}},
        {"spec": {"template": {"spec": {"automountServiceAccountToken": True}}}},
        {"spec": {"template": {"metadata": {"labels": {"other": "label"}}}}},
        {"spec": {"minReadySeconds": 7}},
        {"metadata": {"annotations": {"platform-secrets/sync": token}}},
        {"metadata": {"finalizers": ["example.com/kept"]}},
        {"metadata": {"generateName": "other-"}},
    ]
    if kind[1] != "DaemonSet":
        others += [{"spec": {"replicas": 0}}, restarting(token) | {"spec": {"replicas": 0}}]
    for change in others:
        answer = world.patching(kind, name, change)
        assert is_denied(answer, world, "restarts"), (change, answer)
    assert world.patching(kind, name, restarting(token)) == ""
    stamp = {"team": "payments", "last-changed-by": "somebody"}
    stamped = laid_over(restarting(token), {"metadata": {"labels": stamp, "annotations": stamp}})
    assert world.patching(kind, name, stamped) == ""
    world.rotator.patch(*kind, name, world.namespace, restarting("first"))
    assert world.patching(kind, name, restarting(token)) == ""


def test_the_memory_takes_the_rotator_s_entries_and_nothing_else(world):
    text = secrets.token_hex(8)
    own = {"lock": text, "run": text, "jwt-secret": text, "stripe-api-key": text}
    others = [
        {"data": {"other": text}},
        {"data": {"lock": "x" * 16385}},
        {"data": own, "binaryData": {"lock2": "AAAA"}},
        {"immutable": True},
        *acted_on({}),
        {"metadata": {"finalizers": ["example.com/kept"]}},
    ]
    for change in others:
        answer = world.patching(CONFIG_MAP, names.MEMORY, change)
        assert is_denied(answer, world, "config-maps"), (change, answer)
    assert world.patching(CONFIG_MAP, names.MEMORY, {"data": own}) == ""
    assert world.patching(CONFIG_MAP, names.MEMORY, {"data": own, **STAMPED}) == ""
    world.rotator.patch(*CONFIG_MAP, names.MEMORY, world.namespace, {"data": own})
    assert world.patching(CONFIG_MAP, names.MEMORY, {"data": {"lock": None, "run": None}}) == ""
    assert world.patching(CONFIG_MAP, names.MEMORY, {"data": None}) == ""


def test_the_memory_keeps_the_entry_of_a_key_that_has_left_the_catalogue(world):
    text = secrets.token_hex(8)
    kept = {"data": {"a-former-key": text}}
    world.cluster.api.patch(*CONFIG_MAP, names.MEMORY, world.namespace, kept)
    assert world.patching(CONFIG_MAP, names.MEMORY, {"data": {"lock": text}}) == ""
    changed = world.patching(CONFIG_MAP, names.MEMORY, {"data": {"a-former-key": "other"}})
    assert is_denied(changed, world, "config-maps"), changed


def test_a_pointer_shows_one_of_its_two_accounts_and_nothing_else(world):
    pointer = "database-url-active"
    contents = world.plan.keys["database-url"].contents
    mark = f"to-b 2027-07-01.1 {uuid.uuid4()}"
    others = [
        {"data": {"database-url": "postgresql://other.example.com"}},
        {"data": {"database-url": contents["a"] + " "}},
        {"data": {"database-url": None}},
        {"data": {"other": contents["a"]}},
        {"data": {"database-url": contents["b"], "other": contents["a"]}},
        {"data": {"database-url": None, "_rotation": mark}},
        {"data": {"database-url": contents["b"], "_rotation": "other"}},
        {"data": {"database-url": contents["b"], "_rotation": f"{mark} {{{{ .a_password }}}}"}},
        {"data": {"database-url": contents["b"]}, "immutable": True},
        *acted_on({}),
    ]
    for change in others:
        answer = world.patching(CONFIG_MAP, pointer, change)
        assert is_denied(answer, world, "config-maps"), (change, answer)
    for data in (
        *({"database-url": contents[side]} for side in ("b", "a")),
        {"database-url": contents["b"], "_rotation": mark},
        {"_rotation": None},
    ):
        assert world.patching(CONFIG_MAP, pointer, {"data": data, **STAMPED}) == ""


def event_in(namespace):
    when = "2026-03-01T03:17:00Z"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"wren-secrets.{secrets.token_hex(8)}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "name": "wren-secrets",
            "namespace": namespace,
            "uid": GONE["uid"],
        },
        "type": "Normal",
        "reason": "Rotated",
        "message": "jwt-secret was rotated",
        "source": {"component": "secrets-rotation"},
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
    }


def test_an_event_is_about_a_rotation_and_nothing_else(world):
    event = event_in(world.namespace)
    about = event["involvedObject"]
    others = [
        {"involvedObject": {**about, "kind": "Deployment", "apiVersion": "apps/v1"}},
        {"involvedObject": {**about, "name": "wren-backend-api-secrets"}},
        {"involvedObject": {**about, "fieldPath": "spec"}},
        {"reason": "Killing"},
        {"source": {"component": "kubelet"}},
        {"source": {"component": "secrets-rotation", "host": "node-1"}},
        {"related": about},
        {"action": "Deleted"},
        {"metadata": {**event["metadata"], "ownerReferences": [GONE]}},
        *acted_on({"metadata": event["metadata"]}),
        {"metadata": {**event["metadata"], "finalizers": ["example.com/kept"]}},
    ]
    for change in others:
        answer = world.creating({**event, **change})
        assert is_denied(answer, world, "events"), (change, answer)
    for reason in ("Rotated", "RotationFailed", "RotationRestored"):
        stamped = laid_over({**event, "reason": reason}, STAMPED)
        assert world.creating(stamped) == ""


def test_what_the_rotator_may_delete_goes_and_what_it_may_see_holds_no_value(world):
    obj = world.one_shot("rotation-staged-jwt-secret")
    world.rotator.create(obj)
    found = world.rotator.get(*EXTERNAL_SECRET, obj["metadata"]["name"], world.namespace)
    # An operator that is there already adds an empty reference.
    assert {one: part for one, part in found["spec"].items() if part} == obj["spec"]
    world.rotator.delete(*EXTERNAL_SECRET, obj["metadata"]["name"], world.namespace)
    assert world.rotator.get(*EXTERNAL_SECRET, obj["metadata"]["name"], world.namespace) is None


def test_the_pods_pass_the_strictest_pod_security(world):
    for name in names.ACCOUNTS:
        cron_job = world.declared("CronJob", name)
        template = cron_job["spec"]["jobTemplate"]["spec"]["template"]
        metadata = {"name": name, "namespace": world.namespace, **template["metadata"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        path = f"/api/v1/namespaces/{world.namespace}/pods"
        params = {"dryRun": "All", "fieldValidation": "Strict"}
        made = world.cluster.api.request("POST", path, pod, params=params)
        assert made["spec"]["serviceAccountName"] == name
        loose = {**pod, "spec": {**pod["spec"], "securityContext": {}}}
        with pytest.raises(KubernetesApiError, match="violates PodSecurity"):
            world.cluster.api.request("POST", path, loose, params=params)


def test_the_policies_are_well_typed_for_every_kind_that_they_are_about(world):
    kind = ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy")
    policies = [obj["metadata"]["name"] for obj in world.objects if obj["kind"] == kind[1]]
    assert len(policies) == 7
    for name in policies:
        status = wait_until(
            lambda n=name: world.cluster.api.get(*kind, n).get("status"), f"{name} is checked"
        )
        assert status["observedGeneration"] == 1
        assert "expressionWarnings" not in status.get("typeChecking", {}), status
