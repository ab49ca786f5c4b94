"""Files made to break their reader: told in a line, and the interpreter lives."""

import secrets
from pathlib import Path

import pytest

from platform_secrets.secretsctl.manifest_files import read_all
from platform_secrets.settings import SettingsError, catalogue_document, load_catalogue

VALUE = f"canary-{secrets.token_hex(6)}"

_DEEP = 200_000
_NINE = ", ".join(["*{0}"] * 9)
_LAUGHS = f"a0: &a0 [{VALUE}]\n" + "".join(
    f"a{level}: &a{level} [{_NINE.format(f'a{level - 1}')}]\n" for level in range(1, 12)
)
HOSTILE = {
    "brackets": "x: " + "[" * _DEEP,
    "brackets that a text seems to close": "x: " + '[ "]", ' * _DEEP,
    "brackets that a comment seems to close": "# " + "]" * _DEEP + "\nx: " + "[" * _DEEP,
    "lists in a line": "x:\n  " + "- " * _DEEP + "a",
    "keys in a line": "x:\n  " + "? " * _DEEP + "a",
    "blocks": "".join(f"{' ' * level}a:\n" for level in range(1500)),
    "a billion laughs": _LAUGHS,
    "a billion laughs in merged keys": _LAUGHS.replace("[", "{<<: [").replace("]", "]}"),
    "a chain of aliases": "".join(
        f"a{at}: &a{at} {'[' * 90}{f'*a{at - 1}' if at else 'x'}{']' * 90}\n" for at in range(50)
    ),
    "a list in itself": "x: &x [*x]",
    "a mapping in itself": "x: &x {a: {b: *x}}",
    "a mapping merged with itself": "x: &x {<<: *x}",
    "an object of Python's": f"x: !!python/object/apply:os.system ['echo {VALUE} > executed']",
    "NUL": f"x: a\0{VALUE}",
    "a half surrogate": f'x: "\\ud800{VALUE}"',
    "a tab as indentation": f"x:\n\ty: {VALUE}",
}
ENCODED = {
    "UTF-16": f"x: {VALUE}".encode("utf-16"),
    "no UTF-8": b"x: \xff" + VALUE.encode(),
}
FILES = {name: text.encode() for name, text in HOSTILE.items()} | ENCODED


def _file(folder: Path, *contents: bytes) -> Path:
    path = folder / "hostile.yaml"
    path.write_bytes(b"".join(contents))
    return path


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_catalogue_is_told_without_its_values(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    found = catalogue_document(_file(tmp_path, FILES[name])).problems
    assert 0 < len(found) < 1000
    assert VALUE not in "".join(map(str, found))
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_manifest_is_told_without_its_values_and_not_taken(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    kind = "kind: Deployment\nmetadata: {name: a}\n"
    encoded = kind.encode("utf-16") if name == "UTF-16" else kind.encode()
    read = read_all([str(_file(tmp_path, encoded, FILES[name]))])
    assert read.manifests == []
    [problem] = read.unread
    assert VALUE not in str(problem)
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.yaml"]


def test_what_is_nested_too_deeply_is_told_with_its_line(tmp_path):
    path = _file(tmp_path, b"platform: shop\nx:\n  ", b"[" * 200)
    [problem] = catalogue_document(path).problems
    assert str(problem) == f"{path}:3: is nested too deeply"


def test_a_manifest_may_name_again_what_it_has_said(tmp_path):
    labels = b"kind: Deployment\nmetadata: {name: a, labels: &l {app: a}}\nspec: {template: *l}\n"
    [found] = read_all([str(_file(tmp_path, labels))]).manifests
    assert found.content["spec"] == {"template": {"app": "a"}}


MERGED = {
    "a list of mappings": "data: {<<: [*one, *two], c: $}",
    "a mapping in a mapping": "data: {<<: {<<: *one}}",
    "the fields themselves": "<<: {data: *one, stringData: {<<: *two}}",
    "the kind": "<<: {data: {c: $}}",
    "a list": "data: {c: [$, {d: $}]}",
}


@pytest.mark.parametrize("name", MERGED)
def test_no_value_of_a_secret_is_kept_however_it_was_merged(tmp_path, name):
    text = "metadata: {name: a, annotations: &one {a: $}, labels: &two {b: $}}\n"
    kind = "<<: {kind: Secret}" if name == "the kind" else "kind: Secret"
    merged = MERGED[name].removeprefix("<<: ") if name == "the kind" else MERGED[name]
    merged = merged.strip("{}") + "}" if name == "the kind" else merged
    path = _file(tmp_path, f"{kind}\n{text}{merged}\n".replace("$", VALUE).encode())
    [found] = read_all([str(path)]).manifests
    fields = {**found.content.get("data", {}), **found.content.get("stringData", {})}
    assert fields
    assert VALUE not in str(fields)


_BUNDLE = "platform: shop\nbundles:\n  a:\n    secret: a\n    keys:\n      x: {description: d}\n"
_TEN_MEGABYTES = 10_000_000
LARGE = {
    "one text": (_BUNDLE.replace("d}", f"{VALUE * (_TEN_MEGABYTES // len(VALUE))}}}"), 1),
    "a key's name": (_BUNDLE.replace("x:", f"{VALUE * (_TEN_MEGABYTES // len(VALUE))}:"), 1),
    "a pattern": (_BUNDLE.replace("d}", f"d, pattern: '{'(a|' * (_TEN_MEGABYTES // 3)}'}}"), 1),
    "a comment": (f"# {'x' * _TEN_MEGABYTES}\n{_BUNDLE}", 0),
    "names that nobody knows": (_BUNDLE + "".join(f"y{at}: {VALUE}\n" for at in range(5000)), 1001),
}


@pytest.mark.parametrize("name", LARGE)
def test_ten_megabytes_are_read_or_told_shortly_without_their_values(tmp_path, name):
    text, count = LARGE[name]
    found = SettingsError([])
    try:
        load_catalogue(catalogue_document(_file(tmp_path, text.encode())))
    except SettingsError as error:
        found = error
    assert len(found.problems) == count
    assert VALUE not in str(found)
    assert len(str(found)) < 10_000


def test_a_hundred_levels_are_read(tmp_path):
    for levels, count in ((99, 0), (101, 1)):
        path = _file(tmp_path, b"x: " + b"[" * levels + b"]" * levels)
        assert len(catalogue_document(path).problems) == count
