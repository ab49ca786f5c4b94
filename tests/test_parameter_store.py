"""AWS Parameter Store: where values are, how the operator reaches them, what can't be."""

import pytest

from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.secretsctl.store_commands import store_commands
from platform_secrets.settings.entries import kept
from tests.settings_files import problems, stack

STORE = {
    "provider": "aws-parameter-store",
    "region": "eu-central-1",
    "account-id": "123456789012",
}


@pytest.fixture
def settings(settings_with):
    return lambda **changes: settings_with(stores={"parameters": STORE | changes})


def bundle_values(settings):
    return [value for bundle in settings.catalogue.bundles for value in kept(settings, bundle)]


def test_a_parameter_s_name_is_a_path_from_the_root(settings):
    values = bundle_values(settings())
    assert {value.entry.key for value in values} == {f"/shop/test/{value.id}" for value in values}
    assert {value.entry.property for value in values} == {None}


def test_a_pattern_names_parameters_as_it_stands(settings):
    values = bundle_values(settings(**{"entry-pattern": "/teams/{platform}/{key}"}))
    assert {value.entry.key for value in values} == {f"/teams/shop/{value.id}" for value in values}


def test_a_path_without_its_leading_slash_is_refused(tmp_path):
    wrong = stack("aws") | {"stores": {"aws": STORE | {"entry-pattern": "{platform}/{key}"}}}
    assert any("/ before each" in one for one in map(str, problems(tmp_path, stack=wrong)))


@pytest.mark.parametrize(
    ("setting", "value"), [("layout", "bundle"), ("backend", "declare"), ("database", {})]
)
def test_what_only_secrets_manager_can_is_refused(tmp_path, setting, value):
    wrong = stack("aws") | {"stores": {"aws": STORE | {setting: value}}}
    assert any(f"stores.aws.{setting}" in one for one in map(str, problems(tmp_path, stack=wrong)))


def test_the_operator_asks_parameter_store_by_the_identity_s_role(settings):
    objects = [one for wave in waves(settings(), {}) for one in wave.objects]
    [store] = [
        o
        for o in objects
        if o["metadata"]["name"] == "parameters-store" and o["kind"] == "SecretStore"
    ]
    aws = store["spec"]["provider"]["aws"]
    assert aws["service"] == "ParameterStore"
    [account] = [
        o
        for o in objects
        if o["metadata"]["name"] == "parameters-store" and o["kind"] == "ServiceAccount"
    ]
    role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    assert role == "arn:aws:iam::123456789012:role/shop-test--parameters-read"


def test_people_and_pushes_write_encrypted_parameters(settings):
    store = settings().environment.stores["parameters"]
    assert (provider_of(store).push_metadata or {})["spec"] == {"secretType": "SecureString"}
    assert "--type SecureString" in store_commands(store).functions


def test_its_roles_are_never_those_of_secrets_manager(settings_with):
    both = [
        settings_with(stores={store["provider"]: store})
        for store in (STORE | {"provider": "aws"}, STORE)
    ]
    first, second = (
        one.name_at_provider(store, "read") for one in both for store in one.environment.stores
    )
    assert first != second
