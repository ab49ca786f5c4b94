"""No process of a test run outlives it, and none that is not ours is ever ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.process import (
    LOWEST_EPHEMERAL_PORT,
    PROJECT,
    NotReadyError,
    Run,
    end_what_killed_runs_left,
    free_ports,
    record_of,
    started_at,
    wait_until,
)

SLEEP = ["sleep", "600"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_a_stopped_run_leaves_neither_process_nor_folder(root: Path) -> None:
    run = Run(root)
    process = run.start("sleep", SLEEP, is_ready=lambda: True)
    run.stop(keep_folder=False)
    assert started_at(process.pid) is None
    assert list(root.iterdir()) == []


def test_a_program_starts_without_this_process_being_forked_for_python(root: Path) -> None:
    """Threads of libraries (the engine's gRPC) hang or crash in what runs between fork and exec."""
    forks: list[str] = []
    os.register_at_fork(before=lambda: forks.append("fork"))
    run = Run(root)
    run.start("sleep", SLEEP, is_ready=lambda: True)
    run.stop(keep_folder=False)
    assert forks == []


def test_a_program_that_ends_at_once_is_reported_with_its_log(root: Path) -> None:
    run = Run(root)
    with pytest.raises(NotReadyError, match="no such option"):
        run.start("broken", ["sh", "-c", "echo no such option; exit 1"], is_ready=lambda: False)
    run.stop(keep_folder=False)


def test_a_program_that_never_gets_ready_is_stopped(root: Path) -> None:
    run = Run(root)
    with pytest.raises(NotReadyError):
        run.start("sleep", SLEEP, is_ready=lambda: False, timeout_seconds=0.2)
    assert not run.processes[0].is_running
    run.stop(keep_folder=False)


def test_a_program_ends_with_the_killed_test_process(root: Path) -> None:
    tests, pid = run_in_another_process(root, thread=False)
    tests.kill()
    tests.wait()
    wait_until(lambda: started_at(pid) is None, "the kernel ended the program")


def test_a_program_is_given_only_once_the_kernel_knows_when_to_end_it(root: Path) -> None:
    run = Run(root)
    for _ in range(20):
        pid = run.start("sleep", SLEEP, is_ready=lambda: True).pid
        assert Path(f"/proc/{pid}/exe").readlink().name != "setpriv"
    run.stop(keep_folder=False)


def test_the_next_run_ends_what_a_killed_run_left(root: Path) -> None:
    tests, pid = run_in_another_process(root, thread=True)
    tests.kill()
    tests.wait()
    assert started_at(pid), "started from a thread, it is not ended by the kernel"
    Run(root).stop(keep_folder=False)
    wait_until(lambda: started_at(pid) is None, "the next run ended it")
    assert list(root.iterdir()) == [], "nothing is left of the killed run"


def test_a_run_beside_another_leaves_it_alone(root: Path) -> None:
    tests, pid = run_in_another_process(root, thread=False)
    Run(root).stop(keep_folder=False)
    assert started_at(pid)
    tests.terminate()
    tests.wait()


def test_a_process_id_that_is_used_again_is_not_ended(root: Path) -> None:
    with subprocess.Popen(SLEEP) as other:  # noqa: S603 - our own
        folder = root / "killed"
        folder.mkdir(parents=True)
        record = f"0 0 the tests\n{other.pid} {int(started_at(other.pid) or 0) - 1} sleep\n"
        record_of(folder).write_text(record, encoding="utf-8")
        end_what_killed_runs_left(root)
        assert other.poll() is None
        other.kill()


def run_in_another_process(root: Path, *, thread: bool) -> tuple[subprocess.Popen[str], int]:
    """A test process with a run in `root`, and the id of the program it started there."""
    start = "start()"
    if thread:
        start = "worker = threading.Thread(target=start); worker.start(); worker.join()"
    script = f"""
import pathlib, threading, time
from tests.e2e.process import Run
run = Run(pathlib.Path({str(root)!r}))
def start():
    print(run.start("sleep", {SLEEP!r}, is_ready=lambda: True).pid, flush=True)
{start}
time.sleep(600)
"""
    tests = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert tests.stdout
    return tests, int(tests.stdout.readline())


def test_a_free_port_is_given_once_and_never_to_an_outgoing_connection() -> None:
    """Another session's ports are its own until it ends, bound or not."""
    ask = "from tests.e2e.process import free_ports; print(*free_ports(600), flush=True); input()"
    other = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", ask],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout
    theirs = {int(port) for port in other.stdout.readline().split()}
    ours = free_ports(100)
    other.communicate("\n")
    assert len({*ours}) == 100
    assert max(*ours, *theirs) < LOWEST_EPHEMERAL_PORT
    assert not theirs & {*ours}
