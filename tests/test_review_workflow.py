"""The steps of the workflows that comment on a pull request, run as they are written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_secrets.policy import RULES
from platform_secrets.secretsctl.commands import main
from tests.declaring import PROJECT
from tests.settings_files import CATALOGUE, STACK, changed, text_of
from tests.test_diff import git, write

CHECK = PROJECT / "platform_secrets/secretsctl/new_project/check.yaml"
CI = PROJECT / ".github/workflows/ci.yaml"
GITLAB = PROJECT / "examples/delivery/gitlab-ci.yml"
STEPS = PROJECT / "platform_secrets/secretsctl/new_project/review.mk"
REVIEW = "make --silent review BASE="
TO_EVERYBODY = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "by-mistake"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
}
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
    Path("Makefile").write_text(STEPS.read_text())
    assert main(["render", "--all"]) == 0
    return tmp_path


def reviewed() -> str:
    """The comment."""
    script = step(CHECK, "rendered", REVIEW)
    run(script, GITHUB_STEP_SUMMARY="summary", GITHUB_OUTPUT="output")
    return Path("summary").read_text()


def test_the_comment_says_what_the_pull_request_changes_and_nothing_else(merged):
    summary = reviewed()
    assert "+ StatefulSet/worker gains mail/smtp-password" in summary
    assert "others" not in summary
    first, *lines = Path("output").read_text().splitlines(keepends=True)
    name, _, end = first.rstrip("\n").partition("<<")
    assert (name, lines[-1].rstrip("\n"), "".join(lines[:-1])) == ("comment", end, summary)


def test_the_comment_says_that_the_policy_holds(merged):
    assert reviewed().startswith(f"### Policy\n\n**test**: passed, {len(RULES)} rules on ")


def test_a_broken_rule_is_in_the_comment_and_makes_the_check_red(merged):
    Path("rendered/test/added.yaml").write_text(text_of(TO_EVERYBODY))
    comment = reviewed()
    assert "**test**: 1 violation\n```diff\n- ClusterRoleBinding by-mistake: " in comment
    assert "(narrow-binding)\n  right: " in comment
    assert "+ StatefulSet/worker gains mail/smtp-password" in comment
    with pytest.raises(subprocess.CalledProcessError):
        run(step(CHECK, "rendered", "secretsctl check"))


def test_a_missing_tree_is_in_the_comment_beside_what_the_change_means(merged):
    shutil.rmtree("rendered")
    comment = reviewed()
    assert comment.startswith("rendered/test: no such folder; run `secretsctl render`\n")
    assert "+ StatefulSet/worker gains mail/smtp-password" in comment
    assert "make" not in comment


def test_gitlab_s_example_says_the_same_and_fails_by_the_same(merged):
    comment = reviewed()
    job = yaml.safe_load(GITLAB.read_text())["check"]
    [script] = [one for one in job["script"] if one.startswith(REVIEW)]
    variables = {"SECRETSCTL": "secretsctl", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD^1"}
    run(script, **variables)
    assert Path("review.md").read_text() == comment
    assert job["artifacts"] == {"when": "always", "paths": ["review.md"]}
    failing = [one.removeprefix(".venv/bin/") for one in job["script"] if one != script]
    steps = [one.get("run", "") for one in jobs(CHECK)["rendered"]["steps"]]
    assert failing == [one for one in steps if one.startswith("secretsctl ")]


def test_a_base_that_is_wrong_is_said_and_fails_nothing(merged):
    write(merged, "platform: No")
    git("commit", "-qam", "Slip")
    write(merged)
    git("commit", "-qam", "Mend it")
    assert "HEAD^1:catalogue.yaml:1: platform: " in reviewed()


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
    theirs = step(CHECK, "rendered", REVIEW)
    assert step(CI, "review", REVIEW) == theirs.replace(" SECRETSCTL=secretsctl", "")
    assert f"\ninclude {STEPS.relative_to(PROJECT)}\n" in (PROJECT / "Makefile").read_text()
    assert "\n\t.venv/bin/secretsctl check\n" in (PROJECT / "Makefile").read_text()


@pytest.mark.parametrize("workflow", [CHECK, CI])
def test_what_may_write_a_comment_runs_nothing_of_the_pull_request(workflow):
    assert "pull_request_target" not in workflow.read_text()
    for name, job in jobs(workflow).items():
        if job["permissions"] != {"contents": "read"}:
            assert (name, job["permissions"]) == ("comment", {"pull-requests": "write"})
            [only] = job["steps"]
            assert "${{" not in only["run"], "what a pull request says is in variables alone"
            assert "head.repo.full_name == github.repository" in job["if"]
