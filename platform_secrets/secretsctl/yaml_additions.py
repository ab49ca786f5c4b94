"""Entries added to a YAML file of people's. Every character that is there stays as it is."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from platform_secrets.importing.existing import with_added
from platform_secrets.secretsctl.yaml_text import yaml_text
from platform_secrets.settings import Document, Problem, SettingsError


def with_additions(
    path: Path,
    read: Callable[[Path], Document],
    added: Mapping[str, Any],
    write: Callable[[Any], str] = yaml_text,
) -> bytes:
    """The file with new entries of its mappings and new items of its lists, each after those that
    are there, as `write` has them. Raises SettingsError where more would change, because of how the
    file is written."""
    before = read(path)
    text = path.read_bytes().decode("utf-8")
    end = "\r\n" if "\r\n" in text else "\n"
    edits = sorted(
        _edits(text, before.node, added, end, write), key=lambda one: one[0], reverse=True
    )
    # Of two at one place, the inner one comes first in the text.
    for place, new in edits:
        text = text[:place] + new + text[place:]
    changed = text.encode("utf-8")
    with TemporaryDirectory() as folder:
        tried = Path(folder) / path.name
        tried.write_bytes(changed)
        after = read(tried)
    if after.problems or after.content != with_added(before.content, added):
        lines = yaml_text(added).rstrip("\n").replace("\n", "\n  ")
        message = f"can't be added to without changing more; write yourself:\n  {lines}"
        raise SettingsError([Problem(str(path), None, (), message)])
    return changed


def _edits(
    text: str, node: Any, added: Any, end: str, write: Callable[[Any], str]
) -> Iterator[tuple[int, str]]:
    """Where what is to be inserted. Of what goes to one place, the last comes first."""
    if isinstance(node, yaml.SequenceNode):
        yield _items(text, node, added, end, write)
        return
    if not isinstance(node, yaml.MappingNode):
        return
    there = {key.value: value for key, value in node.value}
    new = {name: value for name, value in added.items() if name not in there}
    if new:
        yield _entries(text, node, new, end, write)
    for name in [one for one in added if one in there]:
        yield from _edits(text, there[name], added[name], end, write)


def _entries(
    text: str, node: Any, new: Mapping[str, Any], end: str, write: Callable[[Any], str]
) -> tuple[int, str]:
    if node.flow_style:
        pairs = [f"{_in_flow(name)}: {_in_flow(value)}" for name, value in new.items()]
        return _in_brackets(text, node, pairs)
    return _below(text, node, write(new), node.value[0][0].start_mark.column, end)


def _items(
    text: str, node: Any, new: list[Any], end: str, write: Callable[[Any], str]
) -> tuple[int, str]:
    if node.flow_style:
        return _in_brackets(text, node, [_in_flow(one) for one in new])
    return _below(text, node, write(new), node.start_mark.column, end)


def _below(text: str, node: Any, lines: str, column: int, end: str) -> tuple[int, str]:
    """After the last line of a block."""
    last = _last(node)
    place = text.find("\n", len(text[: last.end_mark.index].rstrip())) + 1
    start = "" if place else end
    indent = " " * column
    return place or len(text), start + "".join(
        f"{indent}{line}{end}" if line else end for line in lines.splitlines()
    )


def _last(node: Any) -> yaml.Node:
    """What a block ends with; its own mark is where the next one begins."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        key, value = (
            node.value[-1] if isinstance(node, yaml.MappingNode) else (node, node.value[-1])
        )
        # What an alias stands for is above it.
        node = key if value.start_mark.index < key.start_mark.index else value
    return node


def _in_brackets(text: str, node: Any, new: list[str]) -> tuple[int, str]:
    place = len(text[: node.end_mark.index - 1].rstrip())
    is_first = not node.value or text[place - 1] == ","
    return place, f"{'' if is_first else ','}{' ' if node.value else ''}{', '.join(new)}"


def _in_flow(value: Any) -> str:
    if isinstance(value, str):
        bare = yaml_text(value).rstrip("\n")
        return bare if not set(bare) & set(",[]{}\n") else json.dumps(value)
    return json.dumps(value)
