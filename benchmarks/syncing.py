"""`python -m benchmarks.syncing`: real parts beside themselves, set up in another way, as Markdown.

A target that is not met is reported and is no failure: exit code 1 means that something could not
be run. Needs what `make e2e` needs.
"""

import sys
from collections.abc import Iterator

from benchmarks import environments
from benchmarks.first_sync import FirstSync, first_sync
from benchmarks.measure import RunError
from benchmarks.real_parts import Parts, report
from benchmarks.refreshes import Refreshes, refreshes
from benchmarks.report import judged

_FIRST_SYNCS = ((300, 3.5), (2000, 3.0))
_AT_LEAST_SECONDS = 60
_KEYS = (1, 5, 20)
_REFRESHES = 5


def main() -> int:
    return report("Syncing", _measured)


def _measured(parts: Parts) -> Iterator[list[str]]:
    yield _first_syncs(parts)
    yield _reads(parts)


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
        targets.append(judged(rule, ratio >= target, f"{more}{ratio:.1f}"))
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
        judged("one read per bundle and refresh", each_once, "of each number of keys"),
        judged("no login for a refresh", ours.logins == 0, f"{ours.logins} logins"),
    ]


def _reads_row(values: str, own: Refreshes) -> str:
    """All per refresh of one bundle."""
    reads = " | ".join(f"{own.reads[keys] / own.rounds:g}" for keys in _KEYS)
    total = own.rounds * len(own.reads)
    return f"| {values} | {reads} | {own.logins / total:g} | {own.requests / total:g} |"


if __name__ == "__main__":
    sys.exit(main())
