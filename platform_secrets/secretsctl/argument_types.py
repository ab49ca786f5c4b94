"""What the arguments of several commands have in common."""

import argparse
from pathlib import Path


def add_which(
    parser: argparse.ArgumentParser, which: argparse._MutuallyExclusiveGroup | None = None
) -> None:
    """Adds the options that say which stack file, and which catalogue, a command is about."""
    which = which or parser.add_mutually_exclusive_group(required=True)
    env_help = "the stack file of this environment"
    which.add_argument("--env", type=given, metavar="ENVIRONMENT", help=env_help)
    which.add_argument("--stack", type=path, metavar="FILE", help="this stack file")
    add_catalogue(parser)


def add_catalogue(parser: argparse.ArgumentParser) -> None:
    """Adds the option that says where the catalogue is."""
    parser.add_argument("--catalogue", type=path, default=Path("catalogue.yaml"), metavar="FILE")


def given(text: str) -> str:
    """An argument's text. Raises ArgumentTypeError where it is empty, as of an unset variable: it
    would be the folder that this runs in, every ExternalSecret, or today."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def path(text: str) -> Path:
    """An argument that is a path. Raises as `given`."""
    return Path(given(text))
