"""A text that is made to break out of where it goes is refused with its place, or stays a text:
in YAML, in the operator's templates, in CEL, in policies of Vault and of AWS, in SQL."""

import copy
import json
import re
import secrets
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from platform_secrets.components.backends.aws_policies import rights
from platform_secrets.components.backends.vault import policies
from platform_secrets.manifests.secret_template import literal
from platform_secrets.secretsctl.rendering import rendered_files
from platform_secrets.settings import Document, SettingsError, load
from tests.aws_shop import store_with
from tests.conftest import VAULT
from tests.settings_files import CATALOGUE, changed, lines, stack
from tests.test_generated_settings import generated

# Beside what the small catalogue and stack file have: every other place of a free text.
_SHARED = CATALOGUE["bundles"]["shared"]
RICH_CATALOGUE: dict[str, Any] = changed(
    CATALOGUE,
    "bundles.shared",
    {
        **_SHARED,
        "annotations": {"shop.test/note": "a note"},
        "labels": {"shop.test/kind": "a-kind"},
        "texts": {"URL": "https://${token|url}@shop.test", "config.json": '{"a":${token|json}}'},
        "keys": {
            "database-url": {
                **_SHARED["keys"]["database-url"],
                "owner": "a team",
                "example": "postgresql://user:…@host/db",
            },
            "token": _SHARED["keys"]["token"],
        },
    },
) | {"every-key-has": []}
RICH_CATALOGUE["bundles"]["pull"] = {
    "secret": "shop-pull",
    "registries": {"registry.shop.test": {"username-text": "shop", "password": "pass"}},
    "keys": {"pass": {"description": "may pull", "hidden": True}},
}
_VAULT = stack("vault")
RICH_STACK: dict[str, Any] = _VAULT | {
    "stores": {
        "vault": {
            **VAULT,
            "namespace": "shop",
            "audience": "vault",
            "entry-pattern": "of/{platform}/{environment}/{bundle}",
        }
    },
    "bundles": {"mail": {"entry": "old/mail", "keys": {"smtp-password": {"property": "smtp"}}}},
    "readers": {"groups": ["shop people"], "users": ["jo@shop.test"]},
    "seeding": {"groups": ["shop operators"]},
    "chart": {"values": {"podAnnotations": {"a": "an annotation"}}, "path": "charts/a chart"},
    "rotator": {
        "freezes": [{"from": "2026-12-20", "until": "2027-01-02", "reason": "a holiday"}],
        "time-zone": "Europe/Berlin",
    },
    "monitoring": {"prometheus": "operator", "grafana": True},
    "gitops": {
        "repository": "https://git.shop.test/shop/secrets.git",
        "branch": "main",
        "path": "rendered",
    },
    "cluster": {"context": "a context"},
}

UNSEEN = ["\0", "\0true\0", "\x07", "\x1b[2J", "\x7f", "\x85", "\u200b", "\u2028", "\u2029"]
UNSEEN += ["\u202e", "\u2066", "\ufeff", "\ud800", "\uffff"]
PIECES = [
    *("{{ .token }}", "{{", "}}", "{{/*", "{", '{{- fail "x" -}}', "`", "${token}", "$${", "%s"),
    *('"', "'", "\\", "\\u0022", '"] || true || "" in ["', "'''", "//", "\n", "\t", " ", "\r\n"),
    *('" { capabilities = ["sudo"] }', "{{identity.entity.id}}", "+", "*", "/", "..", "../"),
    *("${aws:username}", "?", ":", "a: b", "- a", "# a", "&a", "*a", "!x", "|", "<<", "---", "a"),
    *("yes", "null", "0x1", "1e3", "~", 'x"; DROP ROLE y; --', "$(id)", ";id", "--flag=x", "-"),
    *(
        ".*",
        "|",
        "<script>",
        "@all",
        "t\u043eken",
        "e\u0301",
        "\U0001f511",
        "\u05d0\u05d1",
        "\u00e9",
    ),
]
hostile = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)


def _texts(content: Any, path: tuple = ()) -> list[tuple]:
    """The paths of every text."""
    inner: Any = content.items() if isinstance(content, dict) else ()
    inner = enumerate(content) if isinstance(content, list) else inner
    here = [path] if isinstance(content, str) else []
    return [*here, *(one for key, value in inner for one in _texts(value, (*path, key)))]


PLACES = [("catalogue", *path) for path in _texts(RICH_CATALOGUE)]
PLACES += [("stack", *path) for path in _texts(RICH_STACK)]


def _with(place: tuple, text: str) -> dict[str, Any]:
    files = {"catalogue": copy.deepcopy(RICH_CATALOGUE), "stack": copy.deepcopy(RICH_STACK)}
    here: Any = files
    for part in place[:-1]:
        here = here[part]
    here[place[-1]] = text
    return files


def _tree(files: dict[str, Any]) -> dict[str, str]:
    stack_file = Document("stack.yaml", files["stack"])
    [found] = load([stack_file], Document("catalogue.yaml", files["catalogue"]))
    return rendered_files(found, Path("catalogue.yaml"))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_a_character_that_nobody_sees_is_refused_with_its_place(place):
    original: Any = {"catalogue": RICH_CATALOGUE, "stack": RICH_STACK}
    for part in place:
        original = original[part]
    for unseen in UNSEEN:
        with pytest.raises(SettingsError) as caught:
            _tree(_with(place, f"{original}{unseen}"))
        found = [(one.file, one.path, one.message) for one in caught.value.problems]
        rule = f"holds a character that nobody sees, U+{ord(unseen[0]):04X}: take it out"
        assert (f"{place[0]}.yaml", place[1:], rule) in found


def test_a_key_and_what_yaml_escapes_are_looked_at_too(tmp_path):
    content = changed(stack("vault"), "chart.values", {"a\u202eb": 1})
    [line] = lines(tmp_path, stack=content)
    assert line.endswith("(a key): holds a character that nobody sees, U+202E: take it out")
    group = changed(stack("vault"), "readers.groups", ["\0"])
    [line] = lines(tmp_path, stack=group)
    assert "readers.groups.0: holds a character that nobody sees, U+0000" in line


def test_a_file_may_begin_with_the_mark_that_windows_writes(tmp_path):
    assert lines(tmp_path, stack="\ufeff" + json.dumps(_in_a_file(stack("vault")))) == []


def _in_a_file(content: dict[str, Any]) -> dict[str, Any]:
    return {"config": {"platform-secrets:environment": content}}


_PLAIN = f"plain{secrets.token_hex(4)}"
_HASH = re.compile(r"[0-9a-f]{8,64}")


def _written(text: str, place: tuple, name: str) -> list[str]:
    """What a text from a place is in a file of this name, in the language of that file."""
    kind = name.rpartition("/")[2].partition("-")[0]
    in_quotes = json.dumps(text, ensure_ascii=False)[1:-1]
    if kind == "validatingadmissionpolicy" or place[-1] == "username-text":
        return [in_quotes]
    if kind == "configmap":
        return [in_quotes, json.dumps(text)[1:-1]]
    return [literal(text) if kind == "externalsecret" else text]


def _same_but_for(texts: list[str], plain: object, found: object) -> bool:
    """Whether two documents are the same but for one of these texts in place of the plain one."""
    if isinstance(plain, dict) and isinstance(found, dict):
        return [*plain] == [*found] and all(
            _same_but_for(texts, plain[key], found[key]) for key in plain
        )
    if isinstance(plain, list) and isinstance(found, list):
        pairs = zip(plain, found, strict=False)
        return len(plain) == len(found) and all(_same_but_for(texts, *pair) for pair in pairs)
    if isinstance(plain, str) and isinstance(found, str):
        if _HASH.fullmatch(plain) and _HASH.fullmatch(found):
            return True
        return found in [plain.replace(_PLAIN, one) for one in texts]
    return plain == found


@generated(100)
@given(place=st.sampled_from(PLACES), text=hostile)
def test_a_hostile_text_is_refused_with_its_place_or_stays_a_text(place, text):
    try:
        tree = _tree(_with(place, text))
    except SettingsError as caught:
        refused = caught
    else:
        _stays_a_text(tree, place, text)
        return
    assert {one.file for one in refused.problems} <= {"stack.yaml", "catalogue.yaml"}
    assert all(one.path for one in refused.problems)


@cache
def _plain_tree(place: tuple) -> dict[str, str]:
    return _tree(_with(place, _PLAIN))


def _stays_a_text(tree: dict[str, str], place: tuple, text: str) -> None:
    if re.fullmatch(r"[A-Za-z0-9]+([-._][A-Za-z0-9]+)*", text):
        return  # a name, of which others are made
    if "texts" in place and "${" in text:
        return  # what it is for: tests/e2e/values/test_hostile_texts.py
    plain = _plain_tree(place)
    assert tree.keys() == plain.keys()
    for name, content in tree.items():
        texts = _written(text, place, name)
        assert _same_but_for(texts, _read(plain[name]), _read(content)), name


def _read(text: str) -> object:
    return yaml.load(text, Loader=yaml.CSafeLoader)


NO_ENTRIES = {
    "*": "a glob",
    "a/*": "a glob below a path",
    'a" { capabilities = ["sudo"] }': "the end of a path",
    "{{identity.entity.id}}": "a template in a policy of Vault's",
    "${aws:username}": "a variable in a policy of AWS'",
    "a-??????": "any characters",
    "a\nb": "a line of its own",
    "a b": "a blank",
}
UPWARDS = ["+/a", "../a", "a/../../b", "a/..", "./a", "..", "a//b", "/a"]  # + is any part of a path
STORES_OF_OURS = ["vault", "aws", "gcp", "azure"]


@pytest.mark.parametrize("store", STORES_OF_OURS)
@pytest.mark.parametrize("entry", [*NO_ENTRIES, "t\u043eken"])
def test_no_entry_is_called_what_a_policy_would_read_as_more(tmp_path, store, entry):
    places = {"mail": {"keys": {"smtp-password": {"entry": entry}}}}
    found = lines(tmp_path, stack=stack(store) | {"bundles": places})
    assert [one for one in found if "bundles.mail.keys.smtp-password.entry: " in one] == found != []


@pytest.mark.parametrize("entry", UPWARDS)
def test_no_entry_of_vault_leads_out_of_its_path(tmp_path, entry):
    places = {"mail": {"entry": entry}}
    [line] = lines(tmp_path, stack=stack("vault") | {"bundles": places})
    assert "bundles.mail.entry: " in line


def _with_entry(store: dict[str, Any], entry: str) -> Any:
    name, places = store["provider"], {"mail": {"entry": entry}}
    content = stack("vault") | {"stores": {name: store}, "bundles": places}
    [found] = load([Document("stack.yaml", content)], Document("catalogue.yaml", CATALOGUE))
    return found


of_vault = st.from_regex(
    r"[A-Za-z0-9_.@=:,~-]{1,9}(/[A-Za-z0-9_.@=:,~-]{1,9}){0,2}", fullmatch=True
)


@generated(60)
@given(entry=of_vault.filter(lambda one: not {".", ".."} & {*one.split("/")}))
def test_whatever_an_entry_of_vault_is_called_its_policy_has_that_one_path(entry):
    store = VAULT | {"backend": "declare"}
    [text] = policies(_with_entry(store, entry), "vault", "read")
    paths = re.findall(r'^path "([^"]*)" \{$', text, re.MULTILINE)
    assert f"secret/data/{entry}" in paths
    assert len(paths) == text.count("path ") == 2
    assert not re.search(r"[+*]|\{\{", text)


@generated(60)
@given(entry=st.from_regex(r"[A-Za-z0-9/_+=.@-]{1,40}", fullmatch=True))
def test_whatever_an_entry_of_aws_is_called_its_policy_has_that_one_name(entry):
    found = _with_entry(store_with(), entry)
    [reading, _] = rights(found, "aws", "read", {"eu-central-1": "a-key"})["Statement"]
    names = [one.partition(":secret:")[2].removesuffix("-??????") for one in reading["Resource"]]
    assert entry in names
    assert not re.search(r"[*?$]", "".join(names))


REFUSED = {
    "stores.vault.mount": ["../sys", "secret/..", ".", "a/*", 'a"'],
    "stores.vault.namespace": ["../root", "a//b"],
    "stores.vault.auth-mount": [".."],
    "stores.vault.server": ["https://-x", "https://jo@vault.shop.test", "https://a b"],
    "gitops.path": ["../elsewhere", "a/../..", "/etc"],
    "gitops.branch": ["--upload-pack=x", "a..b", "/a", "a/", "a b", "a.", "a//b", ".", "a/.b"],
    "gitops.repository": [
        "ssh://git@-oProxyCommand=x/a",
        "https://jo:x@git.shop.test/a",
        "file:///a",
    ],
    "chart.path": ["charts\nkind: Secret", "a\r# b"],
    "cluster.context": ["a\n--kubeconfig=b"],
    "environment": ["../production", "a/b", "-a", "a--b"],
    "namespace-name": ["../a", "a.b", "kube-system"],
    "readers.groups.0": ["system:masters", "*", "a\nb"],
    "network.dns.namespaces": [["a|b"]],
}


@pytest.mark.parametrize(
    ("path", "text"), [(path, one) for path in REFUSED for one in REFUSED[path]]
)
def test_what_leads_elsewhere_or_is_an_option_is_refused_with_its_place(tmp_path, path, text):
    found = lines(tmp_path, stack=changed(stack("vault"), path, text))
    place = path if isinstance(text, str) else f"{path}.0"
    assert [one for one in found if f": {place}: must be " in one] == found != []


@pytest.mark.parametrize("name", ["x; DROP ROLE y", 'x"', "x'--", "\u0445", "X", "", "1a", "a b"])
@pytest.mark.parametrize("path", ["name", "admin-user", "users.0", "grants.0"])
def test_no_name_in_postgresql_needs_quotes_or_ends_them(tmp_path, path, name):
    database = {"host": "db.shop.test", "name": "shop", "admin-user": "admin", "users": ["a", "b"]}
    database |= {"grants": ["people"]}
    content = changed(stack("vault"), "stores.vault.database", changed(database, path, name))
    found = lines(tmp_path, stack=content)
    assert f": stores.vault.database.{path}: must be a PostgreSQL name" in "".join(found)


def test_a_chart_s_path_is_one_word_for_a_shell():
    content = changed(stack("vault"), "chart.path", "a chart; rm -rf $(id)")
    [found] = load([Document("stack.yaml", content)], Document("catalogue.yaml", CATALOGUE))
    text = rendered_files(found, Path("catalogue.yaml"))["charts/external-secrets.yaml"]
    command = text.splitlines()[1].removeprefix("# ")
    assert shlex.split(command)[3:6] == ["external-secrets", "a chart; rm -rf $(id)", "--namespace"]


def test_a_file_s_name_ends_no_comment():
    hostile = Document("Pulumi.a\nkind: Secret\n.yaml", stack("vault"))
    [found] = load([hostile], Document("catalogue.yaml", CATALOGUE))
    files = rendered_files(found, Path("c\u2028kind: Secret"))
    heads = {text.splitlines()[0] for text in files.values()}
    expected = (
        "# Rendered by secretsctl from c?kind: Secret and Pulumi.a?kind: Secret?.yaml. Change"
    )
    assert [head.startswith(expected) for head in heads] == [True]


def test_no_message_shows_as_a_name_what_does_not_look_like_one(tmp_path):
    value = f"canary {secrets.token_hex(6)}"
    catalogue = {**CATALOGUE, "bundles": {value: {}}}
    stack_file = changed(stack("vault"), "stores", {value: {}}) | {
        "default-store": f"{value[:-1]}x"
    }
    said = "\n".join(lines(tmp_path, catalogue, stack_file))
    assert "no such bundle; there are: (no name)" in said
    assert "no such store; declared: (no name)" in said
    assert value not in said
