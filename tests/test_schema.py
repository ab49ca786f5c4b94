"""The editors' JSON Schemas: they accept what the program accepts, and find most mistakes."""

import json
from typing import Any

import jsonschema
import pytest

from platform_secrets.secretsctl.schema import schema_texts
from platform_secrets.settings import catalogue_document, stack_document
from platform_secrets.settings.documents import STACK_KEY
from platform_secrets.settings.model import duration_text
from platform_secrets.settings.rotations import ByHand
from tests.conftest import PLATFORM_FILES, PLATFORMS
from tests.mistakes import IN_CATALOGUE, IN_STACK
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tests.settings_files import BASIC, CATALOGUE, STORES, changed, problems, stack

SCHEMAS = {name: json.loads(text) for name, text in schema_texts("platform-secrets").items()}
FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER
VALIDATORS = {
    name: jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    for name, schema in SCHEMAS.items()
}


def finds(name: str, content: Any) -> list[str]:
    """What a standard validator says, with its checks of formats."""
    whole = content if name == "catalogue" else {"config": {STACK_KEY: content}}
    return [error.message for error in VALIDATORS[f"{name}.schema.json"].iter_errors(whole)]


def properties(schema: Any) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for definition in [schema, *schema["$defs"].values()]:
        found += definition.get("properties", {}).items()
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize(
    "path",
    [*STACK_FILES.values(), *PLATFORM_FILES],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_our_own_stack_files_and_examples_have_no_mistake(path):
    assert finds("stack", stack_document(path).content) == []


@pytest.mark.parametrize("path", [CATALOGUE_FILE, *PLATFORMS], ids=lambda path: path.parent.name)
def test_our_own_catalogues_have_none(path):
    assert finds("catalogue", catalogue_document(path).content) == []


@pytest.mark.parametrize("content", [BASIC, *map(stack, STORES)])
def test_what_the_program_accepts_has_none(tmp_path, content):
    assert problems(tmp_path, stack=content) == []
    assert finds("stack", content) == []


def test_every_property_says_what_it_is():
    for schema in SCHEMAS.values():
        assert [
            name for name, content in properties(schema) if not content.get("description")
        ] == []


def test_defaults_are_accepted_at_their_own_places_as_people_write_them():
    for schema in SCHEMAS.values():
        for _, content in properties(schema):
            if content.get("default") is not None:
                whole = {**content, "$defs": schema["$defs"]}
                jsonschema.validate(content["default"], whole, format_checker=FORMATS)
    text = json.dumps(SCHEMAS)
    assert '"duration"' not in text
    assert '"default": "14d"' in text


def test_mistakes_are_found_while_one_types(tmp_path):
    """The program refuses all of them; some need what stands elsewhere to be seen as mistakes."""
    wrong = [("catalogue", path, changed(CATALOGUE, path, value)) for path, value in IN_CATALOGUE]
    wrong += [("stack", path, changed(stack(name), path, value)) for name, path, value in IN_STACK]
    for name, path, content in wrong:
        assert problems(tmp_path, **{name: content}), path
    unseen = [path for name, path, content in wrong if not finds(name, content)]
    assert len(wrong) == 61
    assert unseen == [
        "bundles.shared.keys.token.rotate.overlap",
        "services.web.reads",
        "default-store",
    ]


@pytest.mark.parametrize("text", ["90d", "36h", "90m", "61s"])
def test_a_duration_is_spelled_in_its_largest_unit(text):
    made = ByHand.model_validate({"by": "hand", "max-age": "1d", "source": "x", "grace": text})
    assert duration_text(made.grace) == text
