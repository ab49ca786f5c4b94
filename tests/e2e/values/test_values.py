"""Values come from every kind of store into the right Secrets, and from nowhere else."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import pytest

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.settings import AwsStore, GcpStore, Settings, Store, VaultStore
from platform_secrets.settings.entries import Entry
from platform_secrets.settings.entries import entry as entry_of
from tests.e2e import aws_gate
from tests.e2e.cluster import Cluster
from tests.e2e.environments import (
    PATIENCE_SECONDS,
    fails,
    operated,
    secret_values,
    settings_of,
    sync,
    touch,
)
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.stores import Stores
from tests.platform import STACK_FILES

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "vault": ("production", {}),
    "vault-per-key": ("production", {"vault": {"layout": "per-key"}}),
    "vault-jwt": ("staging", {}),
    "aws": ("production-aws", {}),
    "aws-bundle": ("production-aws", {"aws": {"layout": "bundle"}}),
    # The example's names are the same in every environment; others put entries there too.
    "gcp": (
        "production-gcp",
        {"gcp": {"entry-pattern": "{platform}-{environment}-{key}"}},
    ),
    "gcp-bundle": (
        "production-gcp",
        {"gcp": {"layout": "bundle", "entry-pattern": "{platform}-{environment}-{bundle}"}},
    ),
    "azure": ("production-azure", {}),
    "two-stores": ("two-stores", {}),
}
PER_KEY = ["vault-per-key", "aws", "gcp", "azure"]
BUNDLE = [case for case in CASES if case not in PER_KEY]

AWKWARD = (
    "\"double\" and 'single' {}",
    "back\\slash \\n \\u0041 \\\\ {}",
    "{{{{ .jwt }}}} {{{{ fail `no` }}}} {{{{/* {} */}}}}",
    "line {}\nand\r\nmore\n\n\ttab\n",
    "  blanks around {}  ",
    "Zürich 鍵 🔑 \u200b {} e\u0301",
    '{{"json": ["{}", 1, null]}}',
    "$HOME ${{x}} %41 %s `x` <a href='&amp;'> {}",
    "- yaml: &a [{}] # !!null",
    "{}==",
)
FOREIGN = "elsewhere-key"


@dataclass
class Case:
    """An environment whose store holds `values`, by key."""

    settings: Settings
    values: dict[str, str]

    @property
    def namespace(self) -> str:
        return self.settings.namespace

    def expected(self, bundle: str) -> dict[str, str]:
        """What the bundle's Secret holds: its keys, and in layout `bundle` the derived ones."""
        keys = self.settings.catalogue.bundles[bundle].keys
        found = {key: self.values[key] for key in keys}
        if self.settings.environment.stores[self.settings.store_name(bundle)].layout == "bundle":
            for key in (name for name in keys if keys[name].overlap):
                for derived in (f"{key}-next", f"{key}-previous"):
                    found[derived] = self.values.get(derived, self.values[key])
        return found


def awkward_values(settings: Settings) -> dict[str, str]:
    """A value for every key, new in each run, each hard to carry in a way of its own."""
    return {
        key: form.format(secrets.token_hex(12))
        for key, form in zip(settings.catalogue.keys, cycle(AWKWARD), strict=False)
    }


@pytest.fixture(scope="module")
def cases(cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[dict[str, Case]]:
    """All environments beside each other, applied; their stores hold more than was declared."""
    made = {}
    for name, (file, store_changes) in CASES.items():
        changes = {"environment": name, "stores": store_changes}
        settings = settings_of(STACK_FILES[file], changes)
        made[name] = Case(settings, awkward_values(settings))
        stores.prepare(settings)
        stores.put(settings, made[name].values)
        put_undeclared(stores, settings)
    with operated(cluster, operator, [case.settings for case in made.values()]):
        yield made


def put_undeclared(stores: Stores, settings: Settings) -> None:
    """Puts a property that no key declares beside those of every bundle."""
    for bundle in settings.catalogue.bundles:
        entry = entry_of(settings, bundle, "undeclared")
        stores.put_entry(settings, bundle, entry, secrets.token_hex(12))


def arrives(cluster: Cluster, case: Case, bundle: str) -> None:
    """Returns once the bundle's Secret holds exactly what it should; no value is shown."""
    secret = case.settings.catalogue.bundles[bundle].secret
    wait_until(
        lambda: secret_values(cluster, case.namespace, secret) == case.expected(bundle),
        f"{case.namespace}/{secret} holds the store's values",
        timeout_seconds=PATIENCE_SECONDS,
    )


def test_a_vault_with_a_certificate_of_its_own_authority_is_reached_where_the_stack_names_that(
    run: Run, cluster: Cluster, stores: Stores
) -> None:
    """Stands first: its operator, which trusts public authorities alone, has gone when the
    others' starts."""
    env = {name: value for name, value in stores.operator_env.items() if name != "SSL_CERT_FILE"}
    operator = OperatorRelease(run, cluster, env=env)
    authority = {"vault": {"ca-certificate": stores.authority}}
    told, untold = (
        settings_of(STACK_FILES["production"], {"environment": name, "stores": changes})
        for name, changes in (("authority", authority), ("no-authority", {}))
    )
    case = Case(told, awkward_values(told))
    for settings in (told, untold):
        stores.prepare(settings)
        stores.put(settings, case.values)
    with operated(cluster, operator, [told, untold]):
        arrives(cluster, case, "shared")
        fails(cluster, untold.namespace, "wren-secrets")
        assert secret_values(cluster, untold.namespace, "wren-secrets") is None


@pytest.mark.parametrize("name", CASES)
def test_the_declared_keys_arrive_byte_for_byte_and_nothing_else(
    cluster: Cluster, cases: dict[str, Case], name: str
) -> None:
    case = cases[name]
    for bundle in case.settings.catalogue.bundles:
        arrives(cluster, case, bundle)
    made = {
        secret["metadata"]["name"] for secret in cluster.api.list("v1", "Secret", case.namespace)
    }
    assert made == {bundle.secret for bundle in case.settings.catalogue.bundles.values()}


@pytest.mark.parametrize("name", CASES)
def test_each_entry_is_read_by_the_environments_own_account(
    cluster: Cluster, stores: Stores, cases: dict[str, Case], name: str
) -> None:
    """Two stores at once: each account reads its own store's entries and no other's."""
    case = cases[name]
    for bundle in case.settings.catalogue.bundles:
        arrives(cluster, case, bundle)
    for store, config in case.settings.environment.stores.items():
        account = f"{case.namespace}:{naming.secret_store(store, 'read')}"
        declared, allowed = set(), set()
        for bundle, content in case.settings.bundles_in(store).items():
            entries = bundle_entries(case.settings, bundle)
            declared |= {entries[key].key for key in content.keys}
            allowed |= {entry.key for entry in entries.values()}
        asked = entries_asked_by(stores, config, account) - {FOREIGN}
        # Of absent derived entries the operator asks for the first alone.
        assert declared <= asked <= allowed


@pytest.mark.parametrize("name", CASES)
def test_a_changed_value_is_there_once_a_forced_sync_has_ended(
    cluster: Cluster, stores: Stores, cases: dict[str, Case], name: str
) -> None:
    case = cases[name]
    changed = {"database-url": secrets.token_hex(12), "stripe-api-key": secrets.token_hex(12)}
    case.values |= changed
    stores.put(case.settings, changed)
    for bundle in ("shared", "backend-api"):
        secret = case.settings.catalogue.bundles[bundle].secret
        sync(cluster, case.namespace, secret)
        is_there = secret_values(cluster, case.namespace, secret) == case.expected(bundle)
        assert is_there, f"{secret} has the new value at once"


@pytest.mark.parametrize("name", BUNDLE)
def test_the_value_to_come_is_the_current_one_until_it_has_its_own(
    cluster: Cluster, stores: Stores, cases: dict[str, Case], name: str
) -> None:
    case = cases[name]
    arrives(cluster, case, "shared")
    assert case.expected("shared")["jwt-secret-next"] == case.values["jwt-secret"]
    case.values["jwt-secret-next"] = secrets.token_hex(12)
    stores.put(case.settings, {"jwt-secret-next": case.values["jwt-secret-next"]})
    sync(cluster, case.namespace, "wren-secrets")
    own = secret_values(cluster, case.namespace, "wren-secrets")
    assert own == case.expected("shared")


@pytest.mark.parametrize("name", PER_KEY)
def test_the_values_around_a_rotation_have_a_secret_of_their_own_that_stops_no_other(
    cluster: Cluster, stores: Stores, cases: dict[str, Case], name: str
) -> None:
    case, overlap = cases[name], "wren-secrets-overlap"
    fails(cluster, case.namespace, overlap)
    assert secret_values(cluster, case.namespace, overlap) is None
    arrives(cluster, case, "shared")
    derived = {f"jwt-secret-{when}": secrets.token_hex(12) for when in ("next", "previous")}
    stores.put(case.settings, derived)
    sync(cluster, case.namespace, overlap)
    is_there = secret_values(cluster, case.namespace, overlap) == derived
    assert is_there, "both values and no other"


@pytest.mark.parametrize("name", ["vault", "vault-jwt", "aws", "gcp", "azure"])
def test_nobody_else_is_let_in_and_nobody_reads_what_is_elsewhere(
    cluster: Cluster, stores: Stores, cases: dict[str, Case], name: str
) -> None:
    """The other account has the read account's annotations; the foreign entry exists."""
    settings = cases[name].settings
    [store] = settings.environment.stores
    config = settings.environment.stores[store]
    foreign = Entry(FOREIGN, "value" if isinstance(config, VaultStore) else None)
    stores.put_entry(settings, "shared", foreign, secrets.token_hex(12))
    own = external_secret_manifests(settings, "shared")[0]
    reader = naming.secret_store(store, "read")
    for obj in [*store_manifests(settings, store, "read"), own]:
        text = json.dumps(obj).replace(reader, "intruder").replace('"wren-secrets"', '"intruder"')
        cluster.api.apply(json.loads(text))
    elsewhere = json.loads(json.dumps(own).replace('"wren-secrets"', '"elsewhere"'))
    elsewhere["spec"].pop("dataFrom", None)
    reference = {"key": foreign.key} | ({"property": "value"} if foreign.property else {})
    elsewhere["spec"]["data"] = [{"secretKey": "key", "remoteRef": reference}]
    elsewhere["spec"]["target"]["template"]["data"] = {"key": "{{ .key }}"}
    cluster.api.apply(elsewhere)
    for refused in ("intruder", "elsewhere"):
        fails(cluster, settings.namespace, refused)
        assert secret_values(cluster, settings.namespace, refused) is None
    asked = entries_asked_by(stores, config, f"{settings.namespace}:intruder")
    assert asked == set(), "refused before it could ask for an entry"
    assert was_turned_away(stores, config, f"{settings.namespace}:intruder")
    asked = entries_asked_by(stores, config, f"{settings.namespace}:{reader}")
    assert FOREIGN in asked, "asked for, and refused by the store itself"


@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
@pytest.mark.parametrize("name", ["vault", "vault-per-key", "aws-bundle", "gcp-bundle"])
def test_a_key_without_a_value_fails_the_sync_and_the_secret_keeps_what_it_has(
    cluster: Cluster, stores: Stores, cases: dict[str, Case], name: str, value: str | None
) -> None:
    case = cases[name]
    sync(cluster, case.namespace, "wren-backend-api-secrets")
    set_value(stores, case, "smtp-password", value)
    touch(cluster, case.namespace, "wren-backend-api-secrets")
    fails(cluster, case.namespace, "wren-backend-api-secrets")
    kept = secret_values(cluster, case.namespace, "wren-backend-api-secrets")
    assert kept == case.expected("backend-api")
    set_value(stores, case, "smtp-password", case.values["smtp-password"])
    sync(cluster, case.namespace, "wren-backend-api-secrets")
    arrives(cluster, case, "backend-api")


@pytest.mark.parametrize("name", ["vault", "aws-bundle", "gcp-bundle"])
def test_a_property_that_is_no_text_arrives_as_one(
    cluster: Cluster, stores: Stores, cases: dict[str, Case], name: str
) -> None:
    """Vault itself rounds a whole number that a double can't hold, as its data show."""
    case = cases[name]
    entry = entry_of(case.settings, "backend-api", "smtp-password")
    too_big = "9007199254740992" if name == "vault" else "9007199254740993"
    texts = [(True, "true"), (4711, "4711"), ([1], "[1]"), (2**53 + 1, too_big)]
    for value, text in texts:
        stores.put_entry(case.settings, "backend-api", entry, value)
        sync(cluster, case.namespace, "wren-backend-api-secrets")
        found = secret_values(cluster, case.namespace, "wren-backend-api-secrets") or {}
        assert found["smtp-password"] == text
    stores.put_entry(case.settings, "backend-api", entry, case.values["smtp-password"])
    sync(cluster, case.namespace, "wren-backend-api-secrets")
    arrives(cluster, case, "backend-api")


def subject_of(account: str) -> str:
    return f"system:serviceaccount:{account}"


def entries_asked_by(stores: Stores, store: Store, account: str) -> set[str]:
    """The entries that a ServiceAccount (`<namespace>:<name>`) asked the store for, allowed or not.

    The clouds' servers take a token only with the right issuer, audience and signature, so the
    account is who it was; for Vault its own audit log says who was let in.
    """
    if not isinstance(store, VaultStore):
        reads = {aws_gate.READ, "AccessSecretVersion", "GET"}
        calls = calls_of(stores, store)
        return {c.target for c in calls if c.subject == subject_of(account) and c.method in reads}
    path = f"{store.mount}/data/"
    names = {
        f"{store.auth_mount}-{who}" for who in (account.replace(":", "-"), subject_of(account))
    }
    return {
        line["request"]["path"].removeprefix(path)
        for line in audited(stores)
        if line.get("auth", {}).get("display_name") in names
        and line["request"]["path"].startswith(path)
    }


def was_turned_away(stores: Stores, store: Store, account: str) -> bool:
    """Whether the account came with a valid token of its own and was refused for who it is."""
    if not isinstance(store, VaultStore):
        doors = {aws_gate.ASSUME, "GenerateAccessToken", "token"}
        calls = calls_of(stores, store)
        return any(c.subject == subject_of(account) and c.method in doors for c in calls)
    # The audit log hides who failed to log in, and nobody else does.
    login = f"auth/{store.auth_mount}/login"
    answers = [
        line.get("response", {})
        for line in audited(stores)
        if line["type"] == "response" and line["request"]["path"] == login
    ]
    return any("auth" not in answer for answer in answers)


def calls_of(stores: Stores, store: Store) -> list[Any]:
    """What was asked of a cloud's server: method, target, subject."""
    match store:
        case AwsStore():
            return stores.aws_gate.calls
        case GcpStore():
            return stores.gcp.identity.calls
        case _:
            return stores.azure.calls


def audited(stores: Stores) -> list[Any]:
    text = stores.bao.audit_log.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def set_value(stores: Stores, case: Case, key: str, value: str | None) -> None:
    """Makes a key of backend-api have this value, or be missing."""
    entry = entry_of(case.settings, "backend-api", key)
    store = case.settings.environment.stores[case.settings.store_name("backend-api")]
    if isinstance(store, AwsStore):
        client = stores.aws.client("secretsmanager")
        data = json.loads(client.get_secret_value(SecretId=entry.key)["SecretString"])
        client.put_secret_value(SecretId=entry.key, SecretString=with_value(data, key, value))
    elif isinstance(store, GcpStore):
        data = json.loads(stores.gcp.get(entry.key))
        stores.gcp.set(entry.key, with_value(data, key, value))
    else:
        path = f"secret/data/{entry.key}"
        data = with_value(stores.bao.read(path)["data"], str(entry.property), value)
        stores.bao.write(path, data=json.loads(data))


def with_value(data: dict[str, str], key: str, value: str | None) -> str:
    """The entry's content as JSON, with the key's new value or without the key."""
    others = {name: kept for name, kept in data.items() if name != key}
    return json.dumps(others if value is None else {**others, key: value})
