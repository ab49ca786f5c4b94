"""A database's URL and a generated key, called as programs call them, in two namespaces and in
texts: the rotator is killed after each step once, and a reader restarts for its own key alone."""

import base64
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import yaml

from tests.e2e.api_proxy import ApiProxy
from tests.e2e.cluster import Cluster
from tests.e2e.database_clients import Clients
from tests.e2e.deployment import deployment
from tests.e2e.environments import sync
from tests.e2e.kubelet import Kubelet, fingerprint
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.postgres import Postgres
from tests.e2e.process import Run, wait_until
from tests.e2e.providers.test_vault_database import (
    PASSWORD_SETTING,
    USERS,
    database_of,
    make_accounts,
)
from tests.e2e.rotating import ROTATED, Rotating, stored
from tests.e2e.rotation.test_rotation_killed import Deaths
from tests.e2e.rotation_journey import Journey, first_life
from tests.e2e.stores import Stores, made_values
from tests.e2e.vault_provider import VaultProvider
from tests.platform import STACK_FILES

OWN, ANNEX = "killed-names", "killed-names-annex"
JWT, MIRRORED, URL = "JWT_SECRET", "jwtSecret", "DATABASE_URL"
FIELDS = {
    "tokens": (JWT, f"{JWT}_NEXT", f"{JWT}_PREVIOUS"),
    "mirror": (MIRRORED, f"{MIRRORED}Next", f"{MIRRORED}Previous"),
}
GENERATED = {"by": "generate", "every": "90d", "overlap": "1h"}
CATALOGUE = {
    "platform": "wren",
    "bundles": {
        "tokens": {
            "secret": "tokens-env",
            "keys": {JWT: {"description": "signs tokens", "rotate": GENERATED}},
            "texts": {"SIGNED": f"with ${{{JWT}|base64}}"},
        },
        "mirror": {
            "secret": "mirror-env",
            "keys": {MIRRORED: {"description": "checks them", "same-as": f"tokens/{JWT}"}},
            "texts": {"config.json": f'{{"key": ${{{MIRRORED}|json}}}}\n'},
        },
        "ledger": {
            "secret": "ledger-env",
            "keys": {
                URL: {
                    "description": "its database",
                    "format": "postgres-url",
                    "rotate": {"by": "database", "every": "90d"},
                }
            },
        },
        "idle": {"secret": "idle-env", "keys": {"IDLE_TOKEN": {"description": "of people"}}},
    },
    "services": {
        name: {"workload": f"Deployment/{name}", "reads": [name]}
        for name in ("tokens", "mirror", "ledger", "idle")
    },
}


@dataclass
class World:
    journey: Journey
    clients: Clients


@pytest.fixture(scope="module")
def world(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[World]:
    postgres = Postgres(run, "killed-postgres")
    password = secrets.token_hex(16)
    make_accounts(postgres, password)
    with ExitStack() as stack:
        pod = cluster.of_vaults_pod()
        made = stack.enter_context(
            deployment(
                *(run, cluster, operator, STACK_FILES["shared-cluster-production"]),
                name=OWN,
                ports={"vault": stack.enter_context(VaultProvider(stores.bao, pod).serve())},
                **{"namespace-name": OWN},
                namespaces={ANNEX: {"bundles": ["mirror", "ledger"]}},
                stores={"vault": store_of(cluster, postgres)},
            )
        )
        (made.folder / "catalogue.yaml").write_text(yaml.safe_dump(CATALOGUE), encoding="utf-8")
        made.stack.set_secret(PASSWORD_SETTING, password)
        made.stack.up()
        values = made_values(made.settings)
        stores.put(made.settings, values)
        kubelet = Kubelet(cluster, [OWN, ANNEX])
        clients = Clients(postgres, kubelet, ANNEX, URL)
        kubelet.pod_starts = clients.pod_starts
        stack.enter_context(kubelet)
        place = Rotating(cluster, stores, made.settings, kubelet, run.folder / "killed", values)
        for bundle, content in made.settings.catalogue.bundles.items():
            sync(cluster, made.settings.namespace_of(bundle), content.secret)
        place.start_workloads(replicas=1)
        place.wait_for_workloads()
        proxy = stack.enter_context(ApiProxy(cluster, place.folder / "proxy"))
        journey = Journey(place, proxy)
        first = journey.rotate()
        assert first.code == ROTATED, first.text
        clients.start()
        stack.callback(clients.stop)
        yield World(journey, clients)


def store_of(cluster: Cluster, postgres: Postgres) -> dict[str, object]:
    """The stack's Vault, all of it declared by the stack, and the database behind it."""
    return {
        "provider": "vault",
        "server": "https://vault.example.com:8200",
        "mount": "killed-kv",
        "auth-mount": "killed-kubernetes",
        "backend": "declare",
        "shared": "own",
        "cluster-api-server": cluster.url,
        "audit": "existing",
        "database": database_of(postgres, "killed-database"),
    }


def test_killed_after_each_step_both_keys_have_one_new_value_and_nothing_else_restarts(
    world: World,
) -> None:
    journey, place = world.journey, world.journey.place
    before, since = place.in_store("tokens", JWT), len(place.kubelet.happenings)
    journey.next_rotation()
    deaths = Deaths(place, whens=("after",))
    runs = journey.rotate_until_done(meddle=deaths.at_changes)
    assert runs[-1].code == ROTATED, runs[-1].text
    steps = "\n".join(name for name, _ in deaths.died)
    id = place.settings.catalogue.key_id(f"tokens/{JWT}") or ""
    url_id = place.settings.catalogue.key_id(f"ledger/{URL}") or ""
    for step in ("before", "staged", "next", "previous", "promote", "promoted"):
        assert f"rotation-{step}-{id}" in steps
    for step in ("before", "staged", "promoted"):
        assert f"rotation-{step}-{url_id}" in steps
    for step in ("before", "staged"):
        assert f"POST {ANNEX}/externalsecrets rotation-{step}-{id}" in steps
    one_new_value(world, before, since, id)
    assert world.clients.refused == []
    assert world.clients.users == [*USERS]
    happened = place.kubelet.happenings[since:]
    started = Counter(one.workload for one in happened if one.what == "started")
    assert started == {"Deployment/tokens": 2, "Deployment/mirror": 2, "Deployment/ledger": 1}
    assert not [one for one in happened if one.name == "idle-env"]
    wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)


def one_new_value(world: World, before: str, since: int, id: str) -> None:
    """In the store, in both Secrets and in their texts; no reader ever saw another one."""
    place = world.journey.place
    value = stored(place.stores, place.settings, "tokens", JWT)
    new = fingerprint(value)
    assert new != before
    happened = place.kubelet.happenings[since:]
    staged = first_life([one for one in happened if one.namespace == OWN], f"rotation-staged-{id}")
    assert {one["password"] for one in staged} == {new}
    started = [one.values for one in happened if one.what == "started"]
    seen = {of[name] for of in started for name in (JWT, MIRRORED) if name in of}
    assert seen == {before, new}
    texts = {
        "tokens": {"SIGNED": f"with {base64.b64encode(value.encode()).decode()}"},
        "mirror": {"config.json": f'{{"key": "{value}"}}\n'},
    }
    for bundle, text in texts.items():
        held = place.in_secrets(bundle)
        assert [held[field] for field in FIELDS[bundle]] == [new, new, before], bundle
        assert {name: held[name] for name in text} == {
            name: fingerprint(content) for name, content in text.items()
        }
