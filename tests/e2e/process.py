"""Processes of one test run: started, probed until ready, and ended whatever happens to the run.

Three nets hold: `Run.stop` at the end of the session (also after a failure or Ctrl-C); the kernel,
which ends most children when the test process dies; and a file of process ids, from which the next
run ends what is left. A process id counts only together with the process's start time, since ids
are used again.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

import httpx

PROJECT = Path(__file__).resolve().parents[2]
RUNS = PROJECT / ".cache" / "e2e"
RECORD_SUFFIX = ".processes"
# Linux' default; macOS starts at 49,152.
LOWEST_EPHEMERAL_PORT = 32_768
# Go programs collect garbage a quarter as often: a sixth of the API server's work went into that.
MORE_MEMORY_FOR_LESS_WORK = {"GOGC": "400"}
LONGEST_PAUSE_SECONDS = 0.5
T = TypeVar("T")
# A new client reads the system's authorities, which takes 25 ms. Each request has a connection of
# its own: what is asked may have been started anew.
local_http = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
_SETPRIV = "setpriv"
_claims: list[socket.socket] = []


class NotReadyError(RuntimeError):
    """A process ended, or gave no answer in time; the message holds the end of its log."""


def wait_until(
    condition: Callable[[], T | None],
    what: str,
    *,
    timeout_seconds: float = 20,
    interval: float = 0.05,
) -> T:
    """The first true value of `condition`, which is asked after `interval` seconds, and the later
    the longer it takes: each look is work that what is waited for does not get.

    A refused connection and a failed assertion count as "not yet". Raises TimeoutError with `what`
    and the last value or error.
    """
    began = time.monotonic()
    while True:
        try:
            last = condition()
            if last:
                return last
        except (OSError, httpx.TransportError, AssertionError) as error:
            last = error
        waited = time.monotonic() - began
        if waited > timeout_seconds:
            raise TimeoutError(f"not within {timeout_seconds} s: {what}; last seen: {last!r}")
        time.sleep(max(interval, min(waited / 10, LONGEST_PAUSE_SECONDS)))


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that this process alone hands out until it ends, all different.

    A program may bind its port long after it got the number, or again after a restart. So the
    numbers are below those that kernels give to outgoing connections, and a UDP socket of the same
    number tells the sessions beside this one that it is taken.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(15_000, LOWEST_EPHEMERAL_PORT)  # noqa: S311 - no secret
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        ports.append(port)
    return ports


def answers(url: str) -> bool:
    """Whether a GET of the URL succeeds."""
    return local_http.get(url).is_success


class Process:
    """A started program and its log file; a `with` block stops it at its end."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.pid = popen.pid
        self.log = log
        self._popen = popen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, *, timeout_seconds: float = 10) -> None:
        """Asks the process to end, kills it when it does not; returns once it is gone."""
        if self.is_running:
            self._popen.terminate()
        try:
            self._popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends the process as a crash would; returns once it is gone."""
        self._popen.kill()
        self._popen.wait()


class Run:
    """One test run: its folder and all that was started in it."""

    def __init__(self, root: Path = RUNS) -> None:
        end_what_killed_runs_left(root)
        self.folder = root / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self.folder.mkdir(parents=True)
        self.processes: list[Process] = []
        self._record_file = record_of(self.folder)
        self._record(os.getpid(), "the tests")

    def new_folder(self, name: str) -> Path:
        """An empty folder whose name begins so: all test files of a session share the run."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        is_ready: Callable[[], object],
        env: Mapping[str, str] | None = None,
        timeout_seconds: float = 60,
    ) -> Process:
        """The running process once `is_ready` holds; its log is `<name>.log` in the run's folder.

        It gets PATH, HOME (the run's folder), how Go collects garbage, and `env`, nothing else of
        this process's environment. Raises NotReadyError.
        """
        path = self.folder / f"{name}.log"
        with path.open("ab") as log:
            popen = subprocess.Popen(  # noqa: S603 - the tests' own programs
                [*_ending_with_this_thread(), *(str(part) for part in argv)],
                cwd=self.folder,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.folder),
                    **MORE_MEMORY_FOR_LESS_WORK,
                    **(env or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(name, popen, path)
        self.processes.append(process)
        self._record(popen.pid, name)

        def is_settled() -> object:
            return not process.is_running or (_is_started(popen.pid) and is_ready())

        with suppress(TimeoutError):
            wait_until(is_settled, f"{name} is ready", timeout_seconds=timeout_seconds)
            if process.is_running:
                return process
        process.stop()
        raise NotReadyError(f"{name} did not start; the end of its log:\n{process.tail()}")

    def stop(self, *, keep_folder: bool) -> None:
        """Ends everything, the last started first."""
        for process in reversed(self.processes):
            process.stop()
        if not keep_folder:
            shutil.rmtree(self.folder)
            self._record_file.unlink()

    def _record(self, pid: int, name: str) -> None:
        with self._record_file.open("a", encoding="utf-8") as file:
            file.write(f"{pid} {started_at(pid)} {name}\n")


def end_what_killed_runs_left(root: Path) -> None:
    """Ends the processes of runs whose test process is gone, and removes their folders.

    So the folder of a failed run stays until the next run.
    """
    for record in sorted(root.glob(f"*{RECORD_SUFFIX}")):
        try:
            lines = record.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            continue  # another run has just ended by itself
        processes = [line.split(" ", 2)[:2] for line in lines]
        if not processes or _is_same_process(*processes[0]):
            continue
        for pid, start in reversed(processes):
            if _is_same_process(pid, start):
                os.kill(int(pid), signal.SIGKILL)
        shutil.rmtree(record.with_suffix(""), ignore_errors=True)
        record.unlink(missing_ok=True)


def record_of(folder: Path) -> Path:
    """The file with the processes of the run in `folder`, one `pid start name` a line, the test
    process first. It is beside the folder: a folder without it is never taken for a dead run's."""
    return folder.with_name(folder.name + RECORD_SUFFIX)


def started_at(pid: int) -> str | None:
    """When the process started, in the kernel's clock ticks since boot; None when it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else fields[18]


def _is_same_process(pid: str, start: str) -> bool:
    return started_at(int(pid)) == start


def _ending_with_this_thread() -> list[str]:
    """What has the kernel end a program when the starting *thread* ends: util-linux's `setpriv`,
    which then becomes the program. So a thread of a pool must not ask for it; and where there is
    none, the other two nets hold. Python's own way, a function in the child between fork and exec,
    can hang or crash a process with threads such as the engine's.
    """
    setpriv = shutil.which(_SETPRIV)
    is_main = threading.current_thread() is threading.main_thread()
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv and is_main else []


def _is_started(pid: int) -> bool:
    """Whether the process is the program itself. Before that `setpriv` may not have asked the
    kernel yet, and a killed test process would leave the program behind."""
    try:
        return Path(f"/proc/{pid}/exe").readlink().name != _SETPRIV
    except OSError:
        return True  # no Linux, or it has ended
