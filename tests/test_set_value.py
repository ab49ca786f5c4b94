"""`secretsctl set`: what is made for a value, and which values and keys are refused before that."""

import argparse
import base64
import io
import json
import sys
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import pytest

from platform_secrets.manifests import new_value
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.asked_value import asked_value
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.secretsctl.new_value import NewValue
from platform_secrets.settings import SettingsError
from platform_secrets.settings.entries import kept
from tests.settings_files import CATALOGUE, changed

BEFORE, NEW = "shop-mail.value-before", "shop-mail.new-value"


def options(**given):
    values = {"key": "smtp-password", "from_file": None, "from_literal": None}
    return argparse.Namespace(**{**values, **given})


def of_mail(settings):
    """What the functions for the key of bundle `mail` take."""
    [value] = [one for one in kept(settings, "mail") if one.name == "smtp-password"]
    return settings, "mail", value


@pytest.fixture
def key(settings_with):
    return settings_with(catalogue=CATALOGUE).catalogue.bundles["mail"].keys["smtp-password"]


def test_the_value_before_is_read_once_through_the_identity_that_cannot_write(settings_with):
    found = new_value.before(
        *of_mail(settings_with(catalogue=CATALOGUE, seeding={"groups": ["people"]}))
    )
    assert found["metadata"]["annotations"] == {"platform-secrets/key": "smtp-password"}
    spec = found["spec"]
    assert spec["secretStoreRef"]["name"] == "vault-store"
    assert (spec["refreshPolicy"], spec["target"]["immutable"]) == ("CreatedOnce", True)
    assert spec["target"]["name"] == BEFORE


@pytest.mark.parametrize(("made", "secret"), [(new_value.push, NEW), (new_value.restore, BEFORE)])
def test_a_value_is_written_over_the_one_in_its_entry_alone(settings_with, made, secret):
    spec = made(*of_mail(settings_with(catalogue=CATALOGUE, seeding={"groups": ["people"]})))[
        "spec"
    ]
    assert spec["selector"] == {"secret": {"name": secret}}
    assert spec["updatePolicy"] == "Replace"
    assert spec["secretStoreRefs"] == [{"kind": "SecretStore", "name": "vault-seed-store"}]
    [data] = spec["data"]
    assert data["match"] == {
        "secretKey": "smtp-password",
        "remoteRef": {"remoteKey": "shop/test/mail", "property": "smtp-password"},
    }


def test_a_file_loses_its_last_line_end_alone(tmp_path, key):
    value = token_hex(24)
    (tmp_path / "value").write_text(f"{value}\n")
    assert asked_value(options(from_file=tmp_path / "value"), key) == value
    (tmp_path / "value").write_text(f"{value}\n\n")
    with pytest.raises(SettingsError, match="control characters"):
        asked_value(options(from_file=tmp_path / "value"), key)


def test_bytes_are_stored_as_base64_where_the_key_says_so_and_refused_elsewhere(
    tmp_path, key, settings_with
):
    (tmp_path / "value").write_bytes(b"\xff\xfe" * 24)
    of_bytes = changed(CATALOGUE, "bundles.mail.keys.smtp-password.stored-as", "base64")
    stored = settings_with(catalogue=of_bytes).catalogue.bundles["mail"].keys["smtp-password"]
    found = asked_value(options(from_file=tmp_path / "value"), stored)
    assert base64.b64decode(found) == b"\xff\xfe" * 24
    with pytest.raises(SettingsError, match="is not text in UTF-8"):
        asked_value(options(from_file=tmp_path / "value"), key)


def test_a_value_that_is_too_large_is_refused_and_not_shown(tmp_path, key):
    canary = token_hex(24)
    (tmp_path / "value").write_text(canary * 25_000)
    with pytest.raises(SettingsError, match="is too large: at most 1047552 bytes") as error:
        asked_value(options(from_file=tmp_path / "value"), key)
    assert canary not in str(error.value)


def test_a_value_in_the_command_line_is_warned_of(capsys, key):
    value = token_hex(24)
    assert asked_value(options(from_literal=value), key) == value
    said = capsys.readouterr().err
    assert "shell's history" in said
    assert value not in said


def test_where_nobody_can_be_asked_the_way_is_named(monkeypatch, key):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(SettingsError, match="use --from-file FILE, or - for stdin"):
        asked_value(options(), key)


def test_a_prompt_asks_twice(monkeypatch, key):
    value = token_hex(24)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    answers = iter([value, value, value, token_hex(24)])
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    assert asked_value(options(), key) == value
    with pytest.raises(SettingsError, match="was not the same twice"):
        asked_value(options(), key)


@dataclass(frozen=True)
class Holding(Kubectl):
    """A cluster that holds one object, whatever is asked for."""

    found: Any = None

    def get(self, resource, name):
        return self.found


def holding(found):
    return Holding(None, "shop-test", found)


def test_while_the_rotator_is_at_work_nothing_is_written():
    run = {"holder": "secrets-rotation-1", "verdict": None}
    with pytest.raises(ClusterError, match="secrets-rotation-1: a rotation runs, or was stopped"):
        waiting.require_no_run(holding({"data": {"run": json.dumps(run)}}))
    ended = json.dumps({**run, "verdict": "rotated nothing"})
    waiting.require_no_run(holding({"data": {"run": ended}}))
    waiting.require_no_run(holding({}))


def test_the_value_before_of_another_key_of_the_bundle_is_left_alone(settings_with):
    settings, bundle, value = of_mail(
        settings_with(catalogue=CATALOGUE, seeding={"groups": ["people"]})
    )
    kept_before = {"metadata": {"annotations": {"platform-secrets/key": "imap-password"}}}
    with pytest.raises(ClusterError, match="imap-password is being set: end that first"):
        NewValue(settings, bundle, value, holding(kept_before)).written(token_hex(24))
