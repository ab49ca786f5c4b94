"""Ninety days pass: generated keys rotate in every kind of store and in two namespaces of each, and
nobody's token is refused."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from platform_secrets.manifests import naming
from platform_secrets.settings import Settings
from tests.e2e.cluster import Cluster
from tests.e2e.environments import operated
from tests.e2e.kubelet import Happening, Kubelet
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import (
    MARK,
    NOTHING_DUE,
    ROTATED,
    Ended,
    Rotating,
    mark,
    marks,
    refused_tokens,
    rotating_settings,
)
from tests.e2e.stores import Stores

BEGINNING, DUE, DAY_AFTER = "2027-01-01T03:17:00Z", "2027-04-01T03:17:00Z", "2027-04-02T03:17:00Z"
OVERLAP, ALONE = "jwt-secret", "chat-server-secret"
GENERATED = {OVERLAP, ALONE, "stream-server-secret", "annex-token"}
ANNEX = {
    "secret": "annex-env",
    "keys": {
        "annex-token": {"description": "a token", "rotate": {"by": "generate", "every": "90d"}},
        OVERLAP: {"description": "the platform's", "same-as": f"shared/{OVERLAP}"},
    },
}
OTHER_KINDS = {
    "chat-server": {"workload": "StatefulSet/wren-chat-server"},
    "stream-server": {"workload": "DaemonSet/wren-stream-server"},
}
OWNERS_MARKS = {"owner": "payments"}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "vault": ("production", {}, OTHER_KINDS),
    "vault-per-key": ("production", {"vault": {"layout": "per-key"}}, {}),
    "aws": ("production-aws", {}, {}),
    "gcp": (
        "production-gcp",
        {"gcp": {"entry-pattern": "{platform}-{environment}-{key}"}},
        {},
    ),
    "azure": (
        "production-azure",
        {
            "azure": {
                "namespace-client-ids": {
                    "wren-r-azure-annex": {
                        "read": "00000000-0000-4001-8000-000000000001",
                        "rotation": "00000000-0000-4001-8000-000000000002",
                    }
                }
            }
        },
        {},
    ),
}


@dataclass
class Case:
    """An environment, its first run over existing values, the one on the day that its keys are due,
    and one a day later. `before` and `after` are what the store held around the second, by key;
    `first_seen` and `due_seen` how much had happened when the first and the second began."""

    place: Rotating
    runs: list[Ended] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    held: list[dict[str, str]] = field(default_factory=list)

    @property
    def entry(self) -> tuple[Stores, Settings, str, str]:
        """A key's entry that its owner has marked."""
        return self.place.stores, self.place.settings, self.place.bundle(ALONE), ALONE

    def live(self) -> None:
        """Three runs, with what was seen and held before each and at the end."""
        for now in (BEGINNING, DUE, DAY_AFTER):
            self._look()
            self.runs.append(self.place.rotate(now, "--detailed-exit-code"))
        self._look()

    def _look(self) -> None:
        self.seen.append(len(self.place.kubelet.happenings))
        self.held.append(self.place.held())

    def happened(self, run: int) -> list[Any]:
        """What happened in the course of a run."""
        return self._of(slice(*self.seen[run : run + 2]))

    def happenings(self) -> list[Any]:
        """All that happened in its namespaces."""
        return self._of(slice(None))

    def _of(self, when: slice) -> list[Any]:
        views = self.place.settings.by_namespace
        namespaces = {view.namespace for view in views}
        return [one for one in self.place.kubelet.happenings[when] if one.namespace in namespaces]


@pytest.fixture(scope="module")
def cases(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Case]]:
    """All environments beside each other, each after its three runs."""
    annex = {"annex": {"workload": "Deployment/annex", "reads": ["annex"]}}
    settings = {
        name: rotating_settings(
            file,
            f"r-{name}",
            catalogue={"bundles": {"annex": ANNEX}, "services": {**services, **annex}},
            stores=changes,
            admission="deny",
            namespaces={f"wren-r-{name}-annex": {"bundles": ["annex"]}},
        )
        for name, (file, changes, services) in CASES.items()
    }
    with ExitStack() as stack:
        views = [view for each in settings.values() for view in each.by_namespace]
        kubelet = stack.enter_context(Kubelet(cluster, [view.namespace for view in views]))
        made = {
            name: Case(Rotating(cluster, stores, each, kubelet, run.folder / f"rotating-{name}"))
            for name, each in settings.items()
        }
        for case in made.values():
            case.place.fill_store()
            if case.place.namespace != "wren-r-gcp":  # where the push would be refused
                mark(*case.entry, OWNERS_MARKS)
        stack.enter_context(operated(cluster, operator, settings.values()))
        for case in made.values():
            case.place.start_workloads()
        for case in made.values():
            case.place.wait_for_workloads()
        with ThreadPoolExecutor() as pool:
            list(pool.map(Case.live, made.values()))
        yield made


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, cases: dict[str, Case]) -> Case:
    return cases[request.param]


def test_the_first_run_over_existing_values_rotates_nothing(case: Case) -> None:
    assert case.runs[0].code == NOTHING_DUE, case.runs[0].text
    assert case.held[1] == case.held[0]
    assert case.happened(0) == []


def test_each_generated_key_has_one_new_value_everywhere(case: Case) -> None:
    assert case.runs[1].code == ROTATED, case.runs[1].text
    before, after = case.held[1], case.held[2]
    keys = case.place.settings.catalogue.keys
    assert {key for key in keys if before.get(key) != after.get(key)} == GENERATED
    assert len({after[key] for key in GENERATED}) == len(GENERATED)
    for key in GENERATED:
        assert case.place.secret(key) == after[key]
        assert {pod.values[key] for pod in case.place.readers(key)} == {after[key]}


def test_the_value_before_and_the_new_one_stay_beside_a_key_with_overlap(case: Case) -> None:
    before, after = case.held[1], case.held[2]
    following, previous = naming.derived_keys(OVERLAP)
    assert (after[following], after[previous]) == (after[OVERLAP], before[OVERLAP])
    assert {pod.values[previous] for pod in case.place.readers(OVERLAP)} == {before[OVERLAP]}


def test_readers_of_a_key_with_overlap_restart_twice_and_nobody_else_does(case: Case) -> None:
    """All its readers' other keys are due too: they restart no workload once more."""
    started = Counter(one.workload for one in case.happened(1) if one.what == "started")
    services = case.place.settings.catalogue.services.values()
    pods = {each.workload: 1 if "DaemonSet" in str(each.workload) else 2 for each in services}
    assert started == {each.workload: 2 * pods[each.workload] for each in services if each.reads}


def test_every_running_pod_accepts_the_token_of_every_other_at_every_moment(case: Case) -> None:
    assert refused_tokens(case.happenings(), OVERLAP, SECRETS) == []


def test_a_restart_onto_a_value_that_nobody_was_told_of_would_be_seen() -> None:
    """The check above finds what it is for: here nothing was published as `next`."""
    old, new = ({OVERLAP: value, f"{OVERLAP}-next": value} for value in ("old", "new"))
    story = [
        *(Happening("started", "", pod, "", old) for pod in ("first", "second")),
        Happening("secret", "", SECRETS[0], "", new),
        Happening("stopped", "", "first"),
        Happening("started", "", "third", "", new),
    ]
    assert "second refuses third once third has started" in refused_tokens(story, OVERLAP, SECRETS)


def test_no_secret_ever_holds_but_a_part_of_its_keys(case: Case) -> None:
    for one in case.happened(1):
        if one.what == "secret" and not one.name.startswith("rotation-"):
            assert one.values.keys() == case.place.secret_keys(one.name)


def test_what_the_owner_marked_an_entry_with_is_gone_after_a_push(case: Case) -> None:
    """So the operator does it: docs/adopting.md says what to do before."""
    assert marks(*case.entry) == MARK


def test_no_object_of_a_rotation_is_left(case: Case) -> None:
    assert case.place.one_shots == []


def test_the_day_after_nothing_is_due(case: Case) -> None:
    assert case.runs[2].code == NOTHING_DUE, case.runs[2].text
    assert case.held[3] == case.held[2]
    assert case.happened(2) == []


SECRETS = ("wren-secrets", "wren-secrets-overlap")
