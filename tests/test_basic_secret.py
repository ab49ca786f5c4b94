"""Development's plain Secrets: values are secrets to Pulumi, and never emptied."""

import base64
import secrets

import pulumi
import pytest

from platform_secrets.components.basic_secret import BasicSecret
from platform_secrets.components.layer import Layer
from tests.declaring import CLUSTER_UID, Secret, declare, run

KEYS = ("api-token", "signing-key", "bank-password")


@pytest.fixture
def shop(settings_with):
    return settings_with(secrets="basic", stores=None, operator=None, cluster={"uid": CLUSTER_UID})


def layer(shop, values):
    """A program that declares the whole layer with these values."""
    return lambda: Layer(
        "secrets",
        settings=shop,
        values={key: pulumi.Output.secret(value) for key, value in values.items()},
        rotator={},
    )


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
def test_each_bundle_is_one_secret_with_its_own_keys(shop, preview):
    values = {key: secrets.token_urlsafe() for key in KEYS}
    found = declare(layer(shop, values), preview=preview)
    data = {
        one.inputs["metadata"]["name"]: {
            key: base64.b64decode(secret.value).decode()
            for key, secret in one.inputs["data"].items()
        }
        for one in found.of_kind("Secret")
    }
    assert data == {
        "shop-secrets": {key: values[key] for key in ("api-token", "signing-key")},
        "shop-billing": {"bank-password": values["bank-password"]},
    }


def test_a_value_is_in_nothing_that_pulumi_shows(shop):
    values = {key: secrets.token_urlsafe() for key in KEYS}
    found = declare(layer(shop, values))
    shown = repr([(one, one.inputs) for one in found.declared]) + repr(found.warnings)
    for value in values.values():
        assert value not in shown
        assert base64.b64encode(value.encode()).decode() not in shown
    for one in found.of_kind("Secret"):
        assert {type(value) for value in one.inputs["data"].values()} == {Secret}


def test_a_preview_without_values_warns_and_leaves_them_as_they_are(shop):
    found = declare(layer(shop, {}), preview=True)
    [warning] = found.warnings
    assert warning.startswith("secrets.env: no such file")
    for one in found.of_kind("Secret"):
        assert "data" not in one.inputs
        assert one.ignore_changes == ("data",)
    assert len(found.of_kind("Secret")) == 2


def test_an_update_without_values_is_an_error_and_declares_no_secret(shop):
    found = run(layer(shop, {}))
    assert isinstance(found.error, pulumi.RunError)
    assert "secrets.env.example" in str(found.error)
    assert not found.of_kind("Secret")


def test_with_values_their_changes_are_not_ignored(shop):
    found = declare(layer(shop, {key: secrets.token_hex() for key in KEYS}))
    assert {one.ignore_changes for one in found.of_kind("Secret")} == {()}


def test_an_environment_without_stores_has_nothing_of_the_operator(shop):
    found = declare(layer(shop, {key: secrets.token_hex() for key in KEYS}))
    assert not found.of_kind("SecretStore") + found.of_kind("ExternalSecret")
    assert not found.components("platform-secrets:eso:Operator")


def test_the_component_declares_its_secret_as_its_child(shop):
    def program():
        values = {"bank-password": pulumi.Output.secret(secrets.token_hex())}
        BasicSecret("shop-billing", settings=shop, bundle="billing", values=values, after=[])

    found = declare(program)
    [component] = found.components("platform-secrets:secrets:BasicSecret")
    [secret] = found.children(component)
    assert secret.inputs["metadata"]["name"] == "shop-billing"
    assert secret.inputs["metadata"]["labels"]["app.kubernetes.io/component"] == "basic-secret"
