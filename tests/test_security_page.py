"""docs/security.md: each test that it names exists, and no identity is left out."""

import ast
import re
from functools import cache
from typing import get_args

import pytest

from platform_secrets.manifests import naming
from platform_secrets.settings import Identity
from platform_secrets.settings.stores import Store
from tests.declaring import PROJECT

TEXT = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8")
CLAIMING = ("Identities", "The operator's threat model", "Checklists")
NAMED_TESTS = sorted({*re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)})
STORES = get_args(get_args(Store)[0])


def chapter(title):
    [_, found] = f"\n{TEXT}".split(f"\n## {title}\n")
    return found.split("\n## ")[0]


def rows(text):
    """The cells of every row of every table, without the tables' heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {n - 1 for n, line in enumerate(lines) if line.startswith("|---")}
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for n, line in enumerate(lines)
        if n not in heads and not line.startswith("|---")
    ]


def accounts():
    """The accounts of the table of those in the cluster, as patterns."""
    table = chapter("Identities").split("\n### ")[1]
    names = [name for cells in rows(table) for name in re.findall(r"`([^`]+)`", cells[1])]
    return {name: re.sub(r"<\w+>", "[a-z0-9-]+", name) for name in names}


@cache
def functions(file):
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_exists():
    assert len(NAMED_TESTS) > 50
    gone = [f"{file}::{name}" for file, name in NAMED_TESTS if name not in functions(file)]
    assert gone == []


def test_whatever_looks_like_a_test_is_named_with_its_file():
    whole = {name for _, name in NAMED_TESTS}
    assert set(re.findall(r"\btest_\w+(?!\w|\.py)", TEXT)) == whole


@pytest.mark.parametrize("title", CLAIMING)
def test_each_row_has_a_test_or_says_that_there_is_none(title):
    found = rows(chapter(title))
    assert found
    shown = re.compile(r"`tests/|#at-the-providers|not proved|not met", re.IGNORECASE)
    assert [cells[0] for cells in found if not shown.search(" ".join(cells[1:]))] == []


@pytest.mark.parametrize("identity", get_args(Identity))
def test_each_identity_of_a_store_has_a_row_with_its_account(identity):
    account = naming.secret_store("<store>", identity)
    assert [cells[0] for cells in rows(TEXT) if cells[1] == f"`{account}`"] == [identity]


@pytest.mark.parametrize("store", STORES)
def test_each_provider_has_a_row(store):
    [provider] = get_args(store.model_fields["provider"].annotation)
    table = chapter("Identities").split("\n### ")[3]
    assert [cells for cells in rows(table) if f"`{provider}`" in cells[0]]


def test_each_account_that_is_rendered_has_a_row(any_stack):
    """Services' accounts have one row together: the catalogue names them."""
    bindings = [one for one in any_stack.rendered_objects if one["kind"] == "RoleBinding"]
    named = {subject["name"] for one in bindings for subject in one["subjects"]}
    made = [one for one in any_stack.rendered_objects if one["kind"] == "ServiceAccount"]
    named |= {one["metadata"]["name"] for one in made}
    settings = any_stack.settings
    services = {service.account for service in settings.catalogue.services.values()}
    readers = {*settings.environment.readers.groups, *settings.environment.readers.users}
    patterns = accounts().values()
    others = named - services - readers
    assert {one for one in others if not any(re.fullmatch(each, one) for each in patterns)} == set()
