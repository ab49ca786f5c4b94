"""`secretsctl planned`: what Pulumi's preview says, shortly, and held against what was approved."""

import json
from pathlib import Path
from typing import Any

import pytest

from platform_secrets.secretsctl.commands import main

LAYER = "urn:pulumi:production::shop::platform-secrets:layer:SecretsLayer"
VALUE = "a value"


def step(operation: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    """As the JSON of a preview has it; of what is there already by its ID."""
    there = {"custom": True, "id": f"shop/{name}", "inputs": {"data": VALUE}}
    state = {"custom": True, "inputs": {"data": VALUE}}
    old = {} if operation == "create" else {"oldState": there | more.pop("old", {})}
    urn = f"{LAYER}$kubernetes:{kind}::{name}"
    return {"op": operation, "urn": urn, "newState": state, **old, **more}


STACK = {"op": "same", "urn": "urn:pulumi:production::shop::pulumi:pulumi:Stack::shop-production"}
ROLE, SECRET = "rbac.authorization.k8s.io/v1:Role", "core/v1:Secret"
URN = '{"steps": [{"op": "delete", "urn": "shop"}]}'
UPDATED = step("update", ROLE, "web", detailedDiff={"rules[0].verbs": {"kind": "update"}})
DELETED = step("delete", SECRET, "mail")
REPLACED = [
    step(operation, SECRET, "web")
    for operation in ("create-replacement", "replace", "delete-replaced")
]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command on a preview with these steps; its exit code, and what it prints where."""
    monkeypatch.chdir(tmp_path)

    def planned(*steps: Any, options: tuple[str, ...] = (), **more: Any) -> tuple[int, str, str]:
        Path("preview.json").write_text(json.dumps({"steps": [STACK, *steps], **more}))
        code = main(["planned", "preview.json", *options])
        printed = capsys.readouterr()
        assert VALUE not in printed.out + printed.err
        return code, printed.out, printed.err

    return planned


def approve(text: str) -> tuple[str, ...]:
    Path("plan.md").write_text(text)
    return ("--approved", "plan.md")


def test_it_is_said_shortly_with_what_takes_something_away_first(run):
    component = {"op": "delete", "urn": f"{LAYER}::mail", "oldState": {"custom": False}}
    kept = step("delete", SECRET, "old", old={"retainOnDelete": True})
    read = step("read", "core/v1:Namespace", "kube-system")
    steps = [step("create", SECRET, "new"), UPDATED, DELETED, component, read, kept, *REPLACED]
    assert run(*steps) == (
        0,
        "### production: 2 to delete, 1 to replace, 1 to create, 1 to update\n\n"
        f"- delete `kubernetes:{SECRET}` `shop/mail`\n"
        f"- delete `kubernetes:{SECRET}` `shop/old`, which stays where it is\n"
        f"- replace `kubernetes:{SECRET}` `shop/web`\n"
        f"- create `kubernetes:{SECRET}` `new`\n"
        f"- update `kubernetes:{ROLE}` `shop/web`: rules[0].verbs\n",
        "",
    )


def test_where_nothing_changes_that_is_said(run):
    assert run(options=("--exit-code",)) == (0, "### production: nothing to do\n", "")
    assert run(UPDATED, options=("--exit-code",))[0] == 1


def test_what_was_approved_goes_on(run):
    _, text, _ = run(DELETED, *REPLACED)
    assert run(DELETED, *REPLACED, options=approve(text))[0] == 0
    assert run(DELETED, options=approve(text))[0] == 0, "less than was approved"
    assert run(UPDATED, DELETED, options=approve(text))[0] == 0, "an update takes nothing away"


@pytest.mark.parametrize(
    "more",
    [
        step("delete", SECRET, "other"),
        step("delete-replaced", SECRET, "other"),
        step("delete", ROLE, "mail"),
        step("replace", SECRET, "mail"),
        step("import-replacement", SECRET, "mail"),
        step("vaporize", SECRET, "mail"),
    ],
    ids=lambda one: one["op"],
)
def test_what_was_not_approved_stops_and_is_named(run, more):
    _, text, _ = run(DELETED)
    code, printed, said = run(DELETED, more, options=approve(text))
    assert (code, printed) == (1, "")
    assert said.startswith("plan.md: ")
    [line] = said.splitlines()[1:]
    assert line not in text


def test_what_is_no_text_approves_nothing(run):
    Path("plan.md").write_bytes(b"\xff\xfe")
    code, printed, said = run(DELETED, options=("--approved", "plan.md"))
    assert (code, printed) == (1, "")
    assert said.startswith("plan.md: ")


def test_what_was_to_stay_and_is_now_deleted_stops(run):
    _, text, _ = run(step("delete", SECRET, "mail", old={"retainOnDelete": True}))
    assert run(DELETED, options=approve(text))[0] == 1


def test_a_failed_preview_is_no_empty_one(run):
    error = {"severity": "error", "message": "no rights\n"}
    warning = {"severity": "warning", "message": "old"}
    assert run(diagnostics=[warning, error]) == (1, "", "no rights\n")


def test_warnings_are_told_once_in_a_line_each(run):
    warning = {
        "severity": "warning",
        "message": "<{%reset%}>the cluster\n was not asked<{%reset%}>",
    }
    _, text, _ = run(UPDATED, diagnostics=[warning, warning])
    assert text.endswith("rules[0].verbs\n\nwarning: the cluster was not asked\n")


@pytest.mark.parametrize("text", ["", "error: no stack", "[]", "{}", '{"steps": [1]}', "null", URN])
def test_what_is_no_preview_is_refused(tmp_path, monkeypatch, capsys, text):
    monkeypatch.chdir(tmp_path)
    Path("preview.json").write_text(text)
    assert main(["planned", "preview.json"]) == 2
    assert "preview.json: is not what `pulumi preview --json` prints" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(run, capsys):
    assert run(options=("--approved", "plan.md"))[0] == 2
