"""What is wrong with an input: where it is and what would be right, never the input itself."""

import re
from dataclasses import dataclass

Path = tuple[str | int, ...]

_SHOWABLE = re.compile(r"[A-Za-z._][A-Za-z0-9._:-]{0,62}")


@dataclass(frozen=True)
class Problem:
    """One thing to mend. `line` counts from 1; `path` leads to the place inside the file."""

    file: str
    line: int | None
    path: Path
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        path = ".".join(_shown(part) for part in self.path)
        return f"{place}: {path}: {self.message}" if path else f"{place}: {self.message}"


def _shown(part: str | int) -> str:
    """A part of a path, unless it does not look like a name: then it may be a misplaced value."""
    return str(part) if isinstance(part, int) or _SHOWABLE.fullmatch(part) else "(a key)"


class SettingsError(Exception):
    """All problems of the given inputs; `str` gives one line for each."""

    def __init__(self, problems: list[Problem]) -> None:
        # A set, since one wrong file may be read for several environments.
        self.problems = sorted(
            set(problems),
            key=lambda p: (p.file, p.line or 0, [str(part) for part in p.path], p.message),
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))
