"""Vault's database engine on a real OpenBao and a real PostgreSQL, declared by the real engine and
read by the operator: nobody but Vault knows a password, and the services' URL logs in always."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from subprocess import CalledProcessError
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from platform_secrets.manifests import naming
from platform_secrets.settings import VaultStore
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY, Deployment, deployment
from tests.e2e.engine import EngineError, Outcome
from tests.e2e.environments import secret_values, sync
from tests.e2e.openbao import OpenBaoError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.postgres import Postgres
from tests.e2e.process import Run, wait_until
from tests.e2e.stores import Stores, made_values
from tests.e2e.vault_provider import VaultProvider
from tests.platform import STACK_FILES

KV, AUTH, MOUNT = "half-database-kv", "half-database-kubernetes", "half-database"
ADMIN, USERS, PEOPLE = "vault_admin", ("veza_a", "veza_b"), "veza_people"
PASSWORD_SETTING = "platform-secrets:database-admin-password"  # noqa: S105 - a setting's name
KEY, SECRET = "database-url", "wren-secrets"
FORBIDDEN = 403


@dataclass
class World:
    """Production with its database, brought up; `first_password` is the administrator's first,
    `refusal` what an update without it ended with."""

    deployment: Deployment
    stores: Stores
    postgres: Postgres
    first_password: str
    refusal: str
    again: list[Outcome]

    @property
    def namespace(self) -> str:
        return self.deployment.settings.namespace

    def static(self, side: str) -> tuple[str, str]:
        """User and password of one of the two accounts, as Vault knows them."""
        found = self.stores.bao.read(f"{MOUNT}/static-creds/wren-production-{side}")
        return found["username"], found["password"]


def database_of(postgres: Postgres, mount: str) -> dict[str, Any]:
    """A store's settings of the database whose accounts `make_accounts` makes."""
    return {
        "mount": mount,
        "host": "127.0.0.1",
        "port": postgres.port,
        "name": "postgres",
        "ssl-mode": "disable",
        "admin-user": ADMIN,
        "users": [*USERS],
        "grants": [PEOPLE],
    }


def make_accounts(postgres: Postgres, password: str) -> None:
    """What a database's owner makes before: an administrator who is no superuser, two accounts
    without password, and the rights that people may get."""
    postgres.query(
        f"""
        create role {ADMIN} login createrole password '{password}';
        create role {PEOPLE} nologin;
        create role {USERS[0]} login;
        create role {USERS[1]} login;
        grant {PEOPLE}, {USERS[0]}, {USERS[1]} to {ADMIN} with admin true, inherit false, set false;
        grant pg_signal_backend to {ADMIN};
        """
    )


@pytest.fixture(scope="module")
def world(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease, postgres: Postgres
) -> Iterator[World]:
    pod = cluster.of_vaults_pod()
    password = secrets.token_hex(16)
    make_accounts(postgres, password)
    example = STACK_FILES["vault-database"]
    content = yaml.safe_load(example.read_text(encoding="utf-8"))
    store = content["config"][STACK_KEY]["stores"]["vault"]
    store |= {
        "mount": KV,
        "auth-mount": AUTH,
        "cluster-api-server": cluster.url,
        "audit": "existing",  # of one server, which another file of the session declares
    }
    place = {"host": "127.0.0.1", "port": postgres.port, "name": "postgres", "ssl-mode": "disable"}
    store["database"] |= {"mount": MOUNT, **place}
    with ExitStack() as stack:
        ports = {"vault": stack.enter_context(VaultProvider(stores.bao, pod).serve())}
        made = stack.enter_context(
            deployment(
                *(run, cluster, operator, example),
                name="half-database",
                ports=ports,
                **{"namespace-name": "half-database"},
                stores={"vault": store},
            )
        )
        made.stack.hears_debug = True
        with pytest.raises(EngineError) as refusal:
            made.stack.up()
        made.stack.set_secret(PASSWORD_SETTING, password)
        made.stack.up()
        made.stack.remove_config(PASSWORD_SETTING)
        stores.put(made.settings, made_values(made.settings))
        again = [made.stack.preview(), made.stack.refresh(), made.stack.up()]
        yield World(made, stores, postgres, password, str(refusal.value), again)


def test_a_second_run_without_the_password_finds_nothing_to_do(world: World) -> None:
    assert [outcome.changes for outcome in world.again] == [{}] * 3


def test_a_first_update_without_the_password_ends_at_the_connection(world: World) -> None:
    assert f"{MOUNT}/config/wren-production-database: 400" in world.refusal


def test_the_password_that_was_given_works_no_more(world: World) -> None:
    assert not world.postgres.can_log_in(ADMIN, world.first_password)
    assert world.stores.bao.write(f"{MOUNT}/rotate-role/wren-production-a") == {}


def test_a_changed_host_keeps_the_password_that_nobody_knows(
    world: World, cluster: Cluster
) -> None:
    stack, pointer = world.deployment.stack, naming.database_pointer(KEY)
    host = "platform-secrets:environment.stores.vault.database.host"
    for name in ("localhost", "127.0.0.1"):
        stack.set_config(host, name)
        stack.up()
        found = world.stores.bao.read(f"{MOUNT}/config/wren-production-database")
        assert f"@{name}:" in found["connection_details"]["connection_url"]
        assert world.stores.bao.write(f"{MOUNT}/rotate-role/wren-production-a") == {}
        # The pointer is the rotation's; it is made anew where it is gone.
        cluster.api.delete("v1", "ConfigMap", pointer, world.namespace)
        stack.refresh()
        stack.up()
        assert logged_in_by(world, cluster) == USERS[0]
        url = (secret_values(cluster, world.namespace, SECRET) or {})[KEY]
        assert urlsplit(url).hostname == name


def test_a_person_s_account_has_the_granted_rights_until_its_sessions_end_with_it(
    world: World,
) -> None:
    bao, postgres = world.stores.bao, world.postgres
    lease = bao.request("GET", f"{MOUNT}/creds/wren-production-role")
    user, password = lease["data"]["username"], lease["data"]["password"]
    member = f"select pg_has_role('{PEOPLE}', 'usage'), current_user = '{user}'"
    assert postgres.query(member, user=user, password=password) == "t|t"
    with ThreadPoolExecutor() as pool:
        sleep = "select pg_sleep(300)"
        session = pool.submit(postgres.query, sleep, user=user, password=password)
        active = "select usename from pg_stat_activity"
        wait_until(lambda: user in postgres.query(active).splitlines(), "the session is there")
        bao.write("sys/leases/revoke", lease_id=lease["lease_id"], sync=True)
        with pytest.raises(CalledProcessError):
            session.result()
    assert not postgres.can_log_in(user, password)
    assert user not in postgres.query("select rolname from pg_roles").splitlines()


def test_the_services_url_logs_in_and_follows_the_pointer(world: World, cluster: Cluster) -> None:
    assert logged_in_by(world, cluster) == USERS[0]
    store = world.deployment.settings.environment.stores["vault"]
    assert isinstance(store, VaultStore)
    assert store.database
    before = world.static("b")
    world.stores.bao.write(f"{MOUNT}/rotate-role/wren-production-b")
    assert not world.postgres.can_log_in(*before)
    change = {"data": {KEY: naming.pointer_content(store.database, "b")}}
    name = naming.database_pointer(KEY)
    cluster.api.patch("v1", "ConfigMap", name, world.namespace, change)
    assert logged_in_by(world, cluster) == USERS[1]
    assert world.deployment.stack.up().changes == {}
    assert logged_in_by(world, cluster) == USERS[1]


def test_a_rotated_password_is_in_the_url_after_the_next_sync(
    world: World, cluster: Cluster
) -> None:
    logged_in_by(world, cluster)
    before = (secret_values(cluster, world.namespace, SECRET) or {})[KEY]
    for side in naming.SIDES:
        world.stores.bao.write(f"{MOUNT}/rotate-role/wren-production-{side}")
    logged_in_by(world, cluster)
    assert (secret_values(cluster, world.namespace, SECRET) or {})[KEY] != before


@pytest.mark.parametrize("identity", ["read", "rotation"])
def test_each_identity_may_do_with_the_engine_what_it_is_for_and_nothing_else(
    world: World, cluster: Cluster, identity: str
) -> None:
    account = naming.secret_store("vault", identity)  # type: ignore[arg-type]
    jwt = cluster.token(world.namespace, account, audience="vault")
    login = {"role": f"wren-production-{identity}", "jwt": jwt}
    answer = world.stores.bao.request("POST", f"auth/{AUTH}/login", login)
    token = answer["auth"]["client_token"]
    own = {"read": "static-creds", "rotation": "rotate-role"}[identity]
    asked = [
        *[("GET", f"static-creds/wren-production-{side}") for side in naming.SIDES],
        *[("POST", f"rotate-role/wren-production-{side}") for side in naming.SIDES],
        ("GET", "static-creds/wren-staging-a"),
        ("POST", "rotate-role/wren-staging-a"),
        ("GET", "creds/wren-production-role"),
        ("GET", "config/wren-production-database"),
        ("POST", "rotate-root/wren-production-database"),
    ]
    may = {path for method, path in asked if is_allowed(world.stores, token, method, path)}
    assert may == {f"{own}/wren-production-{side}" for side in naming.SIDES}


def test_no_password_is_in_the_state_or_in_anything_that_the_engine_said(
    world: World,
) -> None:
    stack = world.deployment.stack
    known = [world.first_password, *(world.static(side)[1] for side in naming.SIDES)]
    said = "\n".join([stack.state_text, *stack.heard])
    assert not [password for password in known if password in said]


def logged_in_by(world: World, cluster: Cluster) -> str:
    """Who is logged in by the URL in the services' Secret, once that is synced anew."""
    sync(cluster, world.namespace, SECRET)
    url = urlsplit((secret_values(cluster, world.namespace, SECRET) or {})[KEY])
    user, password = unquote(url.username or ""), unquote(url.password or "")
    return world.postgres.query(
        "select current_user", user=user, password=password, database=url.path.lstrip("/")
    )


def is_allowed(stores: Stores, token: str, method: str, path: str) -> bool:
    body = {} if method == "POST" else None
    try:
        stores.bao.request(method, f"{MOUNT}/{path}", body, token=token)
    except OpenBaoError as error:
        if error.status != FORBIDDEN:
            raise
        return False
    return True
