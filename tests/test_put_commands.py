"""The commands that put values into stores, run against what stands for each provider's command.

tests/e2e/operations/test_put_commands.py runs them with the real `bao` and `aws`.
"""

import json
import os
import shlex
import subprocess
from pathlib import Path
from secrets import token_hex

import pytest

from platform_secrets.secretsctl.commands import main
from tests.settings_files import CATALOGUE, STACK, changed, stack, text_of

KEYS = ("database-url", "token", "token-next", "token-previous", "smtp-password")
MARK = "managed-by=external-secrets"
# Each keeps an entry as a file of its name, and what it was called with as a line of a log.
GCLOUD = """#!/bin/bash
echo "$*" >>log
name=$4
for word in "$@"; do case $word in --secret=*) name=${word#*=} ;; esac; done
case "$3 $4" in
  "versions add") [ -e "store/$5" ] || { echo NOT_FOUND >&2; exit 1; }; cat >"store/$5" ;;
  "versions access") [ -s "store/$name" ] || { echo NOT_FOUND >&2; exit 1; }; cat "store/$name" ;;
  "versions list") [ -e "store/$5" ] || exit 1; [ ! -s "store/$5" ] || echo 1 ;;
  "create "*)
    [ ! -e "store/$4" ] || { echo ALREADY_EXISTS >&2; exit 1; }
    for word in "$@"; do case $word in --replication*) cat "${word#*=}" >policy ;; esac; done
    cat >"store/$4" ;;
  "update "*) echo "$6" >"store/$4.mark" ;;
  *) exit 3 ;;
esac
"""
AZ = """#!/bin/bash
echo "$*" >>log
[ "$1 $2 $3 $4 $5 $6" = 'keyvault secret set --output none --name' ] || exit 3
cat "$9" >"store/$7"
shift 13
echo "$*" >"store/$name$7.mark"
"""


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """A folder with the catalogue, with the providers' commands on the PATH."""
    monkeypatch.chdir(tmp_path)
    catalogue = changed(CATALOGUE, "bundles.shared.keys.token.rotate.overlap", "1d")
    Path("catalogue.yaml").write_text(text_of(catalogue))
    for folder in ("bin", "store"):
        Path(folder).mkdir()
    for name, text in (("gcloud", GCLOUD), ("az", AZ)):
        Path("bin", name).write_text(text)
        Path("bin", name).chmod(0o755)
    return tmp_path


def _write_stack(name: str, content: dict) -> None:
    Path(name).write_text(text_of({"config": {"platform-secrets:environment": content}}))


def _printed(capsys, *arguments: str) -> str:
    assert main(["put-commands", *arguments]) == 0
    return capsys.readouterr().out


def _run(script: str, answers: dict[str, str]) -> subprocess.CompletedProcess:
    """Runs a script, with an answer for each key that it asks for."""
    asked = [shlex.split(one)[1] for one in script.splitlines() if one.startswith("put ")]
    return subprocess.run(  # noqa: S603 - what the project itself prints
        ["/bin/bash", "-c", script],
        input="".join(f"{answers.get(key, '')}\n" for key in asked),
        env={"PATH": f"bin:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _stored() -> dict[str, str]:
    return {path.name: path.read_text() for path in Path("store").iterdir()}


def _answers() -> dict[str, str]:
    return {"database-url": f"{token_hex(8)}:@ '{token_hex(8)}", "token": "r", "token-next": "s"}


def test_google_s_secrets_are_made_once_and_changed_later(desk, capsys):
    _write_stack(
        "Pulumi.test.yaml", changed(stack("gcp"), "stores.gcp.locations", ["europe-west3"])
    )
    script, answers = _printed(capsys, "--env", "test"), _answers()
    first = _run(script, answers)
    assert first.returncode == 0, first.stdout
    stored = _stored()
    assert stored["shop-test-database-url"] == answers["database-url"]
    assert len(stored["shop-test-token"]) == 64
    assert stored["shop-test-token-next"] == stored["shop-test-token"]
    assert "shop-test-token-previous" not in stored, "Enter leaves it as it is"
    assert stored["shop-test-token.mark"] == f"--update-labels={MARK}\n"
    assert "shop-test-database-url.mark" not in stored, "nobody but people writes it"
    policy = json.loads(Path("policy").read_text())
    assert policy == {"userManaged": {"replicas": [{"location": "europe-west3"}]}}
    again = _run(_printed(capsys, "database-url", "--env", "test"), _answers())
    assert again.returncode == 0, again.stdout
    assert _stored()["shop-test-database-url"] != stored["shop-test-database-url"]
    for said in (first.stdout, Path("log").read_text()):
        assert answers["database-url"] not in said
        assert stored["shop-test-token"] not in said


def test_an_entry_that_pulumi_makes_is_not_made_here(desk, capsys):
    _write_stack("Pulumi.test.yaml", changed(stack("gcp"), "stores.gcp.backend", "declare"))
    done = _run(_printed(capsys, "database-url", "--env", "test"), _answers())
    assert done.returncode == 1
    assert "entries are made by `pulumi up`, not here" in done.stdout
    assert _stored() == {}
    Path("store/shop-test-database-url").touch()
    assert _run(_printed(capsys, "database-url", "--env", "test"), _answers()).returncode == 0


def test_a_key_in_an_entry_of_several_leaves_the_others(desk, capsys):
    _write_stack("Pulumi.test.yaml", changed(stack("gcp"), "stores.gcp.layout", "bundle"))
    script, answers = _printed(capsys, "--env", "test"), _answers()
    assert "token-next" not in script, "the entry's own value stands for it"
    assert _run(script, answers).returncode == 0
    before = json.loads(_stored()["shop-test-shared"])
    assert before.keys() == {"database-url", "token"}
    assert before["database-url"] == answers["database-url"]
    assert _run(_printed(capsys, "token", "--env", "test"), {"token": "new"}).returncode == 0
    assert json.loads(_stored()["shop-test-shared"]) == {**before, "token": "new"}


@pytest.mark.parametrize("content", ["no JSON", '["a list"]'])
def test_what_can_not_be_read_is_not_overwritten(desk, capsys, content):
    _write_stack("Pulumi.test.yaml", changed(stack("gcp"), "stores.gcp.layout", "bundle"))
    Path("store/shop-test-shared").write_text(content)
    done = _run(_printed(capsys, "token", "--env", "test"), {"token": "r"})
    assert done.returncode == 1
    assert _stored() == {"shop-test-shared": content}


def test_a_key_vault_s_secret_has_its_mark_from_the_start(desk, capsys):
    _write_stack("Pulumi.test.yaml", stack("azure"))
    answers = _answers()
    done = _run(_printed(capsys, "--env", "test"), answers)
    assert done.returncode == 0, done.stdout
    stored, calls = _stored(), Path("log").read_text().splitlines()
    assert stored["shop-test-database-url"] == answers["database-url"]
    set_ = "keyvault secret set --output none --name {} --file /dev/stdin --encoding utf-8"
    where = " --vault-name shop-test"
    assert calls == [
        set_.format("shop-test-database-url") + where,
        f"{set_.format('shop-test-token')}{where} --tags {MARK}",
        f"{set_.format('shop-test-token-next')}{where} --tags {MARK}",
    ]


def test_a_value_of_several_lines_comes_from_a_file(desk, capsys):
    _write_stack("Pulumi.test.yaml", stack("azure"))
    Path("key.pem").write_text(f"{token_hex(8)}\n{token_hex(8)}\n")
    script = _printed(capsys, "smtp-password", "--env", "test")
    assert _run(script, {"smtp-password": "@key.pem"}).returncode == 0
    assert _stored()["shop-test-smtp-password"] == Path("key.pem").read_text().rstrip("\n")
    hidden = f"@{token_hex(8)}"
    missing = _run(script, {"smtp-password": hidden})
    assert (missing.returncode, missing.stdout[-13:]) == (1, "no such file\n")
    assert hidden[1:] not in missing.stdout


def test_without_an_answer_nothing_is_written(desk, capsys):
    _write_stack("Pulumi.test.yaml", stack("azure"))
    script = _printed(capsys, "--env", "test")
    assert _run(script, {}).returncode == 0, "Enter at every key"
    ended = subprocess.run(
        ["/bin/bash"], input=script, env={"PATH": "bin:/usr/bin:/bin"}, text=True, check=False,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert ended.returncode == 1, "the script itself is no answer"
    assert _stored() == {}


def test_a_key_that_an_engine_makes_is_left_out_with_a_word(desk, capsys):
    database = {"host": "db.example.com", "name": "shop", "admin-user": "vault"}
    database |= {"users": ["shop_a", "shop_b"], "grants": ["shop"]}
    rotate = {"by": "database", "every": "180d"}
    catalogue = changed(CATALOGUE, "bundles.shared.keys.database-url.rotate", rotate)
    Path("catalogue.yaml").write_text(text_of(catalogue))
    _write_stack("Pulumi.test.yaml", changed(STACK, "stores.vault.database", database))
    script = _printed(capsys, "--env", "test")
    assert "\n# database-url: left out, since the database's engine makes it.\n" in script
    assert "put database-url" not in script


def test_an_entry_that_secrets_manager_rotates_is_left_out_with_a_word(desk, capsys):
    rotate = {"by": "database", "every": "180d"}
    catalogue = changed(CATALOGUE, "bundles.shared.keys.database-url.rotate", rotate)
    Path("catalogue.yaml").write_text(text_of(catalogue))
    _write_stack("Pulumi.test.yaml", changed(stack("aws"), "stores.aws.database", {}))
    script = _printed(capsys, "--env", "test")
    assert "\n# database-url: left out, since Secrets Manager rotates it; " in script
    assert "put database-url" not in script


def test_of_a_key_in_an_entry_of_others_it_names_that_entry(desk, capsys):
    place = {"entry": "apps/mail", "property": "pw"}
    _write_stack("Pulumi.test.yaml", changed(STACK, "bundles.mail.keys.smtp-password", place))
    assert main(["rotate", "smtp-password", "--env", "test"]) == 2
    said = capsys.readouterr().err
    assert "once its new value is property pw of entry apps/mail:\n  secretsctl sync" in said
    assert "put-commands" not in said


def test_the_refusal_of_a_key_that_people_rotate_says_how_in_commands_to_paste(desk, capsys):
    _write_stack("a stack's file.yaml", STACK)
    assert main(["rotate", "smtp-password", "--stack", "a stack's file.yaml"]) == 2
    first, *steps, last = capsys.readouterr().err.splitlines()
    assert first == (
        "KEY: people rotate smtp-password; once they have its new value where it is issued:"
    )
    assert last == "secretsctl: 1 problem, nothing done"
    which = shlex.join(["--stack", "a stack's file.yaml"])
    assert [step.strip() for step in steps] == [
        f"bash <(secretsctl put-commands smtp-password {which})",
        f"secretsctl sync shop-mail --wait {which}",
        f"secretsctl restart smtp-password {which}",
        f"secretsctl rotated smtp-password {which}",
    ]
    assert "".join(steps[1:]).replace("  ", "#   ") in _printed(
        capsys, "smtp-password", "--stack", "a stack's file.yaml"
    ).replace("\n", "")


def test_a_slip_in_a_key_is_told_before_anything_is_asked(desk, capsys):
    _write_stack("Pulumi.test.yaml", STACK)
    for command in ("rotate", "rotated", "restart", "put-commands"):
        assert main([command, "smtp-pasword", "--env", "test"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("KEY: there is none of this name (did you mean smtp-password?)")
