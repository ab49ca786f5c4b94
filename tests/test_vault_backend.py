"""The provider half of a Vault store: every right granted, and nothing beside it."""

import json
import re

import pytest

from platform_secrets.components.backends.vault import VaultBackend, policies
from platform_secrets.settings import SettingsError
from tests.declaring import PROJECT, declare

DECLARED = {"backend": "declare"}
OWNED = {**DECLARED, "shared": "own"}
ISSUER = "https://issuer.example.com"
CERTIFICATE = (PROJECT / "tests/authority.pem").read_text()


@pytest.fixture
def backend(settings_with, vault):
    """All that the provider half declares: (type's last part, inputs), by logical name."""

    def declared(store, **changes):
        settings = settings_with(stores={"vault": vault | store}, **changes)
        found = declare(lambda: VaultBackend("vault", settings=settings, store="vault"))
        return {one.name: one for one in found.declared if one.is_custom}

    return declared


@pytest.fixture
def rights(settings_with, vault):
    """An identity's policy as (path, capabilities)."""

    def parsed(identity, **store):
        settings = settings_with(
            stores={"vault": vault | DECLARED | store}, seeding={"groups": ["wren-operators"]}
        )
        text = "".join(policies(settings, "vault", identity))
        rules = re.findall(r'path "([^"]+)" \{\n  capabilities = (\[[^\]]*\])\n\}\n', text)
        assert (
            "".join(f'path "{p}" {{\n  capabilities = {c}\n}}\n\n' for p, c in rules) == text + "\n"
        )
        return {path: json.loads(capabilities) for path, capabilities in rules}

    return parsed


def test_a_reader_may_read_its_environment_s_entries_and_nothing_else(rights):
    assert rights("read") == {
        "secret/data/shop/test": ["read"],
        "secret/data/shop/test/billing": ["read"],
    }


def test_the_rotator_may_write_the_entry_that_holds_a_generated_key_and_no_other(rights):
    assert rights("rotation") == {
        "secret/data/shop/test": ["read", "update"],
        "secret/metadata/shop/test": ["read", "update"],
    }


def test_in_layout_per_key_the_rotator_may_make_the_entries_of_derived_keys(rights):
    both = [("data", "metadata"), ("signing-key", "signing-key-next", "signing-key-previous")]
    assert rights("rotation", layout="per-key") == {
        f"secret/{kind}/shop/test/{key}": (["create"] if key != "signing-key" else [])
        + ["read", "update"]
        for kind in both[0]
        for key in both[1]
    }


def test_the_seeder_may_make_and_write_every_entry_and_delete_none(rights):
    assert rights("seed") == {
        f"secret/{kind}/{entry}": ["create", "read", "update"]
        for kind in ("data", "metadata")
        for entry in ("shop/test", "shop/test/billing")
    }


@pytest.mark.parametrize(
    ("identity", "rules"),
    [
        ("read", {f"database/static-creds/shop-test-{side}": ["read"] for side in "ab"}),
        ("rotation", {f"database/rotate-role/shop-test-{side}": ["update"] for side in "ab"}),
        ("seed", {}),
    ],
)
def test_a_reader_sees_the_database_s_passwords_and_the_rotator_has_them_changed(
    settings_with, shop, vault, identity, rules
):
    shop["bundles"]["billing"]["keys"]["bank-password"] |= {
        "format": "postgres-url",
        "rotate": {"by": "database", "every": "90d"},
    }
    database = {"host": "db", "name": "shop", "admin-user": "v", "users": ["a", "b"]}
    stores = {"vault": vault | DECLARED | {"database": database | {"grants": ["people"]}}}
    settings = settings_with(catalogue=shop, stores=stores)
    found = re.findall(
        r'path "([^"]+)" \{\n  capabilities = (.*)\n',
        "".join(policies(settings, "vault", identity)),
    )
    of_entries = {path: listed for path, listed in found if path.startswith("secret/")}
    assert {path: json.loads(listed) for path, listed in found if path not in of_entries} == rules
    assert not [path for path in of_entries if "billing" in path]


@pytest.mark.parametrize("identity", ["read", "rotation", "seed"])
@pytest.mark.parametrize("layout", ["bundle", "per-key"])
def test_no_policy_has_a_glob_or_another_environment_s_entry(rights, identity, layout):
    for path, capabilities in rights(identity, layout=layout).items():
        assert not set(path) & set("*+")
        assert re.match(r"secret/(data|metadata)/shop/test(/|$)", path)
        assert not {"delete", "sudo", "list", "patch"} & set(capabilities)


def test_a_role_is_bound_to_one_account_of_one_namespace_and_to_its_own_policy(backend):
    found = backend(DECLARED)
    assert found["vault-read-role"].inputs == {
        "backend": "kubernetes",
        "roleName": "shop-test-read",
        "boundServiceAccountNames": ["vault-store"],
        "boundServiceAccountNamespaces": ["shop-test"],
        "audience": "vault",
        "tokenPolicies": ["shop-test-read"],
        "tokenTtl": 600,
        "tokenMaxTtl": 3600,
    }
    assert found["vault-read-policy"].inputs["name"] == "shop-test-read"


def test_where_vault_can_t_ask_the_cluster_a_role_is_bound_to_one_subject(backend):
    role = backend(DECLARED | {"auth-method": "jwt", "auth-mount": "jwt-test"})["vault-read-role"]
    assert role.type == "vault:jwt/authBackendRole:AuthBackendRole"
    assert role.inputs["boundSubject"] == "system:serviceaccount:shop-test:vault-store"
    assert role.inputs["boundAudiences"] == ["vault"]


def test_a_guest_declares_nothing_that_environments_share(backend):
    assert {one.type.rpartition(":")[2] for one in backend(DECLARED).values()} == {
        "Policy",
        "AuthBackendRole",
        "Endpoint",
    }


def test_what_environments_share_is_protected_and_no_reviewer_s_token_is_in_it(backend):
    guests = backend(DECLARED)
    own = {name: one for name, one in backend(OWNED).items() if name not in guests}
    assert {one.type.rpartition(":")[2] for one in own.values()} == {
        "Mount",
        "SecretBackendV2",
        "Audit",
        "AuthBackend",
        "AuthBackendConfig",
    }
    assert all(one.protect and one.retain_on_delete for one in own.values())
    config = own["vault-auth-config"].inputs
    assert config == {"backend": "kubernetes", "kubernetesHost": "https://kubernetes.default.svc"}


def test_all_but_the_audit_device_is_in_the_store_s_namespace(backend):
    """Vault's owners have that, for all namespaces; it may exist already."""
    store = OWNED | {"namespace": "platform"}
    found = {name: one.inputs.get("namespace") for name, one in backend(store).items()}
    assert found.pop("vault-audit") is None
    assert set(found.values()) == {"platform"}
    assert backend(store | {"audit": "existing"}).keys() == found.keys()


def test_only_entries_that_the_operator_writes_are_marked_and_a_destroy_leaves_them(backend):
    marked = [one for one in backend(DECLARED).values() if one.type.endswith("Endpoint")]
    assert [one.inputs["path"] for one in marked] == ["secret/metadata/shop/test"]
    assert all(one.inputs["disableDelete"] for one in marked)


def test_a_stack_with_a_cluster_of_its_own_owns_its_auth_method_and_nothing_that_is_shared(backend):
    own_cluster = {"auth": "own", "auth-method": "jwt", "cluster-issuer": ISSUER}
    for protect in (True, False):
        guest = backend(DECLARED, protect=protect)
        found = backend(DECLARED | own_cluster, protect=protect)
        [name] = found.keys() - guest.keys()
        assert (found[name].protect, found[name].retain_on_delete) == (protect, protect)
        assert found[name].inputs == {
            "path": "kubernetes",
            "type": "jwt",
            "oidcDiscoveryUrl": ISSUER,
            "boundIssuer": ISSUER,
        }


def test_vault_trusts_the_cluster_s_own_authority_where_that_is_set(backend):
    authority = {"cluster-ca-certificate": CERTIFICATE}
    asked = backend(OWNED | authority)["vault-auth-config"].inputs
    assert asked["kubernetesCaCert"] == CERTIFICATE
    own_cluster = {"auth": "own", "auth-method": "jwt", "cluster-issuer": ISSUER}
    fetched = backend(DECLARED | own_cluster | authority)["vault-auth"].inputs
    assert fetched["oidcDiscoveryCaPem"] == CERTIFICATE


def test_an_owner_of_what_is_shared_can_leave_the_auth_method_to_others(backend):
    left = backend(OWNED).keys() - backend(OWNED | {"auth": "existing"}).keys()
    assert left == {"vault-auth", "vault-auth-config"}


def test_no_value_is_given_to_pulumi(backend):
    for one in backend(OWNED, seeding={"groups": ["wren-operators"]}).values():
        assert "/data/" not in one.inputs.get("path", "")
        assert not {"token", "tokenReviewerJwt", "password"} & one.inputs.keys()


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ({"shared": "own"}, "stores.vault.shared"),
        (OWNED | {"auth-method": "jwt"}, "stores.vault.cluster-issuer"),
        (DECLARED | {"auth": "own", "auth-method": "jwt"}, "stores.vault.cluster-issuer"),
        ({"auth": "own"}, "stores.vault.auth"),
        (
            DECLARED | {"cluster-ca-certificate": CERTIFICATE},
            "stores.vault.cluster-ca-certificate: is for the stack that owns the auth method",
        ),
    ],
)
def test_what_is_missing_is_told_with_the_setting_s_name(settings_with, vault, store, place):
    with pytest.raises(SettingsError, match=place):
        settings_with(stores={"vault": vault | store})


def test_a_policy_that_storage_would_not_take_is_split_and_the_role_has_all_of_it(
    settings_with, vault
):
    """Seen on OpenBao: 1,048,576 bytes of one policy, as JSON."""
    names = [f"key-{number:04}-with-a-longer-name" for number in range(6000)]
    bundles = {"many": {"secret": "many", "keys": {one: {"description": one} for one in names}}}
    settings = settings_with(
        catalogue={"platform": "wren", "bundles": bundles, "services": {}},
        stores={"vault": vault | DECLARED | {"layout": "per-key"}},
    )
    run = declare(lambda: VaultBackend("vault", settings=settings, store="vault"))
    made = {
        one.inputs["name"]: one.inputs["policy"]
        for one in run.declared
        if one.type.endswith(":Policy")
    }
    [role] = [one for one in run.declared if one.type.endswith("AuthBackendRole")]
    assert sorted(made) == sorted(role.inputs["tokenPolicies"])
    assert len(made) == 2
    assert all(len(json.dumps(text)) < 512 * 1024 for text in made.values())
    assert sum(text.count("path ") for text in made.values()) == len(names)
