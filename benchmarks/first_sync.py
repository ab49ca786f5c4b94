"""The first sync of many ExternalSecrets."""

import re
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks import environments
from benchmarks.environments import AuditLog, Parts
from manifests.naming import Manifest
from settings import Settings


class FirstSync(NamedTuple):
    """From the operator's start until the last of all ExternalSecrets is Ready."""

    seconds: float
    cpu_seconds: float
    """Of the operator alone."""
    peak_megabytes: float
    requests: int
    """To the store."""
    logins: int


def first_sync(parts: Parts, settings: Settings, values: Manifest) -> FirstSync:
    """One run with these chart values. The store is valid and the ExternalSecrets are there before
    the operator starts; afterwards they are gone."""
    environments.install(parts, settings, values)
    parts.operator_process.stop()
    environments.apply_external_secrets(parts, settings)
    log = AuditLog(parts.stores)
    start = time.perf_counter()
    parts.operator.start()
    environments.wait_for_sync(parts, settings)
    seconds = time.perf_counter() - start
    pid = parts.operator_process.pid
    requests = log.requests()
    found = FirstSync(
        seconds,
        _cpu_seconds(pid),
        _peak_megabytes(pid),
        requests.total(),
        environments.logins(requests),
    )
    parts.operator_process.stop()
    environments.remove_external_secrets(parts, settings)
    return found


def _peak_megabytes(pid: int) -> float:
    [kibibytes] = re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(kibibytes) / 1024


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
