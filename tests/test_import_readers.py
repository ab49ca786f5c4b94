"""Who reads what is imported: every object that names a Secret, however its kind does that."""

import json
from pathlib import Path

import pytest
import yaml

from platform_secrets.secretsctl.commands import main

STORE = {"kind": "ClusterSecretStore", "name": "team"}


def external_secret(name, namespace="shop"):
    data = [{"secretKey": "a", "remoteRef": {"key": f"apps/{name}", "property": "a"}}]
    metadata = {"name": name, "namespace": namespace}
    spec = {"refreshInterval": "1h", "secretStoreRef": STORE, "data": data}
    api = "external-secrets.io/v1"
    return {"apiVersion": api, "kind": "ExternalSecret", "metadata": metadata, "spec": spec}


def named(kind, api, name="web", namespace: str | None = "shop", **content):
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **place}, **content}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*manifests):
        Path("manifests").mkdir(exist_ok=True)
        texts = [one if isinstance(one, str) else yaml.safe_dump(one) for one in manifests]
        Path("manifests/all.yaml").write_text("---\n".join(texts))
        code = main(["import", "--from", "manifests", "--name", "shop", "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def readers():
    """What each reader reads."""
    services = yaml.safe_load(Path("catalogue.yaml").read_text()).get("services", {})
    return {one["workload"]: one["reads"] for one in services.values()}


CNPG = "postgresql.cnpg.io/v1"
FLUX = "helm.toolkit.fluxcd.io/v2"
ARGO = "argoproj.io/v1alpha1"
CORE = "monitoring.coreos.com/v1"
OF_EXTERNAL = {"bootstrap": {"initdb": {"secret": {"name": "db"}}}}
KEYS = {"accessKeyId": {"name": "db", "key": "ACCESS"}, "region": {"name": "other", "key": "R"}}
CONTAINER = {"name": "app", "env": [{"valueFrom": {"secretKeyRef": {"name": "db", "key": "a"}}}]}
STEP = {"name": "go", "container": CONTAINER}
VALUES = {
    "controllers": {"web": {"containers": {"app": {"envFrom": [{"secretRef": {"name": "db"}}]}}}}
}
MOUNTED = {"persistence": {"config": {"type": "secret", "name": "db"}}}
HEAD = {"repoURL": "https://charts.example.com", "chart": "web"}
DESTINATION = {"namespace": "shop", "server": "https://kubernetes.default.svc"}
INGRESS = {"nginx.ingress.kubernetes.io/auth-secret": "shop/db"}
READERS = {
    "a database's account": named("Cluster", CNPG, spec=OF_EXTERNAL),
    "a database's backups": named(
        "Cluster", CNPG, spec={"backup": {"barmanObjectStore": {"s3Credentials": KEYS}}}
    ),
    "a role of a database": named(
        "Cluster", CNPG, spec={"managed": {"roles": [{"passwordSecret": {"name": "db"}}]}}
    ),
    "a Prometheus that mounts it": named("Prometheus", CORE, spec={"secrets": ["db"]}),
    "a Prometheus that logs in by it": named(
        "Prometheus",
        CORE,
        spec={"remoteWrite": [{"basicAuth": {"password": {"name": "db", "key": "a"}}}]},
    ),
    "an Alertmanager": named("Alertmanager", CORE, spec={"configSecret": "db"}),
    "an Ingress's certificate": named(
        "Ingress", "networking.k8s.io/v1", spec={"tls": [{"hosts": ["a"], "secretName": "db"}]}
    ),
    "an Ingress's annotation": named("Ingress", "networking.k8s.io/v1")
    | {"metadata": {"name": "web", "namespace": "shop", "annotations": INGRESS}},
    "a Gateway": named(
        "Gateway",
        "gateway.networking.k8s.io/v1",
        spec={"listeners": [{"tls": {"certificateRefs": [{"name": "db"}]}}]},
    ),
    "an Istio Gateway": named(
        "Gateway",
        "networking.istio.io/v1",
        spec={"servers": [{"tls": {"mode": "SIMPLE", "credentialName": "db"}}]},
    ),
    "a certificate's issuer": named(
        "Issuer",
        "cert-manager.io/v1",
        spec={"acme": {"solvers": [{"dns01": {"x": {"apiTokenSecretRef": {"name": "db"}}}}]}},
    ),
    "a backup": named(
        "ReplicationSource", "volsync.backube/v1alpha1", spec={"restic": {"repository": "db"}}
    ),
    "a chart's values from a Secret": named(
        "HelmRelease", FLUX, spec={"valuesFrom": [{"kind": "Secret", "name": "db"}]}
    ),
    "a chart's values that name it": named("HelmRelease", FLUX, spec={"values": VALUES}),
    "a chart's values that mount it": named("HelmRelease", FLUX, spec={"values": MOUNTED}),
    "a chart's values by its release's name": named(
        "HelmRelease",
        FLUX,
        name="db",
        spec={"values": {"auth": {"existingSecret": "{{ .Release.Name }}"}}},
    ),
    "an Application's values": named(
        "Application",
        ARGO,
        namespace="argocd",
        spec={
            "destination": DESTINATION,
            "source": {**HEAD, "helm": {"valuesObject": {"auth": {"existingSecret": "db"}}}},
        },
    ),
    "an Application's values as one text": named(
        "Application",
        ARGO,
        namespace="argocd",
        spec={
            "destination": DESTINATION,
            "sources": [{**HEAD, "helm": {"values": "auth:\n  existingSecret: db\n"}}],
        },
    ),
    "a workflow": named(
        "CronWorkflow",
        ARGO,
        spec={"workflowSpec": {"templates": [{"name": "a", "container": CONTAINER}]}},
    ),
    "a pipeline's step": named("Task", "tekton.dev/v1", spec={"steps": [CONTAINER], "volumes": []}),
    "a service of Knative": named(
        "Service",
        "serving.knative.dev/v1",
        spec={"template": {"spec": {"containers": [CONTAINER]}}},
    ),
    "a Rollout": named("Rollout", ARGO, spec={"template": {"spec": {"containers": [CONTAINER]}}}),
    "a volume of a file share": named(
        "Deployment",
        "apps/v1",
        spec={
            "template": {
                "spec": {
                    "containers": [],
                    "volumes": [{"name": "a", "azureFile": {"secretName": "db"}}],
                }
            }
        },
    ),
    "a projected volume": named(
        "StatefulSet",
        "apps/v1",
        spec={
            "template": {
                "spec": {
                    "containers": [],
                    "volumes": [{"projected": {"sources": [{"secret": {"name": "db"}}]}}],
                }
            }
        },
    ),
    "a store's own token": named(
        "SecretStore",
        "external-secrets.io/v1",
        spec={"provider": {"doppler": {"auth": {"secretRef": {"dopplerToken": {"name": "db"}}}}}},
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_whatever_names_a_secret_reads_it(reader, run):
    manifest = READERS[reader]
    code, report = run(external_secret("db"), manifest)
    assert (code, [one["outcome"] for one in report["manifests"]]) == (0, ["exact"])
    assert readers() == {f"{manifest['kind']}/{manifest['metadata']['name']}": ["db"]}
    assert main(["render"]) == 0


WRITTEN = {
    "a certificate's": named("Certificate", "cert-manager.io/v1", spec={"secretName": "db"}),
    "a connection's": named(
        "Bucket", "s3.example.com/v1", spec={"writeConnectionSecretToRef": {"name": "db"}}
    ),
    "a ConfigMap's name": named(
        "Deployment",
        "apps/v1",
        spec={"env": [{"valueFrom": {"configMapKeyRef": {"name": "db", "key": "a"}}}]},
    ),
    "another field's": named("Deployment", "apps/v1", spec={"serviceName": "db", "name": "db"}),
    "a status": named("Cluster", CNPG, status={"secretName": "db"}),
}


@pytest.mark.parametrize("field", WRITTEN)
def test_what_makes_a_secret_or_names_another_thing_is_no_reader(field, run):
    run(external_secret("db"), WRITTEN[field])
    assert readers() == {}


def test_a_secret_of_another_namespace_is_read_there(run):
    """So does a store or an issuer that is the whole cluster's."""
    token = {"name": "db", "key": "token", "namespace": "ops"}
    auth = {"auth": {"secretRef": {"connectTokenSecretRef": token}}}
    store = named(
        "ClusterSecretStore",
        "external-secrets.io/v1",
        "team",
        None,
        spec={"provider": {"onepassword": auth}},
    )
    run(external_secret("db"), external_secret("db", "ops"), store)
    assert readers() == {"ClusterSecretStore/team": ["ops-db"]}


def deployment(name="web", **pod):
    spec = {"template": {"spec": {"containers": [], **pod}}}
    return named("Deployment", "apps/v1", name, spec=spec)


def test_what_an_overlay_s_patch_names_is_read_too(run):
    mounts = [deployment(volumes=[{"secret": {"secretName": one}}]) for one in ("db", "mail")]
    run(external_secret("db"), external_secret("mail"), *mounts)
    assert readers() == {"Deployment/web": ["db", "mail"]}


SYNCED = named(
    "SecretProviderClass",
    "secrets-store.csi.x-k8s.io/v1",
    "vault",
    spec={
        "provider": "vault",
        "parameters": {"objects": "- objectName: a\n"},
        "secretObjects": [
            {"secretName": "db", "type": "Opaque", "data": [{"key": "A", "objectName": "a"}]}
        ],
    },
)
ROLE_API = "rbac.authorization.k8s.io/v1"


def role(**rule):
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], **rule}
    reference = {"kind": "Role", "name": "reading", "apiGroup": "rbac.authorization.k8s.io"}
    subjects = [{"kind": "ServiceAccount", "name": "api"}]
    return (
        named("Role", ROLE_API, "reading", rules=[rule]),
        named("RoleBinding", ROLE_API, "reading", roleRef=reference, subjects=subjects),
    )


def test_what_a_role_lets_a_program_read_by_name_it_reads(run):
    objects = *role(resourceNames=["db"]), deployment(serviceAccountName="api")
    code, report = run(external_secret("db"), external_secret("mail"), *objects)
    assert (code, report["bindings"]) == (0, [])
    assert readers() == {"Deployment/web": ["db"]}


@pytest.mark.parametrize(("verbs", "told"), [(["list"], ["reading"]), (["create"], [])])
def test_a_right_to_read_every_secret_is_told(verbs, told, run):
    objects = *role(verbs=verbs), deployment(serviceAccountName="api")
    code, report = run(external_secret("db"), *objects)
    assert (code, [one["name"] for one in report["bindings"]]) == (0, told)
    assert readers() == {}


def test_what_a_tool_makes_or_changes_is_told(run):
    patch = [{"target": {"kind": "ExternalSecret"}, "patch": "- op: remove\n  path: /spec/data\n"}]
    api = "kustomize.config.k8s.io/v1beta1"
    changes = {"apiVersion": api, "kind": "Kustomization", "patches": patch}
    generator = {"template": {"spec": {"source": HEAD}}}
    code, report = run(
        external_secret("db"),
        changes,
        {"apiVersion": api, "kind": "Kustomization", "namePrefix": "dev-"},
        {"apiVersion": api, "kind": "Kustomization", "helmCharts": [{"name": "web"}]},
        {"apiVersion": api, "kind": "Kustomization", "patches": [{"path": "more.yaml"}]},
        named("ApplicationSet", ARGO, spec=generator),
        named("HelmChart", "helm.cattle.io/v1", spec={"valuesContent": "a: {{ .b }}"}),
    )
    assert code == 0
    assert len(report["kustomizations"]) == 2
    assert [one["kind"] for one in report["charts"]] == [
        "Kustomization",
        "ApplicationSet",
        "HelmChart",
    ]
