"""The steps of the workflows that comment on a pull request, run as they are written."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.declaring import PROJECT
from tests.settings_files import CATALOGUE, STACK, changed
from tests.test_diff import git, write

CHECK = PROJECT / "platform_secrets/secretsctl/new_project/check.yaml"
CI = PROJECT / ".github/workflows/ci.yaml"
# Answers a list of comments with what stands in $KNOWN, and keeps what is sent.
GH = """#!/bin/sh
case "$*" in
  *--paginate*) printf %s "$KNOWN" ;;
  *) printf '%s\\n' "$*" >> sent; cat > body ;;
esac
"""
COMMENTS = "repos/shop/secrets/issues/7/comments"


def jobs(workflow: Path) -> dict[str, Any]:
    return yaml.safe_load(workflow.read_text())["jobs"]


def step(workflow: Path, job: str, begin: str) -> str:
    """The one step of a job whose script begins so."""
    scripts = [one.get("run", "") for one in jobs(workflow)[job]["steps"]]
    [found] = [one for one in scripts if one.startswith(begin)]
    return found


def run(script: str, **variables: str) -> None:
    """As GitHub runs it: with bash that ends at the first error."""
    path = f"{Path.cwd() / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", "-eo", "pipefail", "-c", script]
    subprocess.run(command, check=True, env={**os.environ, "PATH": path, **variables})  # noqa: S603


@pytest.fixture
def merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pull request that opens a bundle to a service, merged as GitHub does to check it."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    write(tmp_path)
    git("add", ".")
    git("commit", "-qm", "Begin")
    git("checkout", "-qb", "change")
    write(tmp_path, changed(CATALOGUE, "services.worker.reads", ["shared", "mail"]))
    git("commit", "-qam", "Let the worker send mail")
    git("checkout", "-q", "main")
    write(tmp_path, stack=changed({**STACK, "protect": False}, "readers.groups", ["others"]))
    git("commit", "-qam", "Something else, meanwhile")
    git("merge", "-q", "--no-ff", "change", "-m", "Check it")
    return tmp_path


def test_the_comment_says_what_the_pull_request_changes_and_nothing_else(merged):
    script = step(CHECK, "rendered", "secretsctl diff")
    run(script, GITHUB_STEP_SUMMARY="summary", GITHUB_OUTPUT="output")
    summary = Path("summary").read_text()
    assert "+ StatefulSet/worker gains mail/smtp-password" in summary
    assert "others" not in summary
    first, *lines = Path("output").read_text().splitlines(keepends=True)
    name, _, end = first.rstrip("\n").partition("<<")
    assert (name, lines[-1].rstrip("\n"), "".join(lines[:-1])) == ("comment", end, summary)


def test_a_base_that_is_wrong_is_said_and_fails_nothing(merged):
    write(merged, "platform: No")
    git("commit", "-qam", "Slip")
    write(merged)
    git("commit", "-qam", "Mend it")
    script = step(CHECK, "rendered", "secretsctl diff")
    run(script, GITHUB_STEP_SUMMARY="summary", GITHUB_OUTPUT="output")
    assert "HEAD^1:catalogue.yaml:1: platform: " in Path("summary").read_text()


@pytest.mark.parametrize(
    ("known", "sent"),
    [
        ("", f"--method POST {COMMENTS}"),
        ("https://api.example.com/9\n", "--method PATCH https://api.example.com/9"),
        (
            "https://api.example.com/9\nhttps://api.example.com/12\n",
            "PATCH https://api.example.com/9",
        ),
    ],
)
def test_there_is_one_comment_which_each_push_changes(tmp_path, monkeypatch, known, sent):
    monkeypatch.chdir(tmp_path)
    Path("bin").mkdir()
    Path("bin/gh").write_text(GH)
    Path("bin/gh").chmod(0o755)
    text = "### What\n\n$(touch broken) `touch broken` \"'\n"
    run(step(CHECK, "comment", "mark="), COMMENTS=COMMENTS, COMMENT=text, KNOWN=known)
    [line] = Path("sent").read_text().splitlines()
    assert f"{sent} --field body=@-" in line
    assert Path("body").read_text() == f"<!-- secretsctl diff -->\n{text}"
    assert not Path("broken").exists()


def test_our_own_workflow_comments_in_the_same_way():
    assert step(CI, "comment", "mark=") == step(CHECK, "comment", "mark=")
    written = step(CI, "review", "make --silent diff BASE=HEAD^1").splitlines()
    assert written[1:] == step(CHECK, "rendered", "secretsctl diff").splitlines()[1:]


@pytest.mark.parametrize("workflow", [CHECK, CI])
def test_what_may_write_a_comment_runs_nothing_of_the_pull_request(workflow):
    assert "pull_request_target" not in workflow.read_text()
    for name, job in jobs(workflow).items():
        if job["permissions"] != {"contents": "read"}:
            assert (name, job["permissions"]) == ("comment", {"pull-requests": "write"})
            [only] = job["steps"]
            assert "${{" not in only["run"], "what a pull request says is in variables alone"
            assert "head.repo.full_name == github.repository" in job["if"]
