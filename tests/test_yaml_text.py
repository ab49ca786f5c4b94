"""What is written as YAML is read back the same by readers of YAML 1.1 and of YAML 1.2."""

import io
from typing import Any

import pytest
import ryaml
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from platform_secrets.secretsctl.yaml_text import yaml_stream, yaml_text

AMBIGUOUS = [
    *("", "~", "null", "Null", "true", "True", "FALSE", "y", "Y", "n", "yes", "No", "on", "OFF"),
    *("0", "-1", "+1", "012", "0o17", "0x1f", "-0x1F", "0b11", "1_000", "1e3", "1E-3", ".5", "5."),
    *(
        "1.5e+3",
        "+.5",
        "-.5",
        ".inf",
        "-.INF",
        "+.inf",
        ".NaN",
        "12:30",
        "12:30:45",
        "-190:20:30.5",
    ),
    *("2026-01-31", "2026-1-3", "2026-01-31T00:00:00Z", "2026-01-31 12:30:00", "=", "<<", "-", "?"),
    *("---", "...", "- a", "? a", ": a", "a:", "a: b", "a #b", "#a", "%a", "@a", "`a", "!a", "&a"),
    *("*a", "|", ">", "{a", "[a", "a]", ",", "'a'", '"a"', "'", '"', "\\", "a\\nb", "{{ .x }}"),
    *(
        " a",
        "a ",
        " ",
        "\t",
        "a\tb",
        "\n",
        "a\nb",
        "a\nb\n",
        "a\n\n",
        "\na",
        "  a\nb",
        "a\r\nb",
        "\r",
    ),
    *("\x00", "\x07", "\x1b", "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "\ufffe", "é", "😀"),
    *("\ue000", "\ue000no", "a\ue000: b", "2026-01-31 a: b", "2026-01-31 # a", "2026-01-31 'a"),
    *("2026-01-31 12:30: 'a'", "x" * 200, "word " * 60, "k: " * 60, "x" * 130 + ": "),
]
READERS = {
    "YAML 1.1": lambda text: yaml.load(text, Loader=yaml.CSafeLoader),
    "YAML 1.2": lambda text: ryaml.load(io.StringIO(text)),
}

texts = st.one_of(
    st.sampled_from(AMBIGUOUS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text("0123456789-+_:.eExob \n'\"#Tt", max_size=12),
)
# As many digits as settings may have.
numbers = st.integers(-(10**15), 10**15) | st.decimals(-99999, 99999, places=6).map(float)
leaves = texts | numbers | st.booleans() | st.none()
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("text", AMBIGUOUS, ids=lambda text: ascii(text)[:40])
def test_a_text_stays_that_text_wherever_it_is(text):
    for value in ({"a": text}, {text: "a"}, [text, text], {"a": [{text: {text: [text]}}]}):
        written = yaml_text(value)
        assert [read(written) for read in READERS.values()] == [value, value]


def _same(read: Any, written: Any) -> bool:
    """Equal, and of one type: 1, 1.0 and True are equal in Python."""
    if isinstance(written, dict):
        return list(read) == list(written) and all(map(_same, read.values(), written.values()))
    if isinstance(written, list):
        return len(read) == len(written) and all(map(_same, read, written))
    return type(read) is type(written) and read == written


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@example({"small": 0.00001})
@example({"large": 1000000000000000.5})
@given(value=st.dictionaries(texts, values, max_size=4))
def test_everything_nested_is_read_back_in_its_order(value):
    written = yaml_text(value)
    assert all(_same(read(written), value) for read in READERS.values())


def test_a_stream_is_read_back_as_its_documents():
    documents = [{"a": "no"}, {"b": ["---"]}, {"c": "x\n---\ny\n"}]
    text = yaml_stream(documents)
    assert list(yaml.load_all(text, Loader=yaml.CSafeLoader)) == documents
    assert text.startswith("---\n")


def test_keys_keep_their_order_and_plain_texts_stay_bare():
    text = yaml_text({"kind": "Role", "apiVersion": "v1", "count": 3, "when": "2026-01-31"})
    assert text == "kind: Role\napiVersion: v1\ncount: 3\nwhen: '2026-01-31'\n"


def test_lines_of_a_text_stay_lines():
    assert yaml_text({"a": "x: 1\ny: 2\n"}) == "a: |\n  x: 1\n  y: 2\n"
