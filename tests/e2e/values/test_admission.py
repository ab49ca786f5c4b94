"""What nobody has declared is refused, whoever writes it: asked of a real API server, by an
administrator. What is declared goes through, whatever the provider."""

import copy
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from platform_secrets.manifests import first_values, layer, migration, new_value
from platform_secrets.manifests.admission.objects import namespace_bounds
from platform_secrets.manifests.naming import Manifest
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.secretsctl.yaml_text import yaml_stream
from platform_secrets.settings import Settings
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError
from tests.e2e.process import wait_until
from tests.e2e.rotating import rotating_settings
from tests.platform import STACK_FILES
from tests.token_stores import token_settings
from tools.build import build

ESO, PUSHES = "external-secrets.io/v1", "external-secrets.io/v1alpha1"
RBAC = "rbac.authorization.k8s.io/v1"
GENERATORS = "generators.external-secrets.io/v1alpha1"
OURS, OTHERS = "wren-secrets", "wren-stream-server-secrets"
SEEDED: dict[str, Any] = {"seeding": {"groups": [PEOPLE]}}
MARKS = {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}


class Bounded:
    """An environment, in namespaces with its bounds."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.cluster, self.admin, self.settings = cluster, cluster.api, settings
        self.namespace = settings.namespace
        self.objects = [
            obj for one in layer.waves(settings, rotator_source()) for obj in one.objects
        ]
        for view in settings.by_namespace:
            cluster.create_namespace(view.namespace)
            for obj in namespace_bounds(settings, view):
                cluster.api.apply(obj, manager="platform-secrets")
            self.wait_until_in_force(view.namespace)

    def wait_until_in_force(self, namespace: str) -> None:
        """Each of the policies refuses what it is to."""
        store = {"kind": "SecretStore", "name": "mine"}
        push = {"secretStoreRefs": [store], "selector": {"secret": {"name": "mine"}}, "data": []}
        pod = pod_spec(envFrom=[{"secretRef": {"name": "rotation-staged-mine"}}])
        for version, kind, spec in (
            (ESO, "SecretStore", {"provider": {"vault": {"server": "https://mine.example.com"}}}),
            (ESO, "ExternalSecret", {"secretStoreRef": store}),
            (PUSHES, "PushSecret", push),
            ("v1", "Pod", pod),
        ):
            wait_until(
                lambda v=version, k=kind, s=spec: self.said(
                    made(v, k, f"mine-{token_hex(4)}", s, namespace)
                ),
                f"the policy of {kind} is in force",
            )

    def of_kind(self, kind: str, name: str) -> Manifest:
        [found] = (
            one for one in self.objects if one["kind"] == kind and one["metadata"]["name"] == name
        )
        return copy.deepcopy(found)

    def pods(self, app: str) -> list[Manifest]:
        return self.admin.list("v1", "Pod", self.namespace, selector=f"app={app}")

    def made(self, version: str, kind: str, name: str, spec: Any) -> Manifest:
        return made(version, kind, name, spec, self.namespace)

    def said(self, obj: Manifest, by: KubernetesApi | None = None) -> str:
        """What the API server says to somebody who writes this; "" if it takes it."""
        try:
            (by or self.admin).apply(obj, manager="somebody")
        except KubernetesApiError as error:
            return str(error)
        return ""

    def said_to_change(self, obj: Manifest, change: Manifest) -> str:
        """What it says to an administrator's change of what is there."""
        place = obj["apiVersion"], obj["kind"], obj["metadata"]["name"], self.namespace
        try:
            self.admin.patch(*place, change)
        except KubernetesApiError as error:
            return str(error)
        return ""


def made(version: str, kind: str, name: str, spec: Any, namespace: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def pod_spec(account: str | None = None, volumes: Any = (), **container: Any) -> Manifest:
    found = {"containers": [{"name": "main", "image": "example.com/app:1", **container}]}
    own = {"serviceAccountName": account} if account else {}
    return {**found, **own, "volumes": [*volumes], "automountServiceAccountToken": False}


def settings_of(environment: str, stack: str = "production", **changes: Any) -> Settings:
    return rotating_settings(stack, environment, admission="deny", **changes)


@pytest.fixture(scope="module")
def bounded(operator_crds: Cluster) -> Iterator[Bounded]:
    settings = settings_of("bounded", "vault-database", **SEEDED)
    found = Bounded(operator_crds, settings)
    for obj in found.objects:
        operator_crds.api.apply(obj, manager="platform-secrets")
    yield found
    operator_crds.delete_namespace(found.namespace)


STACKS = [one for one in STACK_FILES if one != "development"]
HUNDRED: dict[str, Any] = {
    "stores": {"vault": {"layout": "per-key"}},
    "catalogue": {
        "bundles": {
            "shared": {"keys": {f"of-{at:03}": {"description": "a key"} for at in range(100)}}
        }
    },
}
"""An ExternalSecret that names a hundred entries: what an expression may cost is bounded."""
ASIDE: dict[str, Any] = {
    "catalogue": {
        "bundles": {
            "aside": {"secret": "aside", "keys": {"jwt": {"same-as": "shared/jwt-secret"}}}
        },
        "services": {"aside": {"workload": "Deployment/aside", "reads": ["aside"]}},
    },
    "namespaces": {"wren-aside": {"bundles": ["aside"]}},
}


@pytest.mark.parametrize(
    "settings",
    [
        *(settings_of(f"taken-{at}", stack) for at, stack in enumerate(STACKS)),
        settings_of("taken", **SEEDED, **ASIDE),
        settings_of("taken-hundred", **HUNDRED),
        token_settings({"admission": "deny"}),
    ],
    ids=lambda one: one.stack_file,
)
def test_everything_that_is_declared_is_taken(operator_crds: Cluster, settings: Settings) -> None:
    """As it is declared, and again: the API server has added its defaults by then."""
    place = Bounded(operator_crds, settings)
    judged = [one for one in place.objects if one["kind"] not in ("Namespace", "CronJob")]
    judged = [
        one for one in judged if not one["apiVersion"].startswith(("admission", "monitoring"))
    ]
    own = {view.namespace for view in settings.by_namespace}
    judged = [one for one in judged if one["metadata"].get("namespace") in own]
    for obj in judged:
        assert place.said(obj) == "", obj
    assert {"SecretStore", "ExternalSecret"} <= {one["kind"] for one in judged}
    for view in settings.by_namespace:
        operator_crds.api.delete("v1", "Namespace", view.namespace)


UNKNOWN_STORE, OTHER_SPEC = "no such store or generator is declared", "is not the declared one"


def test_a_store_of_one_s_own_is_refused(bounded: Bounded) -> None:
    """With the declared server, role and account, too: policies know a store by its name."""
    spec = bounded.of_kind("SecretStore", "vault-rotation-store")["spec"]
    said = bounded.said(bounded.made(ESO, "SecretStore", "mine", spec))
    assert UNKNOWN_STORE in said
    assert "SecretStore/mine" in said


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("server", "https://mine.example.com"),
        ("path", "mine"),
        ("namespace", "mine"),
        ("headers", {"a": "b"}),
        ("auth.kubernetes.role", "wren-bounded-rotation"),
        ("auth.kubernetes.mountPath", "mine"),
        ("auth.kubernetes.serviceAccountRef.name", "vault-rotation-store"),
        ("auth.kubernetes.serviceAccountRef.namespace", "mine"),
        ("auth.kubernetes.serviceAccountRef.audiences", ["vault", "mine"]),
        ("auth.kubernetes.secretRef", {"name": "mine"}),
        ("auth.tokenSecretRef", {"name": "mine"}),
    ],
)
def test_a_declared_store_is_changed_by_no_field(bounded: Bounded, path: str, value: Any) -> None:
    store = bounded.of_kind("SecretStore", "vault-store")
    at: Any = value
    for name in reversed(path.split(".")):
        at = {name: at}
    assert OTHER_SPEC in bounded.said_to_change(store, {"spec": {"provider": {"vault": at}}})


def test_a_store_has_no_field_beside_its_provider(bounded: Bounded) -> None:
    store = bounded.of_kind("SecretStore", "vault-store")
    change = {"spec": {"controller": "mine"}}
    assert OTHER_SPEC in bounded.said_to_change(store, change)


def test_a_generator_of_one_s_own_or_with_another_account_is_refused(bounded: Bounded) -> None:
    [name] = (
        one["metadata"]["name"]
        for one in bounded.objects
        if one["kind"] == "VaultDynamicSecret"
        and one["metadata"]["name"].endswith("url-a")
        and one["spec"]["method"] == "GET"
    )
    generator = bounded.of_kind("VaultDynamicSecret", name)
    mine = bounded.made(GENERATORS, "VaultDynamicSecret", "mine", generator["spec"])
    assert UNKNOWN_STORE in bounded.said(mine)
    account = {"serviceAccountRef": {"name": "vault-rotation-store"}}
    change = {"spec": {"provider": {"auth": {"kubernetes": account}}}}
    assert OTHER_SPEC in bounded.said_to_change(generator, change)
    for kind, spec in (
        ("Fake", {"data": {"a": "b"}}),
        ("Webhook", {"url": "https://a.example", "result": {}}),
    ):
        assert UNKNOWN_STORE in bounded.said(bounded.made(GENERATORS, kind, "mine", spec))


def test_a_shorter_next_value_is_refused(bounded: Bounded) -> None:
    password = bounded.of_kind("Password", "rotation-jwt-secret")
    assert OTHER_SPEC in bounded.said_to_change(password, {"spec": {"length": 8}})
    assert UNKNOWN_STORE in bounded.said(
        bounded.made(GENERATORS, "Password", "mine", {"length": 64})
    )


def test_who_marks_or_labels_a_store_is_not_refused(bounded: Bounded) -> None:
    """The operator does, and a cluster's own policies."""
    assert bounded.said_to_change(bounded.of_kind("SecretStore", "vault-store"), MARKS) == ""


READ: dict[str, Any] = {"secretStoreRef": {"kind": "SecretStore", "name": "vault-store"}}
ENTRY = "wren/bounded"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"secretStoreRef": {"name": "vault-rotation-store"}}, "SecretStore/vault-rotation-store"),
        ({"secretStoreRef": {"kind": "ClusterSecretStore"}}, "ClusterSecretStore/vault-store"),
        ({"data": [{"secretKey": "a", "remoteRef": {"key": "mine"}}]}, "these entries: declare"),
        ({"data": [{"secretKey": "a", "remoteRef": {"key": f"{ENTRY}/chat-server"}}]}, ENTRY),
        (
            {
                "data": [
                    {
                        "secretKey": "a",
                        "remoteRef": {"key": ENTRY},
                        "sourceRef": {"storeRef": {"name": "mine"}},
                    }
                ]
            },
            "SecretStore/mine",
        ),
        ({"dataFrom": [{"extract": {"key": "mine"}}]}, "these entries: declare"),
        ({"dataFrom": [{"find": {"name": {"regexp": ".*"}}}]}, "name each entry"),
        (
            {"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Fake", "name": "mine"}}}]},
            "Fake/mine",
        ),
        (
            {
                "dataFrom": [
                    {"extract": {"key": ENTRY}, "sourceRef": {"storeRef": {"name": "mine"}}}
                ]
            },
            "SecretStore/mine",
        ),
        ({"target": {"name": OTHERS}}, "another Secret"),
        (
            {"target": {"template": {"templateFrom": [{"secret": {"name": OTHERS, "items": []}}]}}},
            f"Secret/{OTHERS}",
        ),
        (
            {"target": {"template": {"templateFrom": [{"configMap": {"name": "a", "items": []}}]}}},
            "ConfigMap/a",
        ),
    ],
)
def test_an_external_secret_reads_its_own_entries_by_its_own_store_and_nothing_else(
    bounded: Bounded, change: dict[str, Any], refusal: str
) -> None:
    assert refusal in bounded.said_to_change(
        bounded.of_kind("ExternalSecret", OURS), {"spec": change}
    )


def test_an_external_secret_of_one_s_own_is_refused(bounded: Bounded) -> None:
    """With declared store and entry too: RBAC knows readers by the Secrets' names."""
    spec = bounded.of_kind("ExternalSecret", OURS)["spec"]
    said = bounded.said(bounded.made(ESO, "ExternalSecret", "mine", {**spec, "target": {}}))
    assert "no such ExternalSecret is declared" in said
    assert "Secret's name, and only the groups of `seeding`" in said


def test_a_sync_that_somebody_asks_for_is_not_refused(bounded: Bounded) -> None:
    assert bounded.said_to_change(bounded.of_kind("ExternalSecret", OURS), MARKS) == ""


def one_shots(bounded: Bounded) -> list[Manifest]:
    """What the commands of people make for a moment, of one bundle."""
    settings, key = bounded.settings, "chat-server-secret"
    [place] = new_value.places(settings, key)
    [own] = [bounded.of_kind("ExternalSecret", place.secret)]
    return [
        first_values.look(settings, place.bundle),
        migration.backup(settings, place.bundle, own, [key]),
        new_value.before(place),
        new_value.previous(place, "3"),
        new_value.look(place, "3"),
        *new_value.newest_version(place),
        *(new_value.reading(place, name, own) for name in (place.new, place.before)),
        new_value.push(place, place.new),
        new_value.check(place, place.new),
    ]


def test_the_people_of_the_group_make_what_their_commands_make_and_others_do_not(
    bounded: Bounded,
) -> None:
    made = one_shots(bounded)
    assert [one["kind"] for one in made].count("ExternalSecret") == 8
    for obj in made:
        assert bounded.said(obj), obj["metadata"]["name"]
        assert bounded.said(obj, bounded.cluster.person) == "", obj
    for obj in made:
        bounded.admin.delete(
            obj["apiVersion"], obj["kind"], obj["metadata"]["name"], bounded.namespace
        )


def test_what_people_s_commands_make_reads_nothing_but_the_bundle_s(bounded: Bounded) -> None:
    person = bounded.cluster.person
    look, *_ = one_shots(bounded)
    look["spec"]["data"][0]["remoteRef"]["key"] = ENTRY
    assert "these entries" in bounded.said(look, person)
    generator = next(one for one in one_shots(bounded) if one["kind"] == "VaultDynamicSecret")
    for path in ("sys/mounts", "secret/data/../../sys/mounts"):
        generator["spec"]["path"] = path
        assert OTHER_SPEC in bounded.said(generator, person), path


def test_the_operator_writes_what_is_there_in_its_own_spelling(bounded: Bounded) -> None:
    """With its finalizer, of what a generator makes; it makes none itself."""
    operator = bounded.cluster.api_of(
        "system:serviceaccount:external-secrets-system:external-secrets"
    )
    look, *_ = one_shots(bounded)
    assert "no such ExternalSecret" in bounded.said(look, operator)
    assert bounded.said(look, bounded.cluster.person) == ""
    spelled = {"spec": {"refreshInterval": "0"}}
    assert "no such ExternalSecret" in bounded.said_to_change(look, spelled)
    place = look["apiVersion"], look["kind"], look["metadata"]["name"], bounded.namespace
    assert operator.patch(*place, spelled)["spec"]["refreshInterval"] == "0"
    bounded.admin.delete(*place)


def test_nobody_makes_push_secrets_but_the_rotator_and_the_people_of_the_group(
    bounded: Bounded,
) -> None:
    """Not even to a store that nobody guards."""
    store = [{"kind": "SecretStore", "name": "vault-store"}]
    spec = {"secretStoreRefs": store, "selector": {"secret": {"name": OURS}}, "data": []}
    push = bounded.made(PUSHES, "PushSecret", "mine", spec)
    assert "only the rotator and the groups of `seeding`" in bounded.said(push)
    assert bounded.said(push, bounded.cluster.person) == ""
    assert bounded.said_to_change(push, MARKS) == ""
    assert "only the rotator" in bounded.said_to_change(push, {"spec": {"refreshInterval": "1m"}})
    bounded.admin.delete(PUSHES, "PushSecret", "mine", bounded.namespace)


def secret_volume(name: str) -> Manifest:
    return {"name": "v", "secret": {"secretName": name}}


def projected(*names: str) -> Manifest:
    return {"name": "p", "projected": {"sources": [{"secret": {"name": one}} for one in names]}}


def variable(name: str) -> Manifest:
    return {"name": f"OF_{name}", "valueFrom": {"secretKeyRef": {"name": name, "key": "a"}}}


REFERENCES: dict[str, Manifest] = {
    "volume": {"volumes": [secret_volume(OTHERS)]},
    "projected": {"volumes": [projected("free", OTHERS)]},
    "variable": {"env": [{"name": "B", "value": "b"}, variable(OTHERS)]},
    "all-variables": {
        "envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": OTHERS}}]
    },
}
REFUSED_SECRET = f"its `reads` in the catalogue: {OTHERS}"


def workloads(bounded: Bounded, name: str, spec: Manifest) -> Iterator[Manifest]:
    """One of each kind that has pods, with pods of this spec."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    selected = {"selector": {"matchLabels": labels}, "template": template}
    job = {"template": {"spec": {**spec, "restartPolicy": "Never"}}}
    yield bounded.made("v1", "Pod", name, spec)
    yield bounded.made(
        "v1", "ReplicationController", name, {"selector": labels, "template": template}
    )
    for kind in ("Deployment", "ReplicaSet", "DaemonSet"):
        yield bounded.made("apps/v1", kind, name, selected)
    yield bounded.made("apps/v1", "StatefulSet", name, {**selected, "serviceName": name})
    yield bounded.made("batch/v1", "Job", name, {**job, "suspend": True})
    cron = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}}
    yield bounded.made("batch/v1", "CronJob", name, cron)


def one_of(kind: str, bounded: Bounded, name: str, spec: Manifest) -> Manifest:
    return next(one for one in workloads(bounded, name, spec) if one["kind"] == kind)


@pytest.mark.parametrize("reference", REFERENCES)
def test_no_workload_refers_to_a_secret_that_its_service_does_not_read(
    bounded: Bounded, reference: str
) -> None:
    spec = pod_spec(**REFERENCES[reference])
    for workload in workloads(bounded, "mine", spec):
        assert REFUSED_SECRET in bounded.said(workload), workload["kind"]


def test_an_init_container_and_one_for_debugging_may_not_either(bounded: Bounded) -> None:
    first = {"name": "first", "image": "example.com/app:1", "env": [variable(OTHERS)]}
    pod = bounded.made("v1", "Pod", "inner", {**pod_spec(), "initContainers": [first]})
    assert REFUSED_SECRET in bounded.said(pod)
    pod = bounded.made("v1", "Pod", "debugged", pod_spec())
    assert bounded.said(pod) == ""
    path = f"{bounded.admin.path('v1', 'Pod', 'debugged', bounded.namespace)}/ephemeralcontainers"
    change = {"spec": {"ephemeralContainers": [first]}}
    merge = "application/strategic-merge-patch+json"
    with pytest.raises(KubernetesApiError, match="`reads` in the catalogue"):
        bounded.admin.request("PATCH", path, change, content_type=merge)


def test_a_service_s_workload_and_its_account_may_refer_to_what_it_reads(bounded: Bounded) -> None:
    own = pod_spec(volumes=[secret_volume(OTHERS), projected(OURS)])
    deployment = one_of("Deployment", bounded, "wren-stream-server", own)
    assert bounded.said(deployment) == ""
    wait_until(lambda: bounded.pods("wren-stream-server"), "its pods are made")
    by_account = pod_spec("wren-stream-server", env=[variable(OTHERS)])
    for workload in workloads(bounded, "by-account", by_account):
        assert bounded.said(workload) == "", workload["kind"]
    stranger = pod_spec("wren-chat-server", env=[variable(OTHERS)])
    assert REFUSED_SECRET in bounded.said(bounded.made("v1", "Pod", "stranger", stranger))
    bounded.admin.delete("apps/v1", "Deployment", "wren-stream-server", bounded.namespace)


def test_what_a_service_s_workload_controls_is_its_own(bounded: Bounded) -> None:
    """As Argo Rollouts' ReplicaSets are, and a Job of a CronJob."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "wren-stream-server"}
    owned = {**owner, "uid": "11111111-2222-4333-8444-555555555555", "controller": True}
    job = one_of("Job", bounded, "owned", pod_spec(env=[variable(OTHERS)]))
    job["metadata"]["ownerReferences"] = [owned]
    assert bounded.said(job) == ""
    job["metadata"] |= {"name": "not-owned", "ownerReferences": [{**owned, "controller": False}]}
    assert REFUSED_SECRET in bounded.said(job)


def test_kubernetes_own_controllers_make_what_was_judged_before(bounded: Bounded) -> None:
    controller = bounded.cluster.api_of("system:serviceaccount:kube-system:replicaset-controller")
    pod = bounded.made("v1", "Pod", "of-a-replicaset", pod_spec(env=[variable(OTHERS)]))
    assert REFUSED_SECRET in bounded.said(pod)
    assert bounded.said(pod, controller) == ""


def test_copies_that_are_there_for_a_moment_are_nobody_s(bounded: Bounded) -> None:
    for name in (f"migration-{OURS}", f"value-before-{OURS}", "rotation-staged-jwt-secret"):
        pod = bounded.made(
            "v1", "Pod", "copied", pod_spec("wren-backend-api", env=[variable(name)])
        )
        assert name in bounded.said(pod)


def test_secrets_of_others_are_their_own_affair(bounded: Bounded) -> None:
    names = ("of-others", "migration-of-others", f"{OURS}-of-others")
    spec = pod_spec(env=[variable(name) for name in names], volumes=[secret_volume("of-others")])
    for workload in workloads(bounded, "free", spec):
        assert bounded.said(workload) == "", workload["kind"]


def test_a_workload_that_was_there_before_goes_on(bounded: Bounded) -> None:
    """It is judged when its pods are to become others."""
    [binding] = (
        one
        for one in namespace_bounds(bounded.settings, bounded.settings)
        if one["metadata"]["name"].endswith("workloads") and one["kind"].endswith("Binding")
    )
    deployment = one_of("Deployment", bounded, "older", pod_spec(env=[variable(OTHERS)]))
    bounded.admin.delete(binding["apiVersion"], binding["kind"], binding["metadata"]["name"])
    wait_until(lambda: not bounded.said(deployment), "the policy is off")
    bounded.admin.apply(binding, manager="platform-secrets")
    bounded.wait_until_in_force(bounded.namespace)
    assert bounded.said_to_change(deployment, {"spec": {"replicas": 2}, **MARKS}) == ""
    wait_until(lambda: len(bounded.pods("older")) == 2, "another pod is made")
    restarted = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
    assert bounded.said_to_change(deployment, {"spec": {"template": restarted}}) == ""
    other = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}}
    assert REFUSED_SECRET in bounded.said_to_change(deployment, other)


def test_a_preview_is_not_refused_what_its_update_declares(bounded: Bounded) -> None:
    spec = bounded.of_kind("SecretStore", "vault-store")["spec"]
    obj = bounded.made(ESO, "SecretStore", "to-come", spec)
    path = bounded.admin.path(ESO, "SecretStore", None, bounded.namespace)
    previewed = bounded.admin.request("POST", path, obj, params={"dryRun": "All"})
    assert previewed["metadata"]["name"] == "to-come"
    assert UNKNOWN_STORE in bounded.said(obj)


def test_without_the_role_that_says_what_is_declared_nothing_is(bounded: Bounded) -> None:
    [role] = (
        one
        for one in namespace_bounds(bounded.settings, bounded.settings)
        if one["kind"] == "ClusterRole" and one["metadata"]["name"].endswith("admission-stores")
    )
    store = bounded.of_kind("SecretStore", "vault-store")
    change = {"spec": {"provider": {"vault": {"version": "v1"}}}}
    bounded.admin.delete(RBAC, "ClusterRole", role["metadata"]["name"])
    wait_until(lambda: "no params found" in bounded.said_to_change(store, change), "it is refused")
    bounded.admin.apply(role, manager="platform-secrets")


def test_a_namespace_that_is_deleted_goes_with_what_still_has_a_finalizer(
    operator_crds: Cluster,
) -> None:
    place = Bounded(operator_crds, settings_of("gone"))
    waits, goes = place.of_kind("ExternalSecret", OURS), place.of_kind("ExternalSecret", OTHERS)
    waits["metadata"]["finalizers"] = ["example.com/waits"]
    assert (place.said(waits), place.said(goes)) == ("", "")
    place.admin.delete("v1", "Namespace", place.namespace)
    names = [OURS]
    wait_until(
        lambda: (
            [
                one["metadata"]["name"]
                for one in place.admin.list(ESO, waits["kind"], place.namespace)
            ]
            == names
            and not place.admin.list(RBAC, "Role", place.namespace)
        ),
        "all else is gone",
    )
    assert place.said_to_change(waits, {"metadata": {"finalizers": None}}) == ""
    wait_until(lambda: not place.admin.get("v1", "Namespace", place.namespace), "it is gone")


def test_with_warn_people_are_told_and_nothing_is_refused(
    operator_crds: Cluster, tmp_path: Path
) -> None:
    settings = rotating_settings("production", "warned", admission="warn")
    operator_crds.create_namespace(settings.namespace)
    for obj in namespace_bounds(settings, settings):
        operator_crds.api.apply(obj, manager="platform-secrets")
    path = tmp_path / "mine.yaml"

    def warned() -> str:
        name = f"mine-{token_hex(4)}"
        pod = made("v1", "Pod", name, pod_spec(env=[variable(OURS)]), settings.namespace)
        path.write_text(yaml_stream([pod]))
        done = subprocess.run(  # noqa: S603 - our own kubectl
            [build("kubectl"), "apply", "-f", str(path)],
            env={**os.environ, "KUBECONFIG": str(operator_crds.kubeconfig)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"pod/{name} created" in done.stdout
        return done.stderr

    told = wait_until(warned, "the policy is in force")
    assert told.startswith("Warning: Validation failed for ValidatingAdmissionPolicy")
    assert f"`reads` in the catalogue: {OURS}" in told
    for obj in namespace_bounds(settings, settings):
        if obj["kind"] == "ClusterRole":
            operator_crds.api.delete(RBAC, "ClusterRole", obj["metadata"]["name"])
    warned()
    operator_crds.api.delete("v1", "Namespace", settings.namespace)
