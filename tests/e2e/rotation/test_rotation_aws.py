"""A database's password that AWS rotates: the rotator asks for it or follows it, while clients log
in all the time. The half in AWS is declared by the real engine; moto holds it, and a function of
the tests' own rotates."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from platform_secrets.manifests.entries import identity_entries
from platform_secrets.manifests.providers.aws import role_arn, rotator_role
from tests.e2e.api_proxy import ApiProxy, Call, Forward, Reply
from tests.e2e.aws import REGION, Aws
from tests.e2e.aws_gate import AUDIENCE
from tests.e2e.aws_half import REFUSED, assume, put, store_of
from tests.e2e.aws_provider import AwsProvider
from tests.e2e.aws_rotation import USERS, AlternatingUsers, RotatingAwsGate
from tests.e2e.cluster import ISSUER, Cluster
from tests.e2e.cluster_issuer import ClusterIssuer
from tests.e2e.database_clients import KEY, Clients
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.environments import sync
from tests.e2e.kubelet import Kubelet
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.postgres import Postgres
from tests.e2e.process import Run
from tests.e2e.rotating import FAILED, NOTHING_DUE, ROTATED, Ended, Rotating
from tests.e2e.rotation.test_rotation_killed import Deaths
from tests.e2e.rotation_journey import Journey
from tests.e2e.stores import Stores, made_values
from tests.platform import STACK_FILES

NAME, ENTRY = "rotation-aws", "wren/production/database-url"
ACCOUNT = "123456789012"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotate-postgres"
DATABASE = "platform-secrets:environment.stores.aws.database"
READER = "Deployment/wren-backend-api"
STORE = {
    "provider": "aws",
    "region": REGION,
    "account-id": ACCOUNT,
    "backend": "declare",
    "shared": "own",
    "oidc-issuer": ISSUER,
    "recovery-window-days": 0,
}


@dataclass
class World:
    """The environment, after the run that first saw its keys, long ago."""

    gate: RotatingAwsGate
    made: Deployment
    journey: Journey
    clients: Clients
    function: AlternatingUsers
    first: Ended

    @property
    def place(self) -> Rotating:
        return self.journey.place

    @property
    def password(self) -> str:
        """The fingerprint of the URL in the services' Secret."""
        return self.place.secret(KEY)

    def starts(self, since: int) -> Counter[str]:
        happened = self.place.kubelet.of(NAME, since=since)
        return Counter(one.workload for one in happened if one.what == "started")

    def everybody_has_the_new_password(self) -> None:
        sync(self.place.cluster, NAME, "wren-secrets")
        assert {pod.values[KEY] for pod in self.place.readers(KEY)} == {self.password}
        assert self.clients.refused == []
        date = datetime.fromtimestamp(int(self.function.rotated_at[-1]), UTC)
        assert f'"rotated": "{date:%Y-%m-%dT%H:%M:%SZ}"' in self.place.memory[KEY]


@pytest.fixture(scope="module")
def world(run: Run, cluster: Cluster) -> Iterator[World]:
    aws, postgres = Aws(run, "moto-rotation"), Postgres(run, "rotation-aws-postgres")
    aws.make_function("rotate-postgres")
    function = AlternatingUsers(aws, postgres, ENTRY)
    issuer = ClusterIssuer(ISSUER, cluster.api.request("GET", "/openid/v1/jwks"))
    subject = f"system:serviceaccount:{NAME}:secrets-rotation"
    with ExitStack() as stack:
        gate = stack.enter_context(
            RotatingAwsGate(aws.url, issuer, {}, {}, aws, function=function, rotator=subject)
        )
        operator = OperatorRelease(run, cluster, env=dict.fromkeys(aws.operator_env, gate.url))
        made = stack.enter_context(
            deployment(
                *(run, cluster, operator, STACK_FILES["production-aws"]),
                name=NAME,
                ports={"aws": stack.enter_context(AwsProvider(aws).serve())},
                protect=False,
                stores={"aws": STORE},
                **{"namespace-name": NAME},
            )
        )
        made.stack.up()
        values = made_values(made.settings)
        put(aws, made.settings, values)
        function.prepare("postgres")
        made.stack.set_config(f"{DATABASE}.rotation-lambda-arn", FUNCTION)
        made.stack.set_config(f"{DATABASE}.ssl-mode", "disable")
        made.stack.up()
        function.forget_what_moto_staged()
        kubelet = Kubelet(cluster, [NAME])
        clients = Clients(postgres, kubelet, NAME)
        kubelet.pod_starts = clients.pod_starts
        stack.enter_context(kubelet)
        stores = cast(Stores, SimpleNamespace(aws=aws))
        place = Rotating(cluster, stores, made.settings, kubelet, run.folder / "rot-aws", values)
        place.aws_url = gate.url
        sync(cluster, NAME, "wren-secrets")
        place.start_workloads(replicas=1)
        place.wait_for_workloads()
        clients.start()
        stack.callback(clients.stop)
        proxy = stack.enter_context(ApiProxy(cluster, place.folder / "proxy"))
        journey = Journey(place, proxy, datetime.now(UTC) - timedelta(days=200))
        first = journey.rotate("--detailed-exit-code")
        journey.day = datetime.now(UTC)
        yield World(gate, made, journey, clients, function, first)


def test_the_first_run_rotates_nothing(world: World) -> None:
    assert world.first.code == NOTHING_DUE, world.first.text
    assert world.function.rotated_at == []


def test_when_the_password_is_due_aws_rotates_it_and_no_login_is_refused(world: World) -> None:
    """With the generated keys that are due too: all restarts are shared."""
    since = len(world.place.kubelet.happenings)
    done = world.journey.rotate()
    assert done.code == ROTATED, done.text
    assert len(world.function.rotated_at) == 1
    world.everybody_has_the_new_password()
    assert world.clients.users == [*USERS]
    assert world.starts(since)[READER] == 2
    again = world.journey.rotate("--detailed-exit-code")
    assert again.code == NOTHING_DUE, again.text


def test_the_rotator_s_role_rotates_the_one_entry_as_it_is_declared_and_reads_nothing(
    cluster: Cluster, world: World
) -> None:
    settings = world.made.settings
    role = role_arn(store_of(settings), rotator_role(settings, "aws"))
    client = client_of(world, cluster, role, "secrets-rotation")
    other = "arn:aws:lambda:eu-central-1:123456789012:function:other"
    tried: dict[str, Callable[[], Any]] = {
        "GetSecretValue": lambda: client.get_secret_value(SecretId=ENTRY),
        "PutSecretValue": lambda: client.put_secret_value(SecretId=ENTRY, SecretString="x"),
        "CancelRotateSecret": lambda: client.cancel_rotate_secret(SecretId=ENTRY),
        "another function": lambda: client.rotate_secret(SecretId=ENTRY, RotationLambdaARN=other),
        "another schedule": lambda: client.rotate_secret(
            SecretId=ENTRY, RotationRules={"AutomaticallyAfterDays": 999}
        ),
    }
    for entry in identity_entries(settings, "aws", "read").values():
        if entry != ENTRY:
            tried[f"describe {entry}"] = lambda e=entry: client.describe_secret(SecretId=e)
            tried[f"rotate {entry}"] = lambda e=entry: client.rotate_secret(SecretId=e)
    for what, call in tried.items():
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == REFUSED, what
    assert client.describe_secret(SecretId=ENTRY)["Name"] == ENTRY
    for account in ("wren-backend-api", "secrets-age-check", "aws-store", "aws-rotation-store"):
        with pytest.raises(ClientError):
            client_of(world, cluster, role, account)


def client_of(world: World, cluster: Cluster, role: str, account: str) -> Any:
    """A client of Secrets Manager with what the role gives for a token of the account."""
    keys = assume(world.gate, role, cluster.token(NAME, account, audience=AUDIENCE))
    return boto3.client(
        "secretsmanager",
        endpoint_url=world.gate.url,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def test_what_aws_rotates_by_itself_restarts_its_readers_once(world: World) -> None:
    before, since = world.password, len(world.place.kubelet.happenings)
    world.function.rotate_by_itself()
    done = world.journey.rotate()
    assert done.code == ROTATED, done.text
    again = world.journey.rotate("--detailed-exit-code")
    assert again.code == NOTHING_DUE, again.text
    world.everybody_has_the_new_password()
    assert world.password != before
    readers = {pod.workload for pod in world.place.readers(KEY)}
    assert world.starts(since) == dict.fromkeys(readers, 1)


@dataclass
class AwsDeaths:
    """Kills the rotator before and after each kind of call to AWS, and while it waits."""

    place: Rotating
    died: set[str] = field(default_factory=set)
    is_rotating: bool = False

    def __call__(self, method: str, forward: Callable[[], None]) -> None:
        self.is_rotating |= method == "RotateSecret"
        for when in ("before", "after"):
            death = f"{when} {method} {self.is_rotating}"
            if death not in self.died:
                self.died.add(death)
                if when == "after":
                    forward()
                assert self.place.process
                self.place.process.kill()
                return
        forward()


def test_killed_after_every_call_it_is_one_rotation(world: World) -> None:
    place, before = world.place, len(world.function.rotated_at)
    since, asked_at = len(place.kubelet.happenings), datetime.now(UTC) + timedelta(seconds=1)
    world.gate.meddle = aws_deaths = AwsDeaths(place)
    try:
        arguments = (f"--key={KEY}", f"--asked-at={asked_at.isoformat()}")
        deaths = Deaths(place, whens=("after",))

        def kill(call: Call, forward: Forward) -> Reply | None:
            """But for notes of what it is at, at which every rotation is killed elsewhere."""
            said = json.loads(call.body or b"{}")
            is_note = "secrets-rotation-memory" in call.path and KEY not in said.get("data", {})
            return forward() if is_note else deaths(call, forward)

        runs = world.journey.rotate_until_done(*arguments, meddle=kill)
    finally:
        world.gate.meddle = lambda _, forward: forward()
    assert runs[-1].code == ROTATED, runs[-1].text
    assert len(world.function.rotated_at) == before + 1
    assert {"before RotateSecret True", "after RotateSecret True"} <= aws_deaths.died
    world.everybody_has_the_new_password()
    readers = {pod.workload for pod in place.readers(KEY)}
    assert world.starts(since) == dict.fromkeys(readers, 1)


def test_a_rotation_that_fails_in_aws_is_told_of_and_the_next_run_has_it_finished(
    world: World,
) -> None:
    place, before = world.place, len(world.function.rotated_at)
    asked = (f"--key={KEY}", f"--asked-at={datetime.now(UTC) + timedelta(seconds=1):%FT%TZ}")
    world.function.works, place.plan_changes = False, {"sync_seconds": 2}
    try:
        failed = world.journey.rotate(*asked)
    finally:
        world.function.works, place.plan_changes = True, {}
    assert failed.code == FAILED, failed.text
    assert f"did not rotate {ENTRY} in 2 s, version " in failed.verdict
    assert "is AWSPENDING: the log of its function says why" in failed.verdict
    assert world.clients.refused == []
    done = world.journey.rotate(*asked)
    assert done.code == ROTATED, done.text
    assert len(world.function.rotated_at) == before + 1
    world.everybody_has_the_new_password()
