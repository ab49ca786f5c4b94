"""What happens when a part of the layer breaks: docs/faults.md says it, and this shows it.

The operator looks at an object again after its interval (5 minutes for a store, an hour for an
ExternalSecret), after a failure with a back-off that doubles from a second to 7 minutes. To see
the same sooner, the tests touch the object (`Place.touch`), except where it is said that nobody
does.
"""

import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from platform_secrets.secretsctl.kubectl import ClusterError
from tests.e2e import eso
from tests.e2e.certificates import certificates_for
from tests.e2e.cluster_faults import CRD, OTHERS
from tests.e2e.edits import EDITS
from tests.e2e.fault_cases import FAULTS, NO_CLIENT, NOT_READ, Fault
from tests.e2e.faults_world import (
    ESO,
    PATIENCE_SECONDS,
    STORE,
    SYNCED,
    VALID,
    FaultsWorld,
    Place,
    faults_world,
)
from tests.e2e.https_server import HttpsServer, Reply
from tests.e2e.process import PROJECT, Run, wait_until
from tests.e2e.prometheus import Alert, Alerting, assert_true, metrics_of, rules_file, series_in
from tests.e2e.webhook import HOST, Webhook, asked_at
from tools.build import build

PARTS = [
    "operator stopped",
    "store down",
    "store sealed",
    "API server restarted",
    "etcd restarted",
    "store lost its data",
]
"""What breaks for all environments at once; each has its own test."""

WHOLE = "whole world"
CALLS = "externalsecret_provider_api_calls_count"
"""Of which a cluster's rules ask, not an environment's."""
CASES = [*EDITS, *OTHERS]
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


def worlds() -> Iterator[Any]:
    """The default one, and the full product. Its seed, which chooses what a fault hits, is in the
    name of every test; E2E_SEED makes the same choices again."""
    yield pytest.param((eso.CURRENT, "bundle", 1), id="default")
    seed = int(os.environ.get("E2E_SEED") or secrets.randbelow(10**6))
    for program in (eso.CURRENT, eso.OLDER):
        for layout in ("bundle", "per-key"):
            name = f"{program}-{layout}-seed-{seed}"
            yield pytest.param((program, layout, seed), id=name, marks=pytest.mark.e2e_long)


@pytest.fixture(scope="module", params=worlds())
def world(run: Run, request: pytest.FixtureRequest) -> Iterator[FaultsWorld]:
    """All synced: an environment for each fault, and one for what breaks everywhere."""
    with faults_world(run, *request.param) as made:
        made.settle({fault.name: fault.keys for fault in FAULTS} | {WHOLE: 1})
        with made.operator.shown():
            yield made


@pytest.fixture(scope="module")
def broken(world: FaultsWorld) -> FaultsWorld:
    """Each environment with its own fault, all at the same time."""
    for fault in FAULTS:
        place = world.places[fault.name]
        fault.happen(place)
        if not fault.heals_itself:
            place.touch_all()
    return world


@pytest.fixture(scope="module")
def mended(broken: FaultsWorld) -> FaultsWorld:
    """Each environment with its fault taken away again.

    Nothing that failed is touched: it comes back by the operator's back-off alone. Only an
    ExternalSecret that did not fail waits for its interval, and is touched.
    """
    for fault in FAULTS:
        place = broken.places[fault.name]
        fault.mend(place)
        condition, _ = fault.shown(broken.layout)
        if condition and condition[0] == "True" and not fault.heals_itself:
            place.touch("ExternalSecret", place.secret)
    return broken


@pytest.fixture
def whole(world: FaultsWorld) -> Place:
    return world.places[WHOLE]


def test_the_documentation_has_a_row_for_every_fault() -> None:
    text = (PROJECT / "docs" / "faults.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+?) +\|", text, re.MULTILINE)
    others = {name for name, check, _ in CASES if check}
    missing = {*PARTS, *others, *(fault.name for fault in FAULTS)} - {*rows}
    assert not missing


def test_an_operator_that_was_killed_does_what_it_missed(world: FaultsWorld, whole: Place) -> None:
    """Nothing in the objects tells that the operator is gone: Ready stays as it was."""
    assert world.operator.process
    world.operator.process.kill()
    old = whole.expected
    whole.put(whole.key, secrets.token_hex(24))
    whole.touch("ExternalSecret", whole.secret)
    whole.delete("v1", "Secret", whole.spare_secret)
    for name in whole.expected:
        assert whole.condition("ExternalSecret", name) == SYNCED
    assert whole.secrets == {**old, whole.spare_secret: {}}
    world.operator.start()
    whole.becomes_well()


def test_a_store_that_is_down_or_sealed_takes_no_secret(world: FaultsWorld, whole: Place) -> None:
    """What was deleted by hand meanwhile is missing until the store is back."""
    vault = world.stores.bao
    vault.process.kill()
    whole.delete("v1", "Secret", whole.spare_secret)
    left = whole.versions
    whole.touch_all()
    everything_fails(whole, "vault.example.com")
    the_doctor_names(whole, "store-unreachable")
    vault.restart()
    whole.touch_all()
    everything_fails(whole, "Vault is sealed")
    the_doctor_names(whole, "store-sealed")
    assert whole.versions == left
    vault.unseal()
    everything_recovers(whole)


def test_an_external_secret_deleted_without_the_operator_waits_for_it(
    world: FaultsWorld, whole: Place
) -> None:
    """A finalizer holds it, and so its Secret; 0.19 has none."""
    assert world.operator.process
    world.operator.process.kill()
    whole.cluster.api.delete(ESO, "ExternalSecret", whole.secret, whole.namespace)
    if world.program != eso.OLDER:
        assert whole.condition("ExternalSecret", whole.secret) == SYNCED
        assert whole.is_well()
    world.operator.start()
    wait_until(lambda: not whole.read(whole.secret), "the Secret dies with its owner")
    whole.apply("ExternalSecret", whole.secret)
    whole.becomes_well()


@pytest.mark.parametrize(("_", "check", "happen"), CASES, ids=[name for name, *_ in CASES])
def test_the_doctor_names_what_breaks_beside_stores_and_entries(
    whole: Place, _: str, check: str, happen: Callable[[Place], AbstractContextManager[object]]
) -> None:
    with happen(whole):
        the_doctor_names(whole, check)


def test_the_doctor_has_the_api_server_ask_the_webhook(
    world: FaultsWorld, whole: Place, tmp_path: Path
) -> None:
    """The operator's own: of another authority, with a certificate that has expired, and down."""
    hook = Webhook(world.run, whole.cluster, world.program)
    with asked_at(whole.cluster, whole.namespace, hook.port, hook.authority):
        the_doctor_names(whole, "")
    expired = certificates_for([HOST], tmp_path, lasts=timedelta(minutes=-1))
    with asked_at(whole.cluster, whole.namespace, hook.port, expired.authority):
        the_doctor_names(whole, "webhook-certificate", "another authority")
    hook.process.stop()
    with asked_at(whole.cluster, whole.namespace, hook.port, hook.authority):
        the_doctor_names(whole, "webhook-unreachable")
    server = HttpsServer(lambda _: Reply(200, {}), expired)
    server.start()
    with asked_at(whole.cluster, whole.namespace, server.port, expired.authority):
        the_doctor_names(whole, "webhook-certificate", "has expired")
    server.stop()


def test_a_leftover_of_an_old_crd_version_is_told_and_goes_by_the_step_that_is_said(
    whole: Place,
) -> None:
    name = "externalsecrets.external-secrets.io"
    old = {"status": {"storedVersions": ["v1beta1", "v1"]}}
    whole.cluster.api.patch(*CRD, name, None, old, subresource="status")
    the_doctor_names(whole, "")
    [found] = [one for one in whole.diagnosed().findings if one.at.name == name]
    assert found.check == "crd-old-version"
    _, rewriting, _, taking_away, _ = found.step.split("`")
    for command in (rewriting, taking_away):
        kubectl = f'kubectl() {{ {build("kubectl")} "$@"; }}'
        env = {**os.environ, "KUBECONFIG": str(whole.cluster.kubeconfig)}
        subprocess.run(["bash", "-ec", f"{kubectl}; {command}"], env=env, check=True)  # noqa: S603, S607
    assert name not in {one.at.name for one in whole.diagnosed().findings}


@each_fault
def test_a_fault_is_told_and_takes_no_secret(broken: FaultsWorld, fault: Fault) -> None:
    place = broken.places[fault.name]
    condition, words = fault.shown(broken.layout)
    place.shows("SecretStore", STORE, fault.store)
    place.shows("ExternalSecret", place.secret, condition)
    if words:
        place.warns(words.format(entry=place.entry, key=place.key))
    if fault.heals_itself:
        place.becomes_well()
    elif fault.secret_dies:
        wait_until(lambda: not place.read(place.secret), "the Secret dies with its owner")
        assert place.secrets == {**place.expected, place.secret: {}}
    else:
        assert place.is_well()
        assert place.versions == place.settled_versions, "nothing was written in between either"
    the_doctor_names(place, fault.checked(broken.layout))
    if fault.hits_one_bundle:
        place.put(place.spare_key, secrets.token_hex(24))
        place.touch("ExternalSecret", place.spare_secret)
        place.becomes_well()


def test_what_is_not_ready_alerts_and_nothing_else(broken: FaultsWorld, tmp_path: Path) -> None:
    places = [broken.places[fault.name] for fault in FAULTS]
    rules = [rules_file(tmp_path, place.settings) for place in places]
    asked = {metric for file in rules for metric in metrics_of(file)}

    def alerts_are_what_the_objects_say() -> bool:
        page = httpx.get(broken.operator.metrics_url, trust_env=False).text
        series = series_in(page, asked | {CALLS})
        told = {one.partition("{")[0] for one in series}
        assert told == {one for one in asked if not one.startswith("kube_")} | {CALLS}
        expected = {alert for place in places for alert in of_what_is_not_ready(place)}
        among = "SecretStore.*|ExternalSecret.*"
        assert_true(tmp_path, rules, [Alerting("now", series, expected, among=among)])
        return True

    wait_until(
        alerts_are_what_the_objects_say,
        "the alerts are those of what is not Ready",
        timeout_seconds=PATIENCE_SECONDS,
        interval=1,
    )


def of_what_is_not_ready(place: Place) -> set[Alert]:
    objects = {("SecretStore", STORE), *(("ExternalSecret", name) for name in place.expected)}
    conditions = {one: place.condition(*one) for one in objects}
    return {
        (f"{kind}NotReady", place.namespace, name)
        for (kind, name), condition in conditions.items()
        if condition and condition[0] == "False"
    }


@each_fault
def test_a_mended_fault_leaves_no_trace(mended: FaultsWorld, fault: Fault) -> None:
    place = mended.places[fault.name]
    place.shows("SecretStore", STORE, VALID)
    for name in place.expected:
        place.shows("ExternalSecret", name, SYNCED)
    place.put(place.key, secrets.token_hex(24))
    place.touch("ExternalSecret", place.secret)
    place.becomes_well()


def test_the_operator_goes_on_after_a_crash_of_the_api_server(
    world: FaultsWorld, whole: Place
) -> None:
    versions, value = whole.versions, secrets.token_hex(24)

    def meanwhile() -> None:
        whole.put(whole.key, value)
        with pytest.raises(ClusterError, match="refused"):
            whole.diagnosed()

    world.cluster.restart_api_server(meanwhile)
    assert whole.versions == versions
    the_same_operator_goes_on(world, whole)


def test_the_operator_goes_on_after_a_restart_of_etcd(world: FaultsWorld, whole: Place) -> None:
    versions, value = whole.versions, secrets.token_hex(24)
    world.cluster.restart_etcd(meanwhile=lambda: whole.put(whole.key, value))
    assert whole.versions == versions
    the_same_operator_goes_on(world, whole)


def test_a_store_that_lost_its_data_takes_no_secret(world: FaultsWorld, whole: Place) -> None:
    """Its roles and policies with it: a fresh server in its place, filled anew afterwards."""
    versions = whole.versions
    world.stores.lose_vault()
    whole.touch_all()
    everything_fails(whole, "permission denied")
    the_doctor_names(whole, "store-login")
    assert whole.is_well()
    assert whole.versions == versions
    whole.fill_store()
    everything_recovers(whole)


def the_doctor_names(place: Place, check: str, words: str = "") -> None:
    """The one thing that is wrong, in these words, without anything that follows from it; nothing
    where `check` is empty."""
    found = place.diagnosed()
    named = {one.check for one in found.faults}
    assert named == ({check} if check else set()), (found.faults, found.following)
    assert all(words in one.what for one in found.faults), found.faults


def everything_fails(place: Place, words: str) -> None:
    """Returns once the store and all that is read from it say so."""
    place.shows("SecretStore", STORE, NO_CLIENT)
    for name in place.expected:
        place.shows("ExternalSecret", name, NOT_READ)
    place.warns(words)


def everything_recovers(place: Place) -> None:
    """Returns once all is synced, with the back-off cut short."""
    place.touch("SecretStore", STORE)
    place.shows("SecretStore", STORE, VALID)
    place.touch_all()
    for name in place.expected:
        place.shows("ExternalSecret", name, SYNCED)
    place.becomes_well()


def the_same_operator_goes_on(world: FaultsWorld, place: Place) -> None:
    """It writes what changed when it is told to look, and sees a Secret deleted by hand."""
    assert world.operator.process
    assert world.operator.process.is_running
    place.touch("ExternalSecret", place.secret)
    place.becomes_well()
    place.cluster.api.delete("v1", "Secret", place.spare_secret, place.namespace)
    place.becomes_well()
    assert world.operator.process
    assert world.operator.process.is_running
