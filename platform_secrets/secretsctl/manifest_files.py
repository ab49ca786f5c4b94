"""Manifests as they are in files and on standard input. No value of a Secret is kept: it is dropped
while a file is parsed."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from platform_secrets.importing.found import Manifest, mapping, sequence
from platform_secrets.importing.templates import template_of
from platform_secrets.settings import Problem, SettingsError
from platform_secrets.settings.yaml_bounds import NestingBound, TooDeep, is_bounded

_ENDINGS = (".yaml", ".yml", ".json")
_DOCUMENT = re.compile(r"^---(?=\s|$).*$", re.MULTILINE)
_KIND = re.compile(r"""\bkind["']?[ \t]*:[ \t]*["']?[A-Z]""")
# Outside of a text in quotes.
_ACTION = re.compile(r"""^[^"'#\n]*\{\{""", re.MULTILINE)
_HELM = "is a Helm chart's source; render it: helm template … | secretsctl import --from -"
# What holds values, or their cipher, in these kinds.
_VALUES = {"Secret": ("data", "stringData"), "SealedSecret": ("encryptedData",)}
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# What people write once and name again; far from what takes a moment to read.
_MOST_OF_ALIASES = 100_000
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class _Loader(NestingBound, yaml.CSafeLoader):
    """Without dates: to Kubernetes they are texts."""


_NOT_KUBERNETES = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_Loader.yaml_implicit_resolvers = {
    letter: [one for one in known if one[0] not in _NOT_KUBERNETES]
    for letter, known in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass
class Read:
    """The manifests of some files or of a cluster, and what of these could not be read."""

    manifests: list[Manifest] = field(default_factory=list)
    unread: list[Problem] = field(default_factory=list)
    files: int = 0
    is_of_a_cluster: bool = False

    def __add__(self, other: "Read") -> "Read":
        return Read(
            self.manifests + other.manifests,
            self.unread + other.unread,
            self.files + other.files,
            self.is_of_a_cluster or other.is_of_a_cluster,
        )

    @property
    def where(self) -> str:
        """In what was looked."""
        places = [f"{self.files} files"] if self.files or not self.is_of_a_cluster else []
        return " and ".join([*places, *(["the cluster"] if self.is_of_a_cluster else [])])


def read_all(sources: list[str]) -> Read:
    """What is in these files and folders; `-` is standard input. Raises SettingsError for one that
    is not there."""
    found = Read()
    for source in sources:
        for path in _files(source):
            found.files += 1
            _show_progress(found.files)
            try:
                text = sys.stdin.read() if path is None else path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "is not a text file in UTF-8"
                found.unread.append(Problem(str(path), None, (), str(why)))
                continue
            _read(text, "standard input" if path is None else str(path), found)
    _show_progress(None)
    found.manifests += _generated_config_maps(found.manifests)
    return found


def _generated_config_maps(manifests: list[Manifest]) -> list[Manifest]:
    """The ConfigMaps that kustomize would make of files, of those that templates are taken from."""
    wanted = {
        mapping(mapping(one).get("configMap")).get("name")
        for manifest in manifests
        if manifest.kind == "ExternalSecret"
        for one in sequence(template_of(manifest.spec).get("templateFrom"))
    }
    return [
        Manifest(
            {
                "kind": "ConfigMap",
                "metadata": {
                    key: one[key] for key in ("name", "namespace") if isinstance(one.get(key), str)
                },
                "data": dict(_texts(Path(manifest.file).parent, sequence(one.get("files")))),
            },
            *manifest.at,
        )
        for manifest in manifests
        if wanted and manifest.is_kustomization
        for one in map(mapping, sequence(manifest.content.get("configMapGenerator")))
        if one.get("name") in wanted
    ]


def _texts(folder: Path, files: list[Any]) -> Iterator[tuple[str, str]]:
    """What is in files, each given as its path or as name=path; without those that are no text."""
    for file in map(str, files):
        name, is_named, path = file.rpartition("=")
        with suppress(OSError, UnicodeDecodeError):
            yield name if is_named else Path(path).name, (folder / path).read_text("utf-8")


def _files(source: str) -> Iterator[Path | None]:
    path = Path(source)
    if source == "-":
        yield None
    elif path.is_dir():
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            yield from (Path(folder, one) for one in sorted(files) if one.endswith(_ENDINGS))
    elif path.exists():
        yield path
    else:
        raise SettingsError([Problem("--from", None, (), f"{source}: no such file or folder")])


def _show_progress(files: int | None) -> None:
    if sys.stderr.isatty() and (files is None or files % 100 == 0):
        text = "\r\x1b[K" if files is None else f"\rread {files} files"
        sys.stderr.write(text)
        sys.stderr.flush()


def _read(text: str, file: str, found: Read) -> None:
    may_lack_kind = Path(file).name in _KUSTOMIZATIONS
    if not may_lack_kind and not _KIND.search(text):
        return
    start, line = 0, 1
    ends = [*_DOCUMENT.finditer(text)]
    for match in [*ends, None]:
        end = match.start() if match else len(text)
        document = text[start:end]
        if may_lack_kind or _KIND.search(document):
            _read_document(document, file, line, found)
        following = match.end() if match else end
        line += text.count("\n", start, following)
        start = following


def _read_document(text: str, file: str, first: int, found: Read) -> None:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        line = first + (node.start_mark.line if node else 0)
        if node and "&" in text and not is_bounded(node, len(text) + _MOST_OF_ALIASES):
            found.unread.append(Problem(file, line, (), "has aliases inside aliases"))
            return
        if Path(file).name in _KUSTOMIZATIONS:
            _name_kind(node)
        _drop_values(node)
        content = loader.construct_document(node) if node else None
    except yaml.reader.ReaderError:
        found.unread.append(Problem(file, first, (), "holds control characters"))
        return
    except yaml.YAMLError as error:
        if action := _ACTION.search(text):
            line = first + text.count("\n", 0, action.end())
            found.unread.append(Problem(file, line, (), _HELM))
            return
        mark = getattr(error, "problem_mark", None)
        why = f"invalid YAML: {getattr(error, 'problem', None) or 'it ends too early'}"
        why = str(error.problem) if isinstance(error, TooDeep) else why
        found.unread.append(Problem(file, first + (mark.line if mark else 0), (), why))
        return
    except ValueError:
        found.unread.append(Problem(file, first, (), "holds what is no text"))
        return
    for one in _flat(content):
        if "{{" in str((one.get("metadata") or {}).get("name")):
            found.unread.append(Problem(file, line, (), _HELM))
        else:
            found.manifests.append(Manifest(one, file, line))


def _flat(content: object) -> Iterator[dict[str, Any]]:
    """An object, or those of a list."""
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        return
    if content["kind"].endswith("List") and isinstance(content.get("items"), list):
        for one in content["items"]:
            yield from _flat(one)
    elif isinstance(content.get("metadata"), dict) or content["kind"] == "Kustomization":
        yield content


def _name_kind(node: yaml.Node | None) -> None:
    """A kustomization may lack its kind."""
    if isinstance(node, yaml.MappingNode) and "kind" not in [key.value for key, _ in node.value]:
        tag = "tag:yaml.org,2002:str"
        named = yaml.ScalarNode(tag, "kind"), yaml.ScalarNode(tag, "Kustomization")
        node.value.append(named)


def _drop_values(node: yaml.Node | None) -> None:
    """Empties what holds values in a Secret's node, before anything is made of it."""
    if not isinstance(node, yaml.MappingNode):
        return
    fields = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    kind = getattr(fields.get("kind"), "value", None)
    for holder in (node, fields.get("spec")):
        for name in _VALUES.get(kind, ()) if isinstance(kind, str) else ():
            _empty(holder, name)
    _empty(fields.get("metadata"), "annotations", _LAST_APPLIED)
    if kind == "Kustomization":
        _shorten_literals(fields.get("secretGenerator"))
    items = fields.get("items")
    for one in items.value if isinstance(items, yaml.SequenceNode) else ():
        _drop_values(one)


def _empty(node: yaml.Node | None, *path: str) -> None:
    """Takes the texts away below a path, and leaves the names."""
    if isinstance(node, yaml.ScalarNode) and not path:
        node.value, node.tag = "", "tag:yaml.org,2002:str"
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if not path or key.value == path[0]:
            _empty(value, *path[1:])


def _shorten_literals(node: yaml.Node | None) -> None:
    """Takes the values away from a generator's `name=value`."""
    for generator in node.value if isinstance(node, yaml.SequenceNode) else ():
        for key, value in generator.value if isinstance(generator, yaml.MappingNode) else ():
            if key.value == "literals" and isinstance(value, yaml.SequenceNode):
                for one in value.value:
                    one.value = str(one.value).partition("=")[0]
