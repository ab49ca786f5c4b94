"""Characters that no person sees in a file, and that a terminal, a parser or another language takes
for something else."""

import re
from collections.abc import Iterator, Mapping

from platform_secrets.settings.problems import Path
from platform_secrets.settings.references import Fault

# Controls but tab and line ends, other lines' ends, marks that turn a text around or stand for
# nothing, and what is no character at all.
_UNSEEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060\u2066-\u2069\ud800-\udfff\ufeff"
    "\ufffe\uffff]"
)


def unseen_faults(content: object, path: Path = ()) -> Iterator[Fault]:
    """Every text with such a character, and every key."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _of_text(key, (*path, key))
            yield from unseen_faults(value, (*path, key))
    elif isinstance(content, list):
        for place, value in enumerate(content):
            yield from unseen_faults(value, (*path, place))
    else:
        yield from _of_text(content, path)


def _of_text(text: object, path: Path) -> Iterator[Fault]:
    if isinstance(text, str) and (found := _UNSEEN.search(text)):
        yield path, f"holds a character that nobody sees, U+{ord(found[0]):04X}: take it out"
