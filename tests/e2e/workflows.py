"""Jobs of a repository's workflows, run as they are written: each in a clone of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.e2e.engine import write_pack_host
from tests.e2e.process import PROJECT
from tools.build import build

# `pulumi install` and `pip` can't have this release from a registry: it is the project's own.
_PULUMI = f"""#!/bin/sh
[ "$1" = install ] && exec ln -s {PROJECT}/.venv .venv
exec %s "$@"
"""
# Answers with $GH_ANSWER what asks, and keeps what is sent.
_GH = """#!/bin/sh
echo "$*" >> ../gh
case "$*" in *--body-file*) cat body.md >> ../gh ;; *) printf '%s\\n' "$GH_ANSWER" ;; esac
"""


@dataclass(frozen=True)
class Done:
    """`outputs` and `summary` are what a job handed on and showed, `printed` all that it said."""

    code: int
    printed: str
    outputs: Mapping[str, str]
    summary: str
    sent: str


class Workflows:
    """`root` holds the clones, and a `bin` with the programs that jobs find first."""

    def __init__(self, root: Path, origin: Path, variables: dict[str, str]) -> None:
        self._root, self._origin, self._variables = root, origin, variables
        self._count = 0
        programs = root / "bin"
        programs.mkdir(parents=True)
        for name, text in (
            ("pulumi", _PULUMI % build("pulumi")),
            ("gh", _GH),
            ("pip", "#!/bin/sh\n"),
        ):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        write_pack_host(programs)
        (programs / "kubectl").symlink_to(build("kubectl"))
        path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._variables |= {"PATH": path, "NO_COLOR": "1"}

    def run(self, workflow: str, job: str, commit: str, **variables: str) -> Done:
        """The `run` steps of a job, until one fails. `variables` are what its `env` says."""
        self._count += 1
        folder = self._root / str(self._count)
        clone = folder / "clone"
        self._git(self._root, "clone", "--quiet", str(self._origin), str(clone))
        self._git(clone, "checkout", "--quiet", commit)
        said = yaml.safe_load((clone / f".github/workflows/{workflow}.yaml").read_text())
        output, summary = folder / "output", folder / "summary"
        env = {**os.environ, **self._variables, **variables}
        env |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        env |= {"GITHUB_SHA": commit, "GITHUB_REF_NAME": "main", "GITHUB_REPOSITORY": "a/b"}
        code, printed = 0, ""
        for step in said["jobs"][job]["steps"]:
            if code == 0 and "run" in step:
                command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
                done = subprocess.run(  # noqa: S603 - the repository's own steps
                    command, cwd=clone, env=env, capture_output=True, text=True, check=False
                )
                code, printed = done.returncode, printed + done.stdout + done.stderr
        sent = folder / "gh"
        texts = [file.read_text() if file.exists() else "" for file in (output, summary, sent)]
        shutil.rmtree(clone)
        return Done(code, printed, _outputs(texts[0]), texts[1], texts[2])

    def _git(self, folder: Path, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, check=True)  # noqa: S603, S607


def _outputs(text: str) -> dict[str, str]:
    """As GitHub reads them: `name=value`, or `name<<END`, lines, `END`."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, is_long, end = line.partition("<<")
        if not is_long:
            name, _, found[name] = line.partition("=")
            continue
        value: list[str] = []
        while (each := next(lines)) != end:
            value.append(each)
        found[name] = "\n".join(value)
    return found
