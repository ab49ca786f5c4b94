"""`secretsctl diff`: revisions, folders, exit codes, and what is shown."""

import json
import subprocess
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from platform_secrets.secretsctl.commands import main
from platform_secrets.secretsctl.diff_texts import markdown
from tests.settings_files import CATALOGUE, REMOVED, STACK, changed, text_of

UNPROTECTED = {**STACK, "protect": False}


def git(*arguments: str) -> str:
    named = ["-c", "user.name=people", "-c", "user.email=people@example.com"]
    done = subprocess.run(  # noqa: S603
        ["git", *named, *arguments],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def write(folder: Path, catalogue: Any = CATALOGUE, stack: Any = UNPROTECTED) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "catalogue.yaml").write_text(
        catalogue if isinstance(catalogue, str) else text_of(catalogue)
    )
    (folder / "Pulumi.test.yaml").write_text(
        text_of({"config": {"platform-secrets:environment": stack}})
    )


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One commit of the shop, in a folder of a repository that has more."""
    folder = tmp_path / "repository" / "secrets"
    folder.parent.mkdir()
    write(folder)
    monkeypatch.chdir(folder)
    git("init", "-q", "-b", "main", "..")
    git("add", ".")
    git("commit", "-qm", "Begin")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Runs the command; its exit code, what it prints, and what it complains of."""

    def diff(*arguments: str) -> tuple[int, str, str]:
        code = main(["diff", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return diff


MAIL_FOR_ALL = changed(CATALOGUE, "services.worker.reads", ["shared", "mail"])
WITHOUT_MAIL = changed(
    changed(CATALOGUE, "services.web.reads", ["shared"]), "bundles.mail", REMOVED
)


def test_the_folder_as_it_is_is_compared_with_a_revision(repository, run):
    write(repository, MAIL_FOR_ALL)
    code, out, _ = run("--base", "HEAD")
    assert code == 0
    assert "+ StatefulSet/worker gains mail/smtp-password" in out
    assert " loses " not in out


def test_two_revisions_are_compared_and_the_work_tree_is_not_touched(repository, run):
    write(repository, MAIL_FOR_ALL)
    git("commit", "-qam", "Let the worker send mail")
    write(repository, "what: somebody is writing")
    before = git("status", "--porcelain")
    code, out, _ = run("--base", "HEAD", "--head", "HEAD~1")
    assert (code, git("status", "--porcelain")) == (0, before)
    assert "- StatefulSet/worker loses mail/smtp-password" in out
    assert " gains " not in out


def test_two_folders_are_compared_without_a_repository(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "one")
    write(tmp_path / "two", MAIL_FOR_ALL)
    code, out, _ = run("--base", "one", "--head", "two")
    assert code == 0
    assert "+ StatefulSet/worker gains mail/smtp-password" in out


def test_a_catalogue_above_the_stack_files_is_read_at_the_revision_too(repository, run):
    (repository / "catalogue.yaml").rename(repository.parent / "needs.yaml")
    git("add", "-A", "..")
    git("commit", "-qm", "Move the catalogue")
    (repository.parent / "needs.yaml").write_text(text_of(MAIL_FOR_ALL))
    for named in ("../needs.yaml", str(repository.parent / "needs.yaml")):
        code, out, _ = run("--base", "HEAD", "--catalogue", named)
        assert code == 0
        assert "+ StatefulSet/worker gains mail/smtp-password" in out
    (repository.parent / "needs.yaml").write_text("platform: No\n")
    git("commit", "-qam", "Slip")
    _, _, err = run("--base", "HEAD", "--catalogue", "../needs.yaml")
    assert "HEAD:../needs.yaml:1: platform: " in err


def test_a_link_is_followed_at_the_revision_as_it_is_in_the_folder(repository, run):
    shared = repository.parent / "needs.yaml"
    (repository / "catalogue.yaml").rename(shared)
    (repository / "catalogue.yaml").symlink_to("../needs.yaml")
    (repository / "Pulumi.test.yaml").rename(repository / "test.yaml")
    (repository / "Pulumi.test.yaml").symlink_to("test.yaml")
    git("add", "-A", "..")
    git("commit", "-qm", "Share the catalogue")
    shared.write_text(text_of(MAIL_FOR_ALL))
    code, out, _ = run("--base", "HEAD")
    assert code == 0
    assert "+ StatefulSet/worker gains mail/smtp-password" in out
    assert " loses " not in out


def test_a_new_environment_is_all_new(repository, run):
    second = {**UNPROTECTED, "environment": "second"}
    path = repository / "Pulumi.second.yaml"
    path.write_text(text_of({"config": {"platform-secrets:environment": second}}))
    code, out, _ = run("--base", "HEAD", "--json")
    found = json.loads(out)
    assert code == 0
    assert {one["change"] for one in found["second"]["secrets"]} == {"appears"}
    assert not any(found["test"].values())


@pytest.mark.parametrize(
    ("catalogue", "options", "code"),
    [
        (CATALOGUE, ["--exit-code", "--fail-on-loss"], 0),
        (MAIL_FOR_ALL, [], 0),
        (MAIL_FOR_ALL, ["--fail-on-loss"], 0),
        (MAIL_FOR_ALL, ["--exit-code"], 1),
        (WITHOUT_MAIL, [], 0),
        (WITHOUT_MAIL, ["--fail-on-loss"], 1),
    ],
)
def test_the_exit_code_is_what_was_asked_for(repository, run, catalogue, options, code):
    write(repository, catalogue)
    assert run("--base", "HEAD", *options)[0] == code


def test_what_is_protected_fails_nothing_and_is_told(repository, run):
    write(repository, stack=STACK)
    git("commit", "-qam", "Protect it")
    write(repository, WITHOUT_MAIL, STACK)
    code, out, _ = run("--base", "HEAD", "--fail-on-loss")
    assert code == 0
    assert "stays until somebody deletes it\n    - Secret shop-test/shop-mail\n" in out


def test_a_base_that_is_invalid_is_told_with_its_revision_and_line(repository, run):
    write(repository, changed(CATALOGUE, "services.web.reads", ["mial"]))
    git("commit", "-qam", "Slip")
    write(repository)
    code, out, err = run("--base", "HEAD")
    assert (code, out) == (2, "")
    assert err.startswith("HEAD:catalogue.yaml:")
    assert "services.web.reads.0: no such bundle (did you mean mail?)" in err


def test_errors_of_both_sides_are_told_at_once(repository, run):
    write(repository, changed(CATALOGUE, "platform", "No"))
    git("commit", "-qam", "Slip")
    write(repository, changed(CATALOGUE, "services.web.reads", ["mial"]))
    code, _, err = run("--base", "HEAD")
    assert code == 2
    assert "HEAD:catalogue.yaml:1: platform: " in err
    assert "\ncatalogue.yaml:" in err


@pytest.mark.parametrize("place", ["nowhere", "--output=stolen", "HEAD:catalogue.yaml"])
def test_what_is_no_revision_is_told(repository, run, place):
    code, out, err = run(f"--base={place}")
    assert (code, out) == (2, "")
    assert "--base: is no revision of this repository, nor a folder with stack files" in err
    assert not (repository / "stolen").exists()


def test_a_revision_before_the_platform_is_told(repository, run):
    git("rm", "-rq", ".")
    git("commit", "-qm", "End")
    write(repository)
    code, _, err = run("--base", "HEAD")
    assert code == 2
    assert "--base: at HEAD this folder has no stack file: there is nothing to compare" in err


def test_an_environment_that_nobody_has_is_told(repository, run):
    code, _, err = run("--base", "HEAD", "--env", "tset")
    assert code == 2
    assert "--env: no stack file of either side is of this environment; there are: test" in err


def test_without_a_repository_a_revision_is_told(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(tmp_path)
    code, _, err = run("--base", "HEAD")
    assert code == 2
    assert "this is no Git repository (or git is missing)" in err


def test_markdown_says_most_at_first_sight_and_folds_the_objects_away(repository, run):
    write(repository, MAIL_FOR_ALL)
    code, out, _ = run("--base", "HEAD", "--markdown")
    assert code == 0
    first = "**test**: 1 reader gains access, 1 object differs"
    assert out.startswith(
        f"### What this changes, compared with HEAD\n\n{first}\n\nAccess\n```diff\n"
    )
    assert (
        "<details><summary>Objects</summary>\n\n```diff\n~ Role shop-test/worker-secrets: rules\n"
        in out
    )
    assert out.count("```") % 2 == 0


def test_a_group_s_name_is_no_markup_and_moves_no_cursor(repository, run):
    name = "```\n@everybody".replace("\n", " ") + "\u200f"
    write(repository, stack=changed(UNPROTECTED, "readers.groups", ["shop-people", name]))
    out = run("--base", "HEAD", "--markdown")[1]
    inside = False
    for line in out.splitlines():
        inside ^= line.startswith("```")
        assert "@everybody" not in line or inside
    assert "\u200f" not in out + run("--base", "HEAD")[1]


def test_a_comment_is_never_longer_than_github_takes(repository, run):
    bundles = {
        f"b{at}": {"secret": f"secret-{at}", "keys": {f"k{at}": {"description": "one of many"}}}
        for at in range(700)
    }
    catalogue = {**CATALOGUE, "bundles": {**CATALOGUE["bundles"], **bundles}}
    write(repository, catalogue)
    code, out, _ = run("--base", "HEAD", "--markdown")
    assert code == 0
    # Its 65,536 characters hold what `secretsctl check` says too.
    assert 45_000 < len(out.encode()) < 55_000
    assert out.count("```") % 2 == 0
    assert out.count("<details>") == out.count("</details>")
    assert out.endswith("\nToo long for a comment; `secretsctl diff` shows the rest.\n")


def test_no_difference_is_said_in_every_form(repository, run):
    assert run("--base", "HEAD")[1] == "test: no difference\n"
    assert "**test**: no difference\n" in run("--base", "HEAD", "--markdown")[1]
    assert not any(json.loads(run("--base", "HEAD", "--json")[1])["test"].values())


def test_nothing_of_a_text_s_constants_is_shown(repository, run):
    canary = token_hex(8)
    texts = {"NOTE": f"it is {canary}"}
    write(repository, changed(CATALOGUE, "bundles.mail.texts", texts))
    for form in ([], ["--markdown"], ["--json"]):
        out = run("--base", "HEAD", *form)[1]
        assert "NOTE" in out
        assert canary not in out


def test_nothing_to_compare_is_an_empty_comment():
    assert markdown({}, "Title") == "### Title\n\n"
