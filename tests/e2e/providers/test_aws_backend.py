"""The provider half of AWS on moto: declared by the real engine, used by the operator, and tried by
every identity on every entry of both environments. Who may what is decided by the policies that
moto holds, as `aws_policies.py` reads them; no test here asks AWS itself."""

import itertools
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from platform_secrets.manifests.entries import identity_entries
from platform_secrets.settings import Identity
from tests.e2e.aws import REGION, Aws
from tests.e2e.aws_gate import ASSUME, AUDIENCE
from tests.e2e.aws_half import assume, calls, client_of, key_of, names_in, push, put, role_of
from tests.e2e.aws_policies import DeclaredAwsGate
from tests.e2e.aws_provider import AwsProvider
from tests.e2e.cluster import ISSUER, Cluster
from tests.e2e.cluster_issuer import ClusterIssuer
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import EngineError, Outcome
from tests.e2e.environments import secret_values, sync
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.stores import made_values
from tests.platform import STACK_FILES

IDENTITIES: tuple[Identity, ...] = ("read", "rotation", "seed")
READ = {"GetSecretValue"}
PUSH = READ | {"DescribeSecret", "PutSecretValue", "DeleteResourcePolicy"}
MAY: dict[Identity, set[str]] = {"read": READ, "rotation": PUSH, "seed": PUSH}
CALLS = (
    *("GetSecretValue", "DescribeSecret", "PutSecretValue", "DeleteResourcePolicy", "TagResource"),
    *("UntagResource", "PutResourcePolicy", "UpdateSecret", "DeleteSecret"),
)


@dataclass
class Halves:
    """Production, protected, which owns what both share, and staging, its guest; both up, with
    values in all entries but the derived keys'."""

    aws: Aws
    gate: DeclaredAwsGate
    production: Deployment
    staging: Deployment
    again: list[Outcome]
    values: dict[str, dict[str, str]]

    def __iter__(self) -> Iterator[Deployment]:
        return iter((self.production, self.staging))


@pytest.fixture(scope="module")
def gate(run: Run, cluster: Cluster) -> Iterator[DeclaredAwsGate]:
    aws = Aws(run, "moto-half")
    issuer = ClusterIssuer(ISSUER, cluster.api.request("GET", "/openid/v1/jwks"))
    with DeclaredAwsGate(aws.url, issuer, {}, {}, aws) as gate:
        yield gate


@pytest.fixture(scope="module")
def halves(run: Run, cluster: Cluster, gate: DeclaredAwsGate) -> Iterator[Halves]:
    operator = OperatorRelease(run, cluster, env=dict.fromkeys(gate.aws.operator_env, gate.url))
    own = {
        "provider": "aws",
        "region": REGION,
        "account-id": "123456789012",
        "backend": "declare",
        "oidc-issuer": ISSUER,
    }
    example = STACK_FILES["production-aws"]
    with ExitStack() as stack:
        ports = {"aws": stack.enter_context(AwsProvider(gate.aws).serve())}
        each: list[dict[str, Any]] = [
            {"operator": "install", "protect": True, "stores": {"aws": own | {"shared": "own"}}},
            {
                "environment": "staging",
                "operator": "existing",
                "protect": False,
                "stores": {"aws": own | {"recovery-window-days": 0}},
            },
        ]
        made = []
        for changes in each:
            name = changes.get("environment", "production")
            arguments = (run, cluster, operator, example)
            more = {
                "namespace-name": f"half-aws-{name}",
                "seeding": {"groups": ["wren-operators"]},
                **changes,
            }
            made.append(
                stack.enter_context(
                    deployment(*arguments, name=f"half-aws-{name}", ports=ports, **more)
                )
            )
            made[-1].stack.up()
        values = {one.settings.namespace: made_values(one.settings) for one in made}
        for one in made:
            put(gate.aws, one.settings, values[one.settings.namespace])
        again = [one.stack.preview() for one in made] + [one.stack.refresh() for one in made]
        yield Halves(gate.aws, gate, made[0], made[1], again, values)


def test_a_second_run_and_a_refresh_find_nothing_to_do(halves: Halves) -> None:
    assert [outcome.changes for outcome in halves.again] == [{}] * 4


def test_the_operator_reads_through_what_was_declared(cluster: Cluster, halves: Halves) -> None:
    for one in halves:
        namespace = one.settings.namespace
        for bundle in one.settings.catalogue.bundles.values():
            sync(cluster, namespace, bundle.secret)
            expected = {key: halves.values[namespace][key] for key in bundle.keys}
            assert secret_values(cluster, namespace, bundle.secret) == expected


def test_every_identity_may_do_with_every_entry_what_it_is_for_and_nothing_else(
    halves: Halves,
) -> None:
    for one, identity in itertools.product(halves, IDENTITIES):
        role = role_of(one.settings, identity)
        own = set(identity_entries(one.settings, "aws", identity).values())
        for other in halves:
            for entry in identity_entries(other.settings, "aws", "read").values():
                found = halves.gate.allowed(role, CALLS, entry)
                assert found == (MAY[identity] if entry in own else set()), (identity, entry)


def test_a_role_s_own_credentials_are_refused_what_the_role_may_not(
    cluster: Cluster, halves: Halves
) -> None:
    for one, identity in itertools.product(halves, IDENTITIES):
        client = client_of(cluster, halves.gate, one.settings, identity)
        assert (
            calls(client, f"wren/{one.settings.environment.environment}/jwt-secret")
            == {
                "read": READ,
                "rotation": READ | {"DescribeSecret"},
                "seed": READ | {"DescribeSecret"},
            }[identity]
        )
        other = "production" if one is halves.staging else "staging"
        assert calls(client, f"wren/{other}/jwt-secret") == set()


def test_a_token_of_another_account_or_audience_is_refused(
    cluster: Cluster, halves: Halves
) -> None:
    production = halves.production.settings
    reader = role_of(production, "read")
    for account, audience, role in (
        ("aws-store", AUDIENCE, role_of(production, "rotation")),
        ("aws-store", AUDIENCE, role_of(halves.staging.settings, "read")),
        ("wren-backend-api", AUDIENCE, reader),
        ("aws-store", ISSUER, reader),
    ):
        token = cluster.token(production.namespace, account, audience=audience)
        with pytest.raises(ClientError, match=ASSUME):
            assume(halves.gate, role, token)


def test_no_role_may_use_the_key_but_through_secrets_manager_of_its_region(
    halves: Halves,
) -> None:
    through = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
    for one, identity in itertools.product(halves, IDENTITIES):
        role, key = role_of(one.settings, identity), key_of(halves.aws, one.settings)
        expected = {"kms:Decrypt"} | ({"kms:GenerateDataKey"} if identity != "read" else set())
        actions = ("kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt", "kms:CreateGrant")
        may = halves.gate.may_use_key
        assert may(role, actions, key, through) == expected
        elsewhere = {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}
        for context in ({}, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}, elsewhere):
            assert may(role, actions, key, context) == set()
        [other] = [key_of(halves.aws, each.settings) for each in halves if each is not one]
        assert may(role, actions, other, through) == set()


def test_the_operator_pushes_into_an_empty_entry_and_over_a_value_and_not_without_the_right(
    cluster: Cluster, halves: Halves
) -> None:
    settings = halves.production.settings
    client = halves.aws.client("secretsmanager")
    empty = "wren/production/jwt-secret-next"
    assert not client.describe_secret(SecretId=empty).get("VersionIdsToStages")
    for entry in (empty, empty):
        value = secrets.token_hex()
        push(cluster, settings, "rotation", entry, value)
        found = client.get_secret_value(SecretId=entry)
        assert found["SecretString"] == value
    tags = client.describe_secret(SecretId=empty)["Tags"]
    assert tags == [{"Key": "managed-by", "Value": "external-secrets"}]
    with pytest.raises(AssertionError, match="not authorized"):
        push(cluster, settings, "rotation", "wren/staging/jwt-secret-next", value)
    assert halves.production.stack.refresh().changes == {}


def test_no_value_is_in_the_state(halves: Halves) -> None:
    for one in halves:
        state = one.stack.state_text
        assert not [v for v in halves.values[one.settings.namespace].values() if v in state]


def test_a_destroy_in_a_protected_environment_is_refused_and_takes_nothing(
    halves: Halves,
) -> None:
    before = names_in(halves.aws)
    with pytest.raises(EngineError, match="protect"):
        halves.production.stack.destroy_by_command()
    assert names_in(halves.aws) == before


def test_a_destroy_without_protection_leaves_nothing_and_takes_nothing_shared(
    halves: Halves,
) -> None:
    halves.staging.stack.destroy()
    left = names_in(halves.aws)
    assert not [name for name in left if "staging" in name]
    assert [name for name in left if "oidc-provider" in name]
    assert halves.production.stack.refresh().changes == {}
