"""`secretsctl`: render an environment, and what goes with it."""

import argparse
import io
import os
import shlex
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from platform_secrets.manifests.layer import BASIC_SECRETS, waves
from platform_secrets.secretsctl import tree
from platform_secrets.secretsctl.arguments import Command, parser
from platform_secrets.secretsctl.projects import loaded, rotator_source, stack_files
from platform_secrets.secretsctl.rendering import (
    missing_environments,
    rendered_files,
    retyped,
    staying,
)
from platform_secrets.secretsctl.yaml_text import yaml_stream
from platform_secrets.settings import Settings, SettingsError, basic_values, warning_lines
from platform_secrets.settings.problems import Problem

OK, DIFFERENT, WRONG_INPUT = 0, 1, 2
FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. 0: done; 1: `--check` found a difference, or the cluster did not do what
    was asked; 2: something given is wrong, or can't be read or written."""
    options = parser(_FUNCTIONS).parse_args(arguments)
    command: Command = options.command
    try:
        code, text = command(options)
    except (SettingsError, tree.TreeError) as error:
        is_wrong_input = isinstance(error, SettingsError)
        count = len(error.problems if is_wrong_input else str(error).splitlines())
        print(error, file=sys.stderr)
        print(f"secretsctl: {count} problem{'s' * (count > 1)}, nothing written", file=sys.stderr)
        return WRONG_INPUT
    except OSError as error:
        print(f"secretsctl: {error.filename}: {error.strerror}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        return 130
    return _printed(code, text)


def _printed(code: int, text: str) -> int:
    """Prints, and returns the code: a reader that has gone changes no verdict."""
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return code
    try:
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Python would try once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"secretsctl: the output can't be written: {error.strerror}", file=sys.stderr)
            return WRONG_INPUT
    return code


def render(options: argparse.Namespace) -> tuple[int, str]:
    """Renders each environment's tree, or one stream, or says what would change."""
    if options.check and options.out == "-":
        message = "compares a folder, and `--out -` writes none; leave one of them out"
        raise SettingsError([Problem("--check", None, (), message)])
    found = _settings(options)
    result = _rendered(options, found)
    for line in [] if options.check else warning_lines(found):
        print(f"warning: {line}", file=sys.stderr)
    return result


def _rendered(options: argparse.Namespace, found: list[Settings]) -> tuple[int, str]:
    if options.out == "-":
        source = rotator_source()
        declared = [wave for settings in found for wave in waves(settings, source)]
        return OK, yaml_stream([one for wave in declared for one in wave.objects])
    trees = [
        (
            Path(options.out) / settings.environment.environment,
            rendered_files(settings, options.catalogue),
        )
        for settings in found
    ]
    missing = [one for settings in found for one in missing_environments(settings, dict(trees))]
    if missing:
        raise SettingsError(missing)
    if options.check:
        return _checked(trees)
    obstacles = [line for root, files in trees for line in tree.in_the_way(root, files)]
    if obstacles:
        raise tree.TreeError("\n".join(obstacles))
    lines = []
    for root, files in trees:
        present = tree.rendered(root)
        told = [*staying(tree.leaving(present, files)), *retyped(present, files)]
        changed = tree.write(root, files) or "none"
        lines += [f"{root}: {len(files)} files, {changed} changed", *told]
    return OK, "".join(f"{line}\n" for line in lines)


def _checked(trees: list[tuple[Path, dict[str, str]]]) -> tuple[int, str]:
    changes = {root: "".join(tree.differences(root, files)) for root, files in trees}
    stale = ", ".join(str(root) for root, change in changes.items() if change)
    if stale:
        print(f"secretsctl: stale: {stale}; run `secretsctl render`", file=sys.stderr)
    return DIFFERENT if stale else OK, "".join(changes.values())


def basic_secrets(options: argparse.Namespace) -> tuple[int, str]:
    """Splits secrets.env into the files that the rendered basic Secrets are made of."""
    from platform_secrets.secretsctl.basic_files import write_env_files

    (settings,) = _settings(options)
    if settings.environment.secrets != "basic":
        message = "must be `basic`: other environments' values are in their stores"
        raise SettingsError([Problem(settings.stack_file, None, ("secrets",), message)])
    values = basic_values(settings, options.secrets_file, lambda _: None)
    if not values:
        message = "no such file; copy secrets.env.example and fill it in"
        raise SettingsError([Problem(str(options.secrets_file), None, (), message)])
    root = Path(options.out) / settings.environment.environment
    others = tree.other_trees(root, rendered_files(settings, options.catalogue))
    if others:
        raise tree.TreeError("\n".join(others))
    written = write_env_files(root / BASIC_SECRETS, settings, values)
    return OK, "".join(f"{path}\n" for path in written)


def example(options: argparse.Namespace) -> tuple[int, str]:
    """Prints secrets.env.example, made from the catalogue."""
    from platform_secrets.secretsctl.example import example_text
    from platform_secrets.settings import catalogue_document, load_catalogue

    return OK, example_text(load_catalogue(catalogue_document(options.catalogue)))


def schema(options: argparse.Namespace) -> tuple[int, str]:
    """Writes the JSON Schemas of the catalogue and of stack files."""
    from platform_secrets.secretsctl.schema import schema_texts
    from platform_secrets.settings.documents import project_name

    texts = schema_texts(project_name(Path()))
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (options.out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise tree.TreeError(f"{options.out}: can't be written: {error.strerror}") from None
    return OK, "".join(f"{options.out / name}\n" for name in texts)


def init(options: argparse.Namespace) -> tuple[int, str]:
    """Writes a repository of one's own; all of it, or nothing where a file is there already."""
    from platform_secrets.secretsctl.new_project import in_the_way, project_files, write_project

    folder: Path = options.folder
    name = options.name or folder.resolve().name
    files = project_files(name, options.provider, options.delivery, options.gitops_tool)
    obstacles = in_the_way(folder, [*files])
    if obstacles:
        raise tree.TreeError("\n".join(obstacles))
    write_project(folder, files)
    lines = [str(folder / name) for name in files]
    enter = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    return OK, "".join(f"{line}\n" for line in [*lines, f"next: {enter}secretsctl render --all"])


def pin_image(options: argparse.Namespace) -> tuple[int, str]:
    """Has the registry say the digest of the rotator's image, and writes it into the stack file."""
    from platform_secrets.secretsctl.pinning import with_image
    from platform_secrets.secretsctl.registry import RegistryError, pinned

    rotating = [one for one in _settings(options) if one.has_rotation]
    if not rotating:
        message = "no such stack rotates anything, so none has an image"
        raise SettingsError([Problem("pin-image", None, (), message)])
    try:
        images = {Path(one.stack_file): pinned(one.environment.rotator.image) for one in rotating}
    except RegistryError as error:
        print(f"secretsctl: {error}", file=sys.stderr)
        return FAILED, ""
    if not options.print:
        changed = {path: with_image(path, image) for path, image in images.items()}
        for path, content in changed.items():
            try:
                path.write_bytes(content)
            except OSError as error:
                raise tree.TreeError(f"{path}: can't be written: {error.strerror}") from None
    return OK, "".join(f"{path}: {image}\n" for path, image in images.items())


def who(options: argparse.Namespace) -> tuple[int, str]:
    """Says who can read a bundle or a key in each environment."""
    from platform_secrets.secretsctl.who_command import who

    return _of_cluster(lambda: who(loaded(stack_files(), options.catalogue, options.env), options))


def _command_of(module: str, name: str) -> Command:
    """A function of a module, which is imported only where it is used."""

    def command(options: argparse.Namespace) -> tuple[int, str]:
        found: Command = getattr(import_module(f"platform_secrets.secretsctl.{module}"), name)
        return found(options)

    return command


def _operation(name: str) -> Command:
    """The function of `operations`, which is imported only where it is used."""

    def command(options: argparse.Namespace) -> tuple[int, str]:
        from platform_secrets.secretsctl import operations

        (settings,) = _settings(options)
        operation = getattr(operations, name.replace("-", "_"))
        return _of_cluster(lambda: operation(settings, options))

    return command


def _of_cluster(text: Callable[[], str]) -> tuple[int, str]:
    """The text, or why the cluster or kubectl did not do what was asked."""
    from platform_secrets.secretsctl.kubectl import ClusterError

    try:
        return OK, text()
    except ClusterError as error:
        print(f"secretsctl: {error}", file=sys.stderr)
        return FAILED, ""


def _settings(options: argparse.Namespace) -> list[Settings]:
    stacks = [options.stack] if options.stack else stack_files()
    return loaded(stacks, options.catalogue, options.env)


_OPERATIONS = ("put-commands", "rotate", "rotated", "sync", "restart", "migrate", "seed")
_FUNCTIONS: dict[str, Command] = {
    "init": init,
    "import": _command_of("import_command", "import_manifests"),
    "render": render,
    "diff": _command_of("diff_command", "diff"),
    "who": who,
    "basic-secrets": basic_secrets,
    "example": example,
    "schema": schema,
    "pin-image": pin_image,
    **{name: _operation(name) for name in _OPERATIONS},
}
