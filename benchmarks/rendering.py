"""`python -m benchmarks.rendering`: `secretsctl render` beside other tools, as Markdown.

A target that is not met is reported and is no failure: exit code 1 means that something could not
be run, or made other objects than it should.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from pstats import Stats
from statistics import linear_regression

from benchmarks import peers
from benchmarks.imports import forbidden, import_milliseconds
from benchmarks.measure import Figures, Program, RunError, best, best_of, run
from benchmarks.report import judged, say
from benchmarks.work import SHAPES, Work, made_work, rotated_work

_ROUNDS = 7


def main() -> int:
    """Prints each part as soon as it is measured."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        try:
            say(_machine())
            say(_environments(folder))
            works = [made_work(folder / str(count), count) for count in (1, 100, 1000, 10_000)]
            few, many = works[1:3]
            say(_beside(many, [peers.helm(many), peers.cdk8s(many), peers.pulumi(many)]))
            # Its time grows with the square of the objects.
            say(_beside(few, [peers.kustomize(few)]))
            say(_growth(works))
            counts = (10, 100, 1000, 10_000)
            for shape in SHAPES:
                place = folder / shape.name
                rotated = {n: rotated_work(place / str(n), n, shape) for n in counts}
                say(_growth_of_rotation(shape.name, rotated))
            say(_imports(folder))
        except RunError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _machine() -> list[str]:
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return [
        "# Rendering",
        "",
        f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f} at the start; Python {platform.python_version()}. "
        f"Whole processes, which take turns; the best of {_ROUNDS} runs, of fewer for those that "
        "take seconds. CPU s are of all cores together.",
    ]


def _environments(folder: Path) -> list[str]:
    """All stack files of the project, each round into a new folder, and once more into it."""
    first, second = [], []
    for number in range(_ROUNDS):
        command = (*peers.SECRETSCTL, "render", "--all", "--out", str(folder / f"tree-{number}"))
        first.append(run(Program("secretsctl render --all", command)))
        second.append(run(Program("secretsctl render --all", command)))
    new, unchanged = best(first), best(second)
    return [
        "## The project's environments: `secretsctl render --all`",
        "",
        *_table([("into a new folder", new), ("nothing has changed", unchanged)]),
        "",
        judged("at most 0.35 s", new.wall_seconds <= 0.35, f"{new.wall_seconds:.2f} s"),
        judged("at most 80 MB", new.peak_megabytes <= 80, f"{new.peak_megabytes:.0f} MB"),
    ]


def _beside(work: Work, others: Sequence[Program | peers.Absent]) -> list[str]:
    """One stream of objects, by this project and by all others that are there."""
    programs = [peers.secretsctl(work), *(one for one in others if isinstance(one, Program))]
    for program in programs:
        peers.check(program, work)
    rows = list(zip((one.name for one in programs), best_of(programs, _ROUNDS), strict=True))
    ours = rows[0][1].wall_seconds
    absent = [one for one in others if isinstance(one, peers.Absent)]
    return [
        f"## {len(work.objects):,} objects ({work.services:,} services) as one stream",
        "",
        *_table(rows),
        *(f"| {one.name} | not installed: {one.remedy} | | | |" for one in absent),
        "",
        *(
            judged(f"no slower than {name}", ours <= theirs.wall_seconds, f"{ours:.2f} s")
            for name, theirs in rows[1:]
        ),
    ]


def _growth(works: Sequence[Work]) -> list[str]:
    """Of objects, beyond what the smallest platform takes, which is mostly the start."""
    measured = best_of([peers.secretsctl(work) for work in works], _ROUNDS)
    counts = [len(work.objects) for work in works]
    memory = measured[2].peak_megabytes
    return [
        "## Growth of `secretsctl render`",
        "",
        *_table([(f"{n:,} objects", own) for n, own in zip(counts, measured, strict=True)]),
        "",
        _linear(counts, works, "object"),
        judged(f"at most 200 MB for {counts[2]:,} objects", memory <= 200, f"{memory:.0f} MB"),
    ]


def _growth_of_rotation(shape: str, works: Mapping[int, Work]) -> list[str]:
    """Of keys that rotate with overlap, ten in each bundle."""
    measured = best_of([peers.secretsctl(work) for work in works.values()], _ROUNDS)
    # CPU time, which other work on the machine disturbs least: it is one process without waits.
    most = measured[-1].cpu_seconds
    return [
        f"## Growth with keys that rotate with overlap, {shape}",
        "",
        *_table([(f"{n:,} keys", own) for n, own in zip(works, measured, strict=True)]),
        "",
        _linear([*works], [*works.values()], "key"),
        judged("10,000 keys in at most 3 s of CPU", most <= 3, f"{most:.2f} s"),
    ]


def _linear(counts: Sequence[int], works: Sequence[Work], what: str) -> str:
    """How the calls of functions grow beyond those of the smallest: they are the same in each run,
    where what 100 keys take beyond a start is lost in the noise of any clock."""
    first, *more = map(_calls, works)
    beyond = [calls - first for calls in more]
    added = [count - counts[0] for count in counts[1:]]
    exponent = linear_regression([*map(log, added)], [*map(log, beyond)]).slope
    each = [f"{calls / count:,.0f}" for calls, count in zip(beyond, added, strict=True)]
    seen = f"{exponent:.3f}: {', '.join(each)} calls for each {what}"
    return judged("exponent at most 1.05", exponent <= 1.05, seen)


def _calls(work: Work) -> int:
    profile = work.folder / "calls"
    python, *arguments = peers.secretsctl(work).command
    counting = (python, "-m", "cProfile", "-o", str(profile), *arguments)
    run(Program("secretsctl render, its calls counted", counting))
    return int(vars(Stats(str(profile)))["total_calls"])


def _imports(folder: Path) -> list[str]:
    """The imports of the fastest run."""
    arguments = ["render", "--all", "--out", str(folder / "imports")]
    runs = [import_milliseconds(peers.PYTHON, arguments) for _ in range(_ROUNDS)]
    taken = min(runs, key=lambda packages: sum(map(sum, packages.values())))
    unwanted = forbidden(list(taken))
    ranked = sorted(taken.items(), key=lambda item: -sum(item[1]))
    return [
        "## What `secretsctl render --all` imports",
        "",
        "| package | modules | ms |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {len(own)} | {sum(own):.1f} |" for name, own in ranked),
        "",
        judged("neither Pulumi nor a provider SDK", not unwanted, ", ".join(unwanted) or "none"),
    ]


def _table(rows: Sequence[tuple[str, Figures]]) -> list[str]:
    first = rows[0][1].wall_seconds
    return [
        "| | s | CPU s | peak MB | ratio of s |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {own.wall_seconds:.3f} | {own.cpu_seconds:.3f} "
            f"| {own.peak_megabytes:.0f} | {own.wall_seconds / first:.2f} |"
            for name, own in rows
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
