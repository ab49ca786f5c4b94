"""Expressions in CEL, the language of admission policies, from plain values.

https://kubernetes.io/docs/reference/using-api/cel/
"""

import json
from collections.abc import Mapping
from typing import Any

_MARK = "\0"
_MOST_CHARACTERS = 90_000
_AROUND = 12  # of a line: quotes, colon, a number


class Cel(str):
    """An expression, where a text would be a literal."""

    __slots__ = ()


def cel(value: Any) -> str:
    """The expression of a value. Lists and mappings may hold expressions.

    Literals have members of one type: where they differ, each is `dyn`.
    """
    if isinstance(value, Cel):
        return value
    if isinstance(value, str) and _MARK in value:
        return _of_placeholders(value)
    if isinstance(value, Mapping):
        members = _members([*value.values()])
        pairs = zip(value, members, strict=True)
        return "{" + ", ".join(f"{_literal(key)}: {member}" for key, member in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_members(value)) + "]"
    return _literal(value)


def _literal(value: Any) -> str:
    """Characters stand for themselves: CEL takes no pair of escapes for a rarer one."""
    return json.dumps(value, ensure_ascii=False)


def placeholder(expression: str) -> str:
    """Stands for a text in what is made for plain texts; `cel` then writes the expression."""
    return f"{_MARK}{expression}{_MARK}"


def _of_placeholders(text: str) -> str:
    parts = [part if at % 2 else _literal(part) for at, part in enumerate(text.split(_MARK))]
    return " + ".join(part for part in parts if part != '""')


def table(rows: Mapping[str, Any]) -> Cel:
    """A mapping with a line for each entry, so that a difference is a line."""
    pairs = zip(rows, _members([*rows.values()]), strict=True)
    lines = [f"  {_literal(key)}: {member}" for key, member in pairs]
    return Cel("{\n" + ",\n".join(lines) + "\n}" if lines else "{}")


def among(text: str, known: list[str]) -> tuple[Mapping[str, str], str]:
    """Variables, and by them the expression of whether `text` is one of the known ones. Each has a
    part of those, since the API server takes no expression of over 100,000 characters."""
    parts, length = [list[str]()], 0
    for one in known:
        length += len(one) + _AROUND
        if length > _MOST_CHARACTERS:
            parts.append([])
            length = len(one) + _AROUND
        parts[-1].append(one)
    # Mappings, since `in` a list costs as much as the list is long.
    variables = {f"known{at}": table(dict.fromkeys(part, 0)) for at, part in enumerate(parts)}
    return variables, " || ".join(f"{text} in variables.{name}" for name in variables)


def _members(values: list[Any]) -> list[str]:
    types = {_type(value) for value in values}
    is_plain = len(types) == 1 and types != {None}
    return [cel(value) if is_plain else f"dyn({cel(value)})" for value in values]


def _type(value: Any) -> object:
    """What makes two literals members of one list; None where that is not known."""
    if isinstance(value, Cel) or (isinstance(value, str) and _MARK in value):
        return None
    if isinstance(value, Mapping | list):
        types = {
            _type(member) for member in (value.values() if isinstance(value, Mapping) else value)
        }
        return (type(value), *types) if len(types) == 1 and types != {None} else None
    return type(value)


def both(name: str, path: str) -> dict[str, str]:
    """Variables `new…` and `old…`: a part of both objects, empty where it is absent."""
    fields = "".join(f".?{field}" for field in path.split("."))
    return {
        f"new{name}": f"dyn(object){fields}.orValue({{}})",
        f"old{name}": f"dyn(oldObject){fields}.orValue({{}})",
    }


def same(name: str, excepted: list[str] | Cel) -> str:
    """Whether a part of both objects has the same fields and values, some excepted."""
    new, old = f"variables.new{name}", f"variables.old{name}"
    is_excepted = f"field in {cel(excepted)}"
    return (
        f"{new}.all(field, {is_excepted} || field in {old} && {new}[field] == {old}[field]) && "
        f"{old}.all(field, {is_excepted} || field in {new})"
    )
