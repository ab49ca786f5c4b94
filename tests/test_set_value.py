"""`secretsctl set`: what is made for a value, and which values and keys are refused before that."""

import argparse
import base64
import hashlib
import io
import json
import sys
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import pytest

from platform_secrets.manifests import new_value
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator.clock import Clock
from platform_secrets.rotator.keys import Generated
from platform_secrets.rotator.memory import LockLostError, Memory, Remembered, moment
from platform_secrets.secretsctl import rotation_lock, set_command
from platform_secrets.secretsctl.asked_value import asked_value
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.secretsctl.new_value import NewValue
from platform_secrets.secretsctl.older_version import version_before
from platform_secrets.settings import SettingsError
from tests.settings_files import CATALOGUE, REMOVED, STORES, changed

SEEDER = "aaaaaaaa-0000-4000-8000-000000000003"
SAME = {"description": "of mail", "same-as": "mail/smtp-password"}
KEY = "smtp-password"
BEFORE, NEW = "value-before-shop-mail", "new-value-shop-mail"


def options(**given):
    values = {"key": "smtp-password", "from_file": None, "from_literal": None}
    return argparse.Namespace(**{**values, **given})


@pytest.fixture
def place(settings_with):
    """The Secret of bundle `mail`, for its key `smtp-password`."""
    settings = settings_with(catalogue=CATALOGUE, seeding={"groups": ["people"]})
    [found] = new_value.places(settings, "smtp-password")
    return found


def decoded(text):
    return base64.b64decode(text).decode()


@pytest.fixture
def asked(settings_with):
    """The value of a key by these options."""
    return lambda given: asked_value(settings_with(catalogue=CATALOGUE), KEY, given)


def test_the_value_before_is_read_once_through_the_identity_that_cannot_write(place):
    found = new_value.before(place)
    assert found["metadata"]["annotations"] == {"platform-secrets/key": "smtp-password"}
    spec = found["spec"]
    assert spec["secretStoreRef"]["name"] == "vault-store"
    assert (spec["refreshPolicy"], spec["target"]["immutable"]) == ("CreatedOnce", True)
    assert spec["target"]["name"] == BEFORE
    assert spec["target"]["template"]["data"]["smtp-password"] == '{{ index . "smtp-password" }}'


@pytest.mark.parametrize("secret", [NEW, BEFORE])
def test_a_value_is_written_over_the_one_in_its_entry_alone(place, secret):
    spec = new_value.push(place, secret)["spec"]
    assert spec["selector"] == {"secret": {"name": secret}}
    assert spec["updatePolicy"] == "Replace"
    assert spec["secretStoreRefs"] == [{"kind": "SecretStore", "name": "vault-seed-store"}]
    [data] = spec["data"]
    assert data["match"] == {
        "secretKey": "smtp-password",
        "remoteRef": {"remoteKey": "shop/test/mail", "property": "smtp-password"},
    }


def test_the_services_secret_is_compared_by_a_hash_that_only_a_secret_has(place):
    value = token_hex(24)
    spec = new_value.check(place, NEW)["spec"]
    assert spec["selector"] == {"secret": {"name": "shop-mail"}}
    assert "data" not in spec
    [text] = spec["template"]["templateFrom"]
    assert text["secret"] == {
        "name": NEW,
        "items": [{"key": "set-compares", "templateAs": "Values"}],
    }
    source = new_value.source(place, value)["data"]
    digest = hashlib.sha256(value.encode()).hexdigest()
    assert f'(index . "smtp-password" | sha256sum) "{digest}"' in decoded(source["set-compares"])
    assert decoded(source["smtp-password"]) == value


def test_what_is_stored_as_base64_is_compared_as_the_services_have_it(settings_with):
    of_bytes = changed(CATALOGUE, "bundles.mail.keys.smtp-password.stored-as", "base64")
    settings = settings_with(catalogue=of_bytes, seeding={"groups": ["people"]})
    [place] = new_value.places(settings, "smtp-password")
    source = new_value.source(place, base64.b64encode(b"\xff" * 24).decode())["data"]
    assert hashlib.sha256(b"\xff" * 24).hexdigest() in decoded(source["set-compares"])


def test_a_secret_that_borrows_the_value_gets_a_hash_and_not_the_value(settings_with):
    lent = changed(CATALOGUE, "bundles.shared.keys.mail", SAME)
    settings = settings_with(catalogue=lent, seeding={"groups": ["people"]})
    own, other = new_value.places(settings, "smtp-password")
    assert (own.is_own, other.is_own, other.secret) == (True, False, "shop-secrets")
    assert [*new_value.source(other, token_hex(24))["data"]] == ["set-compares"]
    kept = new_value.before(other)["spec"]["target"]
    assert (kept["name"], [*kept["template"]["data"]]) == (
        "value-before-shop-secrets",
        ["set-compares"],
    )


PART = {"description": "a part", "hidden": True}


@pytest.fixture
def part(settings_with):
    """The Secret of bundle `mail`, for a key of which it has only texts."""
    hidden = changed(CATALOGUE, "bundles.mail.keys", {"user": PART, "password": PART})
    texts = {"URL": "smtp://${user|url}:${password|url}@mail", "FROM": "${user}"}
    both = changed(hidden, "bundles.mail.texts", texts)
    stores = {"vault": {**STORES["vault"], "layout": "per-key"}}
    settings = settings_with(catalogue=both, stores=stores, seeding={"groups": ["people"]})
    [found] = new_value.places(settings, "password")
    return found


def test_of_a_part_of_a_text_the_text_is_compared_once_the_store_has_the_value(part):
    value = token_hex(24)
    condition = decoded(new_value.source(part, value)["data"]["set-compares"])
    digest = hashlib.sha256(value.encode()).hexdigest()
    assert condition.startswith(f'{{{{ if ne (index . "set-compares" | sha256sum) "{digest}" }}}}')
    [external_secret] = external_secret_manifests(part.settings, part.bundle)
    reading = new_value.reading(part, NEW, external_secret)
    template, data = reading["spec"]["target"]["template"], reading["spec"]["data"]
    assert template["templateFrom"][0]["secret"]["name"] == NEW
    assert data[-1] == {
        "secretKey": "set-compares",
        "remoteRef": {"key": "shop/test/password", "property": "value"},
    }
    made = template["data"]["set-compares-texts"]
    assert ("URL has another value" in made, "FROM has another value" in made) == (True, False)
    [text] = new_value.check(part, NEW)["spec"]["template"]["templateFrom"]
    assert text["secret"]["name"] == reading["metadata"]["name"]
    assert text["secret"]["items"][0]["key"] == "set-compares-texts"


def test_a_file_loses_its_last_line_end_alone(tmp_path, asked):
    value = token_hex(24)
    (tmp_path / "value").write_text(f"{value}\n")
    assert asked(options(from_file=tmp_path / "value")) == value
    (tmp_path / "value").write_text(f"{value}\n\n")
    with pytest.raises(SettingsError, match="control characters"):
        asked(options(from_file=tmp_path / "value"))


def test_bytes_are_stored_as_base64_where_the_key_says_so_and_refused_elsewhere(
    tmp_path, asked, settings_with
):
    (tmp_path / "value").write_bytes(b"\xff\xfe" * 24)
    of_bytes = changed(CATALOGUE, "bundles.mail.keys.smtp-password.stored-as", "base64")
    stored = settings_with(catalogue=of_bytes)
    found = asked_value(stored, KEY, options(from_file=tmp_path / "value"))
    assert base64.b64decode(found) == b"\xff\xfe" * 24
    with pytest.raises(SettingsError, match="is not text in UTF-8"):
        asked(options(from_file=tmp_path / "value"))


def test_a_value_that_is_too_large_is_refused_and_not_shown(tmp_path, asked):
    canary = token_hex(24)
    (tmp_path / "value").write_text(canary * 25_000)
    with pytest.raises(SettingsError, match="is too large: at most 1047552 bytes") as error:
        asked(options(from_file=tmp_path / "value"))
    assert canary not in str(error.value)


@pytest.mark.parametrize(
    ("provider", "largest"), [("aws", 65_536), ("gcp", 65_536), ("azure", 25_600)]
)
def test_a_value_that_its_store_does_not_take_is_refused_with_the_limit(
    settings_with, tmp_path, provider, largest
):
    settings = settings_with(catalogue=CATALOGUE, stores={provider: STORES[provider]})
    (tmp_path / "value").write_text("x" * (largest + 1))
    with pytest.raises(SettingsError, match=f"{provider} takes {largest:,}"):
        asked_value(settings, KEY, options(from_file=tmp_path / "value"))


def test_a_value_in_the_command_line_is_warned_of(capsys, asked):
    value = token_hex(24)
    assert asked(options(from_literal=value)) == value
    said = capsys.readouterr().err
    assert "shell's history" in said
    assert value not in said


def test_where_nobody_can_be_asked_the_way_is_named(monkeypatch, asked):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(SettingsError, match="use --from-file FILE, or - for stdin"):
        asked(options())


def test_a_prompt_asks_twice(monkeypatch, asked):
    value = token_hex(24)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    answers = iter([value, value, value, token_hex(24)])
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    assert asked(options()) == value
    with pytest.raises(SettingsError, match="was not the same twice"):
        asked(options())


def test_who_ends_the_prompt_gives_no_value(monkeypatch, asked):
    def ended(_):
        raise EOFError

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", ended)
    with pytest.raises(SettingsError, match="VALUE: was not given"):
        asked(options())


def test_a_value_in_another_encoding_is_refused_and_not_shown(asked):
    canary = token_hex(24)
    given = f"{canary}\udcff"  # as Python has a byte of the command line that is not UTF-8
    with pytest.raises(SettingsError, match="is not text in UTF-8") as error:
        asked(options(from_literal=given))
    assert canary not in str(error.value)


@dataclass(frozen=True)
class OneObject(Kubectl):
    """A cluster that holds one object, whatever is asked for, and refuses to change it elsewhere
    than here."""

    found: Any = None

    def get(self, resource, name):
        return json.loads(json.dumps(self.found))

    def patch(self, resource, name, change):
        version = self.found["metadata"]["resourceVersion"]
        if change["metadata"]["resourceVersion"] != version:
            raise ClusterError("kubectl patch: Error from server (Conflict): it was changed")
        data = {**self.found.get("data", {}), **change["data"]}
        self.found["data"] = {name: text for name, text in data.items() if text is not None}
        self.found["metadata"]["resourceVersion"] = f"{version}+"
        return self.get(resource, name)


class Answering(Kubectl):
    """A cluster in which whatever is made is synced at once."""

    def apply(self, manifest):
        pass

    def delete(self, resource, names):
        pass

    def get(self, resource, name):
        ready = {"type": "Ready", "status": "True", "reason": "SecretSynced"}
        conditions = [{**ready, "message": "secret synced"}]
        status = {"conditions": conditions, "syncedResourceVersion": "1"}
        spec = {"refreshPolicy": "CreatedOnce"}
        return {"kind": "ExternalSecret", "metadata": {}, "spec": spec, "status": status}


def memory(**data):
    return OneObject(None, "shop-test", found={"metadata": {"resourceVersion": "1"}, "data": data})


def test_a_rotation_and_a_value_that_is_set_keep_each_other_out(monkeypatch):
    monkeypatch.setattr(rotation_lock, "_PATIENCE_SECONDS", 0)
    cluster = memory(run="as it was")
    with rotation_lock.rotation_lock(cluster, "set token") as (kubectl, mine):
        assert "secretsctl set token" in cluster.found["data"]["lock"]
        rotator = Memory(
            rotation_lock._ConfigMaps(cluster), Clock(), "memory", "secrets-rotation-1", 30
        )
        with pytest.raises(LockLostError, match="another run holds the lock and is alive"):
            rotator.lock(0)
        with pytest.raises(ClusterError, match="nothing is done: another run holds the lock"):
            rotation_lock.rotation_lock(cluster, "set other").__enter__()
        mine.write({"token": Remembered(moment("2026-01-31"))})
        assert kubectl.before_each
    assert cluster.found["data"].keys() == {"run", "token"}
    assert cluster.found["data"]["run"] == "as it was"


def test_a_command_that_lost_its_lock_does_nothing_more(monkeypatch):
    monkeypatch.setattr(rotation_lock, "_LOCK_SECONDS", 0)
    cluster = memory()
    with rotation_lock.rotation_lock(cluster, "set token") as (kubectl, _):
        cluster.found["data"]["lock"] = json.dumps({"holder": "secrets-rotation-1"})
        cluster.found["metadata"]["resourceVersion"] = "9"
        with pytest.raises(ClusterError, match="another run has the lock"):
            kubectl.delete("pushsecret", ["one"])
    assert "secrets-rotation-1" in cluster.found["data"]["lock"]


def test_a_lock_that_is_lost_or_whose_memory_is_gone_ends_the_command_with_a_message(monkeypatch):
    cluster = memory()
    taken = json.dumps({"holder": "secrets-rotation-1"})

    def note_an_age():
        with rotation_lock.rotation_lock(cluster, "set token") as (_, mine):
            cluster.found["data"]["lock"] = taken
            cluster.found["metadata"]["resourceVersion"] = "9"
            mine.write({"token": Remembered(moment("2026-01-31"))})

    with pytest.raises(ClusterError, match="another run has the lock"):
        note_an_age()
    cluster = memory()
    gone = "kubectl patch: Error from server (NotFound): no such ConfigMap"
    with rotation_lock.rotation_lock(cluster, "set token"):
        monkeypatch.setattr(OneObject, "patch", _refused(gone))


class OwnLock(OneObject):
    """A cluster with the place of a lock, from when it is applied until it is deleted."""

    def apply(self, manifest):
        self.found.setdefault("metadata", {"resourceVersion": "1"})

    def get(self, resource, name):
        return super().get(resource, name) if self.found else None

    def patch(self, resource, name, change):
        if not self.found:
            raise ClusterError("kubectl patch: Error from server (NotFound): no such ConfigMap")
        return super().patch(resource, name, change)

    def delete(self, resource, names):
        if self.before_each:
            self.before_each()
        assert (resource, names) == ("configmap", ["secrets-set-lock"])
        self.found.clear()


def own_lock(cluster):
    place = {"metadata": {"name": "secrets-set-lock"}}
    return rotation_lock.lock_of_its_own(cluster, place, "set mail/smtp-password")


def test_where_nothing_rotates_one_command_keeps_the_next_out_and_leaves_no_lock():
    cluster = OwnLock(None, "shop-test", found={})
    with own_lock(cluster) as holding:
        assert holding.before_each, "it renews the lock"
        said = "nothing is done: secretsctl set mail/smtp-password .* is at work: run this again"
        with pytest.raises(ClusterError, match=said):
            own_lock(cluster).__enter__()
        assert "lock" in cluster.found["data"]
    assert cluster.found == {}
    with own_lock(cluster):
        pass


def test_of_two_that_look_at_once_the_later_is_refused(monkeypatch):
    monkeypatch.setattr(rotation_lock, "_PATIENCE_SECONDS", 0)
    monkeypatch.setattr(rotation_lock, "_is_fresh", lambda _: False)
    cluster = OwnLock(None, "shop-test", found={})
    refused = "nothing is done: another command is at work: run this again"
    with own_lock(cluster), pytest.raises(ClusterError, match=refused):
        own_lock(cluster).__enter__()


@pytest.mark.parametrize("renewed", ["2026-01-31T10:00:00+00:00", "2999-01-31T10:00:00+00:00", ""])
def test_a_lock_of_a_killed_command_is_taken_over_once_nobody_renews_it(monkeypatch, renewed):
    monkeypatch.setattr(rotation_lock, "_LOCK_SECONDS", 0.01)
    left = json.dumps({"holder": "secretsctl set token 0a0a0a", "renewed": renewed})
    found = {"metadata": {"resourceVersion": "1"}, "data": {"lock": left}}
    cluster = OwnLock(None, "shop-test", found=found)
    with own_lock(cluster):
        assert "mail/smtp-password" in cluster.found["data"]["lock"]
    assert cluster.found == {}


def test_a_command_whose_lock_was_taken_over_leaves_it_to_the_other(monkeypatch):
    monkeypatch.setattr(rotation_lock, "_LOCK_SECONDS", 0)
    cluster = OwnLock(None, "shop-test", found={})
    with own_lock(cluster):
        cluster.found["data"]["lock"] = json.dumps({"holder": "secretsctl set other"})
        cluster.found["metadata"]["resourceVersion"] = "9"
    assert "secretsctl set other" in cluster.found["data"]["lock"]


def test_set_takes_a_lock_of_its_own_where_nothing_rotates(settings_with):
    without = changed(CATALOGUE, "bundles.shared.keys.token.rotate", REMOVED)
    without = changed(without, "bundles.mail.keys.smtp-password.rotate", REMOVED)
    settings = settings_with(catalogue=without, seeding={"groups": ["people"]})
    cluster = OwnLock(None, "shop-test", found={})
    taken = set_command._locked(settings, "smtp-password", "mail/smtp-password", cluster)
    with taken as (holding, memory):
        assert (bool(holding.before_each), memory) == (True, None)
        assert "set mail/smtp-password" in cluster.found["data"]["lock"]


def _refused(why):
    def patch(*_):
        raise ClusterError(why)

    return patch


def test_the_value_before_of_another_key_of_the_bundle_is_left_alone(place):
    kept = {"metadata": {"annotations": {"platform-secrets/key": "imap-password"}}}
    cluster = OneObject(None, "shop-test", found=kept)
    with pytest.raises(ClusterError, match="by `secretsctl set mail/imap-password`"):
        NewValue(place.settings, [place], cluster).begin()


@pytest.mark.parametrize(
    ("provider", "found"),
    [
        ("vault", "the operator finds a version of vault by itself"),
        ("aws", "the operator finds a version of aws by itself"),
        ("gcp", "gcloud secrets versions list shop-test-smtp-password --project=shop-test"),
        ("azure", "az keyvault secret list-versions --vault-name shop-test --name"),
    ],
)
def test_the_versions_are_listed_by_a_command_where_the_operator_can_t(
    settings_with, provider, found
):
    seed = {"client-ids": {**STORES["azure"]["client-ids"], "seed": SEEDER}}
    store = {**STORES[provider], **(seed if provider == "azure" else {})}
    settings = settings_with(
        catalogue=CATALOGUE, stores={provider: store}, seeding={"groups": ["people"]}
    )
    asked = argparse.Namespace(key="smtp-password", previous=True, version=None)
    if "by itself" in found:
        assert set_command._places(settings, "smtp-password", asked)
        return
    with pytest.raises(SettingsError, match=f"--version: name the one .*{found}"):
        set_command._places(settings, "smtp-password", asked)


def test_a_version_is_of_the_value_before_and_a_generated_value_is_nobody_s(settings_with):
    settings = settings_with(catalogue=CATALOGUE, seeding={"groups": ["people"]})
    asked = argparse.Namespace(key="smtp-password", previous=False, version="4")
    with pytest.raises(SettingsError, match="--version: goes with --previous"):
        set_command._places(settings, "smtp-password", asked)
    asked = argparse.Namespace(key="token", previous=False, version=None)
    with pytest.raises(SettingsError, match="secretsctl rotate token"):
        set_command._places(settings, "token", asked)


def test_a_rotation_that_is_not_at_its_end_is_not_disturbed(settings_with):
    settings = settings_with(catalogue=CATALOGUE, seeding={"groups": ["people"]})
    [key] = rotation_plan(settings).rotated
    assert isinstance(key, Generated)
    assert set_command._is_rotating(key, OneObject(None, "shop-test", found={"metadata": {}}))
    assert not set_command._is_rotating(key, OneObject(None, "shop-test", found=None))


def test_an_older_version_is_put_back_if_it_has_another_value_than_the_newest(place):
    looked = new_value.look(place, "4")["spec"]
    assert [one["extract"] for one in looked["dataFrom"]] == [
        {"key": "shop/test/mail"},
        {"key": "shop/test/mail", "version": "4"},
    ]
    lines = looked["target"]["template"]["data"]
    assert [*lines] == ["version"]
    assert 'fail "version 4 has what is in use"' in lines["version"]
    assert lines["version"].endswith("{{ end }}4")
    spec = new_value.previous(place, "4")["spec"]
    [source] = spec["dataFrom"]
    assert source["extract"] == {"key": "shop/test/mail", "version": "4"}
    assert spec["target"]["name"] == NEW


def test_vault_is_asked_for_the_newest_version_s_number_as_the_reader(place):
    generator, asked = new_value.newest_version(place)
    assert (generator["spec"]["method"], generator["spec"]["path"]) == (
        "GET",
        "secret/data/shop/test/mail",
    )
    account = generator["spec"]["provider"]["auth"]["kubernetes"]["serviceAccountRef"]
    assert account["name"] == "vault-store"
    assert [*asked["spec"]["target"]["template"]["data"]] == ["version"]


def test_an_entry_whose_newest_version_has_no_number_asks_for_a_version(place):
    class Unnumbered(Answering):
        def get_by(self, resource, name, output):
            return base64.b64encode(b"<no value>").decode()

    with pytest.raises(ClusterError, match="shop/test/mail: its newest version has no number"):
        version_before(place, Unnumbered(None, "shop-test"), None)
