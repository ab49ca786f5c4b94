"""Manifests as they are in files and on standard input."""

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
from platform_secrets.secretsctl.manifest_yaml import AliasesInAliasesError, objects
from platform_secrets.settings import Problem, SettingsError
from platform_secrets.settings.yaml_bounds import TooDeep

_ENDINGS = (".yaml", ".yml", ".json")
_DOCUMENT = re.compile(r"^---(?=\s|$).*$", re.MULTILINE)
_KIND = re.compile(r"""\bkind["']?[ \t]*:[ \t]*["']?[A-Z]""")
# Outside of a text in quotes.
_ACTION = re.compile(r"""^[^"'#\n]*\{\{""", re.MULTILINE)
_HELM = "is a Helm chart's source; render it: helm template … | secretsctl import --from -"
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


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
    for one in found.manifests:
        if one.is_kustomization:
            _name_keys_of_files(one)
    return found


def _name_keys_of_files(kustomization: Manifest) -> None:
    """Has a generator of Secrets say itself what the keys in its files are called."""
    folder = Path(kustomization.file).parent
    for one in map(mapping, sequence(kustomization.content.get("secretGenerator"))):
        if not isinstance(one, dict):
            continue
        files = [*sequence(one.get("envs")), *([one["env"]] if one.get("env") else [])]
        texts = [text for _, text in _texts(folder, files)]
        if files and len(texts) == len(files):
            lines = (line.strip() for text in texts for line in text.splitlines())
            names = [line.partition("=")[0] for line in lines if line and line[0] != "#"]
            one["literals"] = [*sequence(one.get("literals")), *names]
            one["envs"] = one["env"] = None


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
    is_kustomization = Path(file).name in _KUSTOMIZATIONS
    try:
        read, start = objects(text, may_lack_kind=is_kustomization)
    except AliasesInAliasesError as error:
        found.unread.append(Problem(file, first + error.line, (), str(error)))
        return
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
    line = first + start
    for one in read:
        if "{{" in str((one.get("metadata") or {}).get("name")):
            found.unread.append(Problem(file, line, (), _HELM))
        else:
            found.manifests.append(Manifest(one, file, line))
