"""What a generated value is made of: letters and digits, hex, base64, or a UUID."""

import base64
import re
import secrets
import shlex
import subprocess
import uuid
from argparse import Namespace
from math import lgamma, log, log2
from pathlib import Path

import pytest

from platform_secrets.manifests.rotation.cron_jobs import generator_manifests
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator import shapes
from platform_secrets.rotator.keys import Generated
from platform_secrets.secretsctl.example import example_text
from platform_secrets.secretsctl.put_commands import put_commands
from platform_secrets.settings import Document, Settings, SettingsError, load
from platform_secrets.settings.values import given_values
from tests.settings_files import BASIC, CATALOGUE, STACK, changed, lines

TOKEN = "bundles.shared.keys.token"  # noqa: S105 - the place of a key
GENERATE = {"by": "generate", "every": "90d"}
FORMS = {
    "hex": r"[0-9a-f]{64}",
    "base64": r"[A-Za-z0-9+/]{43}=",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
}


def settings_of(rotate: dict, stack: dict = STACK) -> Settings:
    token = {"description": "a token", "rotate": {**GENERATE, **rotate}}
    bundles = {"shared": {"secret": "shop-secrets", "keys": {"token": token}}}
    catalogue = {"platform": "shop", "bundles": bundles}
    [found] = load([Document("stack.yaml", stack)], Document("catalogue.yaml", catalogue))
    return found


def bits(spec: dict) -> float:
    """How much there is to guess in what the operator draws: the places of digits, symbols and
    letters, and which each is."""
    symbols, digits = spec["symbols"], spec.get("digits", spec["length"] // 4)
    letters = spec["length"] - digits - symbols
    places = [lgamma(n + 1) / log(2) for n in (spec["length"], digits, symbols, letters)]
    drawn = digits * log2(10) + letters * log2(52)
    drawn += symbols and symbols * log2(len(spec["symbolCharacters"]))
    return places[0] - sum(places[1:]) + drawn


@pytest.mark.parametrize(
    ("rotate", "drawn", "least_bits"),
    [
        ({}, {"length": 64, "symbols": 0}, 375),
        ({"alphabet": "hex"}, {"length": 64, "digits": 40, "symbols": 24}, 252),
        ({"alphabet": "hex", "length": 32}, {"length": 32, "digits": 20, "symbols": 12}, 125),
        ({"alphabet": "base64"}, {"length": 43, "digits": 7, "symbols": 1}, 251 + 2),
        ({"alphabet": "base64", "bytes": 16}, {"length": 22, "digits": 3, "symbols": 1}, 124 + 4),
        ({"alphabet": "base64", "bytes": 48}, {"length": 64, "digits": 10, "symbols": 2}, 379),
    ],
)
def test_a_value_is_drawn_so_that_there_is_as_much_to_guess_as_the_docs_say(
    rotate, drawn, least_bits
):
    [generator] = generator_manifests(settings_of(rotate), "token")
    spec = generator["spec"]
    assert generator["kind"] == "Password"
    assert {name: spec[name] for name in drawn} == drawn
    assert bits(spec) > least_bits
    if rotate.get("alphabet") == "hex":
        assert spec["digits"] + spec["symbols"] == spec["length"]
        assert spec["symbolCharacters"] == "abcdef"


def test_a_uuid_is_made_by_the_operator_s_own_generator():
    [generator] = generator_manifests(settings_of({"alphabet": "uuid"}), "token")
    assert (generator["kind"], generator["spec"]) == ("UUID", {})


@pytest.mark.parametrize(
    ("alphabet", "kind", "value"),
    [
        ("letters-and-digits", "Password", ".password"),
        ("hex", "Password", ".password"),
        ("base64", "Password", "b64dec | b64enc"),
        ("uuid", "UUID", ".uuid"),
    ],
)
def test_the_staged_value_is_what_is_pushed_and_compared(alphabet, kind, value):
    plan = rotation_plan(settings_of({"alphabet": alphabet}))
    [key] = plan.rotated
    assert isinstance(key, Generated)
    spec = shapes.staged(plan, key, "2027-01-01")["spec"]
    assert spec["dataFrom"][0]["sourceRef"]["generatorRef"]["kind"] == kind
    data = spec["target"]["template"]["data"]
    made = data["password"].removeprefix("{{ ").removesuffix(" }}")
    assert value in made
    assert data["is-current"].startswith(f"{{{{ $v := {made} }}}}")
    assert "{{ $v | sha256sum }}" in data["is-current"]


@pytest.mark.parametrize(
    ("rotate", "sentence"),
    [
        ({"alphabet": "uuid", "length": 36}, "`alphabet: uuid` takes no `length`"),
        ({"alphabet": "hex", "symbols": "-"}, "`alphabet: hex` takes no `symbols`"),
        ({"alphabet": "hex", "bytes": 32}, "`alphabet: hex` takes no `bytes`"),
        ({"alphabet": "base64", "length": 44}, "base64 has `bytes`: 32 are 44 characters"),
        ({"alphabet": "hex", "length": 63}, "`length` in hex must be even"),
        ({"alphabet": "hex", "length": 16}, "and 32 or more"),
        ({"alphabet": "base58"}, "must be one of: letters-and-digits, hex, base64 or uuid"),
    ],
)
def test_what_an_alphabet_can_not_be_is_told(tmp_path, rotate, sentence):
    [found] = lines(tmp_path, changed(CATALOGUE, f"{TOKEN}.rotate", {**GENERATE, **rotate}))
    assert sentence in found


@pytest.mark.parametrize(("alphabet", "length"), [("uuid", 36), ("base64", 44)])
def test_a_generated_value_is_as_long_as_its_key_wants(tmp_path, alphabet, length):
    key = {"description": "a token", "min-length": length}
    key["rotate"] = {**GENERATE, "alphabet": alphabet}
    assert not lines(tmp_path, changed(CATALOGUE, TOKEN, key))
    [found] = lines(tmp_path, changed(CATALOGUE, TOKEN, {**key, "min-length": length + 1}))
    assert f"a generated value has {length} characters" in found


@pytest.mark.parametrize("alphabet", FORMS)
def test_a_basic_value_has_the_form_that_its_program_takes(alphabet):
    right = {
        "hex": secrets.token_hex(32),
        "base64": base64.b64encode(secrets.token_bytes(32)).decode(),
        "uuid": str(uuid.uuid4()),
    }[alphabet]
    wrong = secrets.token_hex(32)[1:]
    settings = settings_of({"alphabet": alphabet}, BASIC)
    assert given_values(settings, {"token": right}, "values") == {"token": right}
    with pytest.raises(SettingsError) as refused:
        given_values(settings, {"token": wrong}, "values")
    [problem] = refused.value.problems
    assert problem.message == f"is no {alphabet}, which the catalogue's `alphabet` asks for"
    length = {"hex": 64, "base64": 44, "uuid": 36}[alphabet]
    assert f"({alphabet}, {length} characters)" in example_text(settings.catalogue)


@pytest.mark.parametrize("alphabet", FORMS)
def test_the_commands_that_put_values_in_make_one_of_the_same_form(alphabet):
    options = Namespace(keys=[], not_ready=False, stack="s", catalogue=Path("catalogue.yaml"))
    script = put_commands(settings_of({"alphabet": alphabet}), options)
    [other] = [shlex.split(one)[2] for one in script.splitlines() if one.startswith("put ")]
    functions = script[script.index("random()") : script.index("give()")]
    made = subprocess.run(  # noqa: S603 - what the project itself prints
        ["/bin/bash", "-euc", f'{functions}random "$1"', "bash", other],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert re.fullmatch(FORMS[alphabet], made), "it has another form"
