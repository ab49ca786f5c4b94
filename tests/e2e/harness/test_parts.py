"""The harness itself: each real part starts, answers, and plays together with the others."""

import base64
import json
import secrets
from collections.abc import Iterator

import pytest

from tests.e2e.aws import REGION, Aws
from tests.e2e.cluster import Cluster
from tests.e2e.eso import has_condition
from tests.e2e.kubernetes_api import KubernetesApiError, Manifest
from tests.e2e.openbao import OpenBao, OpenBaoError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.postgres import Postgres
from tests.e2e.process import Run, wait_until

ESO = "external-secrets.io/v1"
RBAC = "rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def operator(run: Run, cluster: Cluster, aws: Aws) -> Iterator[OperatorRelease]:
    """The operator as its chart would install it, its AWS calls led to moto."""
    release = OperatorRelease(run, cluster, env=aws.operator_env)
    inputs = {"name": "external-secrets", "namespace": "external-secrets", "values": {}}
    release.install(inputs)
    yield release
    release.uninstall(inputs)


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    name = f"e2e-{secrets.token_hex(4)}"
    cluster.create_namespace(name)
    return name


def test_the_api_server_stores_an_object_and_refuses_an_unknown_field(
    cluster: Cluster, namespace: str
) -> None:
    config = config_map(namespace, data={"a": "b"})
    cluster.api.apply(config)
    assert "app" in cluster.kubectl("get", "configmaps", "--namespace", namespace)
    with pytest.raises(KubernetesApiError, match="dataa"):
        cluster.api.apply({**config, "dataa": {}})


def test_a_service_account_has_only_the_rights_it_was_given(
    cluster: Cluster, namespace: str
) -> None:
    cluster.api.apply(config_map(namespace, data={}))
    reader = cluster.api_as(cluster.token(namespace, "default"))
    with pytest.raises(KubernetesApiError) as refusal:
        reader.get("v1", "ConfigMap", "app", namespace)
    assert refusal.value.status == 403


def test_a_token_is_issued_for_any_audience_and_accepted_by_that_audience_only(
    cluster: Cluster, namespace: str
) -> None:
    token = cluster.token(namespace, "default", audience="wren.svc.id.goog")
    assert not reviewed(cluster, token)["authenticated"], "not meant for the API server"
    assert reviewed(cluster, token, audience="wren.svc.id.goog")["authenticated"]
    assert not reviewed(cluster, token, audience="vault")["authenticated"]


def test_the_controllers_complete_a_deletion_that_waits_for_dependents(
    cluster: Cluster, namespace: str
) -> None:
    owner = cluster.api.apply(config_map(namespace, data={}))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "app", "controller": True}
    reference["uid"] = owner["metadata"]["uid"]
    owned = config_map(namespace, data={}, name="owned")
    owned["metadata"]["ownerReferences"] = [reference]
    cluster.api.apply(owned)
    cluster.api.delete("v1", "ConfigMap", "app", namespace)
    wait_until(
        lambda: cluster.api.get("v1", "ConfigMap", "owned", namespace) is None,
        "the garbage collector deletes what was owned",
    )


def test_openbao_keeps_its_data_over_a_restart_and_serves_nothing_while_sealed(run: Run) -> None:
    bao = OpenBao(run, "openbao-restarted")
    value = secrets.token_hex(16)
    bao.write("sys/mounts/kv", type="kv", options={"version": "2"})
    bao.write("kv/data/app", data={"key": value})
    bao.restart()
    with pytest.raises(OpenBaoError) as refusal:
        bao.read("kv/data/app")
    assert refusal.value.status == 503
    bao.unseal()
    assert bao.read("kv/data/app")["data"] == {"key": value}
    audited = bao.audit_log.read_text(encoding="utf-8")
    assert "kv/data/app" in audited
    assert value not in audited, "the audit log has values as hashes"
    bao.process.stop()


def test_postgres_lets_a_user_in_by_password_only(postgres: Postgres) -> None:
    password = secrets.token_hex(16)
    postgres.query(f"create role app login password '{password}'")
    assert postgres.query("select current_user", user="app", password=password) == "app"
    assert not postgres.can_log_in("app", secrets.token_hex(16))


def test_the_operator_syncs_from_openbao_with_kubernetes_auth(
    cluster: Cluster, bao: OpenBao, operator: OperatorRelease, namespace: str
) -> None:
    value = secrets.token_hex(16)
    cluster.api.apply(service_account(namespace, "reader"))
    trust_cluster(bao, cluster, namespace)
    bao.write("kv/data/app", data={"key": value})
    bao.write("sys/policies/acl/app", policy='path "kv/data/app" { capabilities = ["read"] }')
    bao.write(
        "auth/kubernetes/role/app",
        bound_service_account_names=["reader"],
        bound_service_account_namespaces=[namespace],
        token_policies=["app"],
        audience="vault",
    )
    account = {"name": "reader", "audiences": ["vault"]}
    auth = {"mountPath": "kubernetes", "role": "app", "serviceAccountRef": account}
    provider = {"server": bao.url, "path": "kv", "version": "v2", "auth": {"kubernetes": auth}}
    store_is_ready(cluster, namespace, {"vault": provider})
    cluster.api.apply(external_secret(namespace, {"key": "app", "property": "key"}))
    assert synced_value(cluster, namespace) == value


def test_the_operator_syncs_from_aws_with_a_role_of_its_service_account(
    cluster: Cluster, aws: Aws, operator: OperatorRelease, namespace: str
) -> None:
    value = secrets.token_hex(16)
    aws.client("secretsmanager").create_secret(Name=f"{namespace}/key", SecretString=value)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = aws.client("iam").create_role(RoleName=namespace, AssumeRolePolicyDocument=trust)
    annotation = {"eks.amazonaws.com/role-arn": role["Role"]["Arn"]}
    cluster.api.apply(service_account(namespace, "reader", **annotation))
    auth = {"jwt": {"serviceAccountRef": {"name": "reader"}}}
    provider = {"service": "SecretsManager", "region": REGION, "auth": auth}
    store_is_ready(cluster, namespace, {"aws": provider})
    cluster.api.apply(external_secret(namespace, {"key": f"{namespace}/key"}))
    assert synced_value(cluster, namespace) == value


def reviewed(cluster: Cluster, token: str, audience: str = "") -> Manifest:
    """The API server's verdict on a token, for an audience or for itself."""
    spec = {"token": token, "audiences": [audience] if audience else []}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    answer = cluster.api.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
    return {"authenticated": False, **answer["status"]}


def trust_cluster(bao: OpenBao, cluster: Cluster, namespace: str) -> None:
    """Mounts `kv` and the Kubernetes auth method, with a ServiceAccount that may review tokens."""
    cluster.api.apply(service_account(namespace, "reviewer"))
    cluster.api.apply(
        {
            "apiVersion": RBAC,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{namespace}-reviewer"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "reviewer", "namespace": namespace}],
        }
    )
    bao.write("sys/mounts/kv", type="kv", options={"version": "2"})
    bao.write("sys/auth/kubernetes", type="kubernetes")
    bao.write(
        "auth/kubernetes/config",
        kubernetes_host=cluster.url,
        kubernetes_ca_cert=cluster.ca_file.read_text(encoding="utf-8"),
        token_reviewer_jwt=cluster.token(namespace, "reviewer"),
        disable_local_ca_jwt=True,
    )


def store_is_ready(cluster: Cluster, namespace: str, provider: Manifest) -> None:
    """Applies the SecretStore `store` and waits until the operator has validated it."""
    metadata = {"name": "store", "namespace": namespace}
    spec = {"provider": provider}
    cluster.api.apply(
        {"apiVersion": ESO, "kind": "SecretStore", "metadata": metadata, "spec": spec}
    )
    wait_until(
        lambda: has_condition(
            cluster.api.get(ESO, "SecretStore", "store", namespace) or {}, "Ready"
        ),
        "the store is ready",
    )


def external_secret(namespace: str, remote_ref: Manifest) -> Manifest:
    return {
        "apiVersion": ESO,
        "kind": "ExternalSecret",
        "metadata": {"name": "app", "namespace": namespace},
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"name": "store"},
            "data": [{"secretKey": "key", "remoteRef": remote_ref}],
        },
    }


def synced_value(cluster: Cluster, namespace: str) -> str:
    """The value that the operator wrote, once it has."""
    secret = wait_until(
        lambda: cluster.api.get("v1", "Secret", "app", namespace), "the Secret is written"
    )
    return base64.b64decode(secret["data"]["key"]).decode()


def service_account(namespace: str, name: str, **annotations: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def config_map(namespace: str, *, data: dict[str, str], name: str = "app") -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
