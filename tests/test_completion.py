"""What a shell offers while somebody types `secretsctl`: asked of a real bash."""

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from platform_secrets.secretsctl.commands import _FUNCTIONS, main
from platform_secrets.secretsctl.completion import completion
from tests.settings_files import CATALOGUE, changed, text_of
from tests.test_diff import write

# Presses Tab at the end of the line in $1.
TAB = """
eval "$SCRIPT"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
ask=$(complete -p secretsctl | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$ask" secretsctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one environment, `test`, as the working directory."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def bash(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(  # noqa: S603
        ["bash", "--norc", "-c", *arguments],  # noqa: S607
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=True,
    )


def offered(line: str) -> list[str]:
    script = completion(Namespace(shell="bash"))[1]  # noqa: S604
    done = bash(TAB, "bash", line, SCRIPT=script)
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_options_and_choices_are_offered():
    assert {*offered("secretsctl ")} == {*_FUNCTIONS, "--help", "--version"}
    assert offered("secretsctl render --ch") == ["--check"]
    assert offered("secretsctl init --provider a") == ["aws", "azure"]


def test_what_does_not_go_together_is_not_offered():
    options = offered("secretsctl render --env test --")
    assert "--check" in options
    assert "--all" not in options


def test_the_project_s_environments_bundles_and_keys_are_offered():
    assert offered("secretsctl status --env ") == ["test"]
    assert {*offered("secretsctl who ")} >= {"mail", "smtp-password", "shared", "token"}
    assert offered("secretsctl rotate mail/") == ["mail/smtp-password"]


def test_a_key_is_offered_with_its_bundle_where_another_has_one_of_its_name(shop):
    twice = {"description": "another one"}
    write(shop, changed(CATALOGUE, "bundles.mail.keys.token", twice))
    keys = {one for one in offered("secretsctl restart ") if not one.startswith("-")}
    assert keys == {"database-url", "mail/token", "shared/token", "smtp-password"}


def test_the_catalogue_that_the_line_names_is_read():
    other = changed(CATALOGUE, "bundles.mail.keys", {"mail-login": {"description": "login"}})
    Path("other.yaml").write_text(text_of(other))
    assert offered("secretsctl who --catalogue other.yaml mail-") == ["mail-login"]


def test_files_are_offered_where_a_file_is_meant():
    assert offered("secretsctl status --stack Pul") == ["Pulumi.test.yaml"]


def test_of_a_broken_file_nothing_is_offered_and_nothing_said():
    Path("catalogue.yaml").write_text("bundles: [")
    assert offered("secretsctl who sha") == []
    Path("Pulumi.test.yaml").write_text("\0")
    assert offered("secretsctl status --env te") == []


def test_a_shell_that_shows_texts_is_told_what_a_command_does():
    """As zsh asks."""
    line, asking = "secretsctl sta", {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_SHELL": "zsh"}
    at = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    done = bash("secretsctl 8>&1 9>/dev/null", **asking, **at)
    assert done.stdout.startswith("status:Says whether anything is wrong in an environment")


@pytest.mark.parametrize(
    ("shell", "register"),
    [
        ("bash", "complete -o nospace -o default -o bashdefault -F "),
        ("zsh", "#compdef secretsctl\n"),
        ("fish", "complete --command secretsctl "),
    ],
)
def test_each_shell_is_told_in_its_own_words(shell, register, capsys):
    assert main(["completion", shell]) == 0
    assert register in capsys.readouterr().out


def test_no_other_command_starts_slower():
    script = (
        "import sys; from platform_secrets.secretsctl.commands import main; main(['render']);"
        "sys.exit('argcomplete' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
