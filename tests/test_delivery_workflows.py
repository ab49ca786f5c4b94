"""What the workflows of the delivery do beside the steps of make; those are tried on real parts."""

from pathlib import Path

import pytest
import yaml

from tests.declaring import PROJECT
from tests.test_review_workflow import jobs, run, step

TEXTS = PROJECT / "platform_secrets/secretsctl/new_project"
DRIFT, UPDATE, PREVIEW = (TEXTS / f"{name}.yaml" for name in ("drift", "update", "preview"))
# Answers with $KNOWN what asks, and keeps what is sent.
GH = """#!/bin/sh
case "$*" in
  *--body-file*) printf '%s\\n' "$*" > sent; cp body.md kept ;;
  *) printf %s "$KNOWN" ;;
esac
"""
# Keeps its arguments, and what it reads.
READER = """#!/bin/sh
printf '%s\\n' "$*" >> arguments
cat >> read
"""
ANSWER = """#!/bin/sh
printf %s "$KNOWN"
"""
MAKE = """#!/bin/sh
printf '%s\\n' "$*" >> made
printf '%s\\n' "$MADE"
exit $CODE
"""


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first programs that a step finds."""
    monkeypatch.chdir(tmp_path)
    Path("bin").mkdir()
    found = {"gh": GH, "make": MAKE, "curl": READER, "pulumi": READER}
    for name, text in {**found, "jq": ANSWER, "apk": ANSWER}.items():
        Path("bin", name).write_text(text)
        Path("bin", name).chmod(0o755)


def drift(*, known: str = "", code: str = "1", made: str = "- update `Role`") -> None:
    variables = {"STACK": "production", "RUN": "https://git.example.com/runs/1", "CODE": code}
    script = step(DRIFT, "drift", "if make --silent --keep-going drift doctor")
    run(script, **variables, MADE=made, KNOWN=known, GITHUB_STEP_SUMMARY="summary")


def test_drift_opens_an_issue_or_changes_the_one_that_is_open():
    drift()
    assert "issue create --title Drift in production" in Path("sent").read_text()
    assert Path("kept").read_text().startswith("- update `Role`\n")
    assert "https://git.example.com/runs/1" in Path("kept").read_text()
    drift(known="7")
    assert Path("sent").read_text() == "issue edit 7 --body-file body.md\n"


def test_where_nothing_differs_no_issue_is_touched():
    drift(known="7", code="0")
    assert not Path("sent").exists()


def test_an_issue_is_no_longer_than_github_takes():
    drift(made="x" * 70_000)
    assert len(Path("kept").read_text()) < 65_536


def deploy(newest: str) -> None:
    variables = {"STACK": "production", "KNOWN": newest, "CODE": "0", "MADE": ""}
    where = {"GITHUB_REPOSITORY": "a/b", "GITHUB_REF_NAME": "main", "GITHUB_SHA": "c1"}
    run(step(UPDATE, "deploy", "newest="), **variables, **where, APPROVED="- delete `a` $(touch b)")


def test_what_was_approved_is_what_make_reads():
    deploy("c1")
    assert Path("made").read_text() == "--silent deploy\n--silent doctor\n"
    assert Path(".delivery/plan-production.md").read_text() == "- delete `a` $(touch b)\n"
    assert not Path("b").exists()


def test_an_older_commit_is_not_deployed():
    deploy("c2")
    assert not Path("made").exists()


def test_only_what_follows_an_approval_may_change_an_environment():
    """The rights are those of the environment that a job names."""
    environments = {
        (workflow.stem, name): job["environment"]
        for workflow in (DRIFT, UPDATE, PREVIEW)
        for name, job in jobs(workflow).items()
    }
    assert environments.pop(("update", "deploy")) == "${{ inputs.stack }}"
    assert all(name.endswith("}}-preview") for name in environments.values())
    assert jobs(UPDATE)["deploy"]["needs"] == "plan"


def test_a_pull_request_of_a_fork_gets_no_credentials():
    [job] = jobs(PREVIEW).values()
    assert "pull_request.head.repo.full_name == github.repository" in job["if"]
    for file in (PROJECT / ".github/workflows").glob("*.yaml"):
        said = yaml.safe_load(file.read_text())
        # PyYAML takes `on` for true.
        if "pull_request" in str(said[True]) and file.stem != "preview":
            rights = [job.get("permissions", {}) for job in said["jobs"].values()]
            assert not [one for one in rights if "id-token" in one], file
            assert not [job for job in said["jobs"].values() if "environment" in job], file


def test_gitlab_s_example_runs_the_same_steps():
    text = (PROJECT / "examples/delivery/gitlab-ci.yml").read_text()
    said = yaml.safe_load(text)
    ours = {
        "preview": "plan",
        "plan": "plan",
        "deploy": "deploy doctor",
        "drift": "--keep-going drift doctor",
    }
    for job, steps in ours.items():
        assert said[job]["script"] == [f"make --silent {steps}"]
        for target in steps.removeprefix("--keep-going ").split():
            assert f"\n{target}:" in (TEXTS / "delivery.mk").read_text()
    preview = {job: said[job]["environment"]["name"] for job in ours}
    assert preview.pop("deploy") == "production"
    assert {*preview.values()} == {"production-preview"}
    assert "environment" not in said["check"]


@pytest.mark.parametrize(("known", "method", "note"), [("", "POST", ""), ("7", "PUT", "/7")])
def test_gitlab_s_comment_is_written_by_a_token_that_no_other_process_sees(known, method, note):
    said = yaml.safe_load((PROJECT / "examples/delivery/gitlab-ci.yml").read_text())
    variables = {"COMMENT_TOKEN": "made-up", "KNOWN": known}
    run("\n".join(said["comment"]["script"]), **variables)
    asked, written = Path("arguments").read_text().splitlines()
    assert "made-up" not in asked + written
    assert f"-X {method} " in written
    assert written.endswith(f"/notes{note}")
    assert Path("read").read_text() == "PRIVATE-TOKEN: made-up\n" * 2


def test_gitlab_s_login_is_by_a_token_that_no_other_process_sees():
    said = yaml.safe_load((PROJECT / "examples/delivery/gitlab-ci.yml").read_text())
    variables = {"PULUMI_OIDC_TOKEN": "made-up", "PULUMI_ORGANIZATION": "shop"}
    run(said["preview"]["before_script"][0], **variables)
    login = "login --oidc-org shop --oidc-token file:///dev/stdin\n"
    assert Path("arguments").read_text() == login
    assert Path("read").read_text() == "made-up"
