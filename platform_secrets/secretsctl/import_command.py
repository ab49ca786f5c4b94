"""`secretsctl import`: manifests in, a catalogue, a stack file and a report out."""

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from platform_secrets.importing.existing import Existing, existing
from platform_secrets.importing.found import Manifest
from platform_secrets.importing.imported import Imported, Verdict, imported
from platform_secrets.importing.stack_file import Target
from platform_secrets.importing.suggestions import with_store_settings, with_suggestions
from platform_secrets.secretsctl.cluster_manifests import read_cluster
from platform_secrets.secretsctl.manifest_files import Read, read_all
from platform_secrets.secretsctl.new_project import in_the_way
from platform_secrets.secretsctl.tree import TreeError
from platform_secrets.secretsctl.whole_files import replace_files
from platform_secrets.secretsctl.yaml_additions import with_additions
from platform_secrets.secretsctl.yaml_text import yaml_text
from platform_secrets.settings import (
    Problem,
    SettingsError,
    catalogue_document,
    stack_document,
)
from platform_secrets.settings.documents import project_name

_CATALOGUE = """\
# What the platform needs, as `secretsctl import` found it in manifests. Formats, rotation and
# owners stand in no manifest: add them (`format`, `rotate`, `owner`) where you know them. Comments
# below keys are guesses by their names: take the # away where one is right.
"""
_STACK = """\
# Where {environment} keeps it. A store that others declare is `provider: existing`.
"""
_HEADINGS = {
    "exact": "taken exactly",
    "different": "taken with a difference",
    "left out": "not taken",
}
_RENDER = "what reads Secrets in them: helm template … | secretsctl import --from -"
_PRINT = "what they make of it: kubectl kustomize … | secretsctl import --from -"
_NAME = "what reads which of them, no manifest tells: name it in `reads`"
_RENAMED = "an ExternalSecret is called as its Secret; docs/import.md says how it takes that over"


def import_manifests(options: argparse.Namespace) -> tuple[int, str]:
    """Writes both files and reports; see docs/import.md."""
    _check(options)
    folder: Path = options.out
    files = [folder / "catalogue.yaml", folder / f"Pulumi.{options.env}.yaml"]
    there = _existing(files, options.env, is_check=options.check)
    platform = options.name or _platform(folder.resolve().name)
    read = _read(options)
    target = Target(platform, options.env, options.default_namespace)
    found = imported(read.manifests, target, there)
    written: list[str] = []
    if not options.check:
        contents = _contents(files, found, options.env, there)
        replace_files(contents)
        written = [str(path) for path in contents]
    text = _json(found, read, written) if options.json else _report(found, read, written)
    is_left_out = bool(read.unread) or any(one.outcome == "left out" for one in found.verdicts)
    is_different = any(one.outcome == "different" for one in found.verdicts)
    return int(is_left_out or (options.check and is_different)), text


def _existing(files: list[Path], environment: str, *, is_check: bool) -> Existing | None:
    """What the files say, where there is a catalogue; without a stack file, for a new environment.
    Raises TreeError where a stack file is there alone."""
    catalogue, stack = files
    if catalogue.is_file() and (stack.is_file() or not stack.exists()):
        beside = sorted(stack.parent.glob("Pulumi.*.yaml"))
        others = [stack_document(path) for path in beside if path != stack]
        own = stack_document(stack) if stack.is_file() else None
        found = existing(own, catalogue_document(catalogue), others)
        for one in found.others if own is None else ():
            if one.environment == environment:
                message = f"{one.file} is of this environment already: give the name in the file's"
                raise SettingsError([Problem("--env", None, (), message)])
        return found
    obstacles = [] if is_check else in_the_way(stack.parent, [path.name for path in files])
    if obstacles:
        raise TreeError("\n".join(obstacles))
    return None


def _contents(
    files: list[Path], found: Imported, environment: str, there: Existing | None
) -> dict[Path, bytes]:
    """The files that are new, or to which something is added."""
    catalogue, stack = files
    project = project_name(stack.parent)
    contents: dict[Path, bytes] = {}
    if found.new_in_catalogue and there:
        contents[catalogue] = with_additions(
            catalogue,
            catalogue_document,
            found.new_in_catalogue,
            lambda new: with_suggestions(yaml_text(new), found.suggestions, bundles_at=0),
        )
    elif found.new_in_catalogue:
        text = with_suggestions(yaml_text(found.catalogue), found.suggestions)
        contents[catalogue] = (_CATALOGUE + text).encode()
    additions = {Path(file): new for file, new in found.new_in_others.items()}
    if found.new_in_stack and there and there.stack:
        of_it = [stack, *(Path(one.file) for one in there.beside)]
        additions |= dict.fromkeys(of_it, found.new_in_stack)
    elif found.new_in_stack:
        text = yaml_text({"config": {f"{project}:environment": found.stack}})
        settings = {
            name: f"Once it has an identity (docs/import.md), instead:\n{yaml_text(content)}"
            for name, content in found.settings_of_stores.items()
        }
        text = with_store_settings(text, settings)
        contents[stack] = (_STACK.format(environment=environment) + text).encode()
    for path, new in additions.items():
        contents[path] = with_additions(path, lambda path: stack_document(path, project), new)
    return contents


def _check(options: argparse.Namespace) -> None:
    if not options.sources and not options.from_cluster:
        message = "is missing: name a folder or a file of manifests, or - for standard input"
        raise SettingsError([Problem("--from", None, (), f"{message}; or give --from-cluster")])
    of_a_cluster = {
        "--namespace": options.namespaces,
        "--all-namespaces": options.all_namespaces,
        "--context": options.context,
        "--secrets": options.secrets,
    }
    given = [name for name, value in of_a_cluster.items() if value]
    if given and not options.from_cluster:
        message = "goes with --from-cluster"
        hint = "; manifests in files that name no namespace: --default-namespace"
        problems = [
            Problem(one, None, (), message + (hint if one == "--namespace" else ""))
            for one in given
        ]
        raise SettingsError(problems)


def _read(options: argparse.Namespace) -> Read:
    read = read_all(options.sources or [])
    if not options.from_cluster:
        return read
    return read + read_cluster(
        options.context,
        options.namespaces or [],
        reads_all=options.all_namespaces,
        reads_secrets=options.secrets,
    )


def _platform(folder: str) -> str:
    found = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")[:24].strip("-")
    return found if found[:1].isalpha() else "platform"


def _report(found: Imported, read: Read, written: Iterable[str]) -> str:
    lines: list[str] = []
    for outcome, heading in _HEADINGS.items():
        of_it = [one for one in found.verdicts if one.outcome == outcome]
        unread = read.unread if outcome == "left out" else []
        if not of_it and not unread:
            continue
        lines.append(f"{heading}: {len(of_it) + len(unread)}")
        if outcome != "exact":
            lines += [line for one in of_it for line in _lines(one)]
            lines += [f"  {one}" for one in unread]
    renamed = [one for one in found.verdicts if one.becomes]
    if renamed:
        lines.append(f"under another name: {len(renamed)} ({_RENAMED})")
        lines += [
            f"  {one.manifest.place}: {_called(one)}: becomes {one.becomes}" for one in renamed
        ]
    for what, why, manifests in _unseen(found):
        if manifests:
            lines.append(f"{what}: {len(manifests)} ({why})")
            lines += [f"  {one.place}: {_named(one)}" for one in manifests]
    if found.absent:
        lines.append(f"left out here, since no manifest has them: {', '.join(found.absent)}")
    for file, new in found.new_in_others.items():
        names = [name for names in new["without"].values() for name in names]
        lines.append(f"left out in {file}, since it is new: {', '.join(names)}")
    lines += [f"wrote {path}" for path in written] or ["nothing is written"]
    if not found.verdicts:
        lines.append(f"no ExternalSecret in {read.where}")
    return "".join(f"{line}\n" for line in lines)


def _unseen(found: Imported) -> Iterable[tuple[str, str, Sequence[Manifest]]]:
    unseen = found.unseen
    return (
        ("charts, whose workloads are not seen", _RENDER, unseen.charts),
        ("kustomizations, which change names or Secrets", _PRINT, unseen.kustomizations),
        ("bindings, by which every Secret may be read", _NAME, unseen.wide_bindings),
    )


def _lines(verdict: Verdict) -> Iterable[str]:
    for one in verdict.details:
        field = f"{one.field}: " if one.field else ""
        yield f"  {verdict.manifest.place}: {_called(verdict)}: {field}{one.why}"


def _called(verdict: Verdict) -> str:
    return _named(verdict.manifest)


def _named(one: Manifest) -> str:
    return f"{one.kind} {one.namespace + '/' if one.namespace else ''}{one.name}"


def _identity(one: Manifest) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "namespace": one.namespace,
        "name": one.name,
        "file": one.file,
        "line": one.line,
    }


def _json(found: Imported, read: Read, written: Iterable[str]) -> str:
    content: dict[str, Any] = {
        "wrote": [*written],
        "manifests": [
            {
                **_identity(one.manifest),
                "outcome": one.outcome,
                "becomes": one.becomes,
                "details": [{"field": each.field, "why": each.why} for each in one.details],
            }
            for one in found.verdicts
        ],
        **{
            what.partition(",")[0]: [{**_identity(one), "why": why} for one in manifests]
            for what, why, manifests in _unseen(found)
        },
        "left-out-here": [*found.absent],
        "left-out-in-others": {file: new["without"] for file, new in found.new_in_others.items()},
        "unread": [{"file": one.file, "line": one.line, "why": one.message} for one in read.unread],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
