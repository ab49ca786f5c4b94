"""Entries that were there before the stack: read where they are, by exact rights, and left as they
are by an update, a rotation and a destroy, unless the stack file allows writes. On OpenBao and
moto, declared by the real engine, read and rotated by the real operator."""

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from platform_secrets.manifests.external_secret import external_secret_manifests, reads_per_refresh
from tests.e2e.aws import REGION, Aws
from tests.e2e.aws_half import client_of
from tests.e2e.aws_policies import DeclaredAwsGate
from tests.e2e.aws_provider import AwsProvider
from tests.e2e.cluster import ISSUER, Cluster
from tests.e2e.cluster_issuer import ClusterIssuer
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.environments import secret_values, sync
from tests.e2e.kubelet import Kubelet
from tests.e2e.openbao import OpenBaoError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.providers.test_vault_backend import FORBIDDEN, login
from tests.e2e.rotating import ROTATED, Rotating
from tests.e2e.stores import Stores
from tests.e2e.vault_provider import VaultProvider
from tests.platform import STACK_FILES

NAME = "places"
MARK = {"Key": "managed-by", "Value": "external-secrets"}
FIRST, DUE = "2027-01-01T03:17:00Z", "2027-04-01T03:17:00Z"
READ_ONLY, WRITTEN, NEIGHBOUR = "places/login", "places/chat", "places/login-next-door"
OLD = "places/old"
BUCKET = "places/bucket"
BOARD, BOARD_NEIGHBOUR = "places/board", "places/board-abcdef"
BUNDLES: dict[str, Any] = {
    "shared": {
        "keys": {
            "database-url": {"entry": READ_ONLY, "property": "url"},
            "redis-url": {"entry": READ_ONLY, "property": "nested.redis"},
        }
    },
    "chat-server": {
        "entry": WRITTEN,
        "writes": "allowed",
        "keys": {
            "chat-server-secret": {"property": "token"},
            "old-token": {"entry": OLD, "property": "token", "version": "1"},
        },
    },
    "backend-api": {
        "store": "aws",
        "keys": {
            "stripe-api-key": {"entry": "by its ARN", "property": "stripe"},
            "smtp-password": {"entry": "by its ARN", "property": "smtp"},
            "s3-secret-key": {"entry": BUCKET, "writes": "allowed"},
        },
    },
}
WITHOUT = {"bundles": ["stream-server"], "keys": ["backend-api/s3-access-key"]}


@dataclass
class World:
    """The environment, up; `values` by entry and property, as they were before it."""

    made: Deployment
    stores: Stores
    gate: DeclaredAwsGate
    values: dict[str, dict[str, Any]]

    def board(self) -> tuple[dict[str, str], int, list[Any]]:
        """What the entry in AWS holds, how many versions it has, and its marks."""
        client = self.gate.aws.client("secretsmanager")
        found = client.get_secret_value(SecretId=BOARD)["SecretString"]
        versions = client.list_secret_version_ids(SecretId=BOARD)["Versions"]
        return (
            json.loads(found),
            len(versions),
            client.describe_secret(SecretId=BOARD).get("Tags", []),
        )

    def is_untouched(self) -> bool:
        kept = self.stores.bao.read(f"secret/data/{READ_ONLY}")
        is_first = kept["metadata"]["version"] == 1 and not kept["metadata"]["custom_metadata"]
        return (
            is_first
            and kept["data"] == self.values[READ_ONLY]
            and self.board() == (self.values[BOARD], 1, [])
        )


def made_values() -> dict[str, dict[str, Any]]:
    def token() -> str:
        return secrets.token_hex(20)

    return {
        READ_ONLY: {
            "url": f"postgresql://wren:{token()}@db/wren",
            "nested": {"redis": f"redis://:{token()}@redis/0"},
            "other": token(),
        },
        WRITTEN: {"token": token(), "a name with blanks": token()},
        NEIGHBOUR: {"url": token()},
        OLD: {"token": token()},
        BUCKET: {"it": token()},
        BOARD: {"stripe": f"sk_test_{token()}", "smtp": token(), "other": token()},
        BOARD_NEIGHBOUR: {"smtp": token()},
    }


@pytest.fixture(scope="module")
def world(run: Run, cluster: Cluster, stores: Stores) -> Iterator[World]:
    values, aws = made_values(), Aws(run, "moto-places")
    for entry in (READ_ONLY, WRITTEN, NEIGHBOUR, OLD):
        stores.bao.write(f"secret/data/{entry}", data=values[entry])
    stores.bao.write(f"secret/data/{OLD}", data={"token": secrets.token_hex(20)})
    bundles = deepcopy(BUNDLES)
    for entry in (BOARD_NEIGHBOUR, BOARD):
        arn = aws.client("secretsmanager").create_secret(
            Name=entry, SecretString=json.dumps(values[entry])
        )["ARN"]
    for key in ("stripe-api-key", "smtp-password"):
        bundles["backend-api"]["keys"][key]["entry"] = arn
    aws.client("secretsmanager").create_secret(Name=BUCKET, SecretString=values[BUCKET]["it"])
    issuer = ClusterIssuer(ISSUER, cluster.api.request("GET", "/openid/v1/jwks"))
    reviewer = cluster.of_vaults_pod()
    with ExitStack() as stack:
        gate = stack.enter_context(DeclaredAwsGate(aws.url, issuer, {}, {}, aws))
        env = stores.operator_env | dict.fromkeys(aws.operator_env, gate.url)
        ports = {
            "vault": stack.enter_context(VaultProvider(stores.bao, reviewer).serve()),
            "aws": stack.enter_context(AwsProvider(aws).serve()),
        }
        made = stack.enter_context(
            deployment(
                *(run, cluster, OperatorRelease(run, cluster, env=env)),
                STACK_FILES["two-stores"],
                name=NAME,
                ports=ports,
                protect=False,
                seeding={"groups": ["wren-operators"]},
                bundles=bundles,
                without=WITHOUT,
                stores={
                    "vault": {
                        "provider": "vault",
                        "server": "https://vault.example.com:8200",
                        "backend": "declare",
                        "auth": "own",
                        "auth-mount": "places-kubernetes",
                        "cluster-api-server": cluster.url,
                        "entry-pattern": "places/{environment}/{bundle}",
                    },
                    "aws": {
                        "provider": "aws",
                        "region": REGION,
                        "account-id": "123456789012",
                        "backend": "declare",
                        "shared": "own",
                        "oidc-issuer": ISSUER,
                        "recovery-window-days": 0,
                    },
                },
                **{"namespace-name": NAME},
            )
        )
        declare_old_token(made)
        made.stack.up()
        yield World(made, stores, gate, values)


def declare_old_token(made: Deployment) -> None:
    """A key without `rotate`, which the project's catalogue has none of."""
    file = made.folder / "catalogue.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["bundles"]["chat-server"]["keys"]["old-token"] = {"description": "of the old server"}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture(scope="module")
def filled(world: World) -> World:
    """With values in the environment's own entries too."""
    own = {"jwt-secret": secrets.token_hex(24)}
    world.stores.bao.write("secret/data/places/production/shared", data=own)
    world.values["own"] = own
    own["stripe-webhook-secret"] = f"whsec_{secrets.token_hex(20)}"
    world.gate.aws.client("secretsmanager").put_secret_value(
        SecretId="wren/production/stripe-webhook-secret", SecretString=own["stripe-webhook-secret"]
    )
    return world


def test_one_secret_holds_properties_of_several_entries(cluster: Cluster, filled: World) -> None:
    values, board = filled.values, filled.values[BOARD]
    for name, expected in (
        (
            "wren-secrets",
            {
                "database-url": values[READ_ONLY]["url"],
                "redis-url": values[READ_ONLY]["nested"]["redis"],
                **dict.fromkeys(
                    ("jwt-secret", "jwt-secret-next", "jwt-secret-previous"),
                    values["own"]["jwt-secret"],
                ),
            },
        ),
        (
            "wren-chat-server-secrets",
            {
                "chat-server-secret": values[WRITTEN]["token"],
                "old-token": values[OLD]["token"],
            },
        ),
        (
            "wren-backend-api-secrets",
            {
                "stripe-api-key": board["stripe"],
                "smtp-password": board["smtp"],
                "stripe-webhook-secret": values["own"]["stripe-webhook-secret"],
                "s3-secret-key": values[BUCKET]["it"],
            },
        ),
    ):
        sync(cluster, NAME, name)
        assert secret_values(cluster, NAME, name) == expected


def test_a_refresh_asks_aws_as_often_as_is_said(cluster: Cluster, filled: World) -> None:
    """In turn, once for each entry: however many refreshes there were, no read repeats too soon."""
    before = len(filled.gate.calls)
    sync(cluster, NAME, "wren-backend-api-secrets")
    calls = filled.gate.calls[before:]
    asked = [one.target for one in calls if one.method == "GetSecretValue"]
    [found] = external_secret_manifests(filled.made.settings, "backend-api")
    reads = reads_per_refresh(found)
    assert len({*asked}) == reads == 3
    turns = [asked[start : start + reads] for start in range(len(asked) - reads + 1)]
    assert all(len({*turn}) == reads for turn in turns)


def test_each_identity_reaches_exactly_the_named_entries(
    cluster: Cluster, stores: Stores, filled: World
) -> None:
    may = {"read": {READ_ONLY, WRITTEN, OLD}, "rotation": {WRITTEN}, "seed": {WRITTEN}}
    for identity, entries in may.items():
        token = login(cluster, stores, filled.made.settings, identity)
        for entry in (READ_ONLY, WRITTEN, NEIGHBOUR, OLD):
            assert can_read(stores, token, entry) == (entry in entries), (identity, entry)
    reader = client_of(cluster, filled.gate, filled.made.settings, "read")
    assert reader.get_secret_value(SecretId=BOARD)["SecretString"]
    for client, entry in (
        (reader, BOARD_NEIGHBOUR),
        (client_of(cluster, filled.gate, filled.made.settings, "seed"), BOARD),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.get_secret_value(SecretId=entry)


def test_an_entry_that_may_be_written_is_marked_and_not_made(
    cluster: Cluster, filled: World
) -> None:
    client = filled.gate.aws.client("secretsmanager")
    assert client.describe_secret(SecretId=BUCKET)["Tags"] == [MARK]
    seed = client_of(cluster, filled.gate, filled.made.settings, "seed")
    assert seed.get_secret_value(SecretId=BUCKET)["SecretString"] == filled.values[BUCKET]["it"]


def can_read(stores: Stores, token: str, entry: str) -> bool:
    try:
        stores.bao.request("GET", f"secret/data/{entry}", token=token)
    except OpenBaoError as error:
        if error.status != FORBIDDEN:
            raise
        return False
    return True


def test_only_what_may_be_written_is_rotated(run: Run, cluster: Cluster, filled: World) -> None:
    settings = filled.made.settings
    with Kubelet(cluster, [NAME]) as kubelet:
        place = Rotating(cluster, filled.stores, settings, kubelet, run.folder / "rotating-places")
        place.start_workloads()
        place.wait_for_workloads()
        place.rotate(FIRST)
        ended = place.rotate(DUE, "--detailed-exit-code")
        assert ended.code == ROTATED, ended.verdict
    written = filled.stores.bao.read(f"secret/data/{WRITTEN}")["data"]
    assert written["token"] != filled.values[WRITTEN]["token"]
    assert written["a name with blanks"] == filled.values[WRITTEN]["a name with blanks"]
    found = secret_values(cluster, NAME, "wren-chat-server-secrets")
    assert found == {
        "chat-server-secret": written["token"],
        "old-token": filled.values[OLD]["token"],
    }
    assert filled.is_untouched()


def test_a_destroy_leaves_every_named_entry(filled: World) -> None:
    """Stands last."""
    filled.made.stack.unprotect()
    filled.made.stack.destroy()
    assert filled.is_untouched()
    client = filled.gate.aws.client("secretsmanager")
    bucket = client.get_secret_value(SecretId=BUCKET)["SecretString"]
    assert bucket == filled.values[BUCKET]["it"]
    kept = filled.stores.bao.read(f"secret/data/{WRITTEN}")["data"]
    assert kept["a name with blanks"] == filled.values[WRITTEN]["a name with blanks"]
