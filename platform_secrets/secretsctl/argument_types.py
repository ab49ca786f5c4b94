"""What the arguments of several commands have in common."""

import argparse
import re
from pathlib import Path


class CommandParser(argparse.ArgumentParser):
    """Of one command. Below its options are examples and exit codes, read only for `--help`."""

    def format_help(self) -> str:
        from platform_secrets.secretsctl.help_texts import help_text

        self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.epilog = help_text(self.prog.split()[-1])
        return super().format_help()


def add_which(
    parser: argparse.ArgumentParser, which: argparse._MutuallyExclusiveGroup | None = None
) -> None:
    """Adds the options that say which stack file, and which catalogue, a command is about."""
    which = which or parser.add_mutually_exclusive_group(required=True)
    env_help = "the stack file of this environment"
    which.add_argument("--env", type=given, metavar="ENVIRONMENT", help=env_help)
    which.add_argument("--stack", type=path, metavar="FILE", help="this stack file")
    add_catalogue(parser)


def add_env(parser: argparse.ArgumentParser) -> None:
    """Adds the option that leaves only one environment."""
    env_help = "only this environment; default: all"
    parser.add_argument("--env", type=given, metavar="ENVIRONMENT", help=env_help)


def add_json(parser: argparse._ActionsContainer) -> None:
    """Adds the option that asks for the same as JSON."""
    parser.add_argument("--json", action="store_true", help="the same as JSON, for a script")


def add_forms(parser: argparse.ArgumentParser) -> None:
    """Adds the options that ask for the same in another form."""
    form = parser.add_mutually_exclusive_group()
    markdown_help = "as Markdown, for a comment on a pull request"
    form.add_argument("--markdown", action="store_true", help=markdown_help)
    add_json(form)


def add_dry_run(parser: argparse._ActionsContainer) -> None:
    """Adds the option by which nothing is done."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")


def add_catalogue(parser: argparse.ArgumentParser) -> None:
    """Adds the option that says where the catalogue is."""
    parser.add_argument(
        "--catalogue",
        type=path,
        default=Path("catalogue.yaml"),
        metavar="FILE",
        help="default: %(default)s",
    )


def given(text: str) -> str:
    """An argument's text. Raises ArgumentTypeError where it is empty, as of an unset variable: it
    would be the folder that this runs in, every ExternalSecret, or today."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def version(text: str) -> str:
    """An argument that names a version at a provider. Raises ArgumentTypeError for what none is
    called: it stands in what the operator makes of it."""
    if not re.fullmatch(r"[A-Za-z0-9_.:/+=-]{1,128}", text):
        raise argparse.ArgumentTypeError("must be a version as the provider names it")
    return text


def path(text: str) -> Path:
    """An argument that is a path. Raises as `given`."""
    return Path(given(text))
