"""A person's value takes the place of a key's: with its readers, or not at all."""

import base64
import hashlib
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import pytest
import yaml

from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.settings import Settings
from tests.e2e import aws_gate, gcp_server
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.environments import ESO, operated
from tests.e2e.kubelet import Kubelet, fingerprint
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.people import Person, Right, rights_of_people, somebody
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import ROTATED, Rotating, ended, mark, rotating_settings, stored
from tests.e2e.stores import Stores, decoded, made_values
from tests.platform import CATALOGUE_FILE

ENVIRONMENT = "setting"
BUNDLE, KEY = "backend-api", "smtp-password"
SECRET, READER = "wren-backend-api-secrets", "Deployment/wren-backend-api"
CHANGES: dict[str, Any] = {"seeding": {"groups": [PEOPLE]}}
OK, FAILED, WRONG, STOPPED = 0, 1, 2, 130
LATE_SECONDS = 4
MEMORY, SET_LOCK = "secrets-rotation-memory", "secrets-set-lock"
PUSHES = "external-secrets.io/v1alpha1"


@dataclass
class Desk:
    """Somebody who sets the key of an environment that is in use."""

    place: Rotating
    person: Person

    def unlock(self) -> None:
        """Takes a killed command's lock away, for which the next would wait half a minute."""
        unlocked = {"data": {"lock": None}}
        self.place.cluster.api.patch("v1", "ConfigMap", MEMORY, self.place.namespace, unlocked)

    def put(self, value: str, key: str = KEY, **how: Any) -> tuple[int, str]:
        """The exit code, and all that it said."""
        self.unlock()
        code, output, errors = self.person.run("set", key, "--from-file", "-", given=value, **how)
        return code, output + errors

    def in_use(self, bundle: str = BUNDLE, key: str = KEY) -> dict[str, set[str]]:
        """The fingerprints of a key's value: in the store, the Secret and the readers' pods."""
        return {
            "store": {self.place.in_store(bundle, key)},
            "secret": {self.place.secret(key)},
            "pods": {pod.values[key] for pod in self.place.readers(key)},
        }

    def left(self) -> list[str]:
        """What is left of a value that was set."""
        views = self.place.settings.by_namespace
        return [one for view in views for one in left(self.place.cluster, view.namespace)]

    def everything(self) -> str:
        """All objects of the namespace but Secrets, and its events."""
        api, namespace = self.place.cluster.api, self.place.namespace
        kinds = [("v1", "ConfigMap"), ("v1", "Event"), ("apps/v1", "Deployment")]
        kinds += [(ESO, "ExternalSecret"), (PUSHES, "PushSecret")]
        return json.dumps([api.list(*each, namespace) for each in kinds])


def left(cluster: Cluster, namespace: str) -> list[str]:
    """What is left in a namespace of a value that was set."""
    kinds = [("v1", "Secret"), (ESO, "ExternalSecret"), (PUSHES, "PushSecret")]
    found = [
        one["metadata"]["name"] for each in kinds for one in cluster.api.list(*each, namespace)
    ]
    return [one for one in found if one.startswith(("new-value-", "value-before-"))]


@dataclass
class Cloud:
    """A key in a store of another provider, which nobody reads."""

    person: Person
    stores: Stores
    settings: Settings

    def put(self, value: str, key: str = KEY, **how: Any) -> tuple[int, str]:
        """As `set` does: the exit code, and all that it said."""
        code, output, errors = self.person.run("set", key, "--from-file", "-", given=value, **how)
        return code, output + errors

    def in_secret(self, name: str, field: str) -> str:
        found = self.person.cluster.api.read("v1", "Secret", name, self.settings.namespace)
        return decoded(found)[field]

    @property
    def left(self) -> list[str]:
        return left(self.person.cluster, self.settings.namespace)

    def previous(self, *arguments: str) -> tuple[int, str]:
        code, output, errors = self.person.run("set", KEY, "--previous", *arguments)
        return code, output + errors

    def stored(self) -> str:
        return stored(self.stores, self.settings, BUNDLE, KEY)


def everywhere(value: str) -> dict[str, set[str]]:
    return {place: {fingerprint(value)} for place in ("store", "secret", "pods")}


def rights(secret: str, reader: str, *, has_texts: bool = False) -> list[Right]:
    """Those that docs/values.md names, by names alone."""
    changed, made = ["get", "patch"], ["get", "list", "watch", "create", "patch", "delete"]
    new, before, older = (
        f"{one}-{secret}" for one in ("new-value", "value-before", "older-version")
    )
    checks, eso = [f"{new}.check", f"{before}.check"], "external-secrets.io"
    read = [new, before, older, *(checks if has_texts else [])]
    return [
        (eso, "externalsecrets", [secret], changed),
        (eso, "externalsecrets", read, made),
        ("", "secrets", read, made),
        (eso, "pushsecrets", [new, before, *checks], made),
        ("generators.external-secrets.io", "vaultdynamicsecrets", [older], made),
        ("", "configmaps", [MEMORY], changed),
        ("apps", "deployments", [reader.removeprefix("Deployment/")], changed),
    ]


PART, URL = {"description": "a part", "hidden": True}, "postgresql://{}:{}@db/ledger"
TEXT = URL.format("${DB_USER|url}", "${DB_PASSWORD|url}")
LEDGER = {
    "secret": "ledger-env",
    "keys": {"DB_USER": PART, "DB_PASSWORD": PART},
    "texts": {"DATABASE_URL": TEXT},
}
MIRROR = {
    "secret": "mirror-env",
    "keys": {"DB_PASSWORD": {**PART, "same-as": "ledger/DB_PASSWORD"}},
    "texts": {"MIRROR_URL": "mirror:${DB_PASSWORD}"},
}
APART = f"{ENVIRONMENT}-apart"
PARTED: dict[str, Any] = {
    "catalogue": {
        "bundles": {"ledger": LEDGER, "mirror": MIRROR},
        "services": {
            name: {"workload": f"Deployment/{name}", "reads": [name]}
            for name in ("ledger", "mirror")
        },
    },
    "namespaces": {APART: {"bundles": ["mirror"]}},
}
CLOUDS: dict[str, dict[str, Any]] = {
    "aws": {},
    "gcp": {},
    "azure": {"client-ids": {"seed": "aaaaaaaa-0000-4000-8000-000000000003"}},
}
UNROTATED = {
    "bundles": {
        name: {"keys": {key: {"rotate": None} for key in bundle["keys"]}}
        for name, bundle in yaml.safe_load(CATALOGUE_FILE.read_text())["bundles"].items()
    }
}


@pytest.fixture(scope="module")
def clouds(run: Run, cluster: Cluster, stores: Stores) -> dict[str, Cloud]:
    """By provider, an environment whose store has values; in that of AWS nothing rotates."""
    found: dict[str, Cloud] = {}
    for name, store in CLOUDS.items():
        changes = {**CHANGES, **({"stores": {name: store}} if store else {})}
        if name == "aws":
            changes["catalogue"] = {"bundles": {**UNROTATED["bundles"], "ledger": LEDGER}}
        settings = rotating_settings(f"production-{name}", f"setting-{name}", **changes)
        person = Person(cluster, run.new_folder(f"person-{name}"), f"setting-{name}")
        person.write_stack(f"production-{name}", **changes)
        stores.prepare(settings)
        stores.put(settings, made_values(settings))
        mark(stores, settings, BUNDLE, KEY)
        if name == "aws":
            mark(stores, settings, "ledger", "DB_PASSWORD")
        cluster.create_namespace(settings.namespace)
        found[name] = Cloud(person, stores, settings)
    return found


@pytest.fixture(scope="module")
def desk(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease, clouds: dict[str, Cloud]
) -> Iterator[Desk]:
    """An environment that is in use, beside those in clouds."""
    settings = rotating_settings("production", ENVIRONMENT, **CHANGES, **PARTED)
    namespaces = [view.namespace for view in settings.by_namespace]
    with Kubelet(cluster, namespaces) as kubelet:
        place = Rotating(cluster, stores, settings, kubelet, run.folder / settings.namespace)
        place.fill_store()
        for bundle, key in ((BUNDLE, KEY), ("ledger", "DB_PASSWORD")):
            mark(stores, settings, bundle, key)  # as `secretsctl put-commands` does
        for namespace in namespaces:
            cluster.create_namespace(namespace)
        folder = run.new_folder("person")
        person = Person(cluster, folder, ENVIRONMENT, somebody(cluster, folder))
        person.write_stack("production", **CHANGES, **PARTED)
        with operated(cluster, operator, [settings, *(one.settings for one in clouds.values())]):
            place.start_workloads(1, progress_seconds=8)
            place.wait_for_workloads()
            own = rights(SECRET, READER) + rights("ledger-env", "ledger", has_texts=True)
            apart = rights("mirror-env", "mirror", has_texts=True)
            for namespace, some in ((settings.namespace, own), (APART, apart)):
                for right in rights_of_people(namespace, some):
                    cluster.api.apply(right)
            yield Desk(place, person)


def test_a_value_reaches_store_secret_and_readers_and_is_seen_nowhere_else(
    desk: Desk, operator: OperatorRelease
) -> None:
    value = token_hex(24)
    code, said = desk.put(value)
    assert code == OK, said
    assert f"{KEY}: set" in said
    assert f"{SECRET}: has the value" in said
    assert desk.in_use() == everywhere(value)
    assert desk.left() == []
    memory = desk.place.cluster.api.read("v1", "ConfigMap", MEMORY, desk.place.namespace)
    assert json.loads(memory["data"][KEY])["rotated"]
    assert "lock" not in memory["data"]
    assert operator.process
    log = operator.process.log.read_text()
    seen = "\n".join([desk.person.said, desk.person.calls, desk.everything(), log])
    assert "apply" in desk.person.calls
    digest = hashlib.sha256(value.encode()).hexdigest()
    for shown in (value, base64.b64encode(value.encode()).decode(), digest):
        assert shown not in seen, "a value"


def test_the_value_before_is_put_back_and_nobody_sees_it(
    desk: Desk, operator: OperatorRelease
) -> None:
    """It is the newest that differs: other keys of its entry have made versions since."""
    place, before = desk.place, desk.in_use()
    old = stored(place.stores, place.settings, BUNDLE, KEY)
    assert desk.put(token_hex(24))[0] == OK
    entry = bundle_entries(place.settings, BUNDLE)[KEY].key
    data = place.stores.bao.read(f"secret/data/{entry}")["data"]
    place.stores.bao.write(f"secret/data/{entry}", data={**data, "s3-access-key": token_hex(16)})
    killed, _, errors = desk.person.run("set", KEY, "--previous", killed_at=28)
    assert (killed < 0, desk.in_use()["store"]) == (True, before["store"])
    assert "no other value than the one in use" in errors
    desk.unlock()
    code, output, errors = desk.person.run("set", KEY, "--previous")
    assert code == OK, errors
    assert (desk.in_use(), desk.left()) == (before, [])
    assert f"`secretsctl rotated {KEY} --on DATE`" in output
    assert operator.process
    log = operator.process.log.read_text()
    assert old not in "\n".join([desk.person.said, desk.person.calls, desk.everything(), log])


def test_the_value_before_is_put_back_in_aws(desk: Desk, clouds: dict[str, Cloud]) -> None:
    cloud = clouds["aws"]
    before = cloud.stored()
    assert cloud.put(token_hex(24))[0] == OK
    code, said = cloud.previous()
    assert (code, cloud.stored()) == (OK, before), said
    assert f"{KEY}: set to its version AWSPREVIOUS" in said


def test_of_two_at_once_one_is_done_and_the_other_changes_nothing_also_where_nothing_rotates(
    desk: Desk, clouds: dict[str, Cloud]
) -> None:
    cloud, value = clouds["aws"], token_hex(24)
    api, namespace = desk.place.cluster.api, cloud.settings.namespace
    locks = lambda: [  # noqa: E731
        one
        for one in api.list("v1", "ConfigMap", namespace)
        if one["metadata"]["name"] == SET_LOCK and "lock" in one.get("data", {})
    ]
    file = cloud.person.folder / "value"
    file.write_text(value)
    first = cloud.person.start("set", KEY, "--from-file", str(file))
    wait_until(locks, "the first has its lock", timeout_seconds=60)
    first.send_signal(signal.SIGSTOP)
    code, _, errors = cloud.person.run("set", KEY, "--from-file", "-", given=token_hex(24))
    first.send_signal(signal.SIGCONT)
    said, _ = first.communicate(timeout=180)
    assert (code, f"set {KEY}" in errors, "is at work: run this again" in errors) == (
        FAILED,
        True,
        True,
    ), errors
    assert (first.returncode, cloud.stored(), locks()) == (OK, value, []), said


@pytest.mark.parametrize("provider", ["gcp", "azure"])
def test_a_version_that_somebody_names_is_put_back(
    desk: Desk, clouds: dict[str, Cloud], provider: str
) -> None:
    cloud = clouds[provider]
    before, entry = cloud.stored(), bundle_entries(cloud.settings, BUNDLE)[KEY].key
    server = cloud.stores.gcp if provider == "gcp" else cloud.stores.azure
    version = server.newest(entry)
    cloud.stores.put(cloud.settings, {KEY: token_hex(24)})
    mark(cloud.stores, cloud.settings, BUNDLE, KEY)
    assert cloud.stored() != before
    code, said = cloud.previous("--version", version)
    assert (code, cloud.stored()) == (OK, before), said


def test_where_a_reader_does_not_come_up_the_value_before_is_in_use_again(desk: Desk) -> None:
    before = desk.in_use()
    with desk.place.kubelet.refusing(desk.place.namespace, READER, KEY):
        code, said = desk.put(token_hex(24))
    assert (code, "the value before is in use again" in said) == (FAILED, True), said
    assert (desk.in_use(), desk.left()) == (before, [])


def test_killed_again_and_again_it_goes_back_to_what_was_in_use_before_its_first_try(
    desk: Desk,
) -> None:
    """Before and after it writes, as it looks at what an earlier one left, as readers restart."""
    before = desk.in_use()
    for write, is_written in ((8, False), (14, True), (8, True), (7, True), (11, True)):
        assert desk.put(token_hex(24), killed_at=write)[0] < 0, write
        assert (desk.in_use()["store"] != before["store"]) == is_written, write
    with desk.place.kubelet.refusing(desk.place.namespace, READER, KEY):
        # It takes over the lock of the killed one, which nobody renews.
        value = token_hex(24)
        code, _, said = desk.person.run("set", KEY, "--from-file", "-", given=value)
    assert "has the rotator's lock: waits up to" in said
    assert (code, "the value before is in use again" in said) == (FAILED, True), said
    assert (desk.in_use(), desk.left()) == (before, [])


def test_what_somebody_else_writes_after_a_killed_try_is_the_value_before_of_the_next(
    desk: Desk, stores: Stores
) -> None:
    assert desk.put(token_hex(24), killed_at=10)[0] < 0
    theirs = token_hex(24)
    stores.put(desk.place.settings, {**desk.place.values, KEY: theirs})
    mark(stores, desk.place.settings, BUNDLE, KEY)
    assert desk.put(token_hex(24), killed_at=12)[0] < 0
    kept = desk.place.cluster.api.read(
        "v1", "Secret", f"value-before-{SECRET}", desk.place.namespace
    )
    assert decoded(kept)[KEY] == theirs
    code, said = desk.put(theirs)
    assert (code, desk.in_use(), desk.left()) == (OK, everywhere(theirs), []), said


def test_an_entry_without_the_mark_is_told_at_once_and_nothing_is_kept(
    desk: Desk, stores: Stores
) -> None:
    before, entry = desk.in_use(), bundle_entries(desk.place.settings, BUNDLE)[KEY].key
    stores.bao.write(f"secret/metadata/{entry}", custom_metadata={})
    code, said = desk.put(token_hex(24))
    mark(stores, desk.place.settings, BUNDLE, KEY)
    assert (code, "managed-by=external-secrets" in said) == (FAILED, True), said
    assert "the value is what it was" in said
    assert "not synced in" not in said, "it did not wait for the store"
    assert (desk.in_use(), desk.left()) == (before, [])


def test_a_value_that_breaks_its_rule_another_cluster_and_missing_rights_change_nothing(
    desk: Desk,
) -> None:
    place, before = desk.place, desk.in_use()
    assert desk.put("")[0] == WRONG
    account = {"name": "somebody", "namespace": place.namespace}
    place.cluster.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    weak = place.cluster.service_account_kubeconfig(place.namespace, "somebody")
    code, said = desk.put(token_hex(24), kubeconfig=weak)
    assert (code, "forbidden" in said) == (FAILED, True)
    changes = {**CHANGES, **PARTED, "cluster": {"uid": "11111111-2222-4333-8444-555555555555"}}
    desk.person.write_stack("production", **changes)
    code, said = desk.put(token_hex(24))
    desk.person.write_stack("production", **CHANGES, **PARTED)
    assert (code, "cluster.uid: is 11111111-" in said) == (FAILED, True)
    assert (desk.in_use(), desk.left()) == (before, [])


def urls(desk: Desk) -> list[str]:
    """The texts that the password is a part of, in two namespaces."""
    api, own = desk.place.cluster.api, desk.place.namespace
    places = (("ledger-env", own, "DATABASE_URL"), ("mirror-env", APART, "MIRROR_URL"))
    return [decoded(api.read("v1", "Secret", name, at))[field] for name, at, field in places]


def test_a_part_of_texts_in_two_namespaces_is_proved_in_both_and_each_reader_restarts_once(
    desk: Desk,
) -> None:
    value, kubelet = f"{token_hex(12)}@{token_hex(12)}", desk.place.kubelet
    since = len(kubelet.happenings)
    code, said = desk.put(value, "ledger/DB_PASSWORD")
    assert code == OK, said
    for secret in ("ledger-env", "mirror-env"):
        assert f"{secret}: has the value\n" in said
    encoded = URL.format(desk.place.values["DB_USER"], value.replace("@", "%40"))
    assert urls(desk) == [encoded, f"mirror:{value}"]
    happened = [one for at in (desk.place.namespace, APART) for one in kubelet.of(at, since=since)]
    started = sorted(one.workload for one in happened if one.what == "started")
    assert started == ["Deployment/ledger", "Deployment/mirror"]
    assert (desk.left(), value in desk.everything()) == ([], False)


def test_a_reader_in_another_namespace_that_does_not_come_up_has_both_given_back(
    desk: Desk,
) -> None:
    before = urls(desk)
    with desk.place.kubelet.refusing(APART, "Deployment/mirror", "MIRROR_URL"):
        code, said = desk.put(token_hex(24), "mirror/DB_PASSWORD")
    assert (code, "the value before is in use again" in said) == (FAILED, True), said
    assert (urls(desk), desk.left()) == (before, [])


def test_a_part_of_a_text_is_there_at_the_end_though_the_store_answers_late(
    desk: Desk, clouds: dict[str, Cloud], stores: Stores
) -> None:
    cloud, value = clouds["aws"], token_hex(24)
    with stores.aws_gate.lag.of(LATE_SECONDS):
        code, said = cloud.put(value, "ledger/DB_PASSWORD")
    assert (code, "ledger-env: has not the value yet" in said) == (OK, True), said
    assert f":{value}@" in cloud.in_secret("ledger-env", "DATABASE_URL")
    assert cloud.left == []


@pytest.mark.e2e_long
def test_what_a_store_refuses_by_rights_or_size_or_since_it_is_down_changes_nothing(
    desk: Desk, clouds: dict[str, Cloud], stores: Stores
) -> None:
    """Three at once, since each is tried for two minutes."""
    aws, gcp, before = clouds["aws"], clouds["gcp"], desk.in_use()
    was = [cloud.stored() for cloud in (aws, gcp)]
    entry = bundle_entries(desk.place.settings, BUNDLE)[KEY].key
    data = stores.bao.read(f"secret/data/{entry}")["data"]
    stores.bao.write(f"secret/data/{entry}", data={**data, "filler": "x" * 1_000_000})
    mark(stores, desk.place.settings, BUNDLE, KEY)
    [role] = [one for one in stores.aws_gate.grants if one.endswith("setting-aws-seed")]
    granted = stores.aws_gate.grants[role]
    refused = {one for one in granted if one[0] == aws_gate.WRITE}
    granted -= refused
    desk.unlock()
    with stores.reached_at(gcp_server.SECRETS_HOST, 1):
        tries = [
            (person.start("set", KEY, "--from-file", "-"), value)
            for person, value in (
                (desk.person, "x" * 60_000),
                (aws.person, token_hex(24)),
                (gcp.person, token_hex(24)),
            )
        ]
        for process, value in tries:
            assert process.stdin
            process.stdin.write(value)
            process.stdin.close()
            process.stdin = None
        said = [process.communicate(timeout=400)[1] for process, _ in tries]
    granted |= refused
    stores.bao.write(f"secret/data/{entry}", data=data)
    mark(stores, desk.place.settings, BUNDLE, KEY)
    assert [process.returncode for process, _ in tries] == [FAILED] * 3, said
    too_large, forbidden, down = said
    assert ("too large" in too_large, "the value is what it was" in too_large) == (True, True)
    assert ("not authorized" in forbidden, "the value is what it was" in forbidden) == (True, True)
    assert "; nothing was written\n" in down
    assert ([cloud.stored() for cloud in (aws, gcp)], desk.in_use()) == (was, before)
    assert (desk.left(), aws.left, gcp.left) == ([], [], [])


def test_stopped_it_says_whether_something_was_written_and_goes_on_from_there(
    desk: Desk, clouds: dict[str, Cloud]
) -> None:
    cloud, value = clouds["aws"], token_hex(24)
    before, file = cloud.stored(), cloud.person.folder / "value"
    file.write_text(value)
    code, said = cloud.put(value, killed_at=8, by="TERM")
    assert (code, "stopped; nothing was written\n" in said) == (STOPPED, True), said
    assert (cloud.stored(), cloud.left) == (before, [])
    setting = cloud.person.start("set", KEY, "--from-file", str(file))
    wait_until(lambda: cloud.stored() == value, "it is written", timeout_seconds=60)
    setting.send_signal(signal.SIGTERM)
    _, said = setting.communicate(timeout=60)
    assert (setting.returncode, "run this again" in said) == (STOPPED, True), said
    assert f"value-before-{SECRET}" in cloud.left
    code, said = cloud.put(value)
    assert (code, cloud.stored(), cloud.left) == (OK, value, []), said


def test_at_a_terminal_the_value_is_not_shown_and_ctrl_c_ends_the_question(
    desk: Desk, clouds: dict[str, Cloud]
) -> None:
    cloud, value = clouds["aws"], token_hex(24)
    before, first, again = cloud.stored(), f"{KEY}: ", "again: "
    code, shown = cloud.person.at_terminal("set", KEY, answers=[(first, "\x03")])
    assert (code, cloud.stored(), cloud.left) == (STOPPED, before, []), shown
    answers = [(first, f"{value}\n"), (again, f"{value}\n")]
    code, shown = cloud.person.at_terminal("set", KEY, answers=answers)
    assert (code, cloud.stored(), value in shown) == (OK, value, False), shown


def test_a_rotation_waits_for_a_value_that_is_set_and_a_rotated_key_goes_back(
    desk: Desk, cluster: Cluster
) -> None:
    place, bundle, key = desk.place, "chat-server", "chat-server-secret"
    lock = lambda: place.memory.get("lock", "")  # noqa: E731
    file, value = desk.person.folder / "value", token_hex(24)
    file.write_text(value)
    desk.unlock()
    before = desk.in_use(bundle, key)
    setting = desk.person.start("set", KEY, "--from-file", str(file))
    wait_until(lock, "it has the lock", timeout_seconds=60)
    rotation = place.start("2027-05-01T03:17:00+00:00", f"--key={key}")
    _, said = setting.communicate(timeout=180)
    done = ended(rotation)
    assert (setting.returncode, done.code) == (OK, ROTATED), (said, done.text)
    assert desk.in_use() == everywhere(value)
    rotated = desk.in_use(bundle, key)
    assert rotated != before
    back = ("set", key, "--previous")
    code, output, errors = desk.person.run(*back, kubeconfig=cluster.person_kubeconfig)
    assert (code, desk.in_use(bundle, key)) == (OK, before), errors
    assert f"`secretsctl rotated {key} --on DATE`" in output


def test_a_value_that_is_set_waits_for_a_rotation(desk: Desk) -> None:
    place, file, value = desk.place, desk.person.folder / "value", token_hex(24)
    file.write_text(value)
    desk.unlock()
    before = desk.in_use("chat-server", "chat-server-secret")
    rotation = place.start("2027-09-01T03:17:00+00:00", "--key=chat-server-secret")
    wait_until(lambda: "lock" in place.memory, "it has the lock", timeout_seconds=60)
    rotation.send_signal(signal.SIGSTOP)
    setting = desk.person.start("set", KEY, "--from-file", str(file))
    try:
        assert setting.stderr
        said = setting.stderr.readline()
    finally:
        rotation.send_signal(signal.SIGCONT)
    assert (said[:5], "has the rotator's lock: waits" in said) == ("a-pod", True), said
    _, said = setting.communicate(timeout=180)
    done = ended(rotation)
    assert (setting.returncode, done.code) == (OK, ROTATED), (said, done.text)
    assert desk.in_use() == everywhere(value)
    assert desk.in_use("chat-server", "chat-server-secret") != before
