"""The provider half of an AWS store: every right granted, and nothing beside it."""

import json
import re

import pytest

from platform_secrets.components.backends.aws import AwsBackend
from platform_secrets.components.backends.aws_policies import key_policy, rights, trust
from platform_secrets.manifests.providers.aws import role_arn
from platform_secrets.settings import SettingsError
from tests.declaring import declare

ISSUER = "https://oidc.eks.eu-central-1.amazonaws.com/id/0A1B"
REGION = "eu-central-1"
STORE = {
    "provider": "aws",
    "region": REGION,
    "account-id": "123456789012",
    "backend": "declare",
    "oidc-issuer": ISSUER,
}
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/test"  # noqa: S105 - a name
KEY = "arn:aws:kms:eu-central-1:123456789012:key/aws-key-id"
ROOT = {"AWS": "arn:aws:iam::123456789012:root"}
THROUGH_SECRETS_MANAGER = {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
PUSH = [
    "secretsmanager:DeleteResourcePolicy",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
]
ENTRIES = ["api-token", "bank-password", "signing-key", "signing-key-next", "signing-key-previous"]
GENERATED = [name for name in ENTRIES if name.startswith("signing-key")]


@pytest.fixture
def aws_settings(settings_with):
    def made(store=None, **changes):
        return settings_with(stores={"aws": STORE | (store or {})}, **changes)

    return made


@pytest.fixture
def backend(aws_settings):
    """All that the provider half declares, by logical name."""

    def declared(store=None, **changes):
        settings = aws_settings(store, **changes)
        found = declare(lambda: AwsBackend("aws", settings=settings, store="aws"))
        return {one.name: one for one in found.declared if one.is_custom}

    return declared


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def granted(actions, names, cipher):
    return document(
        {
            "Effect": "Allow",
            "Action": actions,
            "Resource": [f"{SECRET}{name}-??????" for name in names],
        },
        {
            "Effect": "Allow",
            "Action": cipher,
            "Resource": KEY,
            "Condition": {"StringEquals": THROUGH_SECRETS_MANAGER},
        },
    )


def test_a_reader_may_read_its_environment_s_entries_and_nothing_else(backend):
    names = [f"/{name}" for name in ENTRIES]
    found = json.loads(backend()["aws-read-rights"].inputs["policy"])
    assert found == granted(["secretsmanager:GetSecretValue"], names, ["kms:Decrypt"])


def test_the_rotator_may_write_generated_entries_and_neither_make_nor_delete_any(backend):
    names = [f"/{name}" for name in GENERATED]
    found = json.loads(backend()["aws-rotation-rights"].inputs["policy"])
    assert found == granted(PUSH, names, ["kms:Decrypt", "kms:GenerateDataKey"])


def test_the_seeder_may_write_every_entry_and_neither_make_nor_delete_any(backend):
    names = [f"/{name}" for name in ENTRIES]
    found = json.loads(
        backend(seeding={"groups": ["wren-operators"]})["aws-seed-rights"].inputs["policy"]
    )
    assert found == granted(PUSH, names, ["kms:Decrypt", "kms:GenerateDataKey"])


def test_in_layout_bundle_a_right_is_on_the_bundle_s_entry(aws_settings):
    settings = aws_settings({"layout": "bundle"}, seeding={"groups": ["wren-operators"]})
    found = {
        identity: rights(settings, "aws", identity, {REGION: KEY})["Statement"][0]["Resource"]
        for identity in ("read", "rotation", "seed")
    }
    both = [f"{SECRET}-??????", f"{SECRET}/billing-??????"]
    assert found == {"read": both, "rotation": both[:1], "seed": both}


@pytest.mark.parametrize("identity", ["read", "rotation", "seed"])
@pytest.mark.parametrize("layout", ["bundle", "per-key"])
def test_no_right_has_a_star_or_another_environment_s_entry(aws_settings, identity, layout):
    found = rights(aws_settings({"layout": layout}), "aws", identity, {REGION: KEY})
    assert "*" not in json.dumps(found)
    for resource in found["Statement"][0]["Resource"]:
        assert re.fullmatch(rf"{SECRET}(/[a-z-]+)?-\?{{6}}", resource)


@pytest.mark.parametrize(
    ("identity", "account"),
    [("read", "aws-store"), ("rotation", "aws-rotation-store"), ("seed", "aws-seed-store")],
)
def test_a_role_is_for_one_account_of_one_cluster_with_aws_s_audience(
    aws_settings, identity, account
):
    host = ISSUER.removeprefix("https://")
    assert trust(aws_settings(), "aws", identity) == document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{host}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{host}:aud": "sts.amazonaws.com",
                    f"{host}:sub": f"system:serviceaccount:shop-test:{account}",
                }
            },
        }
    )


def test_the_role_is_the_one_that_the_service_account_names(backend, aws_settings):
    role = backend()["aws-read-role"].inputs
    store = aws_settings().environment.stores["aws"]
    assert role_arn(store, role["name"]) == "arn:aws:iam::123456789012:role/shop-test-read"
    assert backend()["aws-read-rights"].inputs["role"] == role["name"]
    assert role.keys() == {"name", "assumeRolePolicy"}


def test_the_key_is_used_through_secrets_manager_alone_and_administered_by_the_account(
    aws_settings,
):
    administration, use = key_policy(aws_settings().environment.stores["aws"], REGION)["Statement"]
    assert use == {
        "Sid": "UseThroughSecretsManager",
        "Effect": "Allow",
        "Principal": ROOT,
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {"kms:CallerAccount": "123456789012"} | THROUGH_SECRETS_MANAGER
        },
    }
    assert administration | {"Action": None} == {
        "Sid": "Administration",
        "Effect": "Allow",
        "Principal": ROOT,
        "Action": None,
        "Resource": "*",
    }
    using = ("Decrypt", "Encrypt", "Generate", "ReEncrypt", "CreateGrant", "Sign", "*")
    assert not [one for one in administration["Action"] for word in using if word in one]


def test_the_key_rotates_and_has_the_environment_s_name(backend):
    found = backend()
    assert found["aws-key"].inputs["enableKeyRotation"] is True
    assert found["aws-key-alias"].inputs["name"] == "alias/shop-test"


def test_an_entry_is_a_name_without_value_and_only_written_ones_have_the_operator_s_tag(backend):
    found = {n: one.inputs for n, one in backend().items() if one.type.endswith("secret:Secret")}
    assert found == {
        f"aws-entry-{name}": {
            "name": f"shop/test/{name}",
            "kmsKeyId": KEY,
            "recoveryWindowInDays": 30,
            "region": "eu-central-1",
        }
        | ({"tags": {"managed-by": "external-secrets"}} if name in GENERATED else {})
        for name in ENTRIES
    }


def test_entries_and_key_are_kept_where_the_environment_is_protected_and_only_there(backend):
    kept = {f"aws-entry-{name}" for name in ENTRIES} | {"aws-key", "aws-key-alias"}
    for protect in (True, False):
        found = backend(protect=protect)
        assert {n for n, one in found.items() if one.protect} == (kept if protect else set())
        assert all(one.protect == one.retain_on_delete for one in found.values())


def test_what_environments_share_is_one_trust_in_the_issuer_protected_always(backend):
    guest = backend(protect=False)
    own = {n: one for n, one in backend({"shared": "own"}, protect=False).items() if n not in guest}
    [issuer] = own.values()
    assert issuer.inputs == {"url": ISSUER, "clientIdLists": ["sts.amazonaws.com"]}
    assert (issuer.protect, issuer.retain_on_delete) == (True, True)


def test_nothing_that_can_hold_a_value_is_declared(backend):
    types = {
        one.type
        for one in backend({"shared": "own"}, seeding={"groups": ["wren-operators"]}).values()
    }
    assert {one.rpartition(":")[2] for one in types} == {
        "OpenIdConnectProvider",
        "Key",
        "Alias",
        "Secret",
        "Role",
        "RolePolicy",
    }


def test_no_logical_name_holds_the_environment(backend):
    assert not [
        name
        for name in backend(seeding={"groups": ["wren-operators"]})
        if "test" in name or "shop" in name
    ]


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ({"oidc-issuer": None}, "stores.aws.oidc-issuer"),
        ({"recovery-window-days": 3}, "stores.aws.recovery-window-days"),
        ({"recovery-window-days": 0}, "stores.aws.recovery-window-days"),
        ({"backend": "existing", "shared": "own"}, "stores.aws.shared"),
    ],
)
def test_what_is_missing_is_told_with_the_setting_s_name(aws_settings, store, place):
    with pytest.raises(SettingsError, match=place):
        aws_settings(store)
