"""`secretsctl completion`, and what a shell offers by it while somebody types."""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from argcomplete import autocomplete
from argcomplete.completers import BaseCompleter, FilesCompleter
from argcomplete.shell_integration import shellcode

from platform_secrets.secretsctl.arguments import OK
from platform_secrets.secretsctl.projects import environment_names, stack_files
from platform_secrets.settings import (
    SettingsError,
    catalogue_document,
    load_catalogue,
    stack_document,
)

_FILES = {"DIR", "FILE", "PATH", "PREVIEW", "REV"}


def completion(options: argparse.Namespace) -> tuple[int, str]:
    """Prints what has a shell ask."""
    return OK, shellcode(["secretsctl"], shell=options.shell)


def answer(parser: argparse.ArgumentParser) -> None:
    """Tells the shell that has started this what it may offer, and ends."""
    autocomplete(parser, always_complete_options="long", default_completer=_Names())


class _Names(BaseCompleter):
    """The names in the project's files that an argument may be, by what its help calls it."""

    def __call__(
        self,
        *,
        prefix: str,
        action: argparse.Action,
        parser: argparse.ArgumentParser,
        parsed_args: argparse.Namespace,
    ) -> Iterable[str]:
        if action.metavar in _FILES:
            return FilesCompleter()(prefix)
        catalogue = getattr(parsed_args, "catalogue", Path("catalogue.yaml"))
        try:
            if action.metavar == "ENVIRONMENT":
                return environment_names([stack_document(path) for path in stack_files()])
            if action.metavar in ("BUNDLE", "KEY", "BUNDLE[/KEY]"):
                return [*_names(catalogue, action.metavar, prefix)]
        except (SettingsError, OSError):
            pass  # the command itself says what is wrong with them
        return []


def _names(catalogue: Path, metavar: str, prefix: str) -> Iterable[str]:
    """Of bundles, keys or both; a key's without its bundle where that says enough."""
    bundles = load_catalogue(catalogue_document(catalogue)).bundles
    count = Counter(key for bundle in bundles.values() for key in bundle.keys)
    for name, bundle in bundles.items():
        if metavar != "KEY":
            yield name
        if metavar != "BUNDLE":
            for key in bundle.keys:
                yield f"{name}/{key}" if "/" in prefix or count[key] > 1 else key
