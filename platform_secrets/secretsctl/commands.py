"""`secretsctl`: render an environment, and what goes with it."""

import argparse
import io
import os
import shlex
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from platform_secrets.secretsctl import tree
from platform_secrets.secretsctl.arguments import FAILED, OK, WRONG_INPUT, Command, parser
from platform_secrets.secretsctl.projects import asked_settings, loaded, stack_files
from platform_secrets.settings import SettingsError
from platform_secrets.settings.problems import Problem


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. 0: done; 1: `--check` found a difference, or the cluster did not do what
    was asked; 2: something given is wrong, or can't be read or written."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    commands = parser(_FUNCTIONS)
    if "_ARGCOMPLETE" in os.environ:
        from platform_secrets.secretsctl.completion import answer

        answer(commands)
    options = commands.parse_args(arguments)
    command: Command = options.command
    try:
        code, text = command(options)
    except (SettingsError, tree.TreeError) as error:
        is_wrong_input = isinstance(error, SettingsError)
        count = len(error.problems if is_wrong_input else str(error).splitlines())
        print(error, file=sys.stderr)
        print(f"secretsctl: {count} problem{'s' * (count > 1)}, nothing done", file=sys.stderr)
        return WRONG_INPUT
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"secretsctl: {where}{error.strerror}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        return 130
    return _printed(code, text)


def _printed(code: int, text: str) -> int:
    """Prints, and returns the code: a reader that has gone changes no verdict."""
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return code
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _write_no_more()
        if not isinstance(error, BrokenPipeError):
            print(f"secretsctl: the output can't be written: {error.strerror}", file=sys.stderr)
            return WRONG_INPUT
    return code


def _write_no_more() -> None:
    """Python would try once more at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def example(options: argparse.Namespace) -> tuple[int, str]:
    """Prints secrets.env.example, made from the catalogue."""
    from platform_secrets.secretsctl.example import example_text
    from platform_secrets.settings import catalogue_document, load_catalogue

    return OK, example_text(load_catalogue(catalogue_document(options.catalogue)))


def schema(options: argparse.Namespace) -> tuple[int, str]:
    """Writes the JSON Schemas of the catalogue and of stack files."""
    from platform_secrets.secretsctl.schema import schema_texts
    from platform_secrets.secretsctl.whole_files import replace_files
    from platform_secrets.settings.documents import project_name

    texts = schema_texts(project_name(Path()))
    replace_files({options.out / name: text.encode() for name, text in texts.items()})
    return OK, "".join(f"{options.out / name}\n" for name in texts)


def init(options: argparse.Namespace) -> tuple[int, str]:
    """Writes a repository of one's own; all of it, or nothing where a file is there already."""
    from platform_secrets.secretsctl.new_project import in_the_way, project_files
    from platform_secrets.secretsctl.whole_files import replace_files

    folder: Path = options.folder
    name = options.name or folder.resolve().name
    files = project_files(name, options.provider, options.delivery, options.gitops_tool)
    obstacles = in_the_way(folder, [*files])
    if obstacles:
        raise tree.TreeError("\n".join(obstacles))
    replace_files({folder / name: text.encode() for name, text in files.items()})
    lines = [str(folder / name) for name in files]
    enter = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    return OK, "".join(f"{line}\n" for line in [*lines, f"next: {enter}secretsctl render --all"])


def pin_image(options: argparse.Namespace) -> tuple[int, str]:
    """Has the registry say the digest of the rotator's image, and writes it into the stack file."""
    from platform_secrets.secretsctl.pinning import with_image
    from platform_secrets.secretsctl.registry import RegistryError, pinned
    from platform_secrets.secretsctl.whole_files import replace_files

    rotating = [one for one in asked_settings(options) if one.has_rotation]
    if not rotating:
        message = "no such stack rotates anything, so none has an image"
        raise SettingsError([Problem("pin-image", None, (), message)])
    try:
        images = {Path(one.stack_file): pinned(one.environment.rotator.image) for one in rotating}
    except RegistryError as error:
        print(f"secretsctl: {error}", file=sys.stderr)
        return FAILED, ""
    if not options.print:
        replace_files({path: with_image(path, image) for path, image in images.items()})
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

        (settings,) = asked_settings(options)
        operation = getattr(operations, name.replace("-", "_"))
        return _of_cluster(lambda: operation(settings, options))

    return command


def status(options: argparse.Namespace) -> tuple[int, str]:
    """Says whether anything is wrong in a running environment."""
    from platform_secrets.secretsctl.status_command import status

    return _asked_of_cluster(lambda: status(options))


def _of_cluster(text: Callable[[], str]) -> tuple[int, str]:
    """The text, or why the cluster or kubectl did not do what was asked."""
    return _asked_of_cluster(lambda: (OK, text()))


def _asked_of_cluster(answer: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """The same with an exit code."""
    from platform_secrets.secretsctl.kubectl import ClusterError

    try:
        return answer()
    except ClusterError as error:
        print(f"secretsctl: {error}", file=sys.stderr)
        return FAILED, ""


_OPERATIONS = ("put-commands", "rotate", "rotated", "sync", "restart", "migrate", "seed")
_FUNCTIONS: dict[str, Command] = {
    "init": init,
    "import": _command_of("import_command", "import_manifests"),
    "render": _command_of("render_commands", "render"),
    "check": _command_of("check_command", "check"),
    "diff": _command_of("diff_command", "diff"),
    "status": status,
    "doctor": _command_of("doctor_command", "doctor"),
    "planned": _command_of("planned_command", "planned"),
    "who": who,
    "report": _command_of("report_command", "report"),
    "basic-secrets": _command_of("render_commands", "basic_secrets"),
    "example": example,
    "schema": schema,
    "pin-image": pin_image,
    "completion": _command_of("completion", "completion"),
    "set": _operation("set-value"),
    **{name: _operation(name) for name in _OPERATIONS},
}
