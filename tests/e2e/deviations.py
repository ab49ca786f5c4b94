"""Every way in which an object may differ from what it should be, one field at a time."""

import copy
from collections.abc import Iterator
from typing import Any

from tests.e2e.kubernetes_api import Manifest

Path = tuple[str | int, ...]
Deviation = tuple[str, Manifest]
"""What was done, and the object after it."""

# Other values that the CRDs allow; anything else gets an ending.
_OTHERS = {
    "apiVersion": "generators.external-secrets.io/v1",
    "refreshPolicy": "OnChange",
    "refreshInterval": "1h",
    "creationPolicy": "Merge",
    "deletionPolicy": "Delete",
    "decodingStrategy": "Base64",
    "metadataPolicy": "Fetch",
    "updatePolicy": "IfNotExists",
}
_OTHER_KINDS = {"SecretStore": "ClusterSecretStore", "PushSecretMetadata": "Other"}


def deviations(obj: Manifest, schema: Manifest) -> Iterator[Deviation]:
    """`obj` with each field of its spec changed, or left out, or doubled where it is in a list, and
    with each field more that its kind has; `schema` is the spec's."""
    for path, value in _values(obj["spec"]):
        if not isinstance(value, dict | list):
            yield f"other {_text(path)}", _with(obj, path, _other(path, value))
        if path and isinstance(path[-1], str):
            yield f"no {_text(path)}", _without(obj, path)
        if isinstance(value, list):
            yield f"two {_text(path)}", _with(obj, path, [*value, *value])
            yield f"empty {_text(path)}", _with(obj, path, [])
        if isinstance(value, dict):
            for name, field in _at(schema, path).get("properties", {}).items():
                if name not in value:
                    added = (*path, name)
                    yield f"{_text(added)} too", _with(obj, added, _sample(field))


def _values(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _values(item, (*path, key))
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _values(item, (*path, place))


def _other(path: Path, value: str | bool) -> str | bool:
    field = str(path[-1])
    if isinstance(value, bool):
        return not value
    if field == "conversionStrategy":
        return "Unicode" if value == "Default" else "ReverseUnicode"
    if field == "kind":
        return _OTHER_KINDS.get(value, "UUID")
    return _OTHERS.get(field, f"{value}-other")


def _with(obj: Manifest, path: Path, value: Any) -> Manifest:
    changed = copy.deepcopy(obj)
    parent: Any = changed["spec"]
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = value
    return changed


def _without(obj: Manifest, path: Path) -> Manifest:
    changed = copy.deepcopy(obj)
    parent: Any = changed["spec"]
    for part in path[:-1]:
        parent = parent[part]
    del parent[path[-1]]
    return changed


def _at(schema: Manifest, path: Path) -> Manifest:
    """What is known of a field; nothing below one that takes anything."""
    for part in path:
        schema = (
            schema["items"] if isinstance(part, int) else schema.get("properties", {}).get(part, {})
        )
    return schema


def _sample(schema: Manifest) -> Any:
    """The smallest value that a schema takes."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "string":
            return "x"
        case "integer":
            return 1
        case "boolean":
            return True
        case "array":
            return [_sample(schema["items"])]
        case "object":
            fields = schema.get("properties", {})
            required = schema.get("required") or [*fields][: schema.get("minProperties", 0)]
            if not fields:
                return {"x": _sample(schema.get("additionalProperties", {"type": "string"}))}
            return {name: _sample(fields[name]) for name in required}
    return {"x": "y"}


def _text(path: Path) -> str:
    return ".".join(map(str, path)) or "spec"
