"""`secretsctl COMMAND --help`: what it says is there, and is true."""

import argparse
import io
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from secrets import token_hex

import pytest
import yaml

from platform_secrets.secretsctl.arguments import parser
from platform_secrets.secretsctl.commands import _FUNCTIONS, main
from platform_secrets.secretsctl.help_texts import EXAMPLES, FAILURES
from tests.conftest import PROJECT
from tests.test_every_command import KUBECTL, UID

# Of a person, or of a cluster where the operator is: here they can only be parsed.
ASKS = {
    "secretsctl set mail-password --env production",
    "secretsctl import --from-cluster --namespace shop --env production",
}
RUN = [(name, example) for name, examples in EXAMPLES.items() for example in examples]


def arguments_of(name):
    subcommands = next(
        one for one in parser(_FUNCTIONS)._actions if isinstance(one, argparse._SubParsersAction)
    )
    return subcommands.choices[name]._actions


def ended_by_hand(_):
    raise KeyboardInterrupt


@pytest.fixture
def project(tmp_path, monkeypatch):
    """What `secretsctl init` writes, in Git, with what the examples name besides."""
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--name", "shop"]) == 0
    stack = Path("Pulumi.production.yaml")
    content = yaml.safe_load(stack.read_text())
    content["config"]["shop:environment"] |= {
        "cluster": {"uid": UID},
        "seeding": {"groups": ["shop-operators"]},
        "migrating": ["web"],
        "protect": False,
        "rotator": {"image": "localhost:1/python:3.13-alpine"},
    }
    stack.write_text(yaml.safe_dump(content))
    assert main(["render", "--all"]) == 0
    Path("preview.json").write_text('{"steps": [], "changeSummary": {}}')
    for name in ("values.env", "secrets.env"):
        Path(name).write_text(
            "".join(f"{key}={token_hex(20)}\n" for key in ("mail-password", "signing-key"))
        )
    Path("bin").mkdir()
    Path("bin/kubectl").write_text(KUBECTL % UID)
    Path("bin/kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)  # noqa: S603


@pytest.mark.parametrize(("name", "example"), RUN)
def test_an_example_runs_as_it_stands_in_a_new_project(project, monkeypatch, capsys, name, example):
    monkeypatch.setattr(sys, "stdin", io.StringIO("kind: List\nitems: []\n"))
    monkeypatch.setattr(time, "sleep", ended_by_hand)
    (words,) = re.findall(r"(secretsctl [^|;>)]*)", example)
    assert words.split()[1] == name
    if example in ASKS:
        parser(_FUNCTIONS).parse_args(shlex.split(words)[1:])
        return
    code = main(shlex.split(words)[1:])
    assert code in ((0, 1, 130) if name in FAILURES else (0,)), capsys.readouterr().err


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_the_help_of_a_command_has_examples_and_exit_codes(capsys, name):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert EXAMPLES[name]
    assert all(f"\n  {example}\n" in shown for example in EXAMPLES[name])
    codes = re.findall(r"^  (\d+) +\S", shown.partition("exit codes:\n")[2], re.M)
    assert codes == (["0", "1", "2", "130"] if name in FAILURES else ["0", "2", "130"])


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_each_argument_has_a_help(name):
    assert [one.dest for one in arguments_of(name) if not one.help] == []


def test_an_option_of_several_commands_says_the_same_in_each():
    seen = {}
    shared = {"--env", "--stack", "--catalogue", "--json", "--dry-run", "--name", "--context"}
    for name in _FUNCTIONS:
        for one in arguments_of(name):
            for option in shared & {*one.option_strings}:
                seen.setdefault(option, set()).add((one.metavar, type(one)))
    assert {option: len(ways) for option, ways in seen.items()} == dict.fromkeys(shared, 1)


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_the_readme_has_the_same_exit_codes(name):
    rows = re.findall(
        rf"^\| `secretsctl {name}\b[^-].*\| ([^|]+) \|$", (PROJECT / "README.md").read_text(), re.M
    )
    assert rows == [f"0, 1 {FAILURES[name]}, 2" if name in FAILURES else "0, 2"]


def test_no_other_command_than_help_reads_the_texts():
    script = (
        "import sys; from platform_secrets.secretsctl.commands import main; main([]);"
        "sys.exit('platform_secrets.secretsctl.help_texts' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
