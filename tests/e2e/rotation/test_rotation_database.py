"""A whole environment on the real engine with its database: passwords rotate while clients log in
all the time, and the engine is run before, during and after."""

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event

import pytest

from platform_secrets.manifests import naming
from tests.e2e.api_proxy import ApiProxy, Call, Forward, Reply
from tests.e2e.cluster import Cluster
from tests.e2e.database_clients import Clients
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import Outcome
from tests.e2e.environments import sync
from tests.e2e.kubelet import Kubelet
from tests.e2e.late_vault import LateVault
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.postgres import Postgres
from tests.e2e.process import Run, wait_until
from tests.e2e.providers.test_vault_database import (
    PASSWORD_SETTING,
    USERS,
    database_of,
    make_accounts,
)
from tests.e2e.rotating import NOTHING_DUE, ROTATED, Ended, Rotating, ended
from tests.e2e.stores import VAULT_HOST, Stores, made_values
from tests.e2e.vault_provider import VaultProvider
from tests.platform import STACK_FILES

KV, AUTH, MOUNT = "rotation-kv", "rotation-kubernetes", "rotation-database"
KEY, NAME = "database-url", "rotation-database"
BEGINNING, DUE, DAY_AFTER = "2027-01-01T03:17:00Z", "2027-07-01T03:17:00Z", "2027-07-02T03:17:00Z"
DUE_AGAIN = "2028-01-05T03:17:00Z"
LATE_SECONDS = 8


@dataclass
class World:
    """What the engine and the rotator said: `engine` by when it was run, `runs` in order; `moved`
    is what a refresh found otherwise than before."""

    made: Deployment
    place: Rotating
    clients: Clients
    vault: LateVault
    engine: dict[str, list[Outcome]] = field(default_factory=dict)
    moved: dict[str, set[str]] = field(default_factory=dict)
    runs: list[Ended] = field(default_factory=list)
    memories: list[dict[str, str]] = field(default_factory=list)
    held: list[dict[str, str]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    """The fingerprint of the URL in the Secret."""

    def rotate(self, now: str, *arguments: str) -> None:
        self.runs.append(self.place.rotate(now, "--detailed-exit-code", *arguments))
        self.memories.append(self.place.memory)
        self.held.append(self.place.held())

        self.urls.append(self.place.secret(KEY))

    def run_engine(self, when: str) -> None:
        stack = self.made.stack
        known = len(stack.heard)
        self.engine[when] = [stack.preview(), stack.refresh(), stack.up()]
        self.moved[when] = moved(stack.heard[known:])

    def rotate_while_the_engine_runs(self, now: str) -> None:
        """The rotator stops at its first restart of a workload, and again at the second phase's,
        until the engine has gone over everything."""
        reached, go_on = Event(), Event()

        def wait(call: Call, forward: Forward) -> Reply | None:
            if call.method == "PATCH" and "/deployments/" in call.path and not go_on.is_set():
                reached.set()
                go_on.wait(120)
            return forward()

        with ApiProxy(self.place.cluster, self.place.folder / "proxy", wait) as proxy:
            process = self.place.start(now, "--lock-seconds=300", proxy=proxy)
            assert reached.wait(60)
            self.engine["during"] = [self.made.stack.up()]
            go_on.set()
            self.runs.append(ended(process))
        self.memories.append(self.place.memory)
        self.held.append(self.place.held())


@pytest.fixture(scope="module")
def world(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[World]:
    postgres = Postgres(run, "rotation-postgres")
    password = secrets.token_hex(16)
    make_accounts(postgres, password)
    with ExitStack() as stack:
        pod = cluster.of_vaults_pod()
        vault = LateVault(stores.bao.url, stores.certificates)
        port = stack.enter_context(vault.serve())
        stack.enter_context(stores.reached_at(f"{VAULT_HOST}:8200", port))
        made = stack.enter_context(
            deployment(
                *(run, cluster, operator, STACK_FILES["shared-cluster-production"]),
                name=NAME,
                ports={"vault": stack.enter_context(VaultProvider(stores.bao, pod).serve())},
                **{"namespace-name": NAME},
                stores={"vault": store_of(cluster, postgres)},
            )
        )
        made.stack.set_secret(PASSWORD_SETTING, password)
        made.stack.up()
        made.stack.remove_config(PASSWORD_SETTING)
        values = made_values(made.settings)
        stores.put(made.settings, values)
        made.stack.up()
        kubelet = Kubelet(cluster, [NAME])
        clients = Clients(postgres, kubelet, NAME)
        kubelet.pod_starts = clients.pod_starts
        stack.enter_context(kubelet)
        place = Rotating(cluster, stores, made.settings, kubelet, run.folder / "rotation", values)
        sync(cluster, NAME, "wren-secrets")
        place.start_workloads(replicas=1)
        place.wait_for_workloads()
        found = World(made, place, clients, vault)
        clients.start()
        stack.callback(clients.stop)
        found.rotate(BEGINNING)
        found.run_engine("between")
        found.rotate_while_the_engine_runs(DUE)
        found.run_engine("after")
        found.rotate(DAY_AFTER)
        with vault.late(LATE_SECONDS):
            found.rotate(DUE_AGAIN, f"--key={KEY}")
        yield found


def store_of(cluster: Cluster, postgres: Postgres) -> dict[str, object]:
    """The stack's Vault, all of it declared by the stack, and the database behind it."""
    return {
        "provider": "vault",
        "server": "https://vault.example.com:8200",
        "mount": KV,
        "auth-mount": AUTH,
        "backend": "declare",
        "shared": "own",
        "cluster-api-server": cluster.url,
        "audit": "existing",
        "database": database_of(postgres, MOUNT),
    }


def moved(heard: list[str]) -> set[str]:
    """The names of the objects of which a refresh found another content."""
    found = set()
    for line in heard:
        event = json.loads(line) if line.startswith("{") else {}
        metadata = (event.get("res_outputs_event") or {}).get("metadata") or {}
        old, new = metadata.get("old") or {}, metadata.get("new") or {}
        if old.get("outputs") != new.get("outputs"):
            found.add(new["outputs"]["metadata"]["name"])
    return found


def test_the_first_run_rotates_nothing(world: World) -> None:
    assert world.runs[0].code == NOTHING_DUE, world.runs[0].text


def test_the_password_rotates_and_no_login_is_ever_refused(world: World) -> None:
    assert world.runs[1].code == ROTATED, world.runs[1].text
    assert world.clients.refused == []
    assert world.clients.users == [*USERS]
    assert world.clients.logins > 50


def test_the_generated_keys_rotate_in_the_same_run(world: World) -> None:
    before, after = world.held[0], world.held[1]
    assert {key for key in before if before[key] != after[key]} >= {"jwt-secret"}
    assert world.place.one_shots == []


def test_the_engine_has_nothing_to_do_before_during_and_after(world: World) -> None:
    """A refresh sees that the pointer, whose content is the rotation's, has moved."""
    changes = {when: [each.changes for each in said] for when, said in world.engine.items()}
    assert changes["between"] == [{}, {}, {}]
    assert changes["during"] == [{}]
    assert (changes["after"][0], changes["after"][2]) == ({}, {})
    assert world.moved == {"between": set(), "after": {naming.database_pointer(KEY)}}


def test_the_engine_keeps_the_memory_and_causes_no_rotation(world: World) -> None:
    assert world.runs[2].code == NOTHING_DUE, world.runs[2].text
    assert world.held[2] == world.held[1]
    for key in ("jwt-secret", KEY):
        assert world.memories[2][key] == world.memories[1][key]
        assert world.memories[1][key] != world.memories[0][key]


def test_a_vault_that_answers_late_delays_a_rotation_and_no_login_is_refused(world: World) -> None:
    """The run goes on only once the Secret holds what the engine has, which reads told too late."""
    assert world.runs[3].code == ROTATED, world.runs[3].text
    assert [path for path in world.vault.old_answers if f"/{MOUNT}/static-creds/" in path]
    assert world.memories[3][KEY] != world.memories[2][KEY]
    assert world.urls[-1] != world.urls[-2]
    # A rollout is complete while pods before it are still ending.
    wait_until(
        lambda: {pod.values[KEY] for pod in world.place.readers(KEY)} == {world.urls[-1]},
        "all readers have the new URL",
        timeout_seconds=60,
    )
    assert world.clients.refused == []
    assert world.place.one_shots == []
