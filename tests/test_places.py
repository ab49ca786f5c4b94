"""Entries where they are: what is read where the stack file says so, and that nothing else is done
with what was there already."""

import argparse
from pathlib import Path

import pytest

from platform_secrets.components.backends.aws import AwsBackend
from platform_secrets.components.backends.aws_alarm import unusual_reads
from platform_secrets.components.backends.aws_policies import rights
from platform_secrets.components.backends.azure_rights import role_assignments
from platform_secrets.components.backends.gcp import GcpBackend
from platform_secrets.components.backends.vault import VaultBackend, policies
from platform_secrets.manifests.entries import expected_entries
from platform_secrets.manifests.external_secret import external_secret_manifests, reads_per_refresh
from platform_secrets.secretsctl.put_commands import put_commands
from platform_secrets.settings import SettingsError
from platform_secrets.settings.aws import Alarm
from platform_secrets.settings.entries import Entry
from tests.declaring import declare
from tests.settings_files import CATALOGUE, STACK, changed, lines, stack

TOKEN = {"shared": {"keys": {"api-token": {"entry": "apps-shop", "property": "token"}}}}
WRITTEN = {"shared": {"entry": "apps-shop", "writes": "allowed"}}
AWS = {
    "provider": "aws",
    "region": "eu-central-1",
    "account-id": "123456789012",
    "backend": "declare",
    "oidc-issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/0A1B",
}
GCP = {
    "provider": "gcp",
    "project": "shop-secrets",
    "cluster": {"project": "shop-clusters", "location": "europe-west3", "name": "main"},
    "backend": "declare",
}
AZURE = {
    "provider": "azure",
    "vault-name": "shop-test",
    "tenant-id": "11111111-2222-4333-8444-555555555555",
    "client-ids": {
        name: f"aaaaaaaa-0000-4000-8000-00000000000{number}"
        for number, name in enumerate(("read", "rotation", "seed"))
    },
}
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret"  # noqa: S105 - a name


def spec_of(settings, bundle="shared"):
    return external_secret_manifests(settings, bundle)[0]["spec"]


def lines_of(settings, bundle="shared"):
    return spec_of(settings, bundle)["target"]["template"]["data"]


def is_read_as(line, name):
    return f'index . "{name}"' in line


def test_properties_of_one_entry_are_read_at_once_and_take_their_names(settings_with):
    places = {"entry": "apps/shop", "keys": {"api-token": {"property": "token"}}}
    places["writes"] = "allowed"
    settings = settings_with(bundles={"shared": places})
    assert spec_of(settings)["dataFrom"] == [{"extract": {"key": "apps/shop"}}]
    assert "data" not in spec_of(settings)
    assert is_read_as(lines_of(settings)["api-token"], "token")
    assert "apps/shop has no token" in lines_of(settings)["api-token"]
    assert reads_per_refresh(external_secret_manifests(settings, "shared")[0]) == 1


def test_each_entry_of_one_secret_is_read_once_and_no_name_meets_another_s(settings_with):
    settings = settings_with(bundles=TOKEN)
    spec = spec_of(settings)
    assert spec["data"] == [
        {"secretKey": "0_api-token", "remoteRef": {"key": "apps-shop", "property": "token"}}
    ]
    [extract] = spec["dataFrom"]
    assert extract["extract"] == {"key": "shop/test"}
    assert extract["rewrite"][-1] == {"regexp": {"source": "^(.*)$", "target": "1_$1"}}
    assert is_read_as(lines_of(settings)["api-token"], "0_api-token")
    assert is_read_as(lines_of(settings)["signing-key"], "1_signing-key")
    assert reads_per_refresh(external_secret_manifests(settings, "shared")[0]) == 2


def test_a_property_within_a_property_has_a_reference_of_its_own(settings_with):
    place = {"entry": "bank", "property": "login.password", "version": "7"}
    settings = settings_with(bundles={"billing": {"keys": {"bank-password": place}}})
    reference = {"key": "bank", "property": "login.password", "version": "7"}
    assert spec_of(settings, "billing")["data"] == [
        {"secretKey": "bank-password", "remoteRef": reference}
    ]


def test_several_secrets_may_read_one_entry(settings_with):
    settings = settings_with(
        stores={"aws": AWS},
        bundles={
            "shared": {"keys": {"api-token": {"entry": "bank"}}},
            "billing": {"keys": {"bank-password": {"entry": "bank"}}},
        },
    )
    assert {"key": "bank"} in [one["remoteRef"] for one in spec_of(settings)["data"]]
    assert spec_of(settings, "billing")["data"][0]["remoteRef"] == {"key": "bank"}


@pytest.mark.parametrize(
    ("store", "pattern", "entries"),
    [
        ({"layout": "bundle"}, "{environment}/{bundle}", {"test/shared", "test/billing"}),
        (AWS | {"layout": "bundle"}, "x/{bundle}", {"x/shared", "x/billing"}),
        (GCP | {"layout": "bundle"}, "{bundle}-{environment}", {"shared-test", "billing-test"}),
    ],
)
def test_every_store_s_entries_follow_its_pattern(settings_with, vault, store, pattern, entries):
    store = (store if "provider" in store else vault | store) | {"entry-pattern": pattern}
    settings = settings_with(stores={"it": store})
    assert {*expected_entries(settings)["it"]} == entries


@pytest.mark.parametrize("store", [AWS, GCP, AZURE, {"layout": "per-key"}])
def test_in_layout_per_key_a_pattern_may_hold_bundle_and_key(settings_with, vault, store):
    store = store if "provider" in store else vault | store
    settings = settings_with(stores={"it": store | {"entry-pattern": "{bundle}-{key}"}})
    assert "shared-signing-key-next" in expected_entries(settings)["it"]


def test_what_is_expected_has_the_properties_true_names(settings_with):
    expected = expected_entries(settings_with(bundles=TOKEN))["vault"]
    assert expected["apps-shop"] == ["token"]
    assert "api-token" not in expected["shop/test"]


def test_a_reader_reads_exactly_the_named_entry_and_no_other_identity_has_it(settings_with, vault):
    settings = settings_with(
        stores={"vault": vault | {"backend": "declare"}},
        bundles=TOKEN,
        seeding={"groups": ["wren-operators"]},
    )
    assert 'path "secret/data/apps-shop" {\n  capabilities = ["read"]' in "".join(
        policies(settings, "vault", "read")
    )
    for identity in ("rotation", "seed"):
        assert "apps-shop" not in "".join(policies(settings, "vault", identity))


@pytest.mark.parametrize(
    ("backend", "store"),
    [(VaultBackend, {}), (AwsBackend, AWS), (GcpBackend, GCP)],
)
def test_no_stack_makes_or_marks_the_named_entry(settings_with, vault, backend, store):
    store = store or vault | {"backend": "declare"}
    settings = settings_with(
        stores={"it": store}, bundles=TOKEN, seeding={"groups": ["wren-operators"]}
    )
    run = declare(lambda: backend("it", settings=settings, store="it"))
    naming_it = {one.type for one in run.declared if "apps-shop" in repr(one.inputs)}
    assert naming_it <= {
        "vault:index/policy:Policy",
        "aws:iam/rolePolicy:RolePolicy",
        "gcp:secretmanager/secretIamMember:SecretIamMember",
    }
    assert len(naming_it) == 1


def test_in_aws_a_reader_reads_exactly_the_named_entry(settings_with):
    settings = settings_with(stores={"aws": AWS}, bundles=TOKEN)
    found = rights(settings, "aws", "read", {"eu-central-1": "arn:key"})["Statement"][0]
    assert f"{SECRET}:apps-shop-??????" in found["Resource"]
    assert not [one for one in found["Resource"] if "*" in one]


def test_in_aws_an_entry_may_be_named_by_its_arn_and_the_right_is_on_that(settings_with):
    arn = "arn:aws:secretsmanager:eu-central-1:210987654321:secret:legacy/board-a1B2c3"
    places = {"shared": {"keys": {"api-token": {"entry": arn, "property": "token"}}}}
    settings = settings_with(stores={"aws": AWS}, bundles=places)
    assert {"key": arn, "property": "token"} in [
        one["remoteRef"] for one in spec_of(settings)["data"]
    ]
    found = rights(settings, "aws", "read", {"eu-central-1": "arn:key"})["Statement"][0]
    assert [one for one in found["Resource"] if "legacy" in one] == [arn]
    strange = unusual_reads(
        settings, "aws", Alarm.model_validate({"topic-arn": TOPIC, "other-readers": []})
    )
    assert arn in strange["detail"]["requestParameters"]["secretId"]


@pytest.mark.parametrize(
    ("arn", "key", "more"),
    [
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:board-a1B2c3", "api-token", {}),
        (f"{SECRET}:board-a1B2c3", "signing-key", {"writes": "allowed"}),
    ],
)
def test_an_arn_of_another_region_or_to_be_written_is_refused(settings_with, arn, key, more):
    places = {"shared": {"keys": {key: {"entry": arn, **more}}}}
    with pytest.raises(SettingsError, match=f"makes the entry {arn}; aws allows at most 512"):
        settings_with(stores={"aws": AWS}, bundles=places)


def test_in_azure_named_entries_end_the_right_on_the_whole_vault(settings_with):
    settings = settings_with(
        stores={"azure": AZURE}, bundles=TOKEN, seeding={"groups": ["wren-operators"]}
    )
    scopes = {
        identity: {one["scope"] for one in role_assignments(settings, "azure", identity).values()}
        for identity in ("read", "rotation", "seed")
    }
    assert all("/vaults/shop-test/secrets/" in one for each in scopes.values() for one in each)
    holding = {
        identity
        for identity, found in scopes.items()
        if any(scope.endswith("/secrets/apps-shop") for scope in found)
    }
    assert holding == {"read"}


def test_where_writes_are_allowed_the_rotator_writes_there(settings_with, vault):
    settings = settings_with(stores={"vault": vault | {"backend": "declare"}}, bundles=WRITTEN)
    key = settings.keys["shared/signing-key"]
    assert key.current == Entry("apps-shop", "signing-key")
    assert key.next == Entry("apps-shop", "signing-key-next")
    assert 'path "secret/data/apps-shop" {\n  capabilities = ["read", "update"]' in "".join(
        policies(settings, "vault", "rotation")
    )
    run = declare(lambda: VaultBackend("vault", settings=settings, store="vault"))
    marked = [one.inputs.get("path") for one in run.declared if one.type.endswith("Endpoint")]
    assert marked == ["secret/metadata/apps-shop"]


def test_in_aws_an_entry_that_may_be_written_is_marked_and_not_made(settings_with):
    places = {"shared": {"keys": {"signing-key": {"entry": "old", "writes": "allowed"}}}}
    settings = settings_with(stores={"aws": AWS}, bundles=places)
    run = declare(lambda: AwsBackend("aws", settings=settings, store="aws"))
    names = {one.inputs["name"] for one in run.declared if one.type.endswith(":Secret")}
    assert {"old-next", "old-previous"} <= names
    assert "old" not in names
    [mark] = [one.inputs for one in run.declared if one.type.endswith(":Tag")]
    assert (mark["secretId"], mark["key"]) == ("old", "managed-by")


def test_put_commands_leave_out_what_others_write(settings_with):
    settings = settings_with(bundles=TOKEN)
    options = argparse.Namespace(
        keys=[], not_ready=False, env="test", stack=None, catalogue=Path("catalogue.yaml")
    )
    text = put_commands(settings, options)
    assert "# api-token: left out: property token of entry apps-shop was there already." in text
    assert "put api-token" not in text
    assert "put signing-key" in text


MAIL = "bundles.mail.keys.smtp-password"


@pytest.mark.parametrize(
    ("change", "value", "message"),
    [
        ("bundles.shared.entry", "apps/shop", "key token can't be `by: generate` in it"),
        ("bundles.mail.writes", "allowed", "`writes` is about an entry: name it"),
        (f"{MAIL}.version", "7", "keeps a key with `rotate` at one value"),
        ("bundles.shared.keys.database-url.version", "AWSCURRENT", "must be a version's number"),
        ("bundles.shared.keys.databse-url.entry", "a", "did you mean database-url?"),
        ("bundles.mail.entry", "/apps", "with single slashes between its parts"),
        ("bundles.mail.entry", "a/../b", "with single slashes between its parts"),
        ("bundles.mail.entry", "apps/+", "digits and _.@=:,~-"),
        ("bundles.mail", {}, "says nothing"),
        (MAIL, {}, "says nothing"),
        ("stores.vault.entry-pattern", "{environment}/{key}", "must hold {bundle} once"),
        ("stores.vault.entry-pattern", "{bundle}/{key}", "can't hold {key}"),
        (
            MAIL,
            {"entry": "shop/test", "property": "token"},
            "is also where shared/token is kept",
        ),
    ],
)
def test_a_place_that_cannot_be_is_refused(tmp_path, change, value, message):
    [line] = lines(tmp_path, stack=changed(STACK, change, value))
    assert message in line


def test_a_place_that_nobody_writes_may_be_named_twice(tmp_path):
    place = {"entry": "shop/test", "property": "database-url"}
    assert lines(tmp_path, stack=changed(STACK, MAIL, place)) == []


def test_azure_reads_a_property_and_writes_none(tmp_path):
    place = {"entry": "apps", "property": "token"}
    azure = stack("azure")
    assert lines(tmp_path, stack=changed(azure, MAIL, place)) == []
    written = changed(azure, "bundles.shared.keys.token", place | {"writes": "allowed"})
    [line] = lines(tmp_path, stack=written)
    assert "Azure can't write one property of a secret" in line


def test_two_patterns_names_never_meet(tmp_path):
    catalogue = changed(CATALOGUE, "bundles.shared-x", {"secret": "x", "keys": {}})
    keys = {"y": {"description": "one"}}
    catalogue = changed(catalogue, "bundles.shared-x.keys", keys)
    catalogue = changed(catalogue, "bundles.shared.keys.x-y", {"description": "another"})
    found = changed(stack("gcp"), "stores.gcp.entry-pattern", "{bundle}-{key}")
    [line] = lines(tmp_path, catalogue=catalogue, stack=found)
    assert "stores.gcp.entry-pattern: is also where shared" in line
