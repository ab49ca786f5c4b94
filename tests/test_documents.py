"""YAML is read in one way only: what two readers could take differently is refused, with its line.

The files are texts here, since the faults are in how something is written.
"""

import re
import signal

import pytest

from platform_secrets.settings import catalogue_document, stack_document
from tests.settings_files import CATALOGUE, STACK, changed, lines, problems, text_of, write_files

CATALOGUE_TEXT = text_of(CATALOGUE)
STACK_TEXT = """\
config:
  aws:region: eu-central-1
  platform-secrets:environment:
    environment: test
    operator: install
    stores:
      vault:
        provider: vault
        server: https://vault.example.com
    readers:
      groups: [people]
"""
DISAGREE = "quote it, or write true or false: YAML readers disagree on what this is"
TRUTHS = ["y", "Y", "n", "yes", "Yes", "no", "NO", "on", "Off", "TRUE", "True", "False"]
NUMBERS = "quote it: some YAML readers take this for a number, a date or nothing"
AMBIGUOUS = [
    *TRUTHS, "NULL", ".inf", "-.INF", "012345678901",
    ".nan", "012", "0o17", "0x1f", "0b11", "1e3", "1.5e+3", "1_000", ".5", "5.", "+1",
    "12:30", "12:30:45", "190:20:30", "2026-01-31", "2026-1-31", "2026-01-31T00:00:00Z",
    "12345678901234567890", "+.inf",
]  # fmt: skip


def _stack(old: str, new: str) -> str:
    assert old in STACK_TEXT
    return STACK_TEXT.replace(old, new)


def test_the_text_itself_is_valid(tmp_path):
    assert lines(tmp_path, CATALOGUE_TEXT, STACK_TEXT) == []


def test_words_that_readers_take_differently_must_be_quoted(tmp_path):
    found = lines(tmp_path, CATALOGUE_TEXT, _stack("[people]", f"[{', '.join(AMBIGUOUS)}]"))
    told = [
        f"stack.yaml:11: readers.groups.{n}: {DISAGREE if word in TRUTHS else NUMBERS}"
        for n, word in enumerate(AMBIGUOUS)
    ]
    assert sorted(found) == sorted(told)


@pytest.mark.parametrize("quote", ["'", '"'])
def test_every_word_in_quotes_is_text(tmp_path, quote):
    words = [*AMBIGUOUS, "5", "1.5", "true", "~", "null"]
    quoted = ", ".join(f"{quote}{word}{quote}" for word in words)
    write_files(tmp_path, "", _stack("[people]", f"[{quoted}]"))
    content = stack_document(tmp_path / "stack.yaml").content
    assert isinstance(content, dict)
    assert content["readers"]["groups"] == words


@pytest.mark.parametrize("word", ["5", "-5", "1.5", "true", "false", "~", "null", ""])
def test_a_plain_number_where_text_is_wanted_must_be_quoted(tmp_path, word):
    found = lines(tmp_path, CATALOGUE_TEXT, _stack("environment: test", f"environment: {word}"))
    assert found == ["stack.yaml:4: environment: must be text: quote it"]


@pytest.mark.parametrize("word", ["yes", "on", "2026", "1e3", "true", "null", "2026-01-31"])
def test_a_key_that_is_no_text_must_be_quoted(tmp_path, word):
    catalogue = f"{CATALOGUE_TEXT}{word}: x\n"
    shown = word if word[0].isalpha() else "(a key)"
    refused = f"catalogue.yaml:34: {shown}: this key must be text: quote it"
    assert refused in lines(tmp_path, catalogue, STACK_TEXT)


@pytest.mark.parametrize("key", [".dockerconfigjson", "tls.crt", "_token", "DB_PASSWORD"])
def test_a_key_that_looks_like_a_name_is_shown(tmp_path, key):
    catalogue = changed(CATALOGUE, "services", {key: {"workload": "Deployment/x", "reads": []}})
    [found] = [one for one in lines(tmp_path, catalogue) if "must be a name" in one]
    assert f": services.{key}: " in found


TWICE = {
    "at the top of the catalogue": (
        f"{CATALOGUE_TEXT}platform: other\n",
        STACK_TEXT,
        "catalogue.yaml:34: platform: is there twice, first in line 1",
    ),
    "deep in the catalogue": (
        CATALOGUE_TEXT.replace("  mail:\n", "  mail:\n    secret: canary\n"),
        STACK_TEXT,
        "catalogue.yaml:17: bundles.mail.secret: is there twice, first in line 16",
    ),
    "in the settings": (
        CATALOGUE_TEXT,
        _stack("    stores:", "    environment: canary\n    stores:"),
        "stack.yaml:6: environment: is there twice, first in line 4",
    ),
    "in Pulumi's part of a stack file": (
        CATALOGUE_TEXT,
        _stack("  aws:region", "  aws:region: canary\n  aws:region"),
        "stack.yaml:3: config.aws:region: is there twice, first in line 2",
    ),
    "at the top of a stack file": (
        CATALOGUE_TEXT,
        f"{STACK_TEXT}config: canary\n",
        "stack.yaml:12: config: is there twice, first in line 1",
    ),
}


@pytest.mark.parametrize("place", TWICE)
def test_a_key_is_never_there_twice(tmp_path, place):
    catalogue, stack, expected = TWICE[place]
    assert lines(tmp_path, catalogue, stack) == [expected]


def test_an_anchor_may_be_used_again(tmp_path):
    text = CATALOGUE_TEXT.replace("secret: shop-secrets", "secret: &name shop-secrets")
    text = text.replace("description: a token", "description: *name")
    assert lines(tmp_path, text, STACK_TEXT) == []


MERGE = "merge keys (`<<`) are not supported: write the keys out"
TAGS = "YAML tags are not supported"
REFUSED = {
    "a merge key": (
        "    readers:",
        "    <<: {protect: false}\n    readers:",
        "stack.yaml:10",
        MERGE,
    ),
    "a tag on text": ("test", "!canary test", "stack.yaml:4: environment", TAGS),
    "a binary text": ("test", "!!binary dGVzdA==", "stack.yaml:4: environment", TAGS),
    "a tag on a list": ("[people]", "!!set [people]", "stack.yaml:11: readers.groups", TAGS),
    "a tag on a mapping": ("vault:\n", "vault: !canary\n", "stack.yaml:7: stores.vault", TAGS),
    "a tag on a key": ("    operator", "    !canary operator", "stack.yaml:5: operator", TAGS),
    "a list as a key": (
        "    readers:",
        "    ? [a]\n    : b\n    readers:",
        "stack.yaml:10",
        "a key m",
    ),
    "a list as a key in Pulumi's part": (
        "  aws:",
        "  ? [a]\n  : b\n  aws:",
        "stack.yaml:2",
        "a key",
    ),
    "an alias inside itself": ("test", "&a [*a]", "stack.yaml:4: environment", "aliases"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_yaml_can_do_beyond_plain_data_is_refused(tmp_path, what):
    old, new, place, sentence = REFUSED[what]
    found = lines(tmp_path, CATALOGUE_TEXT, _stack(old, new))
    assert any(line.startswith(place) and sentence in line for line in found)
    assert "canary" not in "".join(found)


def test_aliases_of_aliases_are_refused_before_they_take_for_ever(tmp_path):
    """Each level holds the one before ten times: nine short lines are a thousand million items."""
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)]
    bomb = CATALOGUE_TEXT + "a0: &a0 x\n" + "".join(levels)

    def too_long(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.5)
    try:
        found = problems(tmp_path, bomb, STACK_TEXT)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert found


INVALID = {
    "a list that does not end": ("platform: [canary\nx: y\n", "2", "2"),
    "a quote that does not end": ("platform: x\nbundles: 'canary\n", "3", "1"),
    "a tab for blanks": ("platform: x\n\tbundles: canary\n", "2", "1"),
    "a value after a value": ("platform: 'x' canary\n", "1", "15"),
    "an unknown alias": ("platform: *canary\n", "1", "11"),
    "a second document": ("platform: x\n---\nplatform: canary\n", "2", "1"),
    "an unknown tag's handle": ("platform: !canary!x y\n", "1", "11"),
}


@pytest.mark.parametrize("what", INVALID)
def test_invalid_yaml_has_its_line_and_column(tmp_path, what):
    text, line, column = INVALID[what]
    (found,) = lines(tmp_path, text, STACK_TEXT)
    assert re.fullmatch(rf"catalogue\.yaml:{line}: invalid YAML in column {column}: .+", found)
    assert "canary" not in found


NOT_SETTINGS = "holds no settings: `config` with the key `platform-secrets:environment` is missing"
CONTENTS = {
    "an empty file": (b"", ": is empty"),
    "comments alone": (b"# canary\n", ": is empty"),
    "bytes that are no text": (b"\xff\xfe\x00canary", ": is not a text file in UTF-8"),
    "control characters": (b"a: canary\x00\n", ": is not a text file: it holds control characters"),
    "a list": (b"- canary\n", ":1: must be a mapping of keys to values"),
    "a word": (b"\ncanary\n", ":2: must be a mapping of keys to values"),
}


@pytest.mark.parametrize("file", ["catalogue.yaml", "stack.yaml"])
@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_that_holds_no_mapping_says_so(tmp_path, content, file):
    data, expected = CONTENTS[content]
    if file == "stack.yaml":
        assert lines(tmp_path, CATALOGUE_TEXT, data) == [f"{file}{expected}"]
    else:
        assert lines(tmp_path, data, STACK_TEXT) == [f"{file}{expected}"]


UNREADABLE = {
    "a file that is not there": (lambda path: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "can't be read: Is a directory"),
    "a link to itself": (
        lambda path: path.symlink_to(path),
        "can't be read: Too many levels of symbolic links",
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_path_that_cannot_be_read_says_why(tmp_path, what):
    make, expected = UNREADABLE[what]
    path = tmp_path / "input.yaml"
    make(path)
    for read in (catalogue_document, stack_document):
        assert list(map(str, read(path).problems)) == [f"{path}: {expected}"]


@pytest.mark.parametrize("text", ["x: y\n", "config:\n", "config: [x]\n", "config: {aws:x: y}\n"])
def test_a_stack_file_without_settings_says_which_key_is_missing(tmp_path, text):
    assert lines(tmp_path, CATALOGUE_TEXT, text) == [f"stack.yaml: {NOT_SETTINGS}"]


def test_settings_beside_the_one_key_are_accepted_only_encrypted(tmp_path):
    beside = "  platform-secrets:token: {}\n  aws:region"
    encrypted = _stack("  aws:region", beside.format("{secure: v1:abc}"))
    assert lines(tmp_path, CATALOGUE_TEXT, encrypted) == []
    (found,) = lines(tmp_path, CATALOGUE_TEXT, _stack("  aws:region", beside.format("canary")))
    assert found.startswith("stack.yaml:2: config.platform-secrets:token: is in plain text; only")
    assert "canary" not in found


def test_a_byte_order_mark_and_windows_line_ends_are_read_over(tmp_path):
    text = "\ufeff" + CATALOGUE_TEXT.replace("\n", "\r\n")
    assert lines(tmp_path, text, STACK_TEXT) == []
    assert lines(tmp_path, text.replace("shop\r", "Shop\r"), STACK)[0].startswith(
        "catalogue.yaml:1"
    )
