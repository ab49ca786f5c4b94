"""A store in a namespace of Vault's, by the `jwt` method, with its database: declared by the real
engine in a real OpenBao, read by the operator, and shut off from every other namespace."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import pytest

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.settings.entries import bundle_entry
from tests.e2e.cluster import ISSUER, Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import Outcome
from tests.e2e.environments import secret_values, sync
from tests.e2e.openbao import OpenBaoError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.postgres import Postgres
from tests.e2e.process import Run
from tests.e2e.stores import Stores, made_values
from tests.e2e.vault_provider import VaultProvider
from tests.platform import STACK_FILES

NAMESPACE, MOUNT, AUTH, DATABASE = "platform", "entries", "jwt-production", "postgres"
ADMIN, USERS, PEOPLE = "namespace_admin", ("namespace_a", "namespace_b"), "namespace_people"
PASSWORD_SETTING = "platform-secrets:database-admin-password"  # noqa: S105 - a setting's name
KEY, SECRET = "database-url", "wren-secrets"
FORBIDDEN = 403


@dataclass
class World:
    """Production, brought up; `values` are those of its entries by key."""

    deployment: Deployment
    stores: Stores
    postgres: Postgres
    cluster: Cluster
    again: Outcome
    values: dict[str, str]

    @property
    def namespace(self) -> str:
        return self.deployment.settings.namespace

    def login(self, identity: str, *, audience: str = "vault", account: str = "") -> str:
        """A token of OpenBao's for an identity's role; raises OpenBaoError."""
        own = naming.secret_store("vault", identity)  # type: ignore[arg-type]
        jwt = self.cluster.token(self.namespace, account or own, audience=audience)
        login = {"role": f"wren-production-{identity}", "jwt": jwt}
        path = f"{NAMESPACE}/auth/{AUTH}/login"
        return self.stores.bao.request("POST", path, login)["auth"]["client_token"]

    def may(self, token: str, path: str) -> bool:
        try:
            self.stores.bao.request("GET", path, token=token)
        except OpenBaoError as error:
            if error.status != FORBIDDEN:
                raise
            return False
        return True


@pytest.fixture(scope="module")
def world(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease, postgres: Postgres
) -> Iterator[World]:
    password = secrets.token_hex(16)
    postgres.query(
        f"""
        create role {ADMIN} login createrole password '{password}';
        create role {PEOPLE} nologin;
        create role {USERS[0]} login;
        create role {USERS[1]} login;
        grant {PEOPLE}, {USERS[0]}, {USERS[1]} to {ADMIN} with admin true, inherit false, set false;
        """
    )
    stores.bao.write(f"sys/namespaces/{NAMESPACE}")
    store = {
        "provider": "vault",
        "server": "https://vault.example.com:8200",
        "namespace": NAMESPACE,
        "mount": MOUNT,
        "auth-method": "jwt",
        "auth-mount": AUTH,
        "cluster-issuer": ISSUER,
        "cluster-ca-certificate": cluster.ca_file.read_text(encoding="utf-8"),
        "backend": "declare",
        "shared": "own",
        "audit": "existing",
        "database": {
            "mount": DATABASE,
            "host": "127.0.0.1",
            "port": postgres.port,
            "name": "postgres",
            "ssl-mode": "disable",
            "admin-user": ADMIN,
            "users": [*USERS],
            "grants": [PEOPLE],
        },
    }
    with ExitStack() as stack:
        ports = {"vault": stack.enter_context(VaultProvider(stores.bao, {}).serve())}
        made = stack.enter_context(
            deployment(
                *(run, cluster, operator, STACK_FILES["shared-cluster-production"]),
                name="half-namespace",
                ports=ports,
                **{"namespace-name": "half-namespace"},
                stores={"vault": store},
            )
        )
        made.stack.set_secret(PASSWORD_SETTING, password)
        made.stack.up()
        made.stack.remove_config(PASSWORD_SETTING)
        values = made_values(made.settings)
        for name in made.settings.catalogue.bundles:
            data = {
                key: values[key] for key in bundle_entries(made.settings, name) if key in values
            }
            path = f"{NAMESPACE}/{MOUNT}/data/{bundle_entry(made.settings, name)}"
            stores.bao.write(path, data=data)
        yield World(made, stores, postgres, cluster, made.stack.preview(), values)


def test_a_second_run_finds_nothing_to_do(world: World) -> None:
    assert world.again.changes == {}


def test_everything_is_in_the_namespace_and_nothing_outside(world: World) -> None:
    bao = world.stores.bao
    assert {f"{MOUNT}/", f"{DATABASE}/"} <= bao.read(f"{NAMESPACE}/sys/mounts").keys()
    assert not {f"{MOUNT}/", f"{DATABASE}/"} & bao.read("sys/mounts").keys()
    assert f"{AUTH}/" not in bao.read("sys/auth")


def test_the_operator_reads_every_entry_by_tokens_that_vault_checks_by_itself(
    world: World,
) -> None:
    for bundle in world.deployment.settings.catalogue.bundles.values():
        sync(world.cluster, world.namespace, bundle.secret)
        held = secret_values(world.cluster, world.namespace, bundle.secret) or {}
        keys = bundle.keys.keys() - {KEY}
        assert {key: held[key] for key in keys} == {key: world.values[key] for key in keys}


def test_the_generators_of_the_database_key_log_in_the_same_way(world: World) -> None:
    sync(world.cluster, world.namespace, SECRET)
    url = urlsplit((secret_values(world.cluster, world.namespace, SECRET) or {})[KEY])
    user, password = unquote(url.username or ""), unquote(url.password or "")
    found = world.postgres.query("select current_user", user=user, password=password)
    assert found == USERS[0]


def test_an_identity_reads_its_own_namespace_s_entries_and_no_other_s(world: World) -> None:
    token = world.login("read")
    entries = f"{MOUNT}/data/wren/production"
    credentials = f"{DATABASE}/static-creds/wren-production-a"
    assert world.may(token, f"{NAMESPACE}/{entries}")
    assert world.may(token, f"{NAMESPACE}/{credentials}")
    for path in (entries, credentials, "sys/mounts", f"{NAMESPACE}/sys/mounts"):
        assert not world.may(token, path), path
    rotation = world.login("rotation")
    assert world.may(rotation, f"{NAMESPACE}/{entries}")
    assert not world.may(rotation, f"{NAMESPACE}/{credentials}")


@pytest.mark.parametrize(
    ("identity", "wrong"),
    [
        ("rotation", {"account": "vault-store"}),
        ("read", {"account": "wren-backend-api"}),
        ("read", {"audience": ISSUER}),
    ],
)
def test_a_token_of_another_account_or_audience_is_refused(
    world: World, identity: str, wrong: dict[str, str]
) -> None:
    with pytest.raises(OpenBaoError):
        world.login(identity, **wrong)
