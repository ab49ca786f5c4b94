"""The provider half of Vault on a real OpenBao: declared by the real engine, used by the operator,
and tried by every identity on every entry of every environment."""

import itertools
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platform_secrets.components.backends.vault import policies
from platform_secrets.manifests import naming
from platform_secrets.settings import Settings, VaultStore
from platform_secrets.settings.entries import bundle_entry
from tests.e2e.cluster import ISSUER, Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import Outcome
from tests.e2e.environments import secret_values, settings_of, sync
from tests.e2e.openbao import OpenBaoError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, Run
from tests.e2e.stores import Stores, made_values
from tests.e2e.vault_provider import VaultProvider
from tests.platform import STACK_FILES

# Of what an entry's name may hold, whatever would be more to somebody.
ODD = [
    "a",
    "a=b",
    "a:b",
    "a,b",
    "a~b",
    "a@b",
    "a.b",
    ".a",
    "a..b",
    "-a",
    "_",
    "=",
    "a/b=c/~d",
    "a/b",
]
MOUNT, AUTH, OTHER_AUTH = "half", "half-kubernetes", "half-jwt"
FORBIDDEN = 403
READ, WRITE, DELETE = "read", "write", "delete"
OWN_CLUSTER = {
    "auth": "own",
    "auth-method": "jwt",
    "auth-mount": OTHER_AUTH,
    "cluster-issuer": ISSUER,
}
AUTHORITY = "cluster-ca-certificate"
MAY = {"read": {READ}, "rotation": {READ, WRITE}, "seed": {READ, WRITE}}


@dataclass
class Halves:
    """Production, which owns what both share, and staging, its guest, as from a cluster of its own
    that Vault can't ask about tokens; both brought up."""

    production: Deployment
    staging: Deployment
    again: list[Outcome]
    values: dict[str, dict[str, str]]

    def __iter__(self) -> Iterator[Deployment]:
        return iter((self.production, self.staging))


def vault_of(cluster: Cluster, run: Run, **more: Any) -> dict[str, Any]:
    own: dict[str, Any] = {
        "provider": "vault",
        "server": "https://vault.example.com:8200",
        "mount": MOUNT,
        "auth-mount": AUTH,
        "backend": "declare",
        "cluster-api-server": cluster.url,
        AUTHORITY: cluster.ca_file.read_text(encoding="utf-8"),
        "audit-file": str(run.folder / "half-audit.log"),
    }
    return {"vault": own | more}


@pytest.fixture(scope="module")
def halves(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Halves]:
    reviewer = {"token_reviewer_jwt": cluster.token("vault-system", "vault")}
    with ExitStack() as stack:
        provider = VaultProvider(stores.bao, reviewer)
        ports = {"vault": stack.enter_context(provider.serve())}
        made = [
            stack.enter_context(
                deployment(
                    *(run, cluster, operator, STACK_FILES[f"shared-cluster-{name}"]),
                    name=f"half-{name}",
                    ports=ports,
                    seeding={"groups": ["wren-operators"]},
                    **{"namespace-name": f"half-{name}"},
                    stores=vault_of(cluster, run, **more),
                )
            )
            for name, more in (("production", {"shared": "own"}), ("staging", OWN_CLUSTER))
        ]
        for one in made:
            one.stack.up()
        values = {one.settings.namespace: made_values(one.settings) for one in made}
        for one in made:
            stores.put(one.settings, values[one.settings.namespace])
        again = [one.stack.preview() for one in made] + [one.stack.refresh() for one in made]
        production, staging = made
        yield Halves(production, staging, again, values)
    # Retained by every destroy; another test's owner declares its own.
    stores.bao.request("DELETE", "sys/audit/platform-secrets")


def test_a_second_run_finds_nothing_to_do(halves: Halves) -> None:
    assert [outcome.changes for outcome in halves.again] == [{}] * 4


def test_the_operator_reads_through_what_was_declared(cluster: Cluster, halves: Halves) -> None:
    for one in halves:
        namespace = one.settings.namespace
        for bundle in one.settings.catalogue.bundles.values():
            sync(cluster, namespace, bundle.secret)
            found = secret_values(cluster, namespace, bundle.secret) or {}
            expected = {key: halves.values[namespace][key] for key in bundle.keys}
            assert {key: found[key] for key in bundle.keys} == expected


def test_every_identity_may_do_with_every_entry_what_it_is_for_and_nothing_else(
    cluster: Cluster, stores: Stores, halves: Halves
) -> None:
    for one, identity in itertools.product(halves, ("read", "rotation", "seed")):
        token = login(cluster, stores, one.settings, identity)
        for other in halves:
            for entry, generated in entries_of(other.settings).items():
                may = MAY[identity] if identity != "rotation" or generated else set()
                found = allowed(stores, token, entry)
                assert found == (may if one is other else set()), (identity, entry)


def test_a_token_of_another_account_or_audience_is_refused(
    cluster: Cluster, stores: Stores, halves: Halves
) -> None:
    for one in halves:
        name, namespace = one.settings.environment.environment, one.settings.namespace
        other = "staging" if name == "production" else "production"
        for account, audience, role in (
            ("vault-store", "vault", f"wren-{name}-rotation"),
            ("wren-backend-api", "vault", f"wren-{name}-read"),
            ("vault-store", ISSUER, f"wren-{name}-read"),
            ("vault-store", "vault", f"wren-{other}-read"),
        ):
            jwt = cluster.token(namespace, account, audience=audience)
            login = {"role": role, "jwt": jwt}
            for mount in (AUTH, OTHER_AUTH):
                with pytest.raises(OpenBaoError):
                    stores.bao.request("POST", f"auth/{mount}/login", login)


def test_openbao_fetches_the_issuer_s_keys_and_only_with_the_authority_that_is_set(
    stores: Stores, halves: Halves
) -> None:
    config = stores.bao.read(f"auth/{OTHER_AUTH}/config")
    assert (config["oidc_discovery_url"], config["jwt_validation_pubkeys"]) == (ISSUER, [])
    issuer = {"oidc_discovery_url": ISSUER, "bound_issuer": ISSUER}
    stores.bao.write("sys/auth/half-bare-jwt", type="jwt")
    with pytest.raises(OpenBaoError, match="x509"):
        stores.bao.write("auth/half-bare-jwt/config", **issuer)


def test_outside_of_a_cluster_openbao_asks_about_tokens_only_with_that_cluster_s_authority(
    cluster: Cluster, stores: Stores, halves: Halves
) -> None:
    config = stores.bao.read(f"auth/{AUTH}/config")
    assert config["kubernetes_ca_cert"] == cluster.ca_file.read_text(encoding="utf-8")
    stores.bao.write("sys/auth/half-bare-kubernetes", type="kubernetes")
    with pytest.raises(OpenBaoError, match=r"ca\.crt: no such file"):
        stores.bao.write("auth/half-bare-kubernetes/config", kubernetes_host=cluster.url)


def test_the_audit_device_shows_each_access_and_no_value(run: Run, halves: Halves) -> None:
    audited = (run.folder / "half-audit.log").read_text(encoding="utf-8")
    for one in halves:
        for entry in entries_of(one.settings):
            assert f'"path":"{MOUNT}/data/{entry}"' in audited
    values = [value for each in halves.values.values() for value in each.values()]
    assert not [value for value in values if value in audited]


def test_the_queries_name_who_is_refused_and_who_else_reads(
    run: Run, stores: Stores, halves: Halves, tmp_path: Path
) -> None:
    text = (run.folder / "half-audit.log").read_text(encoding="utf-8")
    (tmp_path / "audit.log").write_text(text, encoding="utf-8")
    page = (PROJECT / "docs" / "audit.md").read_text(encoding="utf-8").replace("shop-", "wren-")

    def asked(heading: str) -> set[tuple[str, ...]]:
        query = page.partition(f"**{heading}**")[2].split("```\n")[1]
        done = subprocess.run(  # noqa: S603 - the page's own text
            ["bash", "-euo", "pipefail", "-c", query],  # noqa: S607
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        lines = [re.sub(r"^ *\d+ ", "", line) for line in done.stdout.splitlines()]
        return {tuple(line.split("\t")) for line in lines}

    refused = asked("Somebody is refused by Vault")
    reads = {(who, path) for who, verb, path in refused if verb == "read"}
    own, other = (f"{MOUNT}/data/wren/{name}" for name in ("production", "staging"))
    assert ("wren-production-read", other) in reads
    assert ("wren-production-read", own) not in reads
    assert {who for who, _, _ in asked("Somebody else reads from Vault")} == {"root"}


def test_no_value_is_in_the_state(halves: Halves) -> None:
    for one in halves:
        state = one.stack.state_text
        assert not [v for v in halves.values[one.settings.namespace].values() if v in state]


def test_what_is_shared_survives_a_guest_and_its_entries_keep_their_values(
    stores: Stores, halves: Halves
) -> None:
    guest = halves.staging
    guest.stack.unprotect()
    guest.stack.destroy()
    assert f"{MOUNT}/" in stores.bao.read("sys/mounts")
    assert f"{AUTH}/" in stores.bao.read("sys/auth")
    roles = stores.bao.request("LIST", f"auth/{AUTH}/role")["data"]["keys"]
    assert sorted(roles) == [f"wren-production-{each}" for each in ("read", "rotation", "seed")]
    assert f"{OTHER_AUTH}/" not in stores.bao.read("sys/auth")
    kept = stores.bao.read(f"{MOUNT}/data/wren/staging")["data"]
    assert kept["jwt-secret"] == halves.values[guest.settings.namespace]["jwt-secret"]
    assert halves.production.stack.preview().changes == {}


def entries_of(settings: Settings) -> dict[str, bool]:
    """Each entry, and whether it holds a generated key."""
    return {
        bundle_entry(settings, name): any(key.is_generated for key in bundle.keys.values())
        for name, bundle in settings.catalogue.bundles.items()
    }


def login(cluster: Cluster, stores: Stores, settings: Settings, identity: str) -> str:
    """A token of OpenBao's for an identity's own account."""
    account = naming.secret_store("vault", identity)  # type: ignore[arg-type]
    jwt = cluster.token(settings.namespace, account, audience="vault")
    role = settings.identity_name("vault", identity)  # type: ignore[arg-type]
    mount = auth_mount(settings)
    answer = stores.bao.request("POST", f"auth/{mount}/login", {"role": role, "jwt": jwt})
    return answer["auth"]["client_token"]


def auth_mount(settings: Settings) -> str:
    store = settings.environment.stores["vault"]
    assert isinstance(store, VaultStore)
    return store.auth_mount


def allowed(stores: Stores, token: str, entry: str) -> set[str]:
    """What the bearer may do with an entry's values; a write leaves them as they are."""
    path = f"{MOUNT}/data/{entry}"
    present = stores.bao.read(path)["data"]
    found = set()
    for word, method, body in (
        (READ, "GET", None),
        (WRITE, "POST", {"data": present}),
        (DELETE, "DELETE", None),
    ):
        try:
            stores.bao.request(method, path, body, token=token)
            found.add(word)
        except OpenBaoError as error:
            if error.status != FORBIDDEN:
                raise
    return found


def test_a_policy_opens_the_entry_with_an_odd_name_and_none_beside_it(stores: Stores) -> None:
    bao = stores.bao
    for entry in ODD:
        bao.write(f"secret/data/odd/{entry}", data={"at": entry})
    for entry in ODD:
        changes = {
            "environment": "odd",
            "stores": {"vault": {"backend": "declare"}},
            "bundles": {"backend-api": {"entry": f"odd/{entry}"}},
        }
        settings = settings_of(STACK_FILES["production"], changes)
        [text] = policies(settings, "vault", "read")
        bao.write("sys/policies/acl/odd", policy=text)
        made = bao.write("auth/token/create", policies=["odd"], no_default_policy=True)
        token = made["auth"]["client_token"]
        found = [one for one in ODD if is_readable(stores, token, f"secret/data/odd/{one}")]
        assert found == [entry]


def is_readable(stores: Stores, token: str, path: str) -> bool:
    try:
        stores.bao.request("GET", path, token=token)
    except OpenBaoError as error:
        if error.status != FORBIDDEN:
            raise
        return False
    return True
