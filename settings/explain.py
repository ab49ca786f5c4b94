"""pydantic's errors as paths in the file and sentences made from the rule alone."""

import types
from difflib import get_close_matches
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from settings.problems import Path

_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be text: quote it",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of keys to values",
    "list_type": "must be a list",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
_BOUNDS = {
    "string_too_long": ("max_length", "must have at most {} characters"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "literal_error": ("expected", "must be one of: {}"),
}


def explained(model: type[BaseModel], error: ErrorDetails) -> tuple[Path, str]:
    """Where an error is in the file, and its sentence; never any part of the input but keys."""
    path, allowed = _located(model, error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        close = get_close_matches(str(path[-1]), allowed, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        return path, f"unknown key{hint}; allowed: {', '.join(sorted(allowed))}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = str(context["discriminator"]).strip("'")
        tags = str(context.get("expected_tags", "")).replace("'", "") or ", ".join(allowed)
        return (*path, tag), f"must be one of: {tags}"
    if kind == "value_error":
        return path, str(context["error"])
    if kind in _BOUNDS:
        bound, sentence = _BOUNDS[kind]
        return path, sentence.format(str(context[bound]).replace("'", ""))
    return path, _SENTENCES.get(kind, "is not valid here")


def _located(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[Path, list[str]]:
    """The path in the file, without pydantic's own markers, and the keys allowed in its parent."""
    path: list[str | int] = []
    here: Any = model
    allowed: list[str] = []
    for part in loc:
        here = _chosen(here, part)
        if part == "[key]":
            continue
        if isinstance(here, tuple):
            here = here[0]
            continue
        allowed = []
        path.append(part)
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {field.alias or name: field for name, field in here.model_fields.items()}
            allowed = list(fields)
            here = _bare(fields[part].annotation) if part in fields else Any
        else:
            origin, args = get_origin(here), get_args(here)
            here = _bare(args[-1]) if origin in (dict, list) else Any
    if isinstance(here, list):
        allowed = [_tag(member) for member in here]
    return tuple(path), allowed


def _bare(annotation: Any) -> Any:
    """The annotation without Annotated and None; a list of classes for a union of them."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        members = [_bare(a) for a in get_args(annotation) if a is not type(None)]
        return members[0] if len(members) == 1 else members
    return annotation


def _chosen(here: Any, part: str | int) -> Any:
    """For a union: the member that pydantic's tag names, wrapped to say that `part` is no key."""
    if not isinstance(here, list):
        return here
    return next(((member,) for member in here if _tag(member) == part), here)


def _tag(member: Any) -> str:
    field = member.model_fields.get("provider") or member.model_fields["by"]
    return str(get_args(field.annotation)[0])
