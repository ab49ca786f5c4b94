"""Every command on every kind of stack: a sentence and an exit code, whatever the stack is."""

import os
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from platform_secrets.secretsctl.arguments import parser
from platform_secrets.secretsctl.commands import main
from tests.settings_files import BASIC, CATALOGUE, REMOVED, STACK, changed, stack, text_of

UID = "11111111-2222-4333-8444-555555555555"
CLUSTER = {"cluster": {"uid": UID}}
NO_REGISTRY = {"rotator": {"image": "localhost:1/shop/python:3.13-alpine"}}
GITOPS = {"gitops": STACK["gitops"]}
DATABASE = {
    "host": "db.example.com",
    "name": "shop",
    "admin-user": "vault",
    "users": ["shop_a", "shop_b"],
    "grants": ["shop"],
}
KINDS: dict[str, dict[str, Any]] = {
    "basic": BASIC,
    "basic with gitops": {**BASIC, **GITOPS},
    "basic by gitops": {**BASIC, **GITOPS, "delivery": "gitops"},
    "vault": STACK,
    "vault, an entry per key": changed(STACK, "stores.vault.layout", "per-key"),
    "vault's database": changed(STACK, "stores.vault.database", DATABASE),
    "aws": stack("aws"),
    "aws, an entry per bundle": changed(stack("aws"), "stores.aws.layout", "bundle"),
    "gcp": stack("gcp"),
    "azure": stack("azure"),
    "two stores": {**stack("vault", "aws"), "bundles": {"mail": {"store": "aws"}}},
    "entries that exist": {
        **STACK,
        "bundles": {"mail": {"entry": "apps/mail", "keys": {"smtp-password": {"property": "pw"}}}},
    },
    "without a bundle": {**STACK, "without": {"keys": ["shared/database-url"]}},
    "declared": changed(STACK, "stores.vault.backend", "declare"),
    "by gitops": {**STACK, "delivery": "gitops"},
    "without gitops": changed(STACK, "gitops", REMOVED),
    "migrating": {**STACK, "seeding": {"groups": ["wren-operators"]}, "migrating": ["mail"]},
    "follower": {**STACK, "rotation": "follower"},
    "existing operator": {**STACK, "operator": "existing"},
    "without rotation": STACK,
    "without a cluster": STACK,
    "another cluster": STACK,
}
COMMANDS = [
    "render",
    "check",
    "render --check",
    "render --out -",
    "basic-secrets",
    "put-commands",
    "put-commands smtp-password token",
    "put-commands --not-ready",
    "rotate token",
    "rotate token --dry-run",
    "rotate token --wait",
    "rotate smtp-password",
    "rotate database-url",
    "set smtp-password --from-literal short",
    "set token --previous",
    "set smtp-password --previous --version 4",
    "rotated token",
    "rotated smtp-password --on 2026-01-31",
    "sync",
    "sync shop-mail --wait",
    "restart token",
    "migrate mail --dry-run",
    "seed --from-env-file values.env --yes",
    "pin-image",
    "example",
    "status",
    "status --json --secrets",
    "who token",
    "who token --live",
    "doctor",
    "doctor --json",
    "report",
    "report --json",
    "diff --base .",
]
# The right cluster, with nothing applied to it yet.
KUBECTL = """#!/bin/sh
case "$*" in
  *kube-system*) echo '{"metadata": {"uid": "%s"}}' ;;
  *" patch "* | *" create "* | *--raw*) echo 'Error from server (NotFound): none' >&2; exit 1 ;;
esac
"""
BY_ENGINE = {"by": "database", "every": "180d"}


def _expected(kind: str, command: str) -> int:
    """The exit code."""
    name, *words = command.split()
    if name in ("render", "check", "example", "diff", "report"):
        return 1 if "--check" in words else 0
    if name == "who":
        return 1 if "--live" in words and kind in ("without a cluster", "another cluster") else 0
    if name == "doctor":
        return 1
    is_basic, asks_nobody = "basic" in kind, "--not-ready" not in words
    if name == "basic-secrets":
        return 0 if is_basic else 2
    if name == "pin-image":
        return 2 if is_basic or kind in ("follower", "without rotation") else 1
    if name != "restart" and is_basic:
        return 2
    if name in ("seed", "set", "migrate") and kind != "migrating":
        return 2
    if name == "put-commands" and asks_nobody:
        return 0
    if name in ("rotate", "rotated") and kind in ("follower", "without rotation"):
        return 2
    if words[:1] == ["smtp-password"] and name == "rotate":
        return 2
    if name == "rotate" and words == ["database-url"] and kind != "vault's database":
        return 2
    if kind in ("without a cluster", "another cluster"):
        return 1
    return 0 if name in ("restart", "put-commands") else 1


@pytest.fixture
def kubectl(tmp_path, monkeypatch) -> None:
    """Somebody's `kubectl` for a cluster on which nothing is."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").write_text(KUBECTL % UID)
    (folder / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_ends_with_a_sentence_and_its_exit_code(
    tmp_path, monkeypatch, capsys, kubectl, kind
):
    monkeypatch.chdir(tmp_path)
    catalogue = changed(CATALOGUE, "bundles.shared.keys.database-url.rotate", BY_ENGINE)
    if kind == "without rotation":
        catalogue = yaml.safe_load(text_of(CATALOGUE))
        for bundle in catalogue["bundles"].values():
            for key in bundle["keys"].values():
                key.pop("rotate", None)
    content = {**KINDS[kind], **CLUSTER, **NO_REGISTRY}
    if kind == "without a cluster":
        del content["cluster"]
    if kind == "another cluster":
        content["cluster"] = {"uid": UID.replace("1", "9")}
    Path("catalogue.yaml").write_text(text_of(catalogue))
    Path("values.env").write_text(f"smtp-password={token_hex(8)}\n")
    Path("Pulumi.test.yaml").write_text(
        text_of({"config": {"platform-secrets:environment": content}})
    )
    values = {
        "database-url": f"postgresql://shop:{token_hex(8)}@db.example.com:5432/shop",
        "token": token_hex(16),
        "smtp-password": token_hex(16),
    }
    Path("secrets.env").write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    wrong = {}
    for command in COMMANDS:
        which = [] if command == "example" else ["--env", "test"]
        if command == "render --check":
            Path("rendered/test/kustomization.yaml").unlink()
        code = main([*command.split(), *which])
        out, err = capsys.readouterr()
        err = "".join(line for line in err.splitlines(True) if not line.startswith("warning: "))
        # What is wrong in a cluster is what was asked for.
        is_answer = code == 1 and command.startswith(("doctor", "status"))
        told = err or (out or "told" if is_answer else "")
        if code != _expected(kind, command) or bool(told) != bool(code) or "None" in told:
            wrong[command] = (code, err)
    assert wrong == {}


def test_no_command_is_left_out(capsys):
    functions = {}

    class Noted(dict):
        def __missing__(self, name):
            functions[name] = name
            return name

    parser(Noted())
    of_no_stack = {"init", "import", "planned", "schema", "completion"}
    assert {command.split()[0] for command in COMMANDS} | of_no_stack == {*functions}
