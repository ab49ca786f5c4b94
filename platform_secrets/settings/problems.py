"""What is wrong with an input: where it is and what would be right, never the input itself."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

Path = tuple[str | int, ...]

_MOST_LINES = 50
_SHOWABLE = re.compile(r"[A-Za-z._][A-Za-z0-9._:-]{0,62}")
_NAME = re.compile(r"[-A-Za-z0-9._]{1,253}(/[-A-Za-z0-9._]{1,253})?")


@dataclass(frozen=True)
class Problem:
    """One thing to mend. `line` counts from 1; `path` leads to the place inside the file."""

    file: str
    line: int | None
    path: Path
    message: str

    @property
    def place(self) -> str:
        """The file with the line, and the path in it."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        path = ".".join(_shown(part) for part in self.path)
        return f"{place}: {path}" if path else place

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


def _shown(part: str | int) -> str:
    """A part of a path, unless it does not look like a name: then it may be a misplaced value."""
    return str(part) if isinstance(part, int) or _SHOWABLE.fullmatch(part) else "(a key)"


def looks_like_a_name(text: str) -> bool:
    """Whether a message may show it, though nobody has checked it: else it may be a value."""
    return _NAME.fullmatch(text) is not None


def listed(names: Iterable[str]) -> str:
    """Names for a message."""
    found = {one if looks_like_a_name(one) else "(no name)" for one in names}
    return ", ".join(sorted(found)) or "none"


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """The end of a message about a name that does not exist: the one that is meant by a slip."""
    close = get_close_matches(word, sorted(filter(looks_like_a_name, names)), 1)
    return f" (did you mean {close[0]}?)" if close else ""


class SettingsError(Exception):
    """All problems of the given inputs; `str` gives one line for each of the first."""

    def __init__(self, problems: list[Problem]) -> None:
        # A set, since one wrong file may be read for several environments.
        self.problems = sorted(
            set(problems),
            key=lambda p: (p.file, p.line or 0, [str(part) for part in p.path], p.message),
        )
        lines = [str(problem) for problem in self.problems[:_MOST_LINES]]
        if more := len(self.problems) - len(lines):
            lines.append(f"and {more} more problem{'s' * (more > 1)}")
        super().__init__("\n".join(lines))
