"""What an AWS half may have besides, on moto, through the real engine and the operator: EKS Pod
Identity, replicas, an entry that Secrets Manager rotates, and an alarm.

Moto runs no rotation function and delivers nothing to a topic: a rotation is a new value here, and
a queue stands beside the topic. It matches events by its own reading of EventBridge's language.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from platform_secrets.manifests.entries import identity_entries
from platform_secrets.manifests.providers.aws import role_arn, rotator_role
from platform_secrets.rotator.aws import Aws as RotatorAws
from platform_secrets.rotator.clock import Clock
from platform_secrets.rotator.keys import SecretsManager
from platform_secrets.rotator.operator_objects import StepError
from platform_secrets.rotator.plan import parse
from tests.e2e.aws import REGION, REPLICA_REGION, Aws
from tests.e2e.aws_gate import CHAIN
from tests.e2e.aws_half import names_in, put, role_of, store_of
from tests.e2e.aws_policies import DeclaredAwsGate
from tests.e2e.aws_provider import AwsProvider
from tests.e2e.cluster import ISSUER, Cluster
from tests.e2e.cluster_issuer import ClusterIssuer
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import Outcome
from tests.e2e.environments import ESO, fails, secret_values, sync, touch
from tests.e2e.pod_identity import AUDIENCE, PodIdentityAgent, PodIdentityRelease
from tests.e2e.process import Run
from tests.e2e.stores import made_values
from tests.platform import STACK_FILES

ACCOUNT = "123456789012"
LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotate-postgres"
OPERATOR = ("external-secrets-system", "external-secrets")
SUBJECT = "system:serviceaccount:" + ":".join(OPERATOR)
OPERATOR_ROLE = f"arn:aws:iam::{ACCOUNT}:role/eso"
ENTRY = "wren/production/database-url"
DATABASE = "platform-secrets:environment.stores.aws.database.rotation-lambda-arn"
STORE = {
    "provider": "aws",
    "region": REGION,
    "account-id": ACCOUNT,
    "backend": "declare",
    "shared": "own",
    "identity": "pod-identity",
    "operator-role": "eso",
    "eks-cluster": "main",
    "recovery-window-days": 0,
    "replica-regions": [REPLICA_REGION],
    "alarm": {
        "topic-arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:security",
        "other-readers": ["rotate-postgres"],
    },
}


@dataclass
class Half:
    """The environment, up, with a value in every entry; `again` is what second runs found."""

    aws: Aws
    gate: DeclaredAwsGate
    agent: PodIdentityAgent
    made: Deployment
    values: dict[str, str]
    account: dict[str, Any]
    again: list[Outcome]

    @property
    def namespace(self) -> str:
        return self.made.settings.namespace

    def rotate(self, **parts: str | int) -> None:
        """What the function does at the end: the entry holds an account with another password."""
        self.account |= {"password": secrets.token_hex() + "/@: %+", **parts}
        client = self.aws.client("secretsmanager")
        client.put_secret_value(SecretId=ENTRY, SecretString=json.dumps(self.account))

    @property
    def url(self) -> str:
        one = self.account
        user, password = (quote(one[part], safe="") for part in ("username", "password"))
        place = f"{one['host']}:{one['port']}/{one['dbname']}"
        return f"postgresql://{user}:{password}@{place}?sslmode=verify-full"


@pytest.fixture(scope="module")
def half(run: Run, cluster: Cluster) -> Iterator[Half]:
    aws = Aws(run, "moto-options")
    aws.make_function("rotate-postgres")
    issuer = ClusterIssuer(ISSUER, cluster.api.request("GET", "/openid/v1/jwks"))
    with ExitStack() as stack:
        gate = stack.enter_context(DeclaredAwsGate(aws.url, issuer, {}, {}, aws))
        agent = stack.enter_context(PodIdentityAgent(gate))
        env = dict.fromkeys(aws.operator_env, gate.url)
        operator = PodIdentityRelease(run, cluster, agent=agent, account=OPERATOR, env=env)
        example = STACK_FILES["production-aws"]
        made = stack.enter_context(
            deployment(
                run,
                cluster,
                operator,
                example,
                name="half-aws-options",
                ports={"aws": stack.enter_context(AwsProvider(aws).serve())},
                protect=False,
                stores={"aws": STORE},
                **{"namespace-name": "half-aws-options"},
            )
        )
        made.stack.up()
        values = made_values(made.settings)
        put(aws, made.settings, values)
        account: dict[str, Any] = {
            "username": "wren user",
            "host": "db.example.com",
            "dbname": "wren",
        }
        found = Half(aws, gate, agent, made, values, account, [])
        found.rotate(port=5432)
        made.stack.set_config(DATABASE, LAMBDA)
        made.stack.up()
        found.again += [made.stack.preview(), made.stack.refresh()]
        yield found


def test_a_second_run_and_a_refresh_find_nothing_to_do(half: Half) -> None:
    assert [outcome.changes for outcome in half.again] == [{}] * 2


def test_the_operator_reads_as_the_role_that_its_own_role_assumes(
    cluster: Cluster, half: Half
) -> None:
    half.gate.calls.clear()
    for bundle in half.made.settings.catalogue.bundles.values():
        sync(cluster, half.namespace, bundle.secret)
        expected = {key: half.values[key] for key in bundle.keys} | (
            {"database-url": half.url} if "database-url" in bundle.keys else {}
        )
        assert secret_values(cluster, half.namespace, bundle.secret) == expected
    reader = role_of(half.made.settings, "read")
    assert (CHAIN, reader, SUBJECT) in half.gate.calls
    assert {call.subject for call in half.gate.calls} == {SUBJECT}


def test_pod_identity_is_for_the_operator_s_account_and_its_role_may_nothing_but_assume(
    cluster: Cluster, half: Half
) -> None:
    reader, rotator = (role_of(half.made.settings, one) for one in ("read", "rotation"))
    own = cluster.token(*OPERATOR, audience=AUDIENCE)
    other = cluster.token(half.namespace, "wren-backend-api", audience=AUDIENCE)
    assert half.agent.credentials(own)
    assert half.agent.credentials(other) is None
    assert half.agent.credentials(cluster.token(*OPERATOR)) is None
    assert half.gate.may_chain(reader, OPERATOR_ROLE)
    assert half.gate.may_chain(rotator, OPERATOR_ROLE)
    assert not half.gate.may_chain(reader, rotator)
    assert not half.gate.may_assume(reader, f"system:serviceaccount:{half.namespace}:aws-store")
    assert half.gate.rights(OPERATOR_ROLE)["Statement"] == []


def test_the_rotator_s_pods_have_the_one_entry_rotated_and_see_no_value(
    cluster: Cluster, half: Half, tmp_path: Path
) -> None:
    settings = half.made.settings
    held = cluster.api.get("v1", "ConfigMap", "secrets-rotation-plan", half.namespace)
    rotated = parse((held or {})["data"]["plan.json"]).keys["database-url"]
    assert isinstance(rotated, SecretsManager)
    here = replace(rotated, credentials=half.agent.url, secrets_manager=half.gate.url)
    token = cluster.token(half.namespace, "secrets-rotation", audience=AUDIENCE)
    (tmp_path / AUDIENCE).write_text(token, encoding="utf-8")
    assert RotatorAws(Clock(), tmp_path).describe(here)["Name"] == ENTRY
    role = role_arn(store_of(settings), rotator_role(settings, "aws"))
    methods = ("DescribeSecret", "RotateSecret", "GetSecretValue", "PutSecretValue")
    may = {
        (method, entry)
        for entry in identity_entries(settings, "aws", "read").values()
        for method in half.gate.allowed(role, methods, entry)
    }
    assert may == {("DescribeSecret", ENTRY), ("RotateSecret", ENTRY)}
    (tmp_path / AUDIENCE).write_text(cluster.token(half.namespace, "secrets-age-check"))
    with pytest.raises(StepError, match="Pod Identity's agent: AWS answers 404"):
        RotatorAws(Clock(), tmp_path).describe(here)


def test_the_operator_without_an_association_is_refused(cluster: Cluster, half: Half) -> None:
    association = half.aws.associations.pop(OPERATOR)
    assert half.agent.credentials(cluster.token(*OPERATOR, audience=AUDIENCE)) is None
    half.aws.associations[OPERATOR] = {**association, "clusterName": "other"}
    assert half.agent.credentials(cluster.token(*OPERATOR, audience=AUDIENCE)) is None
    half.aws.associations[OPERATOR] = association


def test_readers_may_read_a_replica_and_who_writes_may_only_have_it_encrypted(half: Half) -> None:
    settings, gate = half.made.settings, half.gate
    reader, rotator = (role_of(settings, one) for one in ("read", "rotation"))
    actions = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant")
    for entry in identity_entries(settings, "aws", "read").values():
        assert gate.may(reader, "GetSecretValue", entry, REPLICA_REGION)
        assert not gate.may(reader, "PutSecretValue", entry, REPLICA_REGION)
        assert not gate.may(rotator, "GetSecretValue", entry, REPLICA_REGION)
        key = half.aws.replica_keys[REPLICA_REGION, entry]
        through = {"kms:ViaService": f"secretsmanager.{REPLICA_REGION}.amazonaws.com"}
        may = [gate.may_use_key(role, actions, key, through) for role in (reader, rotator)]
        assert may == [{"kms:Decrypt"}, {"kms:Encrypt", "kms:GenerateDataKey"}]
        assert gate.may_use_key(reader, actions, key, {}) == set()


def test_when_the_region_is_gone_the_store_is_led_to_a_replica(
    cluster: Cluster, half: Half
) -> None:
    def lead(region: str) -> None:
        spec = {"provider": {"aws": {"region": region}}}
        cluster.api.patch(ESO, "SecretStore", "aws-store", half.namespace, {"spec": spec})

    half.gate.unavailable.add(REGION)
    try:
        touch(cluster, half.namespace, "wren-chat-server-secrets")
        fails(cluster, half.namespace, "wren-chat-server-secrets")
        lead(REPLICA_REGION)
        sync(cluster, half.namespace, "wren-chat-server-secrets")
    finally:
        half.gate.unavailable.clear()
        lead(REGION)
    found = secret_values(cluster, half.namespace, "wren-chat-server-secrets")
    assert found == {"chat-server-secret": half.values["chat-server-secret"]}


def test_secrets_manager_rotates_the_entry_and_the_url_follows(
    cluster: Cluster, half: Half
) -> None:
    found = half.aws.client("secretsmanager").describe_secret(SecretId=ENTRY)
    assert (found["RotationEnabled"], found["RotationLambdaARN"]) == (True, LAMBDA)
    assert found["RotationRules"] == {"AutomaticallyAfterDays": 180}
    assert not found.get("Tags")
    policy = json.loads(half.aws.client("lambda").get_policy(FunctionName=LAMBDA)["Policy"])
    [allowed] = policy["Statement"]
    assert allowed["Principal"] == {"Service": "secretsmanager.amazonaws.com"}
    assert allowed["Condition"] == {"StringEquals": {"AWS:SourceAccount": ACCOUNT}}
    half.rotate()
    sync(cluster, half.namespace, "wren-secrets")
    assert held(cluster, half)["database-url"] == half.url


def held(cluster: Cluster, half: Half) -> dict[str, str]:
    return secret_values(cluster, half.namespace, "wren-secrets") or {}


@pytest.mark.parametrize("kept", [{}, {"port": ""}, None])
def test_while_a_part_of_the_account_is_missing_the_secret_keeps_its_url(
    cluster: Cluster, half: Half, kept: dict[str, str] | None
) -> None:
    sync(cluster, half.namespace, "wren-secrets")
    client = half.aws.client("secretsmanager")
    broken = "no JSON" if kept is None else json.dumps(kept and half.account | kept)
    client.put_secret_value(SecretId=ENTRY, SecretString=broken)
    touch(cluster, half.namespace, "wren-secrets")
    fails(cluster, half.namespace, "wren-secrets")
    assert held(cluster, half)["database-url"] == half.url
    client.put_secret_value(SecretId=ENTRY, SecretString=json.dumps(half.account))
    sync(cluster, half.namespace, "wren-secrets")


def test_no_password_is_in_the_state(half: Half) -> None:
    state = half.made.stack.state_text
    assert not [v for v in (*half.values.values(), half.account["password"]) if v in state]


def test_a_destroy_takes_the_replicas_with_their_entries(half: Half) -> None:
    half.made.stack.unprotect()
    half.made.stack.destroy()
    for aws in (half.aws, half.aws.at(REPLICA_REGION)):
        left = {name for name in names_in(aws) if not name.startswith("alias/aws/")}
        assert left == {"eso", "rotate-postgres"}
