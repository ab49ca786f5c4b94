"""`python -m benchmarks.admitting`: what the rotator's policies and rights cost with many keys.

A target that is not met is reported and is no failure: exit code 1 means that something could not
be run, or that the API server refused an object. Needs what `make e2e` needs.
"""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from benchmarks.environments import environment
from benchmarks.measure import RunError
from benchmarks.real_parts import Parts, report
from benchmarks.report import judged
from platform_secrets.manifests import layer
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator import shapes
from platform_secrets.rotator.keys import Generated
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import Settings
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError
from tests.e2e.rotating import ACCOUNT

_FEW, _MANY, _IN_A_BUNDLE = 10, 10_000, 10
_ROTATED = {"by": "generate", "every": "90d", "overlap": "1d"}
_ROUNDS, _AT_ONCE = 300, 4
_MOST_MILLISECONDS = 2.0
_PUSHES = "external-secrets.io/v1alpha1"


def main() -> int:
    return report("Admission", _measured)


def _measured(parts: Parts) -> Iterator[list[str]]:
    places = {
        keys: environment(
            f"admitting-{keys}", [_IN_A_BUNDLE] * (keys // _IN_A_BUNDLE), rotate=_ROTATED
        )
        for keys in (_FEW, _MANY)
    }
    made = {keys: _apply(parts, settings) for keys, settings in places.items()}
    yield _accepted(made)
    yield _report(_milliseconds(parts, places))


def _apply(parts: Parts, settings: Settings) -> tuple[int, float]:
    """How many objects the API server has taken, and the seconds; RunError for a refusal."""
    api, start, count = parts.cluster.api, time.perf_counter(), 0
    try:
        for wave in layer.waves(settings, rotator_source()):
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                count += len([*pool.map(api.apply, wave.objects)])
    except KubernetesApiError as refusal:
        raise RunError(f"{settings.namespace}: {refusal}") from refusal
    return count, time.perf_counter() - start


def _milliseconds(parts: Parts, places: dict[int, Settings]) -> dict[str, dict[int, float]]:
    """By what is made, and by the number of keys: the median of a try of the last key's."""
    cluster, tries = parts.cluster, dict[tuple[str, int], tuple[KubernetesApi, Manifest]]()
    for keys, settings in places.items():
        token = cluster.token(settings.namespace, ACCOUNT)
        rotator = KubernetesApi(cluster.url, cluster.ca_file, token)
        plan = rotation_plan(settings)
        [*_, key] = plan.rotated
        if not isinstance(key, Generated):
            raise TypeError(type(key))
        push = shapes.push(plan, key, "2027-01-01", "promote")
        [check] = shapes.checks(plan, key, "2027-01-01", "promoted")
        tries[_PUSH, keys] = rotator, push
        tries[_CHECK, keys] = rotator, check
        other = {**push["spec"], "secretStoreRefs": [{"kind": "SecretStore", "name": "another"}]}
        tries[_UNBOUND, keys] = cluster.api, {**push, "spec": other}
    taken: dict[tuple[str, int], list[float]] = {one: [] for one in tries}
    for _ in range(_ROUNDS):
        for one, (api, manifest) in tries.items():
            start = time.perf_counter()
            _try(api, manifest)
            taken[one].append(1000 * (time.perf_counter() - start))
    return {
        what: {keys: median(taken[what, keys]) for keys in places}
        for what in (_PUSH, _CHECK, _UNBOUND)
    }


_PUSH, _CHECK = "a push, by the rotator", "a check, by the rotator"
_UNBOUND = "the same push to another store, by the administrator, whom no policy meets"


def _try(api: KubernetesApi, manifest: Manifest) -> None:
    """Creates it, all but the storing."""
    namespace = manifest["metadata"]["namespace"]
    path = api.path(_PUSHES, "PushSecret", None, namespace)
    api.request("POST", path, manifest, params={"dryRun": "All"})


def _accepted(made: dict[int, tuple[int, float]]) -> list[str]:
    return [
        "## Every object of an environment whose keys rotate with overlap, ten in each bundle",
        "",
        "| keys | objects accepted | s |",
        "| ---: | ---: | ---: |",
        *(f"| {keys:,} | {count:,} | {taken:.1f} |" for keys, (count, taken) in made.items()),
    ]


def _report(found: dict[str, dict[int, float]]) -> list[str]:
    more = {what: by_keys[_MANY] - by_keys[_FEW] for what, by_keys in found.items()}
    return [
        "## One PushSecret",
        "",
        f"A dry run of its creation, for the last key of the plan; the median of {_ROUNDS}.",
        "",
        f"| | with {_FEW:,} keys, ms | with {_MANY:,} keys, ms | more, ms |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {what} | {by_keys[_FEW]:.2f} | {by_keys[_MANY]:.2f} | {more[what]:.2f} |"
            for what, by_keys in found.items()
        ),
        "",
        *(
            judged(
                f"{what}: at most {_MOST_MILLISECONDS:.0f} ms more",
                more[what] <= _MOST_MILLISECONDS,
                f"{more[what]:.2f} ms",
            )
            for what in (_PUSH, _CHECK)
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
