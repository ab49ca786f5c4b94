"""The component package: the schema that other languages see, and what it makes of their input."""

import json
from collections.abc import Coroutine
from typing import cast

import pytest
import yaml
from pulumi.errors import InputPropertiesError

from platform_secrets import __version__
from platform_secrets.components import SecretsLayer, SecretsLayerArgs
from platform_secrets.components.__main__ import Provider
from tests.declaring import CLUSTER_UID, PROJECT, declare
from tests.settings_files import CATALOGUE, REMOVED, STACK, changed

TYPE = "platform-secrets:index:SecretsLayer"


def as_sent(value):
    """A value as the engine hands it on: mappings in another order, numbers as floats."""
    if isinstance(value, dict):
        return {key: as_sent(each) for key, each in reversed(value.items())}
    if isinstance(value, list):
        return [as_sent(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def constructed(inputs):
    """A program for which the package declares a layer."""

    def program():
        made = Provider().construct("eu", TYPE, inputs)
        cast(Coroutine, made.urn).close()  # a test waits for all declarations itself

    return program


def test_other_languages_see_the_arguments_and_the_outputs():
    schema = json.loads(Provider().schema or "")
    assert (schema["name"], schema["version"]) == ("platform-secrets", __version__)
    found = schema["resources"][TYPE]
    assert found["isComponent"]
    assert found["requiredInputs"] == ["catalogue", "environment"]
    assert {*found["inputProperties"]} == {
        "catalogue",
        "environment",
        "values",
        "databaseAdminPassword",
    }
    assert {*found["properties"]} == {"namespace", "secretStores", "expectedEntries"}
    described = [*found["inputProperties"].values(), *found["properties"].values()]
    assert all(one["description"] for one in described)


def test_a_layer_is_the_same_in_whatever_order_its_settings_arrive():
    args: SecretsLayerArgs = {
        "environment": {**STACK, "cluster": {"uid": CLUSTER_UID}},
        "catalogue": CATALOGUE,
    }
    one, other = (declare(constructed(each)).declared for each in (as_sent(args), args))
    assert {each.urn: each for each in one} == {each.urn: each for each in other}
    in_python = declare(lambda: SecretsLayer("eu", args)).declared
    assert {each.urn for each in one} == {each.urn for each in in_python}


def test_what_is_wrong_with_the_settings_reaches_the_program_as_one_text():
    wrong = changed(STACK, "stores.vault.server", REMOVED)
    program = constructed({"environment": as_sent(wrong), "catalogue": {}})

    def caught():
        with pytest.raises(InputPropertiesError) as raised:
            program()
        said.append(raised.value.message)

    said = []
    declare(caught)
    [text] = said
    assert "eu.environment: stores.vault.server: " in text
    assert "eu.catalogue: platform: " in text
    assert "Traceback" not in text


def test_pulumi_runs_the_package_with_this_version_of_it():
    folder = PROJECT / "components"
    assert yaml.safe_load((folder / "PulumiPlugin.yaml").read_text()) == {"runtime": "python"}
    [line] = [
        one for one in (folder / "requirements.txt").read_text().splitlines() if one[0] != "#"
    ]
    assert line == f"platform-secrets[vault,aws,gcp,azure]=={__version__}"
