"""Rotations of one environment, one after the other, and what must be true after each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, takewhile
from typing import Any

from platform_secrets.settings import Settings
from tests.e2e.api_proxy import ApiProxy
from tests.e2e.cluster import Cluster
from tests.e2e.environments import operated
from tests.e2e.kubelet import Happening, Kubelet
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import ROTATED, Ended, Rotating, refused_tokens, rotating_settings
from tests.e2e.stores import Stores

OVERLAP, ALONE = "jwt-secret", "chat-server-secret"
ALL = (OVERLAP, ALONE, "stream-server-secret")
# Of all generated keys this one alone rotates.
ONE_KEY = {
    "bundles": {
        "chat-server": {"keys": {ALONE: {"rotate": None}}},
        "stream-server": {"keys": {"stream-server-secret": {"rotate": None}}},
    }
}
SECRETS = ("wren-secrets", "wren-secrets-overlap")
BEGINNING = datetime(2027, 1, 1, 3, 17, tzinfo=UTC)
# A dead run lets the next one wait no longer.
QUICK = "--lock-seconds=0.2"
# Three keys of one entry, with checks, die 150 times.
MOST_RUNS = 200


@dataclass
class Journey:
    """Rotations of one environment, each due ninety days after the one before."""

    place: Rotating
    proxy: ApiProxy
    day: datetime = BEGINNING

    def next_rotation(self) -> None:
        self.day += timedelta(days=91)

    def rotate(self, *arguments: str, meddle: Any = None, days_later: int = 0) -> Ended:
        """A run on this day, or so many days later, which then is this day."""
        self.day += timedelta(days=days_later)
        now = self.day.isoformat()
        if meddle is None:
            return self.place.rotate(now, QUICK, *arguments)
        self.proxy.meddle = meddle
        return self.place.rotate(now, QUICK, *arguments, proxy=self.proxy)

    def rotate_until_done(self, *arguments: str, meddle: Callable[..., Any]) -> list[Ended]:
        """Runs it anew after each death, every third time on a later day."""
        runs = []
        while len(runs) < MOST_RUNS:
            later = 1 if len(runs) % 3 == 2 else 0
            runs.append(self.rotate(*arguments, meddle=meddle, days_later=later))
            if runs[-1].code >= 0:
                return runs
        raise AssertionError(f"not done after {MOST_RUNS} runs; the last: {runs[-1].text}")


@dataclass
class Watch:
    """What the store and the cluster showed of a rotation of some keys, from its making on."""

    place: Rotating
    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        self.before = self.place.held()
        self.since = len(self.place.kubelet.happenings)

    def one_new_value_everywhere(self) -> None:
        """For each key: one value was staged, nothing but it and the one before was ever in a
        Secret or with a reader, and it is everywhere now; all other keys have what they had."""
        place, after = self.place, self.place.held()
        happened = place.kubelet.of(place.namespace, since=self.since)
        changed = {key for key in place.settings.catalogue.keys if after[key] != self.before[key]}
        assert changed == set(self.keys), changed
        for key in self.keys:
            staged = first_life(happened, f"rotation-staged-{key}")
            assert {one["password"] for one in staged} == {after[key]}, (key, staged)
            seen = {one.values[key] for one in happened if key in one.values}
            assert seen <= {self.before[key], after[key]}, (key, seen)
            assert place.secret(key) == after[key]
            # A rollout is complete while pods before it are still ending.
            wait_until(
                lambda k=key: {pod.values[k] for pod in place.readers(k)} == {after[k]},
                f"all readers of {key} have its new value",
                timeout_seconds=60,
            )
        for one in happened:
            if one.what == "secret" and not one.name.startswith("rotation-"):
                assert one.values.keys() == place.secret_keys(one.name), one
        # A garbage collector that has lost its API server needs a moment for what it missed.
        wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)
        refused = refused_tokens(place.kubelet.of(place.namespace), OVERLAP, SECRETS)
        assert not refused, refused


def first_life(happened: list[Happening], secret: str) -> list[dict[str, str]]:
    """What a Secret held from its making to its deletion. The operator may make it once more when
    it sees the Secret's deletion before that of its ExternalSecret."""
    held = [one.values for one in happened if one.name == secret]
    return list(takewhile(bool, dropwhile(lambda values: not values, held)))


LAYOUTS = ("bundle", "per-key")


def in_each_layout(
    name: str, catalogue: dict[str, Any], elsewhere: list[str] | None = None
) -> dict[str, Settings]:
    """Production's settings with more in its catalogue, for each layout of its Vault. Bundles that
    are `elsewhere` are in another namespace."""
    return {
        layout: rotating_settings(
            "production",
            f"{name}-{layout}",
            catalogue=catalogue,
            stores={"vault": {"layout": layout}},
            namespaces={f"{name}-{layout}-annex": {"bundles": elsewhere}} if elsewhere else {},
        )
        for layout in LAYOUTS
    }


@contextmanager
def journeys(
    run: Run,
    cluster: Cluster,
    stores: Stores,
    operator: OperatorRelease,
    environments: dict[str, Settings],
    *,
    replicas: int = 1,
    progress_seconds: int = 600,
) -> Iterator[dict[str, Journey]]:
    """Environments beside each other with their workloads, each after its first run, by which ages
    begin. A workload that stands still for `progress_seconds` is given up."""
    with ExitStack() as stack:
        namespaces = [
            view.namespace for settings in environments.values() for view in settings.by_namespace
        ]
        kubelet = stack.enter_context(Kubelet(cluster, namespaces))
        places = {}
        for name, settings in environments.items():
            folder = run.folder / settings.namespace
            places[name] = Rotating(cluster, stores, settings, kubelet, folder)
            places[name].fill_store()
        stack.enter_context(operated(cluster, operator, environments.values()))
        for place in places.values():
            place.start_workloads(replicas, progress_seconds)
        for place in places.values():
            place.wait_for_workloads()
        made = {}
        for name, place in places.items():
            proxy = stack.enter_context(ApiProxy(cluster, place.folder / "proxy"))
            made[name] = Journey(place, proxy)
        for journey in made.values():
            first = journey.rotate()
            assert first.code == ROTATED, first.text
        yield made
