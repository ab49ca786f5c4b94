"""`python -m benchmarks.rotating`: the rotator with the real parts, beside what these take alone.

A target that is not met is reported and is no failure: exit code 1 means that something could not
be run. Needs what `make e2e` needs.
"""

import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.real_parts import Parts, report
from benchmarks.report import judged
from benchmarks.rotations import LOOK_SECONDS, ApiCalls, Rotation, measured
from platform_secrets.settings import Document, Settings, load
from tests.e2e.process import Run
from tests.e2e.rotation_journey import journeys

# Bundles, and the keys of each.
_CASES = ((1, 1), (1, 20), (20, 10))
_ROUNDS = 5
_MOST_SECONDS_PER_KEY = 0.5


def main() -> int:
    places = [_settings(bundles, keys) for bundles, keys in _CASES]
    found: list[ApiCalls] = []

    def audit(run: Run) -> list[str]:
        found.append(ApiCalls([one.namespace for one in places], run))
        return found[0].flags

    return report("Rotating", lambda parts: _measured(parts, places, found[0]), audit)


def _measured(parts: Parts, places: list[Settings], calls: ApiCalls) -> Iterator[list[str]]:
    environments = {one.environment.environment: one for one in places}
    with journeys(parts.run, parts.cluster, parts.stores, parts.operator, environments) as made:
        # The garbage collector gets to know a new cluster's kinds: its first deletion takes longer.
        first = next(iter(made.values()))
        first.next_rotation()
        first.rotate()
        yield _report([measured(one, calls, _ROUNDS) for one in made.values()])


def _report(rotations: list[Rotation]) -> list[str]:
    return [
        "## All keys due in one run",
        "",
        "From the start of the rotator's process to the last complete rollout of a workload, as a "
        "watch of all Deployments has it; to its end it records and cleans up. Each bundle has its "
        "entry in OpenBao and one Deployment that reads it. API calls are those in the API "
        "server's audit log.",
        "",
        f"Alone, before the run: one push, one forced sync and one restart, each the median of "
        f"{_ROUNDS} one after the other, of the restarts as many as in the run, looked at every "
        f"{1000 * LOOK_SECONDS:.0f} ms. Their sum: the pushes of a bundle one after the other, "
        "bundles and syncs side by side as the rotator is told to (`rotator.bundles-at-once`), the "
        "restarts of all workloads one after the other. What keeps the value before and generates "
        "the new one is in no sum: it is overhead.",
        "",
        "| keys | bundles | pushed in sequence | push s | sync s | rollout s | sum s "
        "| to the last rollout s | overhead s per key in sequence | to the end s | calls per key |",
        f"|{' ---: |' * 11}",
        *map(_row, rotations),
        "",
        *(
            f"- {one.keys} keys, {one.calls.total():,} calls: "
            + ", ".join(f"{count} {what}" for what, count in one.calls.most_common())
            for one in rotations
        ),
        "",
        *(
            judged(
                f"{one.keys} keys: overhead at most {_MOST_SECONDS_PER_KEY} s per key in sequence",
                one.overhead_per_key <= _MOST_SECONDS_PER_KEY,
                f"{one.overhead_per_key:.2f} s",
            )
            for one in rotations
        ),
    ]


def _row(one: Rotation) -> str:
    alone = one.alone
    return (
        f"| {one.keys} | {one.bundles} | {one.in_sequence} | {alone.push:.2f} | {alone.sync:.2f} "
        f"| {alone.rollout:.2f} | {one.sum_seconds:.1f} | {one.seconds:.1f} "
        f"| {one.overhead_per_key:.2f} | {one.seconds_to_end:.1f} "
        f"| {one.calls.total() / one.keys:.1f} |"
    )


def _settings(bundles: int, keys: int) -> Settings:
    """An environment with so many bundles of so many keys, each bundle read by one Deployment."""
    key = {"description": "a key", "rotate": {"by": "generate", "every": "90d"}}
    names = [f"service-{number:02}" for number in range(bundles)]
    catalogue: dict[str, Any] = {
        "platform": "bench",
        "bundles": {
            name: {
                "secret": f"{name}-secrets",
                "keys": {f"{name}-key-{number:02}": key for number in range(keys)},
            }
            for name in names
        },
        "services": {name: {"workload": f"Deployment/{name}", "reads": [name]} for name in names},
    }
    # What a later chart's `vault.enableTokenCache` does.
    values = {"extraArgs": {"experimental-enable-vault-token-cache": "true"}}
    stack = {
        "environment": f"rotating-{bundles * keys}",
        "operator": "install",
        "chart": {"values": values},
        "stores": {"vault": {"provider": "vault", "server": "https://vault.example.com:8200"}},
    }
    [settings] = load([Document("stack", stack)], Document("catalogue", catalogue))
    return settings


if __name__ == "__main__":
    sys.exit(main())
