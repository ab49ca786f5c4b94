"""YAML files as plain mappings, with the line of every entry.

Scalars that YAML 1.1 and Pulumi's reader understand differently (`yes`, dates, leading zeros,
exponents) are refused instead of guessed. Only nodes are taken from PyYAML; its constructors,
which would guess, are not used.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path as File

import yaml

from platform_secrets.settings.problems import Path, Problem
from platform_secrets.settings.yaml_bounds import DEEPEST, NestingBound, TooDeep

SAMPLE_PROJECT = "platform-secrets"
"""The project of a stack file that has no `Pulumi.yaml` beside it, as in our examples."""
STACK_KEY = f"{SAMPLE_PROJECT}:environment"

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_NULL = frozenset({"", "~", "null"})
_BOOLEAN = {"true": True, "false": False}
# Words and numbers that are text to one reader and something else to another.
_AMBIGUOUS = re.compile(
    r"(?i:y|n|yes|no|on|off|true|false|null|[-+]?\.inf|\.nan)"
    r"|[-+.]?[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?"
    r"|0[xob][0-9a-f_]+"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?",
    re.IGNORECASE,
)
_TRUTHS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})
_NO_TAGS = "YAML tags are not supported"


class _Nodes(NestingBound, yaml.CBaseLoader):
    """libyaml's nodes, with no other tags than those written in the file.

    To guess the others takes PyYAML as long as all the rest, and `_Reader` decides itself.
    """

    def resolve(self, kind: object, value: object, implicit: object) -> None:
        """No tag."""


@dataclass(frozen=True)
class Document:
    """A mapping with its origin. `node` is absent where Pulumi has read the file."""

    file: str
    content: object
    node: yaml.Node | None = None
    problems: tuple[Problem, ...] = ()
    entries: dict[int, dict[str, tuple[int, yaml.Node]]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """What `line` has found of a mapping, by its `id`: it is asked for many times."""

    def line(self, path: Path) -> int | None:
        """The line of the entry that `path` leads to, or of its nearest ancestor."""
        node = self.node
        line = node.start_mark.line + 1 if node else None
        for part in path:
            found = self._entry(node, part)
            if found is None:
                break
            line, node = found
        return line

    def _entry(self, node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
        if not isinstance(node, yaml.MappingNode):
            return _child(node, part)
        if id(node) not in self.entries:
            self.entries[id(node)] = {
                key.value: (key.start_mark.line + 1, value)
                for key, value in reversed(node.value)
                if isinstance(key, yaml.ScalarNode)
            }
        return self.entries[id(node)].get(str(part))

    def problem(self, path: Path, message: str) -> Problem:
        """A problem at `path` in this document."""
        return Problem(self.file, self.line(path), path, message)


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None


def catalogue_document(path: File) -> Document:
    """The catalogue in `path`; what can't be read is among its problems."""
    name = str(path)
    node, problem = _root(path)
    if node is None:
        return Document(name, None, problems=(Problem(name, *problem),))
    reader = _Reader(name, node)
    content = reader.value(node, ())
    return Document(name, content, node, tuple(reader.problems))


def project_name(folder: File) -> str:
    """The name in a folder's `Pulumi.yaml`: the prefix of all that a project's stack files set."""
    root, _ = _root(folder / "Pulumi.yaml")
    found = _child(root, "name")
    is_name = found and isinstance(found[1], yaml.ScalarNode)
    return found[1].value if found and is_name else SAMPLE_PROJECT


def stack_document(path: File, project: str | None = None) -> Document:
    """The settings in a stack file: `<project>:environment` in Pulumi's `config`. The project is
    that of the file's folder, if none is given.

    Pulumi's other top-level keys and other namespaces' settings are Pulumi's to read. Values that
    `pulumi config set --secret` put beside the settings are accepted, encrypted ones only.
    What can't be read is among the document's problems.
    """
    name = str(path)
    root, problem = _root(path)
    if root is None:
        return Document(name, None, problems=(Problem(name, *problem),))
    reader = _Reader(name, root)
    reader.check_keys(root, ())
    config = _child(root, "config")
    config_node = config[1] if config else None
    prefix = f"{project or project_name(path.parent)}:"
    stack_key = f"{prefix}environment"
    ours = _child(config_node, stack_key)
    if config_node is None or ours is None:
        message = f"holds no settings: `config` with the key `{stack_key}` is missing"
        return Document(name, None, problems=(Problem(name, None, (), message),))
    reader.check_keys(config_node, ("config",))
    for key, value in config_node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        beside = key.value.startswith(prefix) and key.value != stack_key
        if beside and _child(value, "secure") is None:
            setting = key.value.removeprefix(prefix)
            message = f"is in plain text; only `pulumi config set --secret {setting}` may set it"
            problem_line = key.start_mark.line + 1
            reader.problems.append(Problem(name, problem_line, ("config", key.value), message))
    content = reader.value(ours[1], ())
    return Document(name, content, ours[1], tuple(reader.problems))


_Found = tuple[int | None, Path, str]


def _root(path: File) -> tuple[yaml.Node | None, _Found]:
    """The file's root mapping, or the line and the sentence of why there is none."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None, (None, (), "no such file")
    except OSError as error:
        return None, (None, (), f"can't be read: {error.strerror}")
    except UnicodeDecodeError:
        return None, (None, (), "is not a text file in UTF-8")
    try:
        node = yaml.compose(text, Loader=_Nodes)
    except yaml.reader.ReaderError:
        return None, (None, (), "is not a text file: it holds control characters")
    except TooDeep as error:
        mark = error.problem_mark
        return None, (mark.line + 1 if mark else None, (), "is nested too deeply")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        column = f" in column {mark.column + 1}" if mark else ""
        return None, (line, (), f"invalid YAML{column}: {error.problem or 'it ends too early'}")
    if node is None:
        return None, (None, (), "is empty")
    if not isinstance(node, yaml.MappingNode):
        return None, (node.start_mark.line + 1, (), "must be a mapping of keys to values")
    return node, (None, (), "")


class _Reader:
    """Turns nodes into plain values and collects what can't be read in one way only."""

    def __init__(self, file: str, root: yaml.Node) -> None:
        self.file = file
        self.problems: list[Problem] = []
        # Without aliases no file has more values than characters: aliases of aliases end here.
        self._values_left = root.end_mark.index + 1

    def value(self, node: yaml.Node, path: Path) -> object:
        self._values_left -= 1
        if self._values_left < 0 or len(path) > DEEPEST:
            if self._values_left == -1 or len(path) > DEEPEST:
                self._values_left = min(self._values_left, -2)
                return self._refuse(node, path[:1], "has aliases inside aliases: write them out")
            return None
        if node.tag:
            return self._refuse(node, path, _NO_TAGS)
        if isinstance(node, yaml.MappingNode):
            self.check_keys(node, path)
            return {
                key.value: self.value(value, (*path, key.value))
                for key, value in node.value
                if isinstance(key, yaml.ScalarNode)
            }
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        raise TypeError(type(node))

    def check_keys(self, node: yaml.Node, path: Path) -> None:
        """Refuses keys that are no text, and those written twice: YAML keeps the last silently."""
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, path, "a key must be text")
            elif key.tag:
                self._refuse(key, (*path, key.value), _NO_TAGS)
            elif key.value == "<<" and not key.style:
                self._refuse(key, path, "merge keys (`<<`) are not supported: write the keys out")
            elif not key.style and _AMBIGUOUS.fullmatch(key.value):
                self._refuse(key, (*path, key.value), "this key must be text: quote it")
            elif key.value in seen:
                message = f"is there twice, first in line {seen[key.value]}"
                self._refuse(key, (*path, key.value), message)
            else:
                seen[key.value] = line

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        text: str = node.value
        if node.style:
            return text
        if text in _NULL:
            return None
        if text in _BOOLEAN:
            return _BOOLEAN[text]
        if len(text) < 16 and _NUMBER.fullmatch(text):
            return float(text) if "." in text else int(text)
        if _AMBIGUOUS.fullmatch(text):
            message = "quote it: some YAML readers take this for a number, a date or nothing"
            if text.lower() in _TRUTHS:
                message = "quote it, or write true or false: YAML readers disagree on what this is"
            return self._refuse(node, path, message)
        return text

    def _refuse(self, node: yaml.Node, path: Path, message: str) -> None:
        self.problems.append(Problem(self.file, node.start_mark.line + 1, path, message))
