"""`secretsctl report`: what there is, who can read it, and how it changes, as one page."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from platform_secrets.describing.reported import Report, reported
from platform_secrets.secretsctl.projects import loaded, stack_files
from platform_secrets.secretsctl.tree import TreeError
from platform_secrets.secretsctl.whole_files import replace_files

_BEGINNING = "<!doctype html>\n<!-- secretsctl report -->"
"""Of a page of ours, which a new one may replace."""


def report(options: argparse.Namespace) -> tuple[int, str]:
    """Writes the page, or prints it or the data behind it."""
    found = [reported(one) for one in loaded(stack_files(), options.catalogue, options.env)]
    if options.json:
        return 0, json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False) + "\n"
    from platform_secrets.secretsctl.report_page import page

    text = page(found, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    if options.out == "-":
        return 0, text
    _write(Path(options.out), text)
    return 0, _written(found, Path(options.out), len(text.encode()))


def _write(path: Path, text: str) -> None:
    """Raises TreeError where something else is there, or it can't be written."""
    try:
        if path.exists() and not path.read_bytes().startswith(_BEGINNING.encode()):
            raise TreeError(f"{path}: is there already, and no report: name another with --out")
    except OSError as error:
        raise TreeError(f"{path}: can't be read: {error.strerror}") from None
    replace_files({path: text.encode()})


def _written(found: Sequence[Report], path: Path, size: int) -> str:
    names = ", ".join(one.environment for one in found)
    return f"{path}: {names}; {max(1, size // 1000):,} kB, open it in a browser\n"
