"""`secretsctl who`: everybody who can read a key, and by what."""

import json
from pathlib import Path
from typing import Any

import pytest

from platform_secrets.secretsctl.commands import main
from tests.conftest import PROJECT
from tests.settings_files import CATALOGUE, STACK, changed, stack, text_of

EVERYTHING = PROJECT / "tests/platform/everything"


@pytest.fixture
def who(capsys: pytest.CaptureFixture[str]):
    """Runs the command; its exit code, what it prints, and what it complains of."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["who", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch, who):
    """The answers of the platform that has all there is, by environment."""
    monkeypatch.chdir(EVERYTHING)

    def answers(key: str) -> dict[str, Any]:
        code, out, _ = who(key, "--json")
        assert code == 0
        return {one["environment"]: one for one in json.loads(out)}

    return answers


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes the shop, with a stack file for each of these settings."""
    monkeypatch.chdir(tmp_path)

    def write(*stacks: dict[str, Any], catalogue: dict[str, Any] = CATALOGUE) -> None:
        Path("catalogue.yaml").write_text(text_of(catalogue))
        for one in stacks:
            content = {"config": {"platform-secrets:environment": one}}
            Path(f"Pulumi.{one['environment']}.yaml").write_text(text_of(content))

    return write


def readers(answer: dict[str, Any], kind: str) -> dict[str, set[str]]:
    """What each reader of a kind reads."""
    found: dict[str, set[str]] = {}
    for one in answer["readers"]:
        if one["kind"] == kind:
            found.setdefault(one["name"], set()).update(one["what"])
    return found


def test_whoever_has_the_value_under_another_name_reads_it_too(everything):
    answer = everything("tokens/SIGNING_KEY")["vault"]
    assert answer["same_value"] == ["ledger/SIGNING_KEY"]
    assert readers(answer, "services") == {
        "Deployment/gate": {"rook-vault/tokens-env"},
        "StatefulSet/gate-queue": {"rook-vault/tokens-env"},
        "DaemonSet/agent": {"rook-vault/tokens-env"},
        "Rollout/ledger": {"rook-vault/ledger-env"},
    }
    other = everything("ledger/SIGNING_KEY")["vault"]
    assert readers(other, "services") == readers(answer, "services")


def test_a_rotation_s_other_values_are_the_key_s(everything):
    secrets = everything("tokens/SIGNING_KEY")["aws"]["secrets"]
    assert secrets["rook-aws/tokens-env"] == ["SIGNING_KEY"]
    assert secrets["rook-aws/ledger-env-overlap"] == ["SIGNING_KEY_NEXT", "SIGNING_KEY_PREVIOUS"]
    assert secrets["rook-aws/rotation-staged-tokens-signing-key"] == []


def test_a_hidden_part_is_read_in_every_text_that_is_made_of_it(everything):
    secrets = everything("ledger/DB_PASSWORD")["vault"]["secrets"]
    assert secrets == {"rook-vault/ledger-env": ["DATABASE_URL", "BASIC_AUTH", "config.json"]}
    pulled = everything("pull/GHCR_TOKEN")["vault"]["secrets"]
    assert pulled == {"rook-vault/pull-login": [".dockerconfigjson"]}


def test_services_that_share_an_account_read_what_either_does(everything):
    found = readers(everything("accounts/redis-url")["vault"], "services")
    assert {"CronJob/nightly", "Job/import", "Deployment/gate"} <= {*found}


def test_people_are_those_of_readers(everything):
    found = readers(everything("edge")["vault"], "people")
    assert {*found} == {"Group rook-people", "User operator@rook.internal"}
    assert readers(everything("edge")["aws"], "people") == {}


def test_each_identity_of_the_store_is_named_as_its_provider_calls_it(everything):
    assert readers(everything("tokens/COOKIE_KEY")["vault"], "store vault (vault)") == {
        "rook-vault-read": {"reads legacy/cookies"},
        "rook-vault-rotation": {"reads and writes legacy/cookies"},
        "rook-vault-seed": {"reads and writes legacy/cookies"},
    }
    found = readers(everything("report/BOARD_TOKEN")["vault"], "store per-key (vault)")
    assert found == {"rook-vault--per-key-reports--read": {"reads legacy/board"}}


def test_who_has_a_database_s_password_changed_does_not_read_it(everything):
    answer = everything("accounts/database-url")
    assert readers(answer["vault"], "store vault (vault)") == {
        "rook-vault-read": {
            "reads database/static-creds/rook-vault-a",
            "reads database/static-creds/rook-vault-b",
        }
    }
    assert {*readers(answer["aws"], "store aws (aws)")} == {"rook-aws-read"}


def test_a_store_of_others_is_said_to_be_theirs(everything):
    found = readers(everything("edge/tls.key")["vault"], "store own")
    assert found == {"whomever its owner lets: others declare it": set()}


def test_the_operator_reads_all_but_basic_secrets(everything):
    answer = everything("tokens/SIGNING_KEY")
    name = "ServiceAccount external-secrets-system/external-secrets"
    assert {*readers(answer["vault"], "operator")} == {name}
    assert readers(answer["basic"], "operator") == {}
    assert {*readers(answer["basic"], "people")} == {
        "whoever has secrets.env, or decrypts the stack's state"
    }


def test_an_environment_that_leaves_it_out_is_left_out(everything):
    assert {*everything("tokens/PARTNER_TOKEN")} == {"aws", "basic"}
    assert {*everything("profiler")} == {"aws"}


def test_a_whole_entry_has_every_value_in_it(shop, who):
    copied = {"secret": "copied", "whole-entry": True, "keys": {}}
    catalogue = changed(CATALOGUE, "bundles.copied", copied)
    catalogue = changed(
        catalogue, "services.auditor", {"workload": "Job/audit", "reads": ["copied"]}
    )
    shop(changed(STACK, "bundles.copied.entry", "shop/test/mail"), catalogue=catalogue)
    [answer] = json.loads(who("mail/smtp-password", "--json")[1])
    assert readers(answer, "services") == {
        "Deployment/web": {"shop-test/shop-mail"},
        "Job/audit": {"shop-test/copied"},
    }


def test_an_identity_that_reads_the_entry_for_another_key_reads_this_one_too(shop, who):
    catalogue = changed(
        CATALOGUE,
        "bundles.mirror",
        {"secret": "mirror", "keys": {"token": {"description": "it", "same-as": "shared/token"}}},
    )
    shop(changed(STACK, "namespaces.apart.bundles", ["mirror"]), catalogue=catalogue)
    [answer] = json.loads(who("database-url", "--json")[1])
    assert readers(answer, "store vault (vault)") == {
        "shop-test-read": {"reads shop/test"},
        "shop-test-apart--read": {"reads shop/test"},
        "shop-test-rotation": {"reads and writes shop/test"},
    }


def test_what_a_person_sees_names_the_reader_the_account_and_the_place(shop, who):
    shop(STACK)
    code, out, _ = who("mail")
    assert code == 0
    assert (
        "\n    Deployment/web, ServiceAccount web, Role web-secrets: shop-test/shop-mail\n" in out
    )
    assert "Besides: whoever may create pods in a namespace" in out


def test_one_environment_may_be_asked_for(shop, who):
    shop(STACK, {**stack("aws"), "environment": "second"})
    assert [one["environment"] for one in json.loads(who("mail", "--json")[1])] == [
        "second",
        "test",
    ]
    found = json.loads(who("mail", "--env", "second", "--json")[1])
    assert [one["environment"] for one in found] == ["second"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("mial", "no such bundle or key (did you mean mail?)"),
        ("mail/smtp-pasword", "no such bundle or key (did you mean mail/smtp-password?)"),
        ("xyzzy", "no such bundle or key; a key is named as bundle/key"),
    ],
)
def test_what_is_in_no_catalogue_is_told(shop, who, key, message):
    shop(STACK)
    code, out, err = who(key)
    assert (code, out) == (2, "")
    assert err.startswith(f"who: {message}")


def test_a_name_that_two_bundles_have_is_told_with_both(everything, who):
    code, _, err = who("password")
    assert code == 2
    assert "there are charts/password, images/password, repository/password" in err


def test_a_cluster_is_one_environment_s(shop, who):
    shop(STACK)
    code, out, err = who("mail", "--live")
    assert (code, out) == (2, "")
    assert err.startswith("--live: asks one environment's cluster: name it with --env")
