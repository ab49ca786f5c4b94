"""`secretsctl`: render an environment, and what goes with it."""

import argparse
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from manifests.layer import BASIC_SECRETS, waves
from secretsctl import tree
from secretsctl.projects import loaded, rotator_source, stack_files
from secretsctl.rendering import rendered_files
from secretsctl.yaml_text import yaml_stream
from settings import Settings, SettingsError, basic_values
from settings.problems import Problem

OK, DIFFERENT, WRONG_INPUT = 0, 1, 2
FAILED = 1

Command = Callable[[argparse.Namespace], tuple[int, str]]
"""Does its work, and returns the exit code and what to print."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. 0: done; 1: `--check` found a difference, or the cluster did not do what
    was asked; 2: something given is wrong, or can't be read or written."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        code, text = command(options)
    except (SettingsError, tree.TreeError) as error:
        is_wrong_input = isinstance(error, SettingsError)
        count = len(error.problems if is_wrong_input else str(error).splitlines())
        print(error, file=sys.stderr)
        print(f"secretsctl: {count} problem{'s' * (count > 1)}, nothing written", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        return 130
    return _printed(code, text)


def _printed(code: int, text: str) -> int:
    """Prints, and returns the code: a reader that has gone changes no verdict."""
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return code
    try:
        sys.stdout.reconfigure(encoding="utf-8")
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
    if options.check:
        return _checked(trees)
    obstacles = [line for root, files in trees for line in tree.in_the_way(root, files)]
    if obstacles:
        raise tree.TreeError("\n".join(obstacles))
    lines = [
        f"{root}: {len(files)} files, {tree.write(root, files) or 'none'} changed\n"
        for root, files in trees
    ]
    return OK, "".join(lines)


def _checked(trees: list[tuple[Path, dict[str, str]]]) -> tuple[int, str]:
    changes = {root: "".join(tree.differences(root, files)) for root, files in trees}
    stale = ", ".join(str(root) for root, change in changes.items() if change)
    if stale:
        print(f"secretsctl: stale: {stale}; run `secretsctl render`", file=sys.stderr)
    return DIFFERENT if stale else OK, "".join(changes.values())


def basic_secrets(options: argparse.Namespace) -> tuple[int, str]:
    """Splits secrets.env into the files that the rendered basic Secrets are made of."""
    from secretsctl.basic_files import write_env_files

    (settings,) = _settings(options)
    if settings.environment.secrets != "basic":
        message = "must be `basic`: other environments' values are in their stores"
        raise SettingsError([Problem(settings.stack_file, None, ("secrets",), message)])
    values = basic_values(settings, options.secrets_file, lambda _: None)
    if not values:
        message = "no such file; copy secrets.env.example and fill it in"
        raise SettingsError([Problem(str(options.secrets_file), None, (), message)])
    folder = Path(options.out) / settings.environment.environment / BASIC_SECRETS
    written = write_env_files(folder, settings.catalogue, values)
    return OK, "".join(f"{path}\n" for path in written)


def example(options: argparse.Namespace) -> tuple[int, str]:
    """Prints secrets.env.example, made from the catalogue."""
    from secretsctl.example import example_text
    from settings import catalogue_document, load_catalogue

    return OK, example_text(load_catalogue(catalogue_document(options.catalogue)))


def schema(options: argparse.Namespace) -> tuple[int, str]:
    """Writes the JSON Schemas of the catalogue and of stack files."""
    from secretsctl.schema import schema_texts

    texts = schema_texts()
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (options.out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise tree.TreeError(f"{options.out}: can't be written: {error.strerror}") from None
    return OK, "".join(f"{options.out / name}\n" for name in texts)


def _operation(name: str) -> Command:
    """The function of `operations`, which is imported only where it is used."""

    def command(options: argparse.Namespace) -> tuple[int, str]:
        from secretsctl import operations
        from secretsctl.kubectl import ClusterError

        (settings,) = _settings(options)
        try:
            return OK, getattr(operations, name)(settings, options)
        except ClusterError as error:
            print(f"secretsctl: {error}", file=sys.stderr)
            return FAILED, ""

    return command


def _settings(options: argparse.Namespace) -> list[Settings]:
    stacks = [options.stack] if options.stack else stack_files()
    return loaded(stacks, options.catalogue, options.env)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="secretsctl", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = _command(commands, "render", render)
    which = one.add_mutually_exclusive_group()
    _add_which(one, which)
    which.add_argument("--all", action="store_true", help="every stack file here (the default)")
    out_help = "default: %(default)s; - for one stream"
    one.add_argument("--out", type=_given, default="rendered", metavar="DIR", help=out_help)
    check_help = "write nothing; exit 1 and show what is stale"
    one.add_argument("--check", action="store_true", help=check_help)

    one = _command(commands, "basic-secrets", basic_secrets)
    _add_which(one, one.add_mutually_exclusive_group(required=True))
    one.add_argument("--secrets-file", type=_path, default=Path("secrets.env"), metavar="FILE")
    out_help = "where the trees are"
    one.add_argument("--out", type=_given, default="rendered", metavar="DIR", help=out_help)

    key_help = "a key of the catalogue"
    one = _operation_command(commands, "rotate", "Rotates a key now, by a Job from the CronJob.")
    one.add_argument("key", type=_given, metavar="KEY", help=key_help)
    how = one.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="say what would be done")
    how.add_argument("--wait", action="store_true", help="follow the steps to the verdict")

    one = _operation_command(commands, "rotated", "Remembers that a key was rotated elsewhere.")
    one.add_argument("key", type=_given, metavar="KEY", help=key_help)
    on_help = "the day, as 2026-01-31; today by default"
    one.add_argument("--on", type=_given, metavar="DATE", help=on_help)

    one = _operation_command(commands, "sync", "Has the operator read the store now.")
    name_help = "an ExternalSecret; all by default"
    one.add_argument("name", type=_given, metavar="NAME", nargs="?", help=name_help)
    one.add_argument("--wait", action="store_true", help="until the Secret holds what was read")

    one = _operation_command(commands, "restart", "Restarts the workloads that read a key.")
    one.add_argument("key", type=_given, metavar="KEY", help=key_help)

    text = "Prints the commands that put values into the stores, as a script that asks for them."
    one = _operation_command(commands, "put-commands", text)
    one.add_argument("keys", type=_given, metavar="KEY", nargs="*", help="all by default")
    not_ready_help = "only of ExternalSecrets that are not Ready: asks the cluster"
    one.add_argument("--not-ready", action="store_true", help=not_ready_help)

    one = _command(commands, "example", example)
    _add_catalogue(one)

    one = _command(commands, "schema", schema)
    one.add_argument("--out", type=_path, default=Path("schemas"), metavar="DIR")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, function: Command
) -> argparse.ArgumentParser:
    text = function.__doc__
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=function)
    return parser


def _operation_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=_operation(name.replace("-", "_")))
    _add_which(parser, parser.add_mutually_exclusive_group(required=True))
    return parser


def _add_which(parser: argparse.ArgumentParser, which: argparse._MutuallyExclusiveGroup) -> None:
    env_help = "the stack file of this environment"
    which.add_argument("--env", type=_given, metavar="ENVIRONMENT", help=env_help)
    which.add_argument("--stack", type=_path, metavar="FILE", help="this stack file")
    _add_catalogue(parser)


def _add_catalogue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", type=_path, default=Path("catalogue.yaml"), metavar="FILE")


def _given(text: str) -> str:
    """An argument's text: an empty one, as of an unset variable, would be the folder that this
    runs in, every ExternalSecret, or today."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _path(text: str) -> Path:
    return Path(_given(text))
