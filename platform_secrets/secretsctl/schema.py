"""JSON Schemas of the catalogue and of stack files, for editors."""

import ast
import inspect
import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from platform_secrets.settings import Catalogue, Environment
from platform_secrets.settings.model import Model, duration_text

_DIALECT = GenerateJsonSchema.schema_dialect


def _if(when: dict[str, str], then: dict[str, Any]) -> dict[str, Any]:
    """What holds where keys are set to these words."""
    words = {key: {"const": word} for key, word in when.items()}
    return {"if": {"properties": words, "required": [*when]}, "then": then}


def _needs(*keys: str) -> dict[str, Any]:
    return {"required": [*keys], "properties": {key: {"not": {"type": "null"}} for key in keys}}


_EMPTY = {"maxProperties": 0}
_NULL = {"type": "null"}
_DECLARED = {"required": ["backend"], "properties": {"backend": {"const": "declare"}}}
_POD_IDENTITY = {"required": ["identity"], "properties": {"identity": {"const": "pod-identity"}}}
_OWNER = _if({"shared": "own"}, _DECLARED)
_BASIC = {"stores": _EMPTY, "bundles": _EMPTY, "default-store": _NULL, "vault-server": _NULL}
_SCOPED = _needs("operator-namespace")
_SCOPED["properties"] |= {"operator": {"const": "install"}, "namespaces": _EMPTY}
_STORED = {**_needs("stores", "operator")}
_STORED["properties"] = {**_STORED["properties"], "stores": {"minProperties": 1}}
# Of the faults between settings those that a schema can say; all of them: settings/faults.py.
_GENERATED = {"required": ["by"], "properties": {"by": {"const": "generate"}}}
_TOGETHER = {
    "Environment": [
        {**_if({"secrets": "basic"}, {"properties": _BASIC}), "else": _STORED},
        _if({"operator-scope": "namespace"}, _SCOPED),
        _if({"delivery": "gitops"}, _needs("gitops")),
        _if({"delivery": "gitops"}, {"properties": {"chart": {"properties": {"path": _NULL}}}}),
    ],
    "VaultStore": [
        _OWNER,
        _if({"auth": "own"}, _DECLARED),
        _if({"auth": "own", "auth-method": "jwt"}, _needs("cluster-issuer")),
    ],
    "AwsStore": [
        _OWNER,
        {"if": {**_DECLARED, "not": _POD_IDENTITY}, "then": _needs("oidc-issuer")},
        _if({"backend": "declare", "identity": "pod-identity"}, _needs("operator-role")),
    ],
    "GcpStore": [
        _OWNER,
        _if(
            {"backend": "declare", "access": "direct"},
            {"properties": {"cluster": _needs("project-number")}},
        ),
    ],
    "AzureStore": [
        _if(
            {"backend": "declare"},
            _needs("subscription-id", "resource-group", "location", "oidc-issuer"),
        ),
        {"properties": {"shared": {"const": "existing"}}},
    ],
    "Service": [
        {
            "oneOf": [_needs("workload"), _needs("workloads")],
        }
    ],
    "Key": [
        {
            "if": {"required": ["rotate"], "properties": {"rotate": _GENERATED}},
            "then": {"properties": {"pattern": _NULL, "format": {"const": "text"}}},
        }
    ],
}


class _AsPeopleWrite(GenerateJsonSchema):
    """Defaults in the spelling of the files."""

    def dict_schema(self, schema: Any) -> dict[str, Any]:
        """Names that do not fit are refused, which `patternProperties` alone does not."""
        made = super().dict_schema(schema)
        for pattern, values in made.pop("patternProperties", {}).items():
            made |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
        return made

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return duration_text(dft)
        # What is in it has defaults of its own.
        return {} if isinstance(dft, BaseModel) else super().encode_default(dft)


def schema_texts(project: str) -> dict[str, str]:
    """The schemas by file name, as indented JSON; stack files are those of a Pulumi project."""
    stack_key = f"{project}:environment"
    stack = _schema(Environment, "Environment")
    definitions = stack.pop("$defs")
    definitions["Environment"] = {k: v for k, v in stack.items() if k not in ("$schema",)}
    config = {
        "type": "object",
        "description": "Pulumi's configuration of the stack",
        "properties": {
            stack_key: {"$ref": "#/$defs/Environment", "description": "this environment"}
        },
        "required": [stack_key],
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


def _schema(model: type[Model], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, schema_generator=_AsPeopleWrite)
    definitions = schema.get("$defs", {})
    classes = {cls.__name__: cls for cls in _models()}
    for name, definition in {model.__name__: schema, **definitions}.items():
        if name in _TOGETHER:
            definition["allOf"] = _TOGETHER[name]
        docs = _attribute_docs(classes[name]) if name in classes else {}
        for key, content in definition.get("properties", {}).items():
            content.setdefault("description", docs.get(key) or _of_its_type(content, definitions))
    return {"$schema": _DIALECT, **schema, "title": title}


def _models() -> list[type[Model]]:
    found = [Model]
    for cls in found:
        found += cls.__subclasses__()
    return found


def _of_its_type(content: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What is said of the class whose mapping a property holds."""
    inner = [content, *content.get("anyOf", []), content.get("additionalProperties") or {}]
    for one in [*inner, content.get("items") or {}]:
        name = one.get("$ref", "").rpartition("/")[2] if isinstance(one, dict) else ""
        if name in definitions and definitions[name].get("description"):
            return definitions[name]["description"]
    return ""


def _attribute_docs(cls: type[Model]) -> dict[str, str]:
    """The texts below the fields of a class and of those that it inherits from, by key."""
    docs: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        if not issubclass(parent, Model) or parent is Model:
            continue
        body = ast.parse(inspect.getsource(parent)).body[0]
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for field, text in pairwise(statements):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                if field.target.id not in parent.model_fields:
                    continue
                key = parent.model_fields[field.target.id].alias or field.target.id
                if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                    docs[key] = inspect.cleandoc(str(text.value.value))
    return docs
