"""What a provider has already is adopted with `pulumi import`, just as docs/adopting.md says: the
next update neither makes it anew nor touches what it holds."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from platform_secrets.settings import AzureStore, Identity, Settings
from tests.e2e.adopting import adopt
from tests.e2e.aws import Aws
from tests.e2e.aws_provider import AwsProvider
from tests.e2e.azure_provider import IDENTITY, VAULT, AzureProvider
from tests.e2e.cluster import ISSUER, Cluster
from tests.e2e.deployment import STACK_KEY, Deployment, deployment
from tests.e2e.engine import EngineError, Outcome
from tests.e2e.openbao import OpenBao, OpenBaoError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.stores import Stores
from tests.e2e.vault_provider import VaultProvider
from tests.platform import STACK_FILES

MOUNT, VAULT_ENTRY, AWS_ENTRY = "adopted", "wren/production", "wren/production/stripe-api-key"
MOUNT_NAME, SECRET_NAME = "vault-mount", "aws-entry-stripe-api-key"


@dataclass
class World:
    """An engine of Vault's and a secret in AWS, there before the stack, each with a value."""

    made: Deployment
    stores: Stores
    aws: Aws
    values: dict[str, str]
    up: Outcome
    again: Outcome


def declared(cluster: Cluster) -> dict[str, Any]:
    """The example's two stores, with what this stack declares of them."""
    example = STACK_FILES["two-stores"]
    content = yaml.safe_load(example.read_text(encoding="utf-8"))["config"][STACK_KEY]["stores"]
    content["vault"] |= {
        "backend": "declare",
        "shared": "own",
        "mount": MOUNT,
        "auth-mount": "adopted-kubernetes",
        "cluster-api-server": cluster.url,
        "audit": "existing",
    }
    content["aws"] |= {"backend": "declare", "shared": "own", "oidc-issuer": ISSUER}
    return content


@pytest.fixture(scope="module")
def world(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[World]:
    aws, bao = Aws(run, "moto-adopted"), stores.bao
    values = {place: secrets.token_hex(16) for place in (VAULT_ENTRY, AWS_ENTRY)}
    bao.write(f"sys/mounts/{MOUNT}", type="kv", options={"version": "2"})
    content = {"data": {"jwt-secret": values[VAULT_ENTRY]}}
    wait_until(lambda: is_written(bao, content), "the new engine takes a value")
    arn = aws.client("secretsmanager").create_secret(
        Name=AWS_ENTRY, SecretString=values[AWS_ENTRY]
    )["ARN"]
    pod = cluster.of_vaults_pod()
    with ExitStack() as stack:
        ports = {
            "vault": stack.enter_context(VaultProvider(bao, pod).serve()),
            "aws": stack.enter_context(AwsProvider(aws).serve()),
        }
        made = stack.enter_context(
            deployment(
                *(run, cluster, operator, STACK_FILES["two-stores"]),
                name="adopted",
                ports=ports,
                delivery="gitops",
                stores=declared(cluster),
            )
        )
        adopt(made, {MOUNT_NAME: MOUNT, SECRET_NAME: arn})
        up = made.stack.up()
        yield World(made, stores, aws, values, up, made.stack.preview())


def is_written(bao: OpenBao, content: dict[str, Any]) -> bool:
    """False as long as OpenBao prepares the engine for versions."""
    try:
        bao.write(f"{MOUNT}/data/{VAULT_ENTRY}", **content)
    except OpenBaoError:
        return False
    return True


def steps(outcome: Outcome, name: str) -> list[str]:
    """What an update did with a resource."""
    return [done for done, urn in outcome.steps if urn.rpartition("::")[2] == name]


def test_what_is_there_is_taken_over_and_what_is_not_is_made(world: World) -> None:
    assert steps(world.up, MOUNT_NAME) == ["same"]
    assert steps(world.up, SECRET_NAME) == ["update"]
    others = {done for done, urn in world.up.steps if "$vault:" in urn or "$aws:" in urn}
    assert others == {"create", "update", "same"}
    assert world.again.changes == {}


def test_what_is_taken_over_keeps_its_values(world: World) -> None:
    kept = world.stores.bao.read(f"{MOUNT}/data/{VAULT_ENTRY}")
    assert kept["data"] == {"jwt-secret": world.values[VAULT_ENTRY]}
    assert kept["metadata"]["version"] == 1
    client = world.aws.client("secretsmanager")
    found = client.get_secret_value(SecretId=AWS_ENTRY)["SecretString"]
    assert found == world.values[AWS_ENTRY]
    versions = client.list_secret_version_ids(SecretId=AWS_ENTRY)["Versions"]
    assert len(versions) == 1


def test_what_is_taken_over_is_protected_as_what_was_made(world: World) -> None:
    with pytest.raises(EngineError, match="protect"):
        world.made.stack.destroy_by_command()
    assert f"{MOUNT}/" in world.stores.bao.read("sys/mounts")


def test_no_value_is_in_the_state(world: World) -> None:
    state = world.made.stack.state_text
    assert not [value for value in world.values.values() if value in state]


def test_a_key_vault_and_identities_are_taken_over_with_their_client_ids(
    run: Run, cluster: Cluster, operator: OperatorRelease
) -> None:
    azure = AzureProvider()
    with (
        azure.serve() as port,
        deployment(
            *(run, cluster, operator, STACK_FILES["production-azure"]),
            name="adopted-azure",
            ports={"azure-native": port},
            delivery="gitops",
        ) as made,
    ):
        ids = {"azure-vault": azure.add(VAULT, vault_by_hand(made.settings))}
        for identity in made.settings.identities("azure"):
            content = identity_by_hand(made.settings, identity)
            ids[f"azure-{identity}-identity"] = azure.add(IDENTITY, content)
        adopt(made, ids)
        up = made.stack.up()
        assert {name: steps(up, name) for name in ids} == {
            "azure-vault": ["update"],
            "azure-read-identity": ["same"],
            "azure-rotation-identity": ["same"],
        }
        assert made.stack.preview().changes == {}


def vault_by_hand(settings: Settings) -> dict[str, Any]:
    """A key vault as people make one: open to all networks, with access policies."""
    store = settings.environment.stores["azure"]
    assert isinstance(store, AzureStore)
    return {
        "vaultName": store.vault_name,
        "resourceGroupName": store.resource_group,
        "location": store.location,
        "properties": {
            "tenantId": store.tenant_id,
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": False,
            "networkAcls": {"defaultAction": "Allow"},
        },
    }


def identity_by_hand(settings: Settings, identity: Identity) -> dict[str, Any]:
    """A managed identity whose client ID the stack file names."""
    store = settings.environment.stores["azure"]
    assert isinstance(store, AzureStore)
    name = settings.identity_name("azure", identity)
    return {
        "resourceName": name,
        "resourceGroupName": store.resource_group,
        "location": store.location,
        "clientId": getattr(store.client_ids, identity),
        "principalId": f"principal of {name}",
    }
