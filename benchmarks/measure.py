"""Wall time, CPU time and peak memory of whole processes.

A process inherits the peak memory of the one that starts it, so each is started by this file run
as a small program of its own: `python measure.py OUTPUT COMMAND...` prints its figures as JSON.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
# Python's own settings here, such as to keep no bytecode, are not everybody's.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
# In seconds: who has used as much is not run again. The slow need no more runs to be told apart.
_ENOUGH = 10.0


class Figures(NamedTuple):
    """One run. Memory is that of the largest process, CPU that of all, where a tool starts more."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float


@dataclass(frozen=True)
class Program:
    """A command, and the file that it writes itself; without one, its standard output is it."""

    name: str
    command: tuple[str, ...]
    written: Path | None = None


class RunError(Exception):
    """A program that did not exit with 0; `str` holds its last words."""


def run(program: Program, output: Path = Path(os.devnull)) -> Figures:
    """One run of the program, from the project's folder. Raises RunError."""
    launcher = [sys.executable, "-S", "-E", __file__, str(output), *program.command]
    done = subprocess.run(  # noqa: S603
        launcher, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    if done.returncode:
        words = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise RunError(f"{program.name}: exit code {done.returncode}\n{words}")
    return Figures(*json.loads(done.stdout))


def best_of(programs: Sequence[Program], rounds: int) -> list[Figures]:
    """The best of each figure of each program, which take turns. Raises RunError."""
    runs: list[list[Figures]] = [[] for _ in programs]
    for _ in range(rounds):
        for program, own in zip(programs, runs, strict=True):
            if sum(figures.wall_seconds for figures in own) < _ENOUGH:
                own.append(run(program))
    return [best(own) for own in runs]


def best(runs: Sequence[Figures]) -> Figures:
    """The smallest of each figure: what other work on the machine disturbed least."""
    return Figures(*map(min, zip(*runs, strict=True)))


def _launch(output: str, command: list[str]) -> int:
    stdout = (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    start = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=[stdout])
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    sys.stdout.write(json.dumps([wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_launch(sys.argv[1], sys.argv[2:]))
