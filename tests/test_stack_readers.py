"""A stack file has two readers, Pulumi's and ours: both give the program the same settings.

Pulumi's own reading happens in its command line, which PyPI does not have: tests/e2e compares the
two on every stack file. Here is the way from there on: the object arrives as JSON.
"""

import json

import pulumi
import pytest

from platform_secrets import settings
from platform_secrets.settings.documents import STACK_KEY
from tests.declaring import declare


def through_pulumi(content):
    """What `pulumi.Config` gives the program for an object in a stack file."""
    read = []
    declare(
        lambda: read.append(pulumi.Config().require_object("environment")),
        config={STACK_KEY: json.dumps(content)},
    )
    return read[0]


def test_both_readers_give_the_same_settings(any_stack):
    document = settings.Document(any_stack.path.name, through_pulumi(any_stack.content))
    [loaded] = settings.load([document], settings.catalogue_document(any_stack.catalogue))
    assert loaded.environment == any_stack.settings.environment


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6443", 6443),
        ("1000000", 1000000),
        ("true", True),
        ("'6443'", "6443"),
        ('"012345678901"', "012345678901"),
        ("'yes'", "yes"),
        ("'2026-01-31'", "2026-01-31"),
        ("1h", "1h"),
        ("[10.0.0.0/8]", ["10.0.0.0/8"]),
        ("{replicaCount: 3, factor: 0.5}", {"replicaCount": 3, "factor": 0.5}),
    ],
)
def test_a_scalar_keeps_its_kind_on_both_ways(text, value, tmp_path):
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(f"config:\n  {STACK_KEY}:\n    field: {text}\n")
    ours = settings.stack_document(file).content
    theirs = through_pulumi(ours)
    assert ours == theirs == {"field": value}
    assert isinstance(ours, dict)
    assert type(ours["field"]) is type(theirs["field"]) is type(value)


@pytest.mark.parametrize("text", ["yes", "2026-01-31", "012345678901", "1e3", "0x1f", "12:30:45"])
def test_what_the_two_would_read_differently_is_refused(text, tmp_path):
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(f"config:\n  {STACK_KEY}:\n    environment: {text}\n")
    [problem] = settings.stack_document(file).problems
    assert problem.path == ("environment",)
    assert problem.line == 3
