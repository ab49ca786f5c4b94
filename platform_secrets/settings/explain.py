"""pydantic's errors as paths in the file and sentences made from the rule alone."""

import re
import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from platform_secrets.settings.problems import Path, did_you_mean

_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be text: quote it",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of keys to values",
    "list_type": "must be a list, such as [one, another]",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
_BOUNDS = {
    "string_too_long": ("max_length", "must have at most {} characters"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "literal_error": ("expected", "must be one of: {}"),
}
# What other tools call a setting.
_OTHER_WORDS = {
    "address": ["server"],
    "ca": ["ca-certificate"],
    "ca-bundle": ["ca-certificate"],
    "deployment": ["workload"],
    "end": ["until"],
    "env": ["environment"],
    "every": ["max-age"],
    "interval": ["every", "max-age", "refresh-interval"],
    "length": ["min-length"],
    "max-age": ["every"],
    "path": ["mount"],
    "period": ["every", "max-age"],
    "regex": ["pattern"],
    "repo": ["repository"],
    "start": ["from"],
    "to": ["until"],
    "ttl": ["every", "max-age"],
    "type": ["provider", "format"],
    "url": ["server", "repository"],
}
# Of settings for which people take another one, or look for another word.
_NOTES = {
    "namespace": "; its name is `namespace-name`",
    "delivery": "; Argo CD and Flux are `gitops`",
    "provider": "; OpenBao is `vault`",
}


def explained(model: type[BaseModel], error: ErrorDetails) -> tuple[Path, str]:
    """Where an error is in the file, and its sentence; never any part of the input but keys."""
    path, allowed, place = _located(model, error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    note = _NOTES.get(str(path[-1]), "") if path else ""
    if kind == "extra_forbidden":
        hint = _hint(str(path[-1]), allowed)
        return path, f"unknown key{hint}; allowed: {', '.join(sorted(allowed))}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = str(context["discriminator"]).strip("'")
        tags = str(context.get("expected_tags", "")).replace("'", "") or ", ".join(allowed)
        return (*path, tag), f"must be one of: {tags}{_NOTES.get(tag, '')}"
    if kind in ("model_type", "model_attributes_type"):
        return path, _mapping(place)
    if kind == "value_error":
        return path, str(context["error"])
    if kind in _BOUNDS:
        bound, sentence = _BOUNDS[kind]
        return path, sentence.format(str(context[bound]).replace("'", "")) + note
    return path, _SENTENCES.get(kind, "is not valid here")


def _hint(word: str, allowed: list[str]) -> str:
    """Names the allowed key that is meant by another tool's word, by another way to write it, or
    by a slip."""
    written = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", "-", word).lower()
    meant = [one for one in _OTHER_WORDS.get(written, ()) if one in allowed]
    return f" (did you mean {meant[0]}?)" if meant else did_you_mean(written, allowed)


def _mapping(place: Any) -> str:
    """What has to be where something else than a mapping is."""
    if isinstance(place, list):
        tags = ", ".join(_tag(member) for member in place)
        return f"must be a mapping whose `{_tag_field(place[0])}` is one of: {tags}"
    if isinstance(place, type) and issubclass(place, BaseModel):
        fields = [field.alias or name for name, field in place.model_fields.items()]
        return f"must be a mapping, with keys of these: {', '.join(fields)}"
    return "must be a mapping of keys to values"


def _located(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[Path, list[str], Any]:
    """The path in the file, without pydantic's own markers, the keys allowed in its parent, and
    what has its place there: a class, or a list of those that a tag tells apart."""
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
    return tuple(path), allowed, here


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
    return str(get_args(member.model_fields[_tag_field(member)].annotation)[0])


def _tag_field(member: Any) -> str:
    return "provider" if "provider" in member.model_fields else "by"
