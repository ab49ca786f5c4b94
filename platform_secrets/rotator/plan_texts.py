"""The plan as it is written: what `plan.parse` reads."""

import json
from collections.abc import Iterator
from dataclasses import MISSING, asdict, fields
from functools import cache
from typing import Any

from .keys import KINDS, Entry, Key, Secrets
from .plan import Plan

# A ConfigMap holds 1 MiB, and an object of three quarters can still be shown and compared.
_MOST_BYTES = 750_000


def plan_texts(plan: Plan) -> Iterator[str]:
    """One JSON text or several, each short enough for a ConfigMap, with a line for each key."""
    whole = {field: getattr(plan, field) for field in plan.__dataclass_fields__ if field != "keys"}
    whole["window"] = plan.window and _span(asdict(plan.window))
    whole["freezes"] = [_span(asdict(freeze)) for freeze in plan.freezes]
    length, lines = 0, list[str]()
    for name, key in plan.keys.items():
        line = f"  {json.dumps(name)}: {json.dumps(_key(key))}"
        if lines and length + len(line) > _MOST_BYTES:
            yield _text(whole, lines)
            whole, length, lines = {}, 0, []
        lines.append(line)
        length += len(line) + 2
    yield _text(whole, lines)


def _key(key: Key) -> dict[str, Any]:
    by = next(word for word, kind in KINDS.items() if isinstance(key, kind))
    said = {field: one for field, one in _said(key).items() if field != "name"}
    if "borrowing" in said:
        said["borrowing"] = [_said(one) for one in said["borrowing"]]
    entries = {field: vars(one) for field, one in said.items() if isinstance(one, Entry)}
    return {"by": by, **said, **entries}


def _said(one: Key | Secrets) -> dict[str, Any]:
    """The fields of it that do not have their default."""
    defaults = _defaults(type(one))
    return {
        field: value
        for field, default in defaults.items()
        if (value := getattr(one, field)) != default
    }


@cache
def _defaults(kind: type[Key | Secrets]) -> dict[str, Any]:
    return {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(kind)
    }


def _span(raw: dict[str, Any]) -> dict[str, Any]:
    """Of a window or a freeze."""
    others = {field: one for field, one in raw.items() if field not in ("start", "until")}
    # Of a time without its seconds.
    start, until = (raw[field].isoformat().removesuffix(":00") for field in ("start", "until"))
    return {"from": start, "until": until, **others}


def _text(whole: dict[str, Any], lines: list[str]) -> str:
    fields = [f" {json.dumps(field)}: {json.dumps(value)}" for field, value in whole.items()]
    keys = ' "keys": {\n' + ",\n".join(lines) + "\n }"
    return "{\n" + ",\n".join([*fields, keys]) + "\n}\n"
