"""The first sync of many ExternalSecrets."""

import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks import environments
from benchmarks.environments import PATIENCE_SECONDS, AuditLog
from benchmarks.real_parts import Parts
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings


class FirstSync(NamedTuple):
    """From the operator's start until all ExternalSecrets are Ready, or the time was over."""

    seconds: float
    synced: int
    cpu_seconds: float
    """Of the operator alone."""
    peak_megabytes: float
    logins: int
    requests: int
    """To the store."""


def first_sync(
    parts: Parts, settings: Settings, values: Manifest, seconds: float = PATIENCE_SECONDS
) -> FirstSync:
    """One run with these chart values, of so many seconds at most. The store is valid and the
    ExternalSecrets are there before the operator starts; afterwards they are gone."""
    environments.install(parts, settings, values)
    parts.operator_process.stop()
    environments.apply_external_secrets(parts, settings)
    log = AuditLog(parts.stores)
    start = time.perf_counter()
    parts.operator.start()
    synced = environments.synced(parts, settings, seconds)
    taken = time.perf_counter() - start
    pid = parts.operator_process.pid
    requests = log.requests()
    found = FirstSync(
        taken,
        synced,
        _cpu_seconds(pid),
        _peak_megabytes(pid),
        environments.logins(requests),
        requests.total(),
    )
    parts.operator_process.stop()
    environments.remove_external_secrets(parts, settings)
    return found


def _peak_megabytes(pid: int) -> float:
    [kibibytes] = re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(kibibytes) / 1024


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
