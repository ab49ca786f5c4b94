"""Faults, each broken into a healthy environment: the doctor names it, and nothing else."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.healthy_environment import (
    EXTRACT,
    HOOK,
    LEASE,
    OPERATOR,
    OPERATORS,
    READER,
    SECRET,
    STORE,
    Environment,
    ago,
    container,
    production,
)

FAULTS: dict[str, tuple[str, Callable[[Environment], object]]] = {}


@pytest.fixture
def environment():
    return Environment(production())


def fault(check, name):
    def add(happen):
        FAULTS[name] = check, happen
        return happen

    return add


@fault("namespace-missing", "wrong namespace")
def _(environment):
    """Nothing is where the stack file says."""
    for place in [*environment.objects]:
        if environment.namespace in (place[1], place[2]):
            del environment.objects[place]


@fault("namespace-ends", "namespace deleted")
def _(environment):
    live = environment[("Namespace", "", environment.namespace)]
    live["metadata"]["deletionTimestamp"] = ago(minutes=1)


@fault("quota-full", "full quota")
def _(environment):
    metadata = {"name": "all", "namespace": environment.namespace}
    status = {"hard": {"secrets": "8"}, "used": {"secrets": "8"}}
    environment.add({"kind": "ResourceQuota", "metadata": metadata, "status": status})


@fault("quota", "Secret refused by a quota")
def _(environment):
    text = 'could not update secret: secrets "wren-secrets" is forbidden: exceeded quota: all'
    environment.fail("ExternalSecret", SECRET, text)


@fault("clock-skew", "operator's clock ahead")
def _(environment):
    environment.sync(environment.get("ExternalSecret", SECRET), at=ago(minutes=-30))


@fault("clock-skew", "operator's clock behind")
def _(environment):
    """So it renews its lease in the past, and seems to miss what is due."""
    environment[LEASE]["spec"]["renewTime"] = ago(minutes=90)
    for one in environment.of("ExternalSecret"):
        environment.sync(one, at=ago(minutes=100))
    environment.warn("SecretStore", STORE, "unable to validate store", when=ago(minutes=95))
    [event] = environment.of("Event")
    event["metadata"]["creationTimestamp"] = ago(minutes=5)


@fault("clock-skew", "a node's clock behind")
def _(environment):
    """So a pod that has read the Secret seems to have started before it was written."""
    pod = environment.get("Pod", f"{READER}-1-a")
    pod["metadata"]["creationTimestamp"] = ago(minutes=10)
    pod["spec"]["nodeName"] = "node-1"
    pod["status"]["startTime"] = ago(hours=1)
    live = environment.get("Secret", SECRET)
    live["metadata"]["managedFields"][0]["time"] = ago(minutes=30)


@fault("clock-skew", "one's own clock ahead")
def _(environment):
    environment.callers_clock_seconds = 3600


@fault("clock", "provider's clock behind")
def _(environment):
    environment.fail("SecretStore", STORE, "validating claims: token not valid yet (nbf)")


@fault("crd-missing", "CRD deleted")
def _(environment):
    environment.drop("CustomResourceDefinition", "pushsecrets.external-secrets.io", "")


@fault("crd-not-served", "CRD version")
def _(environment):
    crd = environment.get("CustomResourceDefinition", "externalsecrets.external-secrets.io", "")
    crd["spec"]["versions"] = [{"name": "v1beta1", "served": True}]


@fault("operator-missing", "operator not installed")
def _(environment):
    del environment.objects[OPERATOR]


@fault("operator-paused", "paused operator")
def _(environment):
    environment[OPERATOR]["spec"]["replicas"] = 0
    environment[OPERATOR]["status"] = {}


@fault("operator-not-running", "operator's pods crash")
def _(environment):
    environment[OPERATOR]["status"] = {"replicas": 2}
    waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    environment.add_pod(environment[OPERATOR], "eso-1", started=None, containerStatuses=[waiting])


@fault("operator-elsewhere", "operator of another namespace")
def _(environment):
    [container] = environment[OPERATOR]["spec"]["template"]["spec"]["containers"]
    container["args"].append("--namespace=shop-staging")


@fault("operator-no-leader", "operator without a leader")
def _(environment):
    environment[LEASE]["spec"]["renewTime"] = ago(minutes=10)


@fault("operator-log", "operator without a right")
def _(environment):
    environment.log = ('User "system:serviceaccount:x" cannot list resource "secrets"',)


@fault("operator-behind", "operator stopped")
def _(environment):
    for one in environment.of("ExternalSecret"):
        environment.sync(one, at=ago(hours=3))


@fault("webhook-no-authority", "webhook without authority")
def _(environment):
    del environment[HOOK]["webhooks"][0]["clientConfig"]["caBundle"]


@fault("webhook-unreachable", "webhook without pods")
def _(environment):
    environment.get("EndpointSlice", "webhook-1", OPERATORS)["endpoints"] = None


@fault("webhook-certificate", "webhook's certificate expired")
def _(environment):
    environment[HOOK]["webhooks"][0]["clientConfig"]["caBundle"] = authority(days=-1)


@fault("webhook-certificate", "webhook's server has a certificate of another authority")
def _(environment):
    environment.refusal = refused("tls: failed to verify certificate: x509: certificate signed by")


@fault("webhook-unreachable", "webhook's pods are not reached")
def _(environment):
    environment.refusal = refused("dial tcp 10.0.0.7:10250: i/o timeout")


def refused(why):
    post = f'Post "https://external-secrets-webhook.external-secrets-system.svc:443/v": {why}'
    failed = 'failed calling webhook "validate.externalsecret.external-secrets.io"'
    return f"Internal error occurred: {failed}: failed to call webhook: {post}"


@fault("account-missing", "ServiceAccount deleted")
def _(environment):
    environment.drop("ServiceAccount", STORE)
    environment.fail("SecretStore", STORE, f'ServiceAccount "{STORE}" not found')


@fault("token-right-missing", "token Role changed")
def _(environment):
    environment.get("Role", f"{STORE}-token")["rules"][0]["verbs"] = ["get"]


@fault("network-policy-missing", "NetworkPolicy deleted")
def _(environment):
    environment.drop("NetworkPolicy", "secrets-rotation")


@fault("store-missing", "SecretStore deleted")
def _(environment):
    environment.drop("SecretStore", STORE)
    text = f'could not get SecretStore "{STORE}": not found'
    environment.fail("ExternalSecret", SECRET, text)


@fault("store-changed", "SecretStore edited")
def _(environment):
    environment.get("SecretStore", STORE)["spec"]["provider"]["vault"]["path"] = "other"


@fault("store-unreachable", "store down")
def _(environment):
    environment.fail("SecretStore", STORE, "dial tcp 10.1.1.1:8200: connect: connection refused")


@fault("store-certificate", "store's certificate")
def _(environment):
    environment.fail("SecretStore", STORE, "tls: x509: certificate signed by unknown authority")


@fault("store-sealed", "store sealed")
def _(environment):
    environment.fail("SecretStore", STORE, "Code: 503. Errors: * Vault is sealed")


@fault("store-throttled", "too many reads")
def _(environment):
    environment.fail("ExternalSecret", SECRET, f"{EXTRACT}ThrottlingException: Rate exceeded")


@fault("store-login", "store lost its data")
def _(environment):
    text = "unable to log in: PUT https://v/v1/auth/kubernetes/login Code: 403. permission denied"
    environment.fail("SecretStore", STORE, text)


@fault("store-rights", "right withdrawn")
def _(environment):
    environment.fail("ExternalSecret", SECRET, f"{EXTRACT}Code: 403. * permission denied")


@fault("store-rights", "AWS' right withdrawn")
def _(environment):
    environment.fail("ExternalSecret", SECRET, f"{EXTRACT}AccessDeniedException: not authorized")


@fault("entry-missing", "entry missing")
def _(environment):
    environment.fail("ExternalSecret", SECRET, f"{EXTRACT}Secret does not exist")


@fault("entry-emptied", "entry emptied")
def _(environment):
    [said] = environment.get("ExternalSecret", SECRET)["status"]["conditions"]
    said["message"] = "secret retained due to DeletionPolicy=Retain"


@fault("external-secret-missing", "ExternalSecret deleted")
def _(environment):
    environment.drop("ExternalSecret", SECRET)
    environment.drop("Secret", SECRET)


@fault("external-secret-changed", "ExternalSecret edited")
def _(environment):
    live = environment.get("ExternalSecret", SECRET)
    live["spec"]["refreshInterval"] = "24h0m0s"


@fault("external-secret-not-current", "change that nobody has read")
def _(environment):
    live = environment.get("ExternalSecret", SECRET)
    live["metadata"]["annotations"]["force-sync"] = "1"


@fault("secret-two-owners", "two ExternalSecrets for one Secret")
def _(environment):
    metadata = {"name": "other", "namespace": environment.namespace}
    spec = {"target": {"name": SECRET}}
    environment.add({"kind": "ExternalSecret", "metadata": metadata, "spec": spec})


@fault("secret-lacks-keys", "Secret without a key")
def _(environment):
    del environment.get("Secret", SECRET)["data"]["redis-url"]


@fault("secret-type", "Secret of another type")
def _(environment):
    environment.get("Secret", SECRET)["type"] = "kubernetes.io/tls"


@fault("workload-missing", "workload in another namespace")
def _(environment):
    live = environment.get("Deployment", READER)
    environment.drop("Deployment", READER)
    environment.add({**live, "metadata": {"name": READER, "namespace": "elsewhere"}})


@fault("workload-no-reference", "workload without mount")
def _(environment):
    del container(environment)["envFrom"]


@fault("workload-wrong-key", "workload asks for a key that is not there")
def _(environment):
    source = {"secretKeyRef": {"name": SECRET, "key": "redis_url"}}
    container(environment)["env"] = [{"name": "REDIS", "valueFrom": source}]


@fault("pod-not-started", "pod without its Secret")
def _(environment):
    pod = environment.get("Pod", f"{READER}-1-a")
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "wren-secret" not found'}
    pod["status"]["containerStatuses"] = [{"state": {"waiting": waiting}}]


@fault("pod-stale", "stale pod")
def _(environment):
    live = environment.get("Secret", SECRET)
    live["metadata"]["managedFields"][0]["time"] = ago(minutes=5)


@fault("reader-right-missing", "permission denied for a service")
def _(environment):
    environment.drop("RoleBinding", "backend-api-secrets")


@fault("reader-right-changed", "a reader's right widened by hand")
def _(environment):
    every = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
    environment.get("Role", "backend-api-secrets")["rules"] = [every]


@fault("reader-account-missing", "service's ServiceAccount deleted")
def _(environment):
    environment.drop("ServiceAccount", READER)


@fault("reader-not-declared", "RBAC")
def _(environment):
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
    metadata = {"name": "debug", "namespace": environment.namespace}
    environment.add({"kind": "Role", "metadata": {**metadata}, "rules": [rule]})
    somebody = {"kind": "User", "name": "jo"}
    role = {"kind": "Role", "name": "debug"}
    binding = {"kind": "RoleBinding", "metadata": metadata, "roleRef": role}
    environment.add({**binding, "subjects": [somebody]})


@fault("rotation-no-job", "rotation's CronJob deleted")
def _(environment):
    environment.drop("CronJob", "secrets-rotation")


@fault("rotation-suspended", "rotation suspended")
def _(environment):
    environment.get("CronJob", "secrets-rotation")["spec"]["suspend"] = True


@fault("rotation-failed", "rotation's Job failed")
def _(environment):
    owner = {"kind": "CronJob", "name": "secrets-rotation"}
    metadata = {"name": "secrets-rotation-1", "namespace": environment.namespace}
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    metadata["ownerReferences"] = [owner]
    environment.add({"kind": "Job", "metadata": metadata, "status": {"conditions": [failed]}})


@fault("rotation-part-missing", "rotation without its bounds")
def _(environment):
    name = "wren-production-rotation-pushes"
    environment.drop("ValidatingAdmissionPolicyBinding", name, "")


def memory(environment):
    return environment.get("ConfigMap", "secrets-rotation-memory")


@fault("rotation-no-memory", "rotation's memory lost")
def _(environment):
    environment.drop("ConfigMap", "secrets-rotation-memory")


@fault("rotation-not-run", "rotation never run")
def _(environment):
    memory(environment)["data"] = {"run": f'{{"started": "{ago(days=9)}", "done": true}}'}


@fault("rotation-refused", "rotation would be refused")
def _(environment):
    told = f'{{"started": "{ago(hours=1)}", "refused": true, "verdict": "no right"}}'
    memory(environment)["data"] = {"run": told}


@fault("rotation-taken-back", "rotation taken back")
def _(environment):
    told = f'{{"rotated": "{ago(days=3)}", "id": "2026-11-24", "failed": "stuck"}}'
    memory(environment)["data"]["jwt-secret"] = told


@fault("key-overdue", "overdue key")
def _(environment):
    memory(environment)["data"]["jwt-secret"] = f'{{"rotated": "{ago(days=400)}"}}'


def authority(*, days):
    """An authority's certificate that ends so many days after the snapshot, as a webhook has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "external-secrets")])
    end = datetime(2026, 11, 27, 3, tzinfo=UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=90))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return b64encode(made.public_bytes(Encoding.PEM)).decode()


def test_an_authority_that_ends_in_time_is_no_fault(environment):
    environment[HOOK]["webhooks"][0]["clientConfig"]["caBundle"] = authority(days=30)
    assert environment.diagnosed().findings == []


def test_a_leftover_of_an_old_crd_version_is_told_and_is_no_fault(environment):
    crd = environment.get("CustomResourceDefinition", "secretstores.external-secrets.io", "")
    crd["status"]["storedVersions"] = ["v1alpha1", "v1beta1", "v1"]
    [found] = environment.diagnosed().findings
    assert (found.check, found.is_fault) == ("crd-old-version", False)
    assert "v1alpha1, v1beta1" in found.what
    assert """-p '{"status": {"storedVersions": ["v1"]}}'""" in found.step


def test_a_leftover_of_a_kind_that_is_not_used_is_told_too(environment):
    """The chart has that kind too, and its upgrade would stop there."""
    name = "clustersecretstores.external-secrets.io"
    versions = [{"name": "v1beta1", "storage": False}, {"name": "v1", "storage": True}]
    crd = {"kind": "CustomResourceDefinition", "metadata": {"name": name}}
    status = {"storedVersions": ["v1beta1", "v1"]}
    environment.add({**crd, "spec": {"versions": versions}, "status": status})
    [found] = environment.diagnosed().findings
    assert (found.check, found.at.name) == ("crd-old-version", name)


def test_whatever_else_the_api_server_refuses_is_no_fault_of_the_webhook(environment):
    environment.refusal = 'User "jo" cannot patch resource "externalsecrets" in API group "…"'
    assert environment.diagnosed().findings == []


def test_one_event_that_waited_for_the_api_server_is_no_clock(environment):
    for minutes, late in ((1, 0), (2, 0), (3, 4)):
        when = ago(minutes=minutes + late)
        environment.warn("SecretStore", STORE, "unable to validate store", when=when)
        event = environment.of("Event")[-1]
        event["metadata"]["creationTimestamp"] = ago(minutes=minutes)
    assert environment.diagnosed().findings == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_by_its_check_alone(environment, name):
    check, happen = FAULTS[name]
    happen(environment)
    found = environment.diagnosed().faults
    assert {one.check for one in found} == {check}, found
