"""The colors of a text that a terminal shows."""

import os
import sys

_CODES = {"red": "31", "green": "32", "yellow": "33"}


def has_colors() -> bool:
    """Only a terminal has, and only where NO_COLOR is not set (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def painted(text: str, color: str) -> str:
    """The text in `red`, `green` or `yellow`."""
    return f"\x1b[{_CODES[color]}m{text}\x1b[0m"
