"""What a snapshot says of an environment: what is wrong in it, and what is not."""

import json
import sys
from argparse import Namespace
from datetime import UTC, datetime, timedelta

import pytest

from platform_secrets.diagnosing.snapshot import snapshot_of
from platform_secrets.diagnosing.status import status_of
from platform_secrets.secretsctl import status_command
from platform_secrets.secretsctl.status_texts import colored, status_text, verdict
from tests.declaring import CLUSTER_UID
from tests.healthy_cluster import change, healthy

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
AGO = NOW - timedelta(days=1)
MINUTE = timedelta(minutes=1)
MEMORY = "secrets-rotation-memory"


@pytest.fixture
def settings(settings_with):
    return settings_with(cluster={"uid": CLUSTER_UID})


@pytest.fixture
def cluster(settings):
    """The objects of a healthy environment, by kind and name; a test changes them."""
    found = {(one["kind"], one["metadata"]["name"]): one for one in healthy(settings, NOW)}
    quiet = change(settings.namespace, "others", NOW - 50 * MINUTE)
    return found | {("Event", "quiet"): quiet}


@pytest.fixture
def status(settings, cluster):
    """The status of what the cluster has now."""
    return lambda unread=None: status_of(settings, snapshot_of(cluster.values(), NOW, unread))


def told(found):
    return [(one.about, one.what) for one in found.troubles]


def remember(cluster, **keys):
    data = {name.replace("_", "-"): json.dumps(said) for name, said in keys.items()}
    cluster["ConfigMap", MEMORY]["data"] |= data


def test_of_a_healthy_environment_nothing_is_wrong_and_all_is_known(status, settings):
    found = status()
    assert (found.troubles, found.unknown) == ([], [])
    assert [one.bundle for one in found.bundles] == [*settings.catalogue.bundles]
    assert {reader.state for one in found.bundles for reader in one.readers} == {"current"}
    assert verdict(found).startswith("test: nothing is wrong (")


def test_an_external_secret_that_failed_is_told_with_its_reason_and_since_when(status, cluster):
    failed = {"type": "Ready", "status": "False", "reason": "SecretSyncedError"}
    failed |= {"message": "no \x1b[2Japi-token", "lastTransitionTime": "2026-11-27T01:00:00Z"}
    cluster["ExternalSecret", "shop-secrets"]["status"]["conditions"] = [failed]
    found = status()
    what = "shop-secrets: Ready=False SecretSyncedError: no \x1b[2Japi-token"
    assert told(found) == [("shared", what)]
    assert found.troubles[0].command == "secretsctl doctor --env test"
    assert f"✗ shared: {what.replace(chr(27), '?')} (for 2 h)\n" in status_text(found)


def test_ready_alone_is_not_enough(status, cluster):
    cluster["ExternalSecret", "shop-secrets"]["metadata"]["generation"] = 2
    [(about, what)] = told(status())
    assert about == "shared"
    assert "the operator has not synced its last change yet" in what


@pytest.mark.parametrize(("minutes", "is_wrong"), [(75, True), (60, False)])
def test_a_store_that_was_not_read_in_time_is_told(status, cluster, minutes, is_wrong):
    live = cluster["ExternalSecret", "shop-billing"]
    live["spec"]["refreshInterval"] = "1h1m0s"
    live["status"]["refreshTime"] = f"{NOW - minutes * MINUTE:%Y-%m-%dT%H:%M:%SZ}"
    said = [what for _, what in told(status())]
    assert ["the store should have been read at" in one for one in said] == [True] * is_wrong


def test_a_store_that_is_not_ready_is_told_once(status, cluster):
    refused = {"type": "Ready", "status": "False", "reason": "InvalidProviderConfig"}
    store = cluster["SecretStore", "vault-store"]
    store["status"]["conditions"] = [{**refused, "message": "permission denied"}]
    what = "SecretStore/vault-store: InvalidProviderConfig: permission denied"
    assert told(status()) == [("store vault", what)]


def test_what_does_not_exist_is_told(status, cluster):
    del cluster["ExternalSecret", "shop-billing"]
    del cluster["CronJob", "secrets-rotation"]
    del cluster["Deployment", "shop-billing"]
    found = status()
    assert told(found) == [
        (
            "billing",
            "shop-billing: ExternalSecret/shop-billing does not exist: apply the environment",
        ),
        ("rotation", "CronJob/secrets-rotation: does not exist"),
    ]
    states = {one.workload: one.state for one in found.bundles[1].readers}
    assert states == {"Deployment/shop-billing": "absent"}


def test_a_reader_from_before_the_secret_s_change_is_stale(status, cluster, settings):
    cluster["Event", "c"] = change(settings.namespace, "shop-billing", NOW - 2 * MINUTE)
    found = status()
    [(about, what)] = told(found)
    assert about == "billing"
    assert what.startswith("Deployment/shop-billing: 1 of 1 containers run since before")
    command = "secretsctl restart billing/bank-password --env test"
    assert found.troubles[0].command == command


def test_a_container_that_started_again_has_the_present_value(status, cluster, settings):
    cluster["Event", "c"] = change(settings.namespace, "shop-billing", NOW - 6 * MINUTE)
    assert told(status()) == []


def test_a_pod_that_mounts_the_secret_sees_its_change(status, cluster, settings):
    cluster["Event", "c"] = change(settings.namespace, "shop-billing", NOW - 2 * MINUTE)
    pod = cluster["Pod", "shop-billing-0"]
    pod["spec"] = {"volumes": [{"name": "v", "secret": {"secretName": "shop-billing"}}]}
    assert told(status()) == []
    variable = {"envFrom": [{"secretRef": {"name": "shop-billing"}}]}
    pod["spec"]["containers"] = [variable]
    assert [about for about, _ in told(status())] == ["billing"]


def test_the_secret_s_own_metadata_tells_when_it_changed(status, cluster, settings):
    metadata = {"name": "shop-billing", "namespace": settings.namespace}
    written = {"manager": "externalsecrets.external-secrets.io/shop-billing"}
    metadata["managedFields"] = [{**written, "time": f"{NOW - MINUTE:%Y-%m-%dT%H:%M:%SZ}"}]
    cluster["Secret", "shop-billing"] = {"kind": "Secret", "metadata": metadata, "data": {}}
    assert [about for about, _ in told(status())] == ["billing"]


def test_a_reader_of_which_nothing_tells_is_unknown_and_no_fault(status, cluster):
    del cluster["Event", "quiet"]
    found = status()
    assert found.troubles == []
    assert {reader.state for one in found.bundles for reader in one.readers} == {"unknown"}
    assert "could not be seen" in verdict(found)


def test_a_key_beyond_its_limit_is_told_with_what_to_type(status, cluster):
    remember(cluster, signing_key={"rotated": "2026-01-01T00:00:00Z"})
    found = status()
    assert [about for about, _ in told(found)] == ["signing-key"]
    assert found.troubles[0].what.startswith("is 330 days old; its limit is 90, its grace ")
    assert found.troubles[0].command == "secretsctl rotate signing-key --env test"


def test_a_key_is_due_at_the_next_run_that_the_window_and_freezes_allow(settings_with, cluster):
    window = {"days": ["mon"], "from": "02:00", "until": "04:00"}
    freezes = [{"from": "2027-02-22", "until": "2027-02-22", "reason": "sale"}]
    settings = settings_with(
        cluster={"uid": CLUSTER_UID},
        rotator={"window": window, "freezes": freezes, "time-zone": "Europe/Berlin"},
    )
    found = status_of(settings, snapshot_of(healthy(settings, NOW), NOW))
    [age] = found.ages
    # Three quarters of an hour past two in the morning in UTC is a quarter past three in Berlin.
    assert age.due is not None
    assert (age.due.weekday(), age.due.hour, age.due.minute) == (0, 2, 17)
    assert NOW + timedelta(days=80) < age.due < NOW + timedelta(days=96)
    assert age.due.date().isoformat() != "2027-02-22"


def test_what_the_last_run_failed_at_is_told(status, cluster):
    run = {"started": "2026-11-26T03:17:00Z", "verdict": "failed: signing-key: promote: no"}
    remember(cluster, run=run)
    what = f"ConfigMap/{MEMORY}: the last run says: failed: signing-key: promote: no"
    assert told(status()) == [("rotation", what)]


def test_a_rotator_that_has_not_run_is_told(status, cluster):
    remember(cluster, run={"started": "2026-11-20T03:17:00Z", "verdict": "done", "done": True})
    what = f"ConfigMap/{MEMORY}: no rotation has run since 2026-11-20T03:17:00Z"
    assert told(status()) == [("rotation", what)]


def test_while_a_rotation_runs_its_stale_readers_are_no_fault(status, cluster, settings):
    cluster["Event", "c"] = change(settings.namespace, "shop-secrets", NOW - 2 * MINUTE)
    started = f"{NOW - 3 * MINUTE:%Y-%m-%dT%H:%M:%SZ}"
    remember(
        cluster,
        run={"started": started, "step": "promote: restart: signing-key"},
        lock={"holder": "pod", "renewed": f"{NOW - timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}"},
    )
    metadata = {"name": "rotation-promote-signing-key", "namespace": settings.namespace}
    metadata["annotations"] = {"platform-secrets/rotation": "2026-11-27"}
    cluster["PushSecret", "p"] = {"kind": "PushSecret", "metadata": metadata}
    found = status()
    assert found.troubles == []
    assert found.rotation
    assert found.rotation.in_flight == ["signing-key"]
    assert [line for line in status_text(found).splitlines() if line.endswith("  rotating")]
    assert verdict(found).endswith("; a rotation runs: promote: restart: signing-key")
    cluster["CronJob", "secrets-rotation"]["status"] = {"active": [{"name": "its-job"}]}
    remember(cluster, lock={"holder": "pod", "renewed": "2026-11-27T02:40:00Z"})
    assert status().troubles == []
    cluster["CronJob", "secrets-rotation"]["status"] = {}
    abouts = [about for about, _ in told(status())]
    assert abouts == ["shared", "rotation"]


def test_while_a_rotation_runs_a_change_of_its_own_that_is_not_synced_yet_is_no_fault(
    status, cluster
):
    live = cluster["ExternalSecret", "shop-secrets"]
    live["metadata"] = {**live["metadata"], "annotations": {"force-sync": "promote"}}
    assert [about for about, _ in told(status())] == ["shared"]
    renewed = f"{NOW - timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}"
    remember(cluster, lock={"holder": "pod", "renewed": renewed})
    assert status().troubles == []
    failed = {"type": "Ready", "status": "False", "reason": "SecretSyncedError", "message": "x"}
    live["status"] = {**live["status"], "conditions": [failed]}
    assert [about for about, _ in told(status())] == ["shared"]


def test_what_may_not_be_read_is_told_and_is_no_fault_of_the_environment(status, cluster):
    del cluster["ConfigMap", MEMORY]
    found = status({"ConfigMap": "(Forbidden): no"})
    assert found.troubles == []
    assert found.unknown == ["ages and rotations: (Forbidden): no"]


def test_what_may_be_in_flight_unseen_is_told(status):
    found = status({"PushSecret": "(Forbidden): no"})
    said = "ages and rotations: what is in flight: PushSecret: (Forbidden): no"
    assert (found.troubles, found.unknown) == ([], [said])


def test_a_bundle_that_waits_for_its_migration_is_no_trouble(settings_with):
    changes = {"seeding": {"groups": ["operators"]}, "migrating": ["billing"]}
    settings = settings_with(cluster={"uid": CLUSTER_UID}, **changes)
    objects = healthy(settings, NOW)
    [live] = [
        one
        for one in objects
        if one["kind"] == "ExternalSecret" and one["metadata"]["name"] == "shop-billing"
    ]
    failed = {"type": "Ready", "status": "False", "reason": "SecretSyncedError", "message": "x"}
    live["status"] = {"conditions": [failed]}
    found = status_of(settings, snapshot_of(objects, NOW))
    assert found.troubles == []
    text = status_text(found)
    assert "  billing  vault ready  migrating " in text
    assert "\nmigrating: secretsctl migrate billing --env test\n" in text
    objects.remove(live)
    missing = status_of(settings, snapshot_of(objects, NOW))
    assert [about for about, _ in told(missing)] == ["billing"]


def test_a_store_that_may_not_be_seen_is_not_called_ready(status, cluster):
    del cluster["SecretStore", "vault-store"]
    found = status({"SecretStore": "(Forbidden): no"})
    assert (found.troubles, found.unknown) == ([], ["store vault: (Forbidden): no"])
    assert "vault not known" in status_text(found)
    assert "vault ready" not in status_text(found)


def test_whose_command_keeps_rotations_out_is_told_and_not_the_step_of_a_run_before(
    status, cluster, settings
):
    run = {"holder": "pod", "started": "2026-11-27T02:00:00Z", "step": "clean", "verdict": "done"}
    lock = {"holder": "secretsctl set mail/smtp-password 3fa2c1"}
    lock["renewed"] = f"{NOW - timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}"
    remember(cluster, run={**run, "done": True}, lock=lock)
    cluster["Event", "c"] = change(settings.namespace, "shop-secrets", NOW - 2 * MINUTE)
    found = status()
    assert found.troubles == [], "it restarts the readers"
    said = verdict(found)
    assert said.endswith("runs: secretsctl set mail/smtp-password 3fa2c1 has its lock")


def test_an_environment_whose_external_secrets_are_not_seen_is_not_called_healthy(status, cluster):
    for kind, name in [one for one in cluster if one[0] == "ExternalSecret"]:
        del cluster[kind, name]
    found = status({"ExternalSecret": "(Forbidden): no"})
    assert {what.partition(": ")[2] for _, what in told(found)} == {
        f"ExternalSecret/{name} is not known: (Forbidden): no"
        for name in ("shop-secrets", "shop-billing")
    }


def test_what_is_wrong_comes_first(status, cluster, settings):
    cluster["Event", "c"] = change(settings.namespace, "shop-billing", NOW - 2 * MINUTE)
    text = status_text(status())
    lines = text.splitlines()
    assert lines[0] == "✗ test: 1 thing is wrong: billing"
    at = next(at for at, line in enumerate(lines) if line.startswith("  BUNDLE"))
    assert [line[:10] for line in lines[at + 1 : at + 3]] == ["✗ billing ", "  shared  "]
    assert lines[at + 1].index("vault ready") == lines[at].index("STORE")
    assert "\x1b" not in text
    assert colored(text).startswith("\x1b[31m✗ test")


@pytest.mark.parametrize(("is_terminal", "no_color"), [(True, ""), (True, "1"), (False, "")])
def test_only_a_terminal_gets_colors_and_only_where_it_wants_them(
    monkeypatch, status, is_terminal, no_color
):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    text = status_command._shown(status(), Namespace(json=False))
    assert ("\x1b[32m✓ test" in text) is (is_terminal and not no_color)
    assert ("\x1b" in text) is (is_terminal and not no_color)
