"""What the doctor finds in an environment: nothing in a healthy one, and each fault by its name."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from platform_secrets.diagnosing.diagnosis import LAYER_OF, LAYERS
from platform_secrets.diagnosing.ground import NOT_INSTALLED
from platform_secrets.rotator.contract import ROTATION_ID, SYNC_TOKEN
from platform_secrets.settings import catalogue_document, load, stack_document
from tests.conftest import PROJECT
from tests.healthy_environment import HOOK, LEASE, OPERATOR, OPERATORS, Environment, ago, production
from tests.platform import CATALOGUE_FILE, STACK_FILES

SECRET, STORE, ENTRY = "wren-secrets", "vault-store", "wren/production"
READER = "wren-backend-api"
EXTRACT = "error processing spec.dataFrom[0].extract, err: "
FAULTS: dict[str, tuple[str, Callable[[Environment], object]]] = {}


@pytest.fixture
def environment():
    return Environment(production())


def fault(check, name):
    def add(happen):
        FAULTS[name] = check, happen
        return happen

    return add


def test_a_healthy_environment_has_nothing_to_say(environment):
    found = environment.diagnosed()
    assert (found.findings, found.following, found.unread) == ([], {}, {})


@pytest.mark.parametrize("name", STACK_FILES)
def test_every_example_is_healthy_when_all_is_as_it_asks(name):
    [settings] = load([stack_document(STACK_FILES[name])], catalogue_document(CATALOGUE_FILE))
    assert Environment(settings).diagnosed().findings == []


def test_every_fault_is_named_by_its_check_and_its_layer_alone():
    assert len(FAULTS) >= 30
    wrong = {}
    for name, (check, happen) in FAULTS.items():
        environment = Environment(production())
        happen(environment)
        found = environment.diagnosed()
        if [one.check for one in found.faults[:1]] != [check]:
            wrong[name] = check, found.faults
        elif {one.check for one in found.faults} != {check}:
            wrong[name] = "more than it", found.faults
    assert wrong == {}


def test_nothing_of_a_provider_answer_is_passed_on(environment):
    """It may quote anything."""
    for kind, name in (("ExternalSecret", SECRET), ("SecretStore", STORE)):
        environment.fail(kind, name, f"{EXTRACT}canary-51c0 permission denied canary-51c0")
    found = environment.diagnosed()
    assert found.faults
    assert "canary-51c0" not in str(found)


def test_an_environment_without_values_yet_is_told_what_to_do():
    environment = Environment(production(), is_running=False)
    for one in environment.of("ExternalSecret"):
        name = one["metadata"]["name"]
        del one["status"]
        environment.fail("ExternalSecret", name, f"{EXTRACT}Secret does not exist")
        environment.drop("Secret", name)
    found = environment.diagnosed()
    assert found.faults == []
    assert {one.check for one in found.findings} == {"values-not-put-in"}
    todo = found.findings[0]
    assert "secretsctl seed --env production" in todo.step
    assert "secretsctl put-commands --env production" in todo.step


def test_a_rotation_in_flight_is_no_fault(environment):
    """The rotator touches the ExternalSecret, writes the Secret and restarts its readers."""
    live = environment.get("ExternalSecret", SECRET)
    live["metadata"]["annotations"] = {SYNC_TOKEN: "2026-11-27"}
    mark = {"annotations": {ROTATION_ID: "2026-11-27"}}
    metadata = {"name": "rotation-staged-jwt", "namespace": environment.namespace, **mark}
    environment.add({"kind": "ExternalSecret", "metadata": metadata, "spec": {}})
    secret = environment.get("Secret", SECRET)
    secret["metadata"]["managedFields"] = [{"time": ago(seconds=20)}]
    assert environment.diagnosed().faults == []


def test_a_migration_that_has_not_run_is_no_fault():
    changes = {"migrating": ["backend-api"], "seeding": {"groups": ["wren-operators"]}}
    environment = Environment(settings_with(changes))
    name = "wren-backend-api-secrets"
    environment.fail("ExternalSecret", name, "configmap has no adopt", said="x")
    found = environment.diagnosed()
    assert [(one.check, one.is_fault) for one in found.findings] == [("migration-not-done", False)]
    assert "secretsctl migrate backend-api --env production" in found.findings[0].step


def test_what_may_not_be_looked_at_is_said_and_not_called_healthy(environment):
    for one in environment.of("Secret"):
        environment.drop("Secret", one["metadata"]["name"])
    place = f"Secret/{environment.namespace}"
    environment.unread = {place: "forbidden: User jo cannot list resource secrets"}
    found = environment.diagnosed()
    assert found.faults == []
    [told] = found.findings
    assert told.check == "not-looked-at"
    assert "kubectl auth can-i list secrets -n wren-production" in told.step
    assert [*found.unread] == ["secret"]


def test_a_kind_that_is_not_installed_hides_nothing(environment):
    environment.unread = {"Rollout": NOT_INSTALLED}
    assert (environment.diagnosed().findings, environment.diagnosed().unread) == ([], {})


def test_names_in_another_order_are_the_same_right(environment):
    for kind in ("Role", "RoleBinding"):
        for one in environment.of(kind):
            for rule in one.get("rules", []):
                for names in rule.values():
                    names.reverse()
            one.get("rules", []).reverse()
            one.get("subjects", []).reverse()
    assert environment.diagnosed().findings == []


def test_a_label_that_others_add_to_a_secret_makes_no_pod_stale(environment):
    live = environment.get("Secret", SECRET)
    label = {"manager": "kubectl-label", "time": ago(minutes=5)}
    live["metadata"]["managedFields"].append(label)
    assert environment.diagnosed().findings == []


def test_a_secret_that_pods_have_by_their_account_is_referred_to(environment):
    account = environment.get("ServiceAccount", READER)
    account["imagePullSecrets"] = [{"name": SECRET}, {"name": "wren-backend-api-secrets"}]
    spec = environment.get("Deployment", READER)["spec"]["template"]["spec"]
    spec["serviceAccountName"] = READER
    del container(environment)["envFrom"]
    assert environment.diagnosed().findings == []


def test_what_follows_from_a_fault_is_no_fault_of_its_own(environment):
    environment.drop("ServiceAccount", STORE)
    environment.fail("SecretStore", STORE, f'ServiceAccount "{STORE}" not found')
    for one in environment.of("ExternalSecret"):
        name = one["metadata"]["name"]
        environment.fail("ExternalSecret", name, f'SecretStore "{STORE}" is not ready')
    environment.drop("Secret", SECRET)
    found = environment.diagnosed()
    [root] = found.faults
    assert root.check == "account-missing"
    following = {one.check for one in found.following[root]}
    assert following == {"store-no-token", "external-secret-not-synced", "secret-missing"}


def test_a_fault_of_one_bundle_hides_none_of_another(environment):
    environment.fail("ExternalSecret", SECRET, f"{EXTRACT}Secret does not exist")
    environment.drop("Secret", "wren-backend-api-secrets")
    checks = [one.check for one in environment.diagnosed().faults]
    assert checks == ["entry-missing", "secret-missing"]


def test_a_key_is_named_that_has_no_value_in_its_entry(environment):
    environment.fail("ExternalSecret", SECRET, f"template: {ENTRY} has no redis-url", said="x")
    [found] = environment.diagnosed().faults
    assert (found.key, found.at.name) == ("shared/redis-url", SECRET)
    assert "secretsctl put-commands shared/redis-url --env production" in found.step


def test_a_network_policy_that_lets_the_operator_out_nowhere_is_named():
    """Beside an operator of others: there is none of ours that would let it out."""
    environment = Environment(settings_with({"operator": "existing"}))
    assert environment.diagnosed().faults == []
    metadata = {"name": "deny-all", "namespace": OPERATORS}
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    environment.add({"kind": "NetworkPolicy", "metadata": metadata, "spec": spec})
    environment.fail("SecretStore", STORE, "dial tcp: i/o timeout")
    found = environment.diagnosed()
    [root] = found.faults
    assert (root.check, LAYER_OF[root.check]) == ("network-blocked", "network")
    assert "store vault (port 8200)" in root.what or "store vault (port 443)" in root.what
    assert [one.check for one in found.following[root]] == ["store-unreachable"]


def settings_with(changes):
    document = stack_document(STACK_FILES["production"])
    assert isinstance(document.content, dict)
    changed = replace(document, content={**document.content, **changes})
    [settings] = load([changed], catalogue_document(CATALOGUE_FILE))
    return settings


def test_each_check_has_a_heading_and_each_heading_a_check():
    text = (PROJECT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    _, _, by_check = text.partition("## By check")
    headings = re.findall(r"^### ([a-z0-9-]+)$", by_check, re.MULTILINE)
    assert headings == [check for layer in LAYERS for check in layer.checks]
    assert len(LAYER_OF) == len(headings)


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


@fault("crd-old-version", "leftover of an old CRD version")
def _(environment):
    crd = environment.get("CustomResourceDefinition", "secretstores.external-secrets.io", "")
    crd["status"]["storedVersions"] = ["v1beta1", "v1"]


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


def container(environment):
    return environment.get("Deployment", READER)["spec"]["template"]["spec"]["containers"][0]


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
    environment.get("Role", "backend-api-secrets")["rules"][0]["verbs"] = ["get", "list"]


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
