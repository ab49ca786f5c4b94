"""SecretsLayer in a program of somebody's own: plain arguments, outputs, several in one program."""

import dataclasses
import secrets
from typing import cast

import pulumi
import pytest

from platform_secrets import settings
from platform_secrets.components import SecretsLayer, SecretsLayerArgs
from tests.conftest import OF_ANY_PLATFORM, made_up_values
from tests.declaring import CLUSTER_UID, declare, run
from tests.settings_files import BASIC, CATALOGUE, REMOVED, STACK, changed

LAYER = "platform-secrets:layer:SecretsLayer"
HERE = {"cluster": {"uid": CLUSTER_UID}}


def layer(name="secrets", *, environment=STACK, catalogue=CATALOGUE, **more):
    """A program that declares one layer."""
    args = {"environment": {**environment, **HERE}, "catalogue": catalogue, **more}
    return lambda: SecretsLayer(name, cast(SecretsLayerArgs, args))


def message(program, **options):
    """What a program ends with, which must be text for people."""
    error = run(program, **options).error
    assert isinstance(error, pulumi.RunError)
    return str(error)


def values():
    return {
        "database-url": f"postgresql://shop:{secrets.token_hex(8)}@db/shop",
        "token": secrets.token_hex(16),
        "smtp-password": secrets.token_hex(16),
    }


def spelled(stack):
    """A value for every key that a stack has, by what people call it."""
    catalogue, made = stack.settings.catalogue, made_up_values(stack.catalogue)
    return {name: made[id] for name in catalogue.spellings if (id := catalogue.key_id(name))}


def as_called(name, stack):
    """All that a layer of this name declares of a stack, but the values."""
    client_ids = {
        f"{prefix}{store}-{identity}-identity": {"clientId": getattr(content.client_ids, identity)}
        for store, content in stack.settings.environment.stores.items()
        if isinstance(content, settings.AzureStore)
        for identity in stack.settings.identities(store)
        for prefix in ("", f"{name}/")
    }
    program = layer(
        name,
        environment=stack.content,
        catalogue=settings.catalogue_document(stack.catalogue).content,
        values=spelled(stack),
    )
    return declare(program, stack=stack.name, outputs=client_ids).declared


def without_values(one):
    is_secret = one.inputs.get("kind") == "Secret"
    return dataclasses.replace(
        one, inputs={**one.inputs, "data": None} if is_secret else one.inputs
    )


@pytest.mark.parametrize("stack", OF_ANY_PLATFORM.values(), ids=[*OF_ANY_PLATFORM])
def test_a_layer_called_secrets_is_that_of_a_program_of_its_own(stack):
    """Who moves it into a larger program gets the same URNs."""
    by_itself = {one.urn: without_values(one) for one in stack.declared.declared}
    assert {one.urn: without_values(one) for one in as_called("secrets", stack)} == by_itself


@pytest.mark.parametrize("stack", OF_ANY_PLATFORM.values(), ids=[*OF_ANY_PLATFORM])
def test_any_other_layer_has_its_name_before_that_of_every_part(stack):
    own, *parts = as_called("eu", stack)
    assert (own.type, own.name) == (LAYER, "eu")
    assert not [one.name for one in parts if "eu/" not in one.name]
    assert {(one.type, one.name.replace("eu/", "", 1)) for one in parts} == {
        (one.type, one.name) for one in stack.declared.declared if one.type != LAYER
    }


def test_layers_beside_each_other_have_nothing_in_common():
    other = changed(STACK, "environment", "other") | {"operator": "existing"}
    other.pop("network")

    def program():
        layer("secrets")()
        layer("other", environment=other)()

    found = declare(program).declared
    assert len({one.urn for one in found}) == len(found)
    urns = {one.name: one.urn for one in found if one.type == LAYER}
    assert {*urns} == {"secrets", "other"}


def test_a_layer_tells_its_namespace_its_stores_and_what_they_must_hold():
    outputs = {}

    def program():
        made = layer("eu")()
        for name in ("namespace", "secret_stores", "expected_entries"):
            getattr(made, name).apply(lambda value, name=name: outputs.update({name: value}))

    found = declare(program)
    assert outputs == {
        "namespace": "shop-test",
        "secret_stores": {"vault": "vault-store"},
        "expected_entries": {
            "vault": {"shop/test": ["database-url", "token"], "shop/test/mail": ["smtp-password"]}
        },
    }
    names = {(one.manifest or {})["metadata"]["name"] for one in found.of_kind("SecretStore")}
    assert "vault-store" in names


def test_all_that_is_wrong_with_the_arguments_is_told_in_one_text():
    wrong = changed(STACK, "stores.vault.server", REMOVED)
    said = message(
        layer("eu", environment=wrong, catalogue=changed(CATALOGUE, "bundles.mail.keyz", {}))
    )
    assert "eu.environment: stores.vault.server: " in said
    assert "eu.catalogue: bundles.mail.keyz: " in said


@pytest.mark.parametrize("missing", ["environment", "catalogue"])
def test_an_argument_that_is_not_given_is_named(missing):
    args = {"environment": STACK, "catalogue": CATALOGUE}
    del args[missing]
    incomplete = cast(SecretsLayerArgs, args)
    assert f"eu.{missing}: " in message(lambda: SecretsLayer("eu", incomplete))


@pytest.mark.parametrize("as_output", [False, True], ids=["plain", "output"])
def test_basic_secrets_get_the_values_that_the_program_has(as_output):
    given = values()

    def program():
        return layer(
            environment=BASIC, values=pulumi.Output.secret(given) if as_output else given
        )()

    found = declare(program)
    keys = {key for one in found.of_kind("Secret") for key in one.inputs["data"]}
    assert keys == {*given}
    shown = repr([(one, one.inputs) for one in found.declared])
    assert not [value for value in given.values() if value in shown]


def test_what_is_wrong_with_the_values_is_told_without_them():
    given = {"database-url": secrets.token_hex(), "tokn": secrets.token_hex()}
    said = message(layer("eu", environment=BASIC, values=given))
    assert "eu.values: database-url: " in said
    assert "eu.values: smtp-password: is missing: a password" in said
    assert "eu.values: tokn: unknown key (did you mean token?)" in said
    assert not [value for value in given.values() if value in said]
    assert "eu.values: token: is missing" in message(layer("eu", environment=BASIC))
