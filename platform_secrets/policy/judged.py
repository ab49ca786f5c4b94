"""What rules are given, and what they answer. An object may have been written by anybody, so any
part of it may be of any type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
PROTECT = "pulumi:protect"
"""The field of what Pulumi declares that says whether it refuses to delete that."""


@dataclass(frozen=True)
class Asked:
    """What an environment's stack file asks for, where that decides about a rule."""

    keeps_plain_secrets: bool = False
    """Whether its Secrets are plain ones, without a store, as in development."""
    protects: bool = True
    pins_images: bool = False
    is_only_told: bool = False
    """Whether admission is to let through, and only tell, what nobody has declared."""
    emptied_secrets: frozenset[str] = frozenset()
    """The Secrets, by name, that are to go when their store has none of their values any more."""
    rarely_refreshed_secrets: frozenset[str] = frozenset()
    """The Secrets, by name, that are to be read less often than once a day, or never again."""


@dataclass(frozen=True)
class Violation:
    """One thing that must not be so."""

    path: str
    """Of the field in its object, as `spec.rules[0]`."""
    found: str
    """What is wrong there, without the field's content where that may be a value."""
    right: str
    """What would be right."""


def mapping(value: object) -> Object:
    """The value, or an empty mapping in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> list[Any]:
    """The value, or an empty list in place of anything else."""
    return value if isinstance(value, list) else []


def at(value: object, *path: str) -> object:
    """The field at a path; None where there is none."""
    for name in path:
        value = mapping(value).get(name)
    return value


def fields(value: object, path: str) -> Iterator[tuple[str, str, object]]:
    """Every field within a value: its path, its name and what is in it."""
    for name, inner in mapping(value).items():
        yield f"{path}.{name}", str(name), inner
        yield from fields(inner, f"{path}.{name}")
    for number, inner in enumerate(sequence(value)):
        yield from fields(inner, f"{path}[{number}]")
