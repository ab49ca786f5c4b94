"""JSON Schemas of the catalogue and of stack files, for editors."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from settings import Catalogue, Environment
from settings.documents import STACK_KEY

_DIALECT = GenerateJsonSchema.schema_dialect


def schema_texts() -> dict[str, str]:
    """The schemas by file name, as indented JSON."""
    stack = _schema(Environment, "Environment")
    definitions = stack.pop("$defs")
    definitions["Environment"] = {k: v for k, v in stack.items() if k not in ("$schema",)}
    config = {
        "type": "object",
        "properties": {STACK_KEY: {"$ref": "#/$defs/Environment"}},
        "required": [STACK_KEY],
    }
    schemas = {
        "catalogue.schema.json": _schema(Catalogue, "Catalogue"),
        "stack.schema.json": {
            "$schema": _DIALECT,
            "title": "Stack file",
            "type": "object",
            "properties": {"config": config},
            "required": ["config"],
            "$defs": definitions,
        },
    }
    return {name: json.dumps(schema, indent=2) + "\n" for name, schema in schemas.items()}


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    return {"$schema": _DIALECT, **schema, "title": title}
