"""Which objects of two environments differ, and in which fields."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from platform_secrets.manifests.naming import NEVER_PRUNED, Manifest

Change = Literal["appears", "changes", "vanishes"]


@dataclass(frozen=True)
class ObjectChange:
    """An object that is no longer the same."""

    object: str
    change: Change
    fields: list[str]
    stays: bool
    """Whether it stays in the cluster although it is no longer declared."""


def change_of(before: object, after: object) -> Change:
    """What becomes of a thing that was there unless `before` is None, and is unless `after` is."""
    if before is None:
        return "appears"
    return "vanishes" if after is None else "changes"


def object_changes(
    base: Mapping[str, Manifest], head: Mapping[str, Manifest]
) -> Iterator[ObjectChange]:
    """Every object of the two that is not the same in both."""
    for name in sorted({*base, *head}):
        before, after = base.get(name), head.get(name)
        if before is None or after is None:
            annotations = (before or {}).get("metadata", {}).get("annotations", {})
            is_never_pruned = bool(NEVER_PRUNED.items() & annotations.items())
            stays = is_never_pruned or bool((before or {}).get("is_kept"))
            yield ObjectChange(name, change_of(before, after), [], stays)
        elif found := [*_differing(before, after, "")]:
            yield ObjectChange(name, "changes", found, False)


_SETS = frozenset({"resourceNames", "subjects", "resources", "rules", "secretGenerator"})
"""Lists of which the order means nothing."""


_PLAN = re.compile(r"data\.plan(-[0-9]+)?\.json")
"""The fields of ConfigMaps with the rotator's plan, which is JSON."""


def _differing(before: Any, after: Any, path: str) -> Iterator[str]:
    """The paths of the fields that differ; a list is one field."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            inner = f"{path}.{name}" if path else str(name)
            yield from _differing(before.get(name), after.get(name), inner)
        return
    if path.rpartition(".")[2] in _SETS and _unordered(before) == _unordered(after):
        return
    plans = [_plan(text) for text in (before, after) if _PLAN.fullmatch(path)]
    if plans and all(plans):
        yield from _differing(plans[0], plans[1], path)
        return
    yield path


def _plan(text: Any) -> Any:
    """What a plan says; None of a plan that is not there, or of any other text."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return None


def _unordered(content: Any) -> Any:
    """Nested lists without their order, in a form that can be compared."""
    if isinstance(content, dict):
        return repr(sorted((name, _unordered(one)) for name, one in content.items()))
    return repr(sorted(map(_unordered, content))) if isinstance(content, list) else repr(content)
