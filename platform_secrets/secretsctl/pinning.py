"""The rotator's image in a stack file, changed without touching anything else there."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import yaml

from platform_secrets.settings import Document, SettingsError, stack_document
from platform_secrets.settings.documents import project_name

Entry = tuple[yaml.Node, yaml.Node]


def with_image(path: Path, image: str) -> bytes:
    """A stack file with another `rotator.image`. Raises SettingsError where more would change,
    because of how the file is written."""
    before = stack_document(path)
    changed = _changed(path.read_bytes().decode("utf-8"), before, image).encode("utf-8")
    with TemporaryDirectory() as folder:
        tried = Path(folder) / path.name
        tried.write_bytes(changed)
        after = stack_document(tried, project_name(path.parent))
    content = cast(dict[str, Any], before.content)
    rotator = {**content.get("rotator", {}), "image": image}
    if after.problems or after.content != {**content, "rotator": rotator}:
        message = f"can't be changed here without changing more; write yourself: image: {image}"
        raise SettingsError([before.problem(("rotator",), message)])
    return changed


def _changed(text: str, stack: Document, image: str) -> str:
    rotator = _entry(stack.node, "rotator")
    current = rotator and _entry(rotator[1], "image")
    if current:
        value = current[1]
        return text[: value.start_mark.index] + image + text[value.end_mark.index :]
    if rotator:
        key, mapping = rotator
        return _with_entry(text, mapping, key, [f"image: {image}"])
    [above] = filter(None, [_entry(stack.node, "environment")])
    return _with_entry(text, stack.node, above[1], ["rotator:", f"  image: {image}"])


def _with_entry(text: str, mapping: Any, above: yaml.Node, lines: list[str]) -> str:
    """The text with one more entry in a mapping: below the line of `above`, or in its braces."""
    if mapping.flow_style:
        start = mapping.start_mark.index + 1
        entry = lines[0] if len(lines) == 1 else f"{lines[0]} {{{lines[1].strip()}}}"
        return f"{text[:start]}{entry}{', ' if mapping.value else ''}{text[start:]}"
    indent = " " * mapping.value[0][0].start_mark.column
    end = "\r\n" if "\r\n" in text else "\n"
    place = text.find("\n", above.end_mark.index) + 1 or len(text)
    start = text[:place] if text[:place].endswith("\n") else text[:place] + end
    return start + "".join(f"{indent}{line}{end}" for line in lines) + text[place:]


def _entry(node: yaml.Node | None, name: str) -> Entry | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((entry for entry in node.value if entry[0].value == name), None)
