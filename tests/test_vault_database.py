"""A database behind Vault's engine: the provider half, and what the operator reads it through."""

import copy

import pytest
from pulumi import Output

from platform_secrets.components.backends.vault_database import VaultDatabase
from platform_secrets.components.database import DatabaseKey
from platform_secrets.components.layer import Layer
from platform_secrets.manifests import gitops, naming
from platform_secrets.manifests.database import database_manifests
from platform_secrets.manifests.entries import bundle_entries, expected_entries
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.layer import waves
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import SettingsError
from tests.conftest import SHOP, VAULT
from tests.declaring import CLUSTER_UID, Secret, declare

KEY = "orders-url"
DATABASE = {
    "host": "db.example.com",
    "name": "shop",
    "admin-user": "vault_admin",
    "users": ["shop_a", "shop_b"],
    "grants": ["shop_readers", "shop_writers"],
}
STORE = VAULT | {"backend": "declare", "database": DATABASE}
LABELS = {
    "app.kubernetes.io/component": "database",
    "app.kubernetes.io/managed-by": "platform-secrets",
    "app.kubernetes.io/part-of": "shop",
    "platform-secrets/environment": "test",
}


def catalogue(every="90d", **key):
    """The shop's catalogue, with a database key in its shared bundle."""
    found = copy.deepcopy(SHOP)
    content = {"description": "orders", "format": "postgres-url"} | key
    content["rotate"] = {"by": "database", "every": every}
    found["bundles"]["shared"]["keys"][KEY] = content
    return found


@pytest.fixture
def database(settings_with):
    """Settings of the shop with its database."""

    def made(store=None, every="90d", **changes):
        stores = {"vault": STORE | (store or {})}
        return settings_with(catalogue=catalogue(every), stores=stores, **changes)

    return made


@pytest.fixture
def backend(database):
    """All that the provider half declares, by logical name."""

    def declared(password=None, **changes):
        settings = database(**changes)
        found = declare(
            lambda: VaultDatabase(
                "vault-database",
                settings=settings,
                store="vault",
                admin_password=password() if password else None,
                after=[],
            )
        )
        return {one.name.removeprefix("vault-database-"): one for one in found.declared[1:]}

    return declared


def test_the_connection_serves_three_roles_and_no_other(backend):
    assert backend()["connection"].inputs == {
        "backend": "database",
        "name": "shop-test-database",
        "pluginName": "postgresql-database-plugin",
        "allowedRoles": ["shop-test-role", "shop-test-a", "shop-test-b"],
        "verifyConnection": True,
        "postgresql": {
            "connectionUrl": "postgresql://{{username}}:{{password}}@db.example.com:5432/shop"
            "?sslmode=verify-full",
            "username": "vault_admin",
            "passwordAuthentication": "scram-sha-256",
        },
    }


def test_the_administrator_s_password_is_a_secret_of_pulumi_s_and_set_once(backend, values):
    password = values["smtp-password"]
    one = backend(lambda: Output.secret(password))["connection"]
    assert one.inputs["postgresql"]["password"] == Secret(password)
    assert one.ignore_changes == ("postgresql.password",)


def test_nothing_uses_the_connection_before_its_password_was_rotated(backend):
    found = backend()
    rotation = found["root-rotation"]
    assert rotation.inputs == {
        "path": "database/rotate-root/shop-test-database",
        "dataJson": Secret("{}"),
        "disableRead": True,
        "disableDelete": True,
    }
    assert found["connection"].urn in rotation.depends_on
    assert all(rotation.urn in found[name].depends_on for name in ("role", "a", "b"))


def test_an_account_for_people_has_the_granted_roles_until_it_is_revoked(backend):
    found = backend()
    assert found["role"].inputs == {
        "backend": "database",
        "name": "shop-test-role",
        "dbName": "shop-test-database",
        "creationStatements": [
            "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' "
            'VALID UNTIL \'{{expiration}}\' IN ROLE "shop_readers", "shop_writers";'
        ],
        "renewStatements": ["ALTER ROLE \"{{name}}\" VALID UNTIL '{{expiration}}';"],
        "revocationStatements": [
            'ALTER ROLE "{{name}}" NOLOGIN;',
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';",
            'DROP ROLE IF EXISTS "{{name}}";',
        ],
        "defaultTtl": 3600,
        "maxTtl": 28800,
    }
    assert found["role-policy"].inputs == {
        "name": "shop-test-role",
        "policy": 'path "database/creds/shop-test-role" {\n  capabilities = ["read"]\n}\n',
    }


def test_the_engine_s_own_period_is_twice_the_policy_s(backend):
    found = backend(every="90d")
    for side in ("a", "b"):
        assert found[side].inputs == {
            "backend": "database",
            "name": f"shop-test-{side}",
            "dbName": "shop-test-database",
            "username": f"shop_{side}",
            "rotationPeriod": 180 * 24 * 3600,
        }


def test_only_the_owner_declares_the_engine_which_no_destroy_takes(backend):
    assert "mount" not in backend()
    mount = backend(store={"shared": "own"}, protect=False)["mount"]
    assert mount.inputs == {"path": "database", "type": "database"}
    assert mount.protect
    assert mount.retain_on_delete


def test_passwords_that_nobody_else_knows_are_protected(backend):
    kept = {name for name, one in backend().items() if one.protect and one.retain_on_delete}
    assert kept == {"connection", "root-rotation", "role", "a", "b"}
    assert not [one for one in backend(protect=False).values() if one.protect]


def test_the_operator_reads_both_accounts_as_the_read_identity(database):
    a, b, _ = database_manifests(database(), "shared")
    assert a == {
        "apiVersion": "generators.external-secrets.io/v1alpha1",
        "kind": "VaultDynamicSecret",
        "metadata": {"name": f"{KEY}-a", "namespace": "shop-test", "labels": LABELS},
        "spec": {
            "method": "GET",
            "path": "database/static-creds/shop-test-a",
            "resultType": "Data",
            "provider": {
                "server": "https://vault.example.com:8200",
                "version": "v2",
                "auth": {
                    "kubernetes": {
                        "mountPath": "kubernetes",
                        "role": "shop-test-read",
                        "serviceAccountRef": {"name": "vault-store", "audiences": ["vault"]},
                    }
                },
            },
        },
    }
    assert (b["metadata"]["name"], b["spec"]["path"]) == (
        f"{KEY}-b",
        "database/static-creds/shop-test-b",
    )


def test_the_pointer_holds_the_url_s_template_and_never_a_value(database):
    *_, pointer = database_manifests(database(), "shared")
    assert pointer["metadata"]["name"] == f"{KEY}-active"
    assert pointer["data"] == {
        KEY: 'postgresql://{{ .a_username | urlquery | replace "+" "%20" }}'
        ':{{ .a_password | urlquery | replace "+" "%20" }}'
        "@db.example.com:5432/shop?sslmode=verify-full"
    }


@pytest.mark.parametrize("layout", ["bundle", "per-key"])
def test_the_external_secret_takes_the_key_from_the_engine_and_from_no_entry(database, layout):
    settings = database(store={"layout": layout})
    spec = external_secret_manifests(settings, "shared")[0]["spec"]
    generated = [
        {
            "sourceRef": {
                "generatorRef": {
                    "apiVersion": "generators.external-secrets.io/v1alpha1",
                    "kind": "VaultDynamicSecret",
                    "name": f"{KEY}-{side}",
                }
            },
            "rewrite": [{"regexp": {"source": "(.*)", "target": f"{side}_$1"}}],
        }
        for side in ("a", "b")
    ]
    assert spec["dataFrom"][-2:] == generated
    assert spec["target"]["template"]["templateFrom"] == [
        {"configMap": {"name": f"{KEY}-active", "items": [{"key": KEY, "templateAs": "Values"}]}}
    ]
    assert "api-token" in spec["target"]["template"]["data"]
    assert KEY not in spec["target"]["template"]["data"]
    assert KEY not in bundle_entries(settings, "shared")
    assert KEY not in str(expected_entries(settings))


def test_without_an_engine_the_key_is_an_entry_like_any_other(settings_with):
    settings = settings_with(catalogue=catalogue())
    [found] = external_secret_manifests(settings, "shared")
    assert KEY in found["spec"]["target"]["template"]["data"]
    assert "templateFrom" not in found["spec"]["target"]["template"]
    assert database_manifests(settings, "shared") == []


def test_a_bundle_of_the_database_key_alone_reads_no_entry(settings_with):
    content = catalogue()
    del content["bundles"]["shared"]["keys"]["api-token"]
    del content["bundles"]["shared"]["keys"]["signing-key"]
    for layout in ("bundle", "per-key"):
        stores = {"vault": STORE | {"layout": layout}}
        settings = settings_with(catalogue=content, stores=stores)
        spec = external_secret_manifests(settings, "shared")[0]["spec"]
        assert "data" not in spec
        assert "data" not in spec["target"]["template"]
        assert len(spec["dataFrom"]) == 2
        assert settings.identities("vault") == ["read", "rotation"]


def test_what_is_rendered_is_declared_after_the_engine_and_before_the_external_secret(database):
    settings = database(cluster={"uid": CLUSTER_UID})
    found = declare(lambda: Layer("secrets", settings=settings, values={}, rotator={}))
    rendered = [one for wave in waves(settings, rotator_source()) for one in wave.objects]
    for one in database_manifests(settings, "shared"):
        assert one in rendered
        assert one in [each.manifest for each in found.objects()]
    [consumer] = [one for one in found.objects() if one.name == "shop-secrets-external-secret"]
    before = {one.name for one in found.declared if one.urn in found.before(consumer)}
    assert {
        "vault-database-a",
        "vault-database-b",
        f"{KEY}-database-vault-dynamic-secret",
        f"{KEY}-database-config-map",
    } <= before


def test_no_delivery_moves_the_pointer_back(database):
    settings = database(gitops={"repository": "https://git.example.com/shop/secrets.git"})
    assert settings.environment.gitops
    names = [wave.name for wave in waves(settings, rotator_source())]
    applications = gitops.argocd_manifests(settings, settings.environment.gitops, names, {})
    [stores] = [one for one in applications if "ignoreDifferences" in one["spec"]]
    assert stores["metadata"]["name"] == "shop-test-stores"
    assert stores["spec"]["ignoreDifferences"] == [
        {"group": "", "kind": "ConfigMap", "name": f"{KEY}-active", "jsonPointers": ["/data"]}
    ]
    assert "RespectIgnoreDifferences=true" in stores["spec"]["syncPolicy"]["syncOptions"]
    *_, pointer = database_manifests(settings, "shared")
    assert pointer["metadata"]["annotations"] == {
        **naming.NEVER_PRUNED,
        "kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent",
    }
    found = declare(
        lambda: DatabaseKey("part", settings=settings, bundle="shared", after=[])
    ).of_kind("ConfigMap")
    assert [(one.ignore_changes, one.protect) for one in found] == [(("data",), True)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"users": ["shop_a", "shop_a"]}, "three different accounts"),
        ({"users": ["shop_a", "vault_admin"]}, "three different accounts"),
        ({"ttl": "9h"}, "ttl must not be longer"),
        ({"grants": ['x"; DROP ROLE y; --']}, "PostgreSQL name"),
        ({"host": "db/{{password}}"}, "host"),
    ],
)
def test_a_wrong_database_is_told_with_the_setting_s_name(database, change, message):
    with pytest.raises(SettingsError, match=message) as told:
        database(store={"database": DATABASE | change})
    assert "stores.vault.database" in str(told.value)


def test_an_engine_provides_exactly_one_postgresql_url(settings_with):
    for content, message in (
        (SHOP, "needs one key with `by: database`"),
        (catalogue(format="text"), "needs `format: postgres-url`"),
    ):
        with pytest.raises(SettingsError, match=message):
            settings_with(catalogue=content, stores={"vault": STORE})
