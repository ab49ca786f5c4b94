"""A Secret that others made comes under the operator: with its values, without a restart, without a
moment in which a reader finds none; and back, from every step."""

import base64
import json
import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import pytest
import yaml

from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.settings import Settings
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.environments import ESO, apply_layer, fails, operated, sync, touch
from tests.e2e.kubelet import Kubelet, fingerprints
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.openbao import OpenBaoError
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.people import Person, Right, rights_of_people, somebody
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import MARK, ROTATED, Rotating, rotating_settings
from tests.e2e.stores import VAULT_HOST, Stores, decoded
from tests.platform import STACK_FILES

MANY, ONE, STUBBORN = "backend-api", "chat-server", "stream-server"
TAKEN, AGAIN = "taken", "again"
MIGRATING = [MANY, ONE, STUBBORN, "ledger", TAKEN, AGAIN]
CHANGES = {"seeding": {"groups": [PEOPLE]}, "migrating": MIGRATING}
OK, FAILED, INTERRUPTED = 0, 1, 130
PUSHES = "external-secrets.io/v1alpha1"
MOST_WRITES = 40


class Reader:
    """Looks ten times a second what a Secret holds; `seen` has each state once."""

    def __init__(self, desk: "Desk", bundle: str) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self._desk, self._bundle = desk, bundle
        self._is_over = threading.Event()

    def __enter__(self) -> "Reader":
        self._starts = len(self._desk.place.kubelet.happenings)
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.1):
            found = self._desk.secret(self._bundle)
            state = found["metadata"]["uid"], decoded(found)
            if self.seen[-1:] != [state]:
                self.seen.append(state)

    def saw_one_state(self) -> bool:
        """Whether the Secret was one and the same, with the same values, and no pod was started."""
        place = self._desk.place
        happened = place.kubelet.of(place.namespace, since=self._starts)
        return len(self.seen) == 1 and not [one for one in happened if one.what == "started"]


# Its Secret has bytes that are no text, and texts with all that a template takes for its own.
RICH = {
    "secret": "wren-ledger",
    "keys": {
        "SIGNING_KEY": {"description": "a name that Azure takes for no entry's"},
        "keystore.p12": {"description": "a keystore", "stored-as": "base64"},
    },
    "texts": {"URL": 'https://wren:${SIGNING_KEY|url}@example.com/50%?a="{{x}}"', "MODE": "live"},
}
TOKENS = {"API_TOKEN": {"description": "a token"}}
LEDGER = {
    "bundles": {
        "ledger": RICH,
        **{one: {"secret": f"wren-{one}", "keys": TOKENS} for one in (TAKEN, AGAIN)},
    }
}
CLOUDS = {
    "aws": {"layout": "bundle"},
    "gcp": {},
    "azure": {"client-ids": {"seed": "aaaaaaaa-0000-4000-8000-000000000003"}},
}


@dataclass
class Desk:
    """An environment whose Secrets are migrated, and who does it."""

    place: Rotating
    person: Person
    stack: str
    own: Mapping[str, Any]

    def write_stack(self, **changes: Any) -> None:
        self.person.write_stack(self.stack, catalogue=LEDGER, **{**self.own, **changes})

    def start(self, *arguments: str, **how: Any) -> subprocess.Popen[str]:
        return self.person.start("migrate", *arguments, **how)

    def run(self, *arguments: str, **how: Any) -> tuple[int, str, str]:
        """The exit code, the output and the errors."""
        return self.person.run("migrate", *arguments, **how)

    def run_until_done(self, *arguments: str) -> int:
        """Runs it, killed each time after two more writes, until it ends by itself; says after how
        many: before the next write would be the same moment."""
        for writes in range(2, MOST_WRITES, 2):
            code, _, errors = self.run(*arguments, killed_at=writes)
            if code >= 0:
                assert code == OK, errors
                return writes
        raise AssertionError(f"not done after {MOST_WRITES} writes")

    def name(self, bundle: str) -> str:
        return self.place.settings.catalogue.bundles[bundle].secret

    def secret(self, bundle: str) -> Manifest:
        return self.place.cluster.api.read("v1", "Secret", self.name(bundle), self.place.namespace)

    def make_secret(self, bundle: str) -> None:
        """The plain Secret, as somebody made it by hand."""
        keys = self.place.settings.catalogue.bundles[bundle].keys
        values = {key: self.place.values[key].encode() for key in keys}
        if bundle == "ledger":
            url = f'https://wren:{self.place.values["SIGNING_KEY"]}@example.com/50%?a="{{{{x}}}}"'
            values |= {"URL": url.encode(), "MODE": b"live", "keystore.p12": os.urandom(64)}
        data = {key: base64.b64encode(value).decode() for key, value in values.items()}
        metadata = {"name": self.name(bundle), "namespace": self.place.namespace}
        labels = {"team": "payments"}
        secret = {"apiVersion": "v1", "kind": "Secret", "data": data, "type": "Opaque"}
        self.place.cluster.api.create({**secret, "metadata": {**metadata, "labels": labels}})

    def patch_secret(self, bundle: str, change: Manifest) -> None:
        name, namespace = self.name(bundle), self.place.namespace
        self.place.cluster.api.patch("v1", "Secret", name, namespace, change)

    def owners(self, bundle: str) -> list[str]:
        owners = self.secret(bundle)["metadata"].get("ownerReferences", [])
        return [f"{one['kind']}/{one['name']}" for one in owners]

    def left(self, bundle: str) -> list[str]:
        """What there is of the migration beside its record."""
        api, namespace = self.place.cluster.api, self.place.namespace
        kinds = [("v1", "Secret"), (ESO, "ExternalSecret"), (PUSHES, "PushSecret")]
        found = [one["metadata"]["name"] for each in kinds for one in api.list(*each, namespace)]
        return [one for one in found if one.startswith(f"migration-{self.name(bundle)}")]


@pytest.fixture(scope="module")
def desks(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Desk]]:
    """Environments whose Secrets were there before them, by provider; no store has their values."""
    own = {"vault": CHANGES}
    own |= {name: {**CHANGES, "stores": {name: store}} for name, store in CLOUDS.items()}
    stacks = {name: f"production-{name}" if name in CLOUDS else "production" for name in own}
    settings = {
        name: rotating_settings(stacks[name], f"migrating-{name}", catalogue=LEDGER, **changes)
        for name, changes in own.items()
    }
    with Kubelet(cluster, [settings["vault"].namespace]) as kubelet:
        found: dict[str, Desk] = {}
        for name, one in settings.items():
            place = Rotating(cluster, stores, one, kubelet, run.folder / one.namespace)
            stores.prepare(one)
            folder = run.new_folder(f"desk-{name}")
            who = somebody(cluster, folder)
            person = Person(cluster, folder, one.environment.environment, who)
            found[name] = Desk(place, person, stacks[name], own[name])
            found[name].write_stack()
            cluster.create_namespace(one.namespace)
            for bundle in (MANY, ONE, STUBBORN):
                found[name].make_secret(bundle)
            for right in rights_of_people(one.namespace, rights(one)):
                cluster.api.apply(right)
        vault = found["vault"].place
        shared = vault.settings.catalogue.bundles["shared"].keys
        stores.put(vault.settings, {key: vault.values[key] for key in shared})
        with operated(cluster, operator, settings.values()):
            vault.start_workloads(1)
            vault.wait_for_workloads()
            yield found


def rights(settings: Settings) -> list[Right]:
    """Those that docs/migrating.md names, by names alone."""
    secrets = [settings.catalogue.bundles[bundle].secret for bundle in CHANGES["migrating"]]
    kept = [f"migration-{secret}" for secret in secrets]
    parts = ("copy", "restore", *(f"check-{at}" for at in range(9)))
    pushes = [f"{one}.{part}" for one in kept for part in parts]
    changed, made = ["get", "patch"], ["get", "list", "watch", "create", "patch", "delete"]
    return [
        ("", "configmaps", kept, changed),
        ("", "secrets", secrets, changed),
        ("", "secrets", kept, ["get", "list", "watch", "delete"]),
        ("external-secrets.io", "externalsecrets", secrets, changed),
        ("external-secrets.io", "externalsecrets", kept, made),
        ("external-secrets.io", "pushsecrets", pushes, made),
    ]


@pytest.fixture
def desk(desks: dict[str, Desk]) -> Desk:
    """The one whose store is in Vault."""
    return desks["vault"]


@pytest.mark.parametrize("provider", CLOUDS)
def test_in_a_cloud_too_every_value_arrives_and_another_one_is_told(
    desks: dict[str, Desk], stores: Stores, provider: str
) -> None:
    """Where a stack declares entries, they are there before their values."""
    desk = desks[provider]
    place, before = desk.place, decoded(desk.secret(MANY))
    names = {one.key for one in bundle_entries(place.settings, MANY).values()}
    for name in names if provider == "aws" else ():
        tags = [{"Key": key, "Value": value} for key, value in MARK.items()]
        stores.aws.client("secretsmanager").create_secret(Name=name, Tags=tags)
    for name in names if provider == "gcp" else ():
        stores.gcp.create(name, MARK)
    with Reader(desk, MANY) as reader:
        code, _, errors = desk.run(MANY)
        assert code == OK, errors
    assert reader.saw_one_state()
    assert {key: place.in_store(MANY, key) for key in before} == fingerprints(desk.secret(MANY))
    assert desk.owners(MANY) == [f"ExternalSecret/{desk.name(MANY)}"]
    [key] = decoded(desk.secret(ONE))
    place.stores.put(place.settings, {key: token_hex(24)})
    in_store = place.in_store(ONE, key)
    code, _, errors = desk.run(ONE)
    assert (code, f"than the Secret for: {key}; so it was left" in errors) == (FAILED, True)
    assert (place.in_store(ONE, key), desk.owners(ONE)) == (in_store, [])


def test_until_it_is_migrated_a_secret_is_left_as_it_is_whatever_is_in_the_store(
    desk: Desk,
) -> None:
    place, before = desk.place, decoded(desk.secret(STUBBORN))
    [key] = before
    other = token_hex(24)
    place.stores.put(place.settings, {key: other})
    touch(place.cluster, place.namespace, desk.name(STUBBORN))
    fails(place.cluster, place.namespace, desk.name(STUBBORN))
    assert (decoded(desk.secret(STUBBORN)), desk.owners(STUBBORN)) == (before, [])


def test_another_value_in_the_store_is_told_and_neither_is_changed(desk: Desk) -> None:
    place, before = desk.place, decoded(desk.secret(STUBBORN))
    [key] = before
    in_store = place.in_store(STUBBORN, key)
    code, output, errors = desk.run(STUBBORN)
    assert (code, output) == (FAILED, "")
    assert (
        f"the store has another value than the Secret for: {key}; so it was left as it is" in errors
    )
    assert (decoded(desk.secret(STUBBORN)), desk.owners(STUBBORN)) == (before, [])
    assert place.in_store(STUBBORN, key) == in_store
    code, _, errors = desk.run(STUBBORN, "--undo")
    assert (code, desk.left(STUBBORN)) == (OK, []), errors
    place.stores.remove(place.settings, STUBBORN)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (b"\xff\xfe\x00key", "has bytes that are no text in: API_TOKEN; a store keeps texts alone"),
        (b"a" * 2**20, "is too large: a copy with its comparisons would have 1,048,826 bytes"),
    ],
    ids=["bytes", "a MiB"],
)
def test_what_a_store_could_not_keep_is_refused_and_nothing_is_written(
    desk: Desk, value: bytes, sentence: str
) -> None:
    desk.make_secret(TAKEN)
    desk.patch_secret(TAKEN, {"data": {"API_TOKEN": base64.b64encode(value).decode()}})
    before = desk.secret(TAKEN)["data"]
    code, output, errors = desk.run(TAKEN)
    assert (code, output, sentence in errors) == (FAILED, "", True), errors
    assert (desk.secret(TAKEN)["data"], desk.owners(TAKEN)) == (before, [])
    with pytest.raises(OpenBaoError):
        desk.place.in_store(TAKEN, "API_TOKEN")
    code, _, errors = desk.run(TAKEN, "--undo")
    assert (code, desk.left(TAKEN)) == (OK, []), errors
    desk.place.cluster.api.delete("v1", "Secret", desk.name(TAKEN), desk.place.namespace)


def test_without_an_operator_it_says_so_and_leaves_nothing(
    desk: Desk, operator: OperatorRelease
) -> None:
    desk.make_secret(TAKEN)
    assert operator.process
    operator.process.stop()
    try:
        process = desk.start(TAKEN)
        assert process.stderr
        assert "has not looked at it yet: is it running?" in next(process.stderr)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert (process.returncode, output, desk.left(TAKEN)) == (INTERRUPTED, "", [])
    finally:
        operator.start()


def test_a_dry_run_says_what_would_be_done_and_makes_nothing(desk: Desk) -> None:
    code, output, errors = desk.run(MANY, "--dry-run")
    assert (code, errors) == (OK, "")
    assert "would copy smtp-password to wren/migrating-vault/backend-api (smtp-password)" in output
    assert "would restart nothing; its readers: Deployment/wren-backend-api" in output
    assert desk.left(MANY) == []


def test_what_the_operator_would_lose_is_refused_and_nothing_is_made(desk: Desk) -> None:
    desk.patch_secret(MANY, {"data": {"API_MODE": "bGl2ZQ=="}})
    code, _, errors = desk.run(MANY)
    assert code == FAILED
    assert "has API_MODE, which would be lost: add it to bundle backend-api" in errors
    assert desk.left(MANY) == []
    desk.patch_secret(MANY, {"data": {"API_MODE": None}})


def test_a_secret_is_taken_over_as_it_is_and_no_value_is_seen_anywhere(
    desk: Desk, operator: OperatorRelease
) -> None:
    place, before = desk.place, desk.secret(MANY)
    with Reader(desk, MANY) as reader:
        code, output, errors = desk.run(MANY)
        assert code == OK, errors
        assert "taken over, values as they were" in output
        objects = everything(desk)
        assert desk.run(MANY, "--finish")[0] == OK
    assert reader.seen == [(before["metadata"]["uid"], decoded(before))]
    assert reader.saw_one_state()
    assert desk.owners(MANY) == [f"ExternalSecret/{desk.name(MANY)}"]
    assert desk.secret(MANY)["metadata"]["labels"]["team"] == "payments"
    assert desk.left(MANY) == []
    new = token_hex(24)
    place.stores.put(place.settings, {"smtp-password": new})
    sync(place.cluster, place.namespace, desk.name(MANY))
    assert decoded(desk.secret(MANY))["smtp-password"] == new, "the store is now its source"
    assert operator.process
    seen = "\n".join(
        [desk.person.said, desk.person.calls, objects, operator.process.log.read_text()]
    )
    assert "PushSecret" in seen
    for value in decoded(before).values():
        for shown in (value, base64.b64encode(value.encode()).decode()):
            assert shown not in seen, "a value"


def test_texts_and_bytes_are_compared_as_they_are(desks: dict[str, Desk]) -> None:
    desk = desks["azure"]
    desk.make_secret("ledger")
    data = desk.secret("ledger")["data"]
    desk.patch_secret("ledger", {"data": {"URL": base64.b64encode(b"another").decode()}})
    code, _, errors = desk.run("ledger")
    assert (code, "another value than the Secret for: URL; so" in errors) == (FAILED, True), errors
    desk.patch_secret("ledger", {"data": {"URL": data["URL"]}})
    code, _, errors = desk.run("ledger")
    assert code == OK, errors
    assert desk.secret("ledger")["data"] == data
    assert desk.owners("ledger") == ["ExternalSecret/wren-ledger"]


def others_external_secret(desk: Desk, name: str, bundle: str, **target: str) -> Manifest:
    """As somebody wrote it who has a store and entries of his own."""
    within = {"namespace": desk.place.namespace}
    fakes = [{"key": key, "value": desk.place.values[key]} for key in TOKENS]
    store: Manifest = {"apiVersion": ESO, "kind": "SecretStore"}
    store |= {"metadata": {"name": "theirs", **within}, "spec": {"provider": {"fake": {}}}}
    store["spec"]["provider"]["fake"] = {"data": fakes}
    desk.place.cluster.api.apply(store)
    return {
        "apiVersion": ESO,
        "kind": "ExternalSecret",
        "metadata": {"name": name, **within},
        "spec": {
            "secretStoreRef": {"kind": "SecretStore", "name": "theirs"},
            "target": {"name": desk.name(bundle), **target},
            "data": [{"secretKey": key, "remoteRef": {"key": key}} for key in TOKENS],
        },
    }


def obey(desk: Desk, errors: str) -> None:
    """Does what an error says, word for word."""
    [command] = re.findall("`(kubectl [^`]+)`", errors)
    desk.place.cluster.kubectl(*shlex.split(command)[1:])


def test_a_secret_of_another_external_secret_is_released_taken_over_and_given_back(
    desk: Desk,
) -> None:
    """Its own policy would take the Secret away with it."""
    cluster, namespace = desk.place.cluster, desk.place.namespace
    policies = {"creationPolicy": "Owner", "deletionPolicy": "Delete"}
    cluster.api.delete("v1", "Secret", desk.name(TAKEN), namespace)
    cluster.api.create(others_external_secret(desk, "theirs", TAKEN, **policies))
    sync(cluster, namespace, "theirs")
    with Reader(desk, TAKEN) as reader:
        code, output, errors = desk.run(TAKEN)
        assert (code, output) == (FAILED, "")
        assert "belongs to ExternalSecret/theirs: have that let go of it" in errors
        assert desk.owners(TAKEN) == ["ExternalSecret/theirs"]
        obey(desk, errors)
        wait_until(lambda: not desk.owners(TAKEN), "the other one has let go")
        code, _, errors = desk.run(TAKEN)
        assert code == OK, errors
        touch(cluster, namespace, "theirs")
        fails(cluster, namespace, "theirs")
        code, _, errors = desk.run(TAKEN, "--undo")
        assert (code, desk.owners(TAKEN)) == (OK, []), errors
        sync(cluster, namespace, "theirs")
        code, _, errors = desk.run(TAKEN)
        assert code == OK, errors
        cluster.kubectl("delete", "externalsecret", "theirs", f"--namespace={namespace}")
        assert desk.owners(TAKEN) == [f"ExternalSecret/{desk.name(TAKEN)}"]
    assert reader.saw_one_state()


def test_where_ours_is_applied_over_one_of_its_name_what_that_has_left_is_refused(
    desk: Desk,
) -> None:
    """The operator would go on reading from where it did."""
    cluster, namespace, name = desk.place.cluster, desk.place.namespace, desk.name(AGAIN)
    [ours] = [
        one
        for one in desk.place.objects
        if (one["kind"], one["metadata"]["name"]) == ("ExternalSecret", name)
    ]
    cluster.kubectl("delete", "externalsecret", name, f"--namespace={namespace}")
    theirs = json.dumps(others_external_secret(desk, name, AGAIN))
    cluster.kubectl("apply", "--filename=-", stdin=theirs)
    sync(cluster, namespace, name)
    with Reader(desk, AGAIN) as reader:
        cluster.api.apply(ours, manager="platform-secrets")
        fails(cluster, namespace, name)
        code, _, errors = desk.run(AGAIN)
        assert (code, "still has /spec/data, from before it was ours" in errors) == (FAILED, True)
        obey(desk, errors)
        code, _, errors = desk.run(AGAIN)
        assert code == OK, errors
    assert reader.saw_one_state()
    [key], new = TOKENS, token_hex(24)
    desk.place.stores.put(desk.place.settings, {key: new})
    sync(cluster, namespace, name)
    assert decoded(desk.secret(AGAIN)) == {key: new}


def everything(desk: Desk) -> str:
    """All objects of the namespace but Secrets, and its events."""
    api, namespace = desk.place.cluster.api, desk.place.namespace
    kinds = [("v1", "ConfigMap"), ("v1", "Event"), (ESO, "ExternalSecret"), (PUSHES, "PushSecret")]
    return json.dumps([api.list(*each, namespace) for each in kinds])


def test_killed_at_every_write_it_ends_all_the_same_and_so_does_the_way_back(desk: Desk) -> None:
    before = decoded(desk.secret(ONE))
    with Reader(desk, ONE) as reader:
        assert desk.run_until_done(ONE) > 8
        assert desk.owners(ONE) == [f"ExternalSecret/{desk.name(ONE)}"]
        assert desk.run_until_done(ONE, "--undo") > 6
        assert (desk.owners(ONE), desk.left(ONE)) == ([], [])
        labels = desk.secret(ONE)["metadata"]["labels"]
        assert labels.keys() - {"reconcile.external-secrets.io/managed"} == {"team"}
        fails(desk.place.cluster, desk.place.namespace, desk.name(ONE))
    assert reader.saw_one_state()
    assert decoded(desk.secret(ONE)) == before


def test_killed_before_the_operator_takes_it_over_it_can_be_undone(desk: Desk) -> None:
    with Reader(desk, ONE) as reader:
        code, _, _ = desk.run(ONE, killed_at=8)
        assert code < 0
        code, _, errors = desk.run(ONE, "--undo")
        assert code == OK, errors
    assert reader.saw_one_state()
    assert (desk.owners(ONE), desk.left(ONE)) == ([], [])


def test_an_undo_gives_the_values_of_before_back(desk: Desk) -> None:
    place, before = desk.place, decoded(desk.secret(ONE))
    [key] = before
    code, _, errors = desk.run(ONE)
    assert code == OK, errors
    place.stores.put(place.settings, {key: token_hex(24)})
    sync(place.cluster, place.namespace, desk.name(ONE))
    assert decoded(desk.secret(ONE)) != before
    code, _, errors = desk.run(ONE, "--undo")
    assert (code, "they are given back" in errors) == (OK, True), errors
    assert (decoded(desk.secret(ONE)), desk.owners(ONE)) == (before, [])


def test_while_the_store_is_down_it_waits_and_then_goes_on(desk: Desk, stores: Stores) -> None:
    with Reader(desk, STUBBORN) as reader:
        with stores.reached_at(f"{VAULT_HOST}:8200", 1):
            process = desk.start(STUBBORN)
            assert process.stderr
            assert any("Errored" in line for line in process.stderr)
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, "taken over" in output) == (OK, True), errors
    assert reader.saw_one_state()


@pytest.fixture
def moved(desk: Desk, stores: Stores, run: Run) -> Desk:
    """The same environment, whose stack file now has two bundles in other places: one in layout
    `per-key`, one in AWS. Nothing of that is applied."""
    vault, aws = (
        yaml.safe_load(STACK_FILES[stack].read_text())["config"][STACK_KEY]["stores"][name]
        for stack, name in (("production", "vault"), ("production-aws", "aws"))
    )
    keys = {**vault, "shared": "existing", "layout": "per-key"}
    own = {
        **CHANGES,
        "stores": {"vault": vault, "keys": keys, "aws": {**aws, "layout": "bundle"}},
        "default-store": "vault",
        "bundles": {MANY: {"store": "keys"}, STUBBORN: {"store": "aws"}},
    }
    settings = rotating_settings(
        "production", desk.place.settings.environment.environment, catalogue=LEDGER, **own
    )
    stores.prepare(settings)
    folder = run.folder / "moved"
    place = Rotating(desk.place.cluster, stores, settings, desk.place.kubelet, folder)
    return Desk(place, desk.person, desk.stack, own)


def test_values_move_to_another_layout_and_another_store_and_rotate_there(
    moved: Desk, stores: Stores
) -> None:
    place, cluster, namespace = moved.place, moved.place.cluster, moved.place.namespace
    before = {bundle: moved.secret(bundle)["data"] for bundle in (MANY, STUBBORN)}
    moved.write_stack()
    code, _, errors = moved.run(MANY)
    assert (code, "does not wait for the migration: apply the env" in errors) == (FAILED, True)
    [entry] = {one.key for one in bundle_entries(place.settings, STUBBORN).values()}
    tags = [{"Key": key, "Value": value} for key, value in MARK.items()]
    stores.aws.client("secretsmanager").create_secret(Name=entry, Tags=tags)
    with Reader(moved, MANY) as many, Reader(moved, STUBBORN) as stubborn:
        apply_layer(cluster, place.settings)
        for bundle in before:
            fails(cluster, namespace, moved.name(bundle))
        for writes in (4, 8, 7):
            assert moved.run(MANY, killed_at=writes)[0] < 0
        for bundle in before:
            code, _, errors = moved.run(bundle)
            assert code == OK, errors
        assert moved.run(MANY, "--finish")[0] == OK
    assert (many.saw_one_state(), stubborn.saw_one_state()) == (True, True)
    for bundle in before:
        in_secret = fingerprints(moved.secret(bundle))
        assert {key: place.in_store(bundle, key) for key in in_secret} == in_secret
        assert moved.secret(bundle)["data"] == before[bundle]
    assert moved.left(MANY) == []
    [key] = place.settings.catalogue.bundles[STUBBORN].keys
    held = place.in_store(STUBBORN, key)
    first = place.rotate("2026-06-01")
    assert "nothing is due; next is stream-server-secret" in first.verdict
    done = place.rotate("2026-06-02", "--key", key, "--last", "none")
    assert done.code == ROTATED, done.verdict
    assert place.in_store(STUBBORN, key) == place.secret(key) != held


def test_finish_and_undo_come_in_their_order(desk: Desk) -> None:
    code, _, errors = desk.run(ONE, "--finish")
    assert (code, "is not taken over yet" in errors) == (FAILED, True)
    code, _, errors = desk.run(MANY, "--undo")
    assert (code, "the copy of what was before is gone" in errors) == (FAILED, True)


def test_an_administrator_who_is_not_in_the_group_is_refused(desk: Desk, cluster: Cluster) -> None:
    code, _, errors = desk.run(ONE, kubeconfig=cluster.kubeconfig)
    assert (code, "only the groups of `seeding` in the stack file" in errors) == (FAILED, True)
    assert (desk.owners(ONE), desk.left(ONE)) == ([], [])


def test_another_cluster_and_missing_rights_are_told_and_nothing_is_made(
    desk: Desk, cluster: Cluster
) -> None:
    cluster.api.apply(account := reader_account(desk.place.namespace))
    weak = cluster.service_account_kubeconfig(desk.place.namespace, account["metadata"]["name"])
    code, _, errors = desk.run(ONE, kubeconfig=weak)
    assert (code, "forbidden" in errors) == (FAILED, True)
    desk.write_stack(cluster={"uid": "11111111-2222-4333-8444-555555555555"})
    code, _, errors = desk.run(ONE)
    desk.write_stack()
    assert (code, "cluster.uid: is 11111111-" in errors) == (FAILED, True)
    assert desk.left(ONE) == []


def reader_account(namespace: str) -> Manifest:
    metadata = {"name": "somebody", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
