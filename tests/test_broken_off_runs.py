"""Runs that end in the middle, by Ctrl-C, a full disk or a folder that nobody may write to: no
traceback, all of what was to be written or nothing, and no value shown."""

import os
import random
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from platform_secrets.secretsctl.commands import main
from tests.conftest import made_up_values
from tests.declaring import PROJECT
from tests.platform import CATALOGUE_FILE, OWN_STACK_FILES

# A process that says when it begins, so that what is timed is not Python's own start.
HOST = """
import sys
from platform_secrets.secretsctl.__main__ import start
print("began", flush=True)
sys.exit(start())
"""
# The same, once it has imported what the commands need.
WARM = HOST.replace("print", "import platform_secrets.secretsctl.commands as one\nprint", 1)
COMMANDS = {
    "render": ["render"],
    "report": ["report"],
    "init": ["init", "shop"],
    "import": ["import", "--from", "trees", "--out", "imported", "--name", "shop"],
    "basic-secrets": ["basic-secrets", "--env", "development", "--out", "trees"],
}
NOBODY = 65534


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the platform as the working directory, with a rendered tree and values."""
    for file in (CATALOGUE_FILE, *OWN_STACK_FILES):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["render", "--out", "trees"]) == 0
    lines = [f"{name}={value}\n" for name, value in made_up_values().items()]
    Path("secrets.env").write_text("".join(lines))
    return tmp_path


def _values() -> list[str]:
    return [line.partition("=")[2] for line in Path("secrets.env").read_text().splitlines()]


def _all() -> dict[str, bytes]:
    """Every file and folder; a folder is empty bytes."""
    found = Path().rglob("*")
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in found}


def _take_away_all_but(before: dict[str, bytes]) -> None:
    for path in sorted(_all().keys() - before.keys(), reverse=True):
        Path(path).unlink() if Path(path).is_file() else Path(path).rmdir()


def _process(program: str, arguments: list[str], **options) -> subprocess.Popen[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", program, *arguments],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def _interrupted(program: str, arguments: list[str], after: float) -> tuple[int, str]:
    process = _process(program, arguments)
    assert process.stdout
    assert process.stdout.readline() == "began\n"
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def _seconds(arguments: list[str]) -> float:
    """What a run takes once it has begun, on this machine, now."""
    process = _process(WARM, arguments)
    assert process.stdout
    process.stdout.readline()
    began = time.monotonic()
    process.communicate(timeout=60)
    return time.monotonic() - began


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupt_at_any_moment_is_no_traceback_and_leaves_all_or_nothing(project, command):
    before, arguments = _all(), COMMANDS[command]
    lasting = _seconds(arguments)
    after = _all()
    moments = random.Random(secrets.token_bytes(8))  # noqa: S311 - no secret
    for program in (HOST, WARM, WARM):
        _take_away_all_but(before)
        moment = moments.uniform(0, lasting)
        code, said = _interrupted(program, arguments, moment)
        assert "Traceback" not in said, moment
        assert "Exception" not in said, moment
        assert code in (0, 1, 130, -signal.SIGINT), moment
        left = {path: content for path, content in _all().items() if "report.html" not in path}
        wanted = {path: content for path, content in after.items() if "report.html" not in path}
        assert left in (before, wanted), moment
        assert not [value for value in _values() if value in said]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_disk_without_room_for_a_file_is_told_in_a_line_and_changes_nothing(project, command):
    before = _all()
    main(COMMANDS[command])
    largest = max(len(content) for path, content in _all().items() if path not in before)
    _take_away_all_but(before)
    for room in (0, largest // 2, largest - 1):
        bounds = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, room))
        process = _process(HOST, COMMANDS[command], preexec_fn=bounds)
        out, said = process.communicate(timeout=60)
        assert process.returncode == 2, said
        *_, problem, end = said.splitlines()
        assert problem.endswith(": can't be written: File too large")
        assert end == "secretsctl: 1 problem, nothing done"
        assert _all() == before
        assert not [value for value in _values() if value in out + said]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_one_may_not_write_to_is_told_in_a_line_and_stays(project, command):
    before = _all()
    main(COMMANDS[command])  # what that imports nobody else may read here
    _take_away_all_but(before)
    (project / "secrets.env").chmod(0o644)
    for path in (project, *project.rglob("*"), *project.parents[:3]):
        if path.is_dir():
            path.chmod(path.stat().st_mode | 0o555 & ~0o222)
    code, said = _as_nobody(COMMANDS[command])
    assert code == 2, said
    *_, problem, end = said.splitlines()
    assert problem.endswith(": can't be written: Permission denied")
    assert end == "secretsctl: 1 problem, nothing done"
    assert _all() == before
    assert not [value for value in _values() if value in said]


def _as_nobody(arguments: list[str]) -> tuple[int, str]:
    """The exit code of a command that somebody without rights runs, and what it complains of."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 2)
        sys.stderr = os.fdopen(2, "w")
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
        code = main(arguments)
        sys.stderr.flush()
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), text


def test_processes_that_render_one_tree_at_once_all_succeed_and_leave_it_whole(project):
    shutil.copytree("trees", "expected")
    shutil.rmtree("trees")
    running = [_process(HOST, ["render", "--out", "trees"]) for _ in range(4)]
    said = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 4, said
    found = {path: content for path, content in _all().items() if path.startswith("trees/")}
    wanted = {path: content for path, content in _all().items() if path.startswith("expected/")}
    assert {path.removeprefix("trees/"): content for path, content in found.items()} == {
        path.removeprefix("expected/"): content for path, content in wanted.items()
    }
