"""Any catalogue, rendered, imported and rendered again: its ExternalSecrets do the same."""

import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from platform_secrets.importing.existing import existing
from platform_secrets.importing.external_secrets import wanted_secrets
from platform_secrets.importing.found import Manifest
from platform_secrets.importing.imported import imported
from platform_secrets.importing.stack_file import Target
from platform_secrets.manifests.layer import waves
from platform_secrets.settings import (
    Document,
    Settings,
    catalogue_document,
    load,
    stack_document,
)
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tests.settings_files import STORES
from tests.test_generated_settings import generated, name_parts, names

fields = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}([-._][A-Z0-9]{1,4})?", fullmatch=True)
literals = st.text(st.sampled_from("ab :/@{}$\n\"'\\é%"), max_size=8)
filters = st.sampled_from(["", "|url", "|base64"])
entries = st.sampled_from(["apps/a", "apps/b", "c"])
properties = st.sampled_from(["login", "pass-word", "a.b", "x y"])


@st.composite
def pull_secrets(draw: st.DrawFn, secret: str) -> tuple[dict[str, Any], dict[str, Any]]:
    keys: dict[str, Any] = {}
    places: dict[str, Any] = {}
    registries: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 2))):
        login = {"password": f"pw-{number}"}
        if draw(st.booleans()):
            login |= {"username": f"user-{number}"}
        else:
            login |= {"username-text": draw(st.sampled_from(["robot", "a$b", "x y"]))}
        registries[f"r{number}.example.com"] = login
        for name, key in login.items():
            if name != "username-text":
                keys[key] = {"description": "x"}
                places[key] = {"entry": draw(entries), "property": draw(properties)}
    return {"secret": secret, "registries": registries, "keys": keys}, {"keys": places}


@st.composite
def secrets_of(draw: st.DrawFn, secret: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A bundle of the catalogue and its place."""
    match draw(st.sampled_from(["keys", "keys", "keys", "a pull secret", "a whole entry"])):
        case "a pull secret":
            return draw(pull_secrets(secret))
        case "a whole entry":
            whole = {"secret": secret, "whole-entry": True}
            given = draw(st.lists(entries, min_size=1, max_size=3, unique=True))
            return whole, {"entries": given} if len(given) > 1 else {"entry": given[0]}
        case _:
            pass
    found = draw(st.lists(fields, min_size=1, max_size=4, unique_by=str.lower))
    keys: dict[str, Any] = {}
    places: dict[str, Any] = {}
    for name in found:
        keys[name] = {"description": "x"}
        if draw(st.booleans()):
            keys[name]["stored-as"] = "base64"
        places[name] = {"entry": draw(entries)}
        if draw(st.booleans()):
            places[name]["property"] = draw(properties)
        if draw(st.booleans()):
            places[name]["version"] = "7"
    bundle: dict[str, Any] = {"secret": secret, "keys": keys}
    if draw(st.booleans()):
        parts = [f"${{{name}{draw(filters)}}}" for name in found]
        between = [re.sub(r"\$+(?=\{|\Z)", "", draw(literals)) for _ in found]
        bundle["texts"] = {"a-text": "T" + "".join(map("".join, zip(between, parts, strict=True)))}
        for name in draw(st.lists(st.sampled_from(found), unique=True)):
            keys[name]["hidden"] = True
    optional = {
        "labels": st.just({"team": "ops"}),
        "annotations": st.just({"note": "{{ a }}"}),
        "type": st.just("example.org/x"),
        "deletion": st.just("delete"),
        "creation": st.just("orphan"),
    }
    place: dict[str, Any] = {"keys": places}
    if draw(st.booleans()):
        # One property alone is read by a reference: of a store whose provider nobody tells, import
        # says of a second extract that it becomes one.
        for one in places.values():
            one |= {"property": "login"} if "property" in one else {}
        place["entries"] = draw(st.lists(entries, min_size=2, max_size=3, unique=True))
        keys["of-several"] = {"description": "x"}
        places["of-several"] = {"property": "login"}
    return bundle | draw(st.fixed_dictionaries({}, optional=optional)), place


@st.composite
def platforms(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    called = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    bundles, places = {}, {}
    for name in called:
        bundles[name], places[name] = draw(secrets_of(f"s-{name}"))
    store = draw(st.sampled_from(["vault", "aws", "existing"]))
    existing = {"provider": "existing", "kind": "ClusterSecretStore", "name": "team"}
    stack = {
        "environment": draw(name_parts),
        "operator": "install",
        "stores": {"main": existing if store == "existing" else STORES[store]},
        "bundles": {name: _that_fits(place, store) for name, place in places.items()},
    }
    if draw(st.booleans()):
        stack["namespaces"] = {"elsewhere": {"bundles": [called[0]]}}
    return {"platform": draw(name_parts), "bundles": bundles}, stack


def _that_fits(place: dict[str, Any], store: str) -> dict[str, Any]:
    """In Vault every value is a property."""
    keys = {
        name: one | ({"property": one.get("property", "login")} if store == "vault" else {})
        for name, one in place.get("keys", {}).items()
    }
    return place | ({"keys": keys} if keys else {})


def _rendered(settings: Settings) -> list[dict[str, Any]]:
    return [
        one
        for wave in waves(settings, {})
        for one in wave.objects
        if one["kind"] == "ExternalSecret"
    ]


def _stores(settings: Settings) -> list[dict[str, Any]]:
    """The stores that are read, and what they act as."""
    return [
        one
        for wave in waves(settings, {})
        for one in wave.objects
        if one["kind"] in ("SecretStore", "ServiceAccount")
    ]


def _what_is_done(rendered: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    found = {}
    for one in rendered:
        [wanted] = wanted_secrets(Manifest(one, "", 0), "nowhere")
        content = {name: value for name, value in vars(wanted).items() if name != "source"}
        found[wanted.place] = content | {"interval": None}
    return found


@generated(150)
@given(platform=platforms())
def test_a_catalogue_that_is_rendered_and_imported_renders_the_same(platform):
    catalogue, stack = platform
    [before] = load([Document("stack", stack)], Document("catalogue", catalogue))
    rendered = _rendered(before)
    target = Target(catalogue["platform"], stack["environment"], "nowhere")
    found = imported([Manifest(one, "a.yaml", 1) for one in rendered], target)
    assert [one.outcome for one in found.verdicts] == ["exact"] * len(rendered), found.verdicts
    [after] = load([Document("stack", found.stack)], Document("catalogue", found.catalogue))
    assert _what_is_done(_rendered(after)) == _what_is_done(rendered)


@generated(50)
@given(platform=platforms())
def test_with_its_stores_a_tree_comes_back_whole(platform):
    """A store that was declared is declared again, with all that it acts as, where something in the
    environment's own namespace tells which that is."""
    catalogue, stack = platform
    assume(len(catalogue["bundles"]) > 1 or "namespaces" not in stack)
    [before] = load([Document("stack", stack)], Document("catalogue", catalogue))
    rendered = [*_rendered(before), *_stores(before)]
    target = Target(catalogue["platform"], stack["environment"], "nowhere")
    found = imported([Manifest(one, "a.yaml", 1) for one in rendered], target)
    [after] = load([Document("stack", found.stack)], Document("catalogue", found.catalogue))
    assert _what_is_done(_rendered(after)) == _what_is_done(_rendered(before))
    key = lambda one: (one["kind"], one["metadata"]["namespace"], one["metadata"]["name"])  # noqa: E731
    assert sorted(_stores(after), key=key) == sorted(_stores(before), key=key)


def test_a_part_that_leads_into_json_still_does_so():
    """A whole entry has no such property, and every value of it would fail with that one."""
    keys = {name: {"description": "x", "hidden": True} for name in ("A", "B")}
    bundle = {"secret": "s", "keys": keys, "texts": {"T": "${A}${B}"}}
    catalogue = {"platform": "a", "bundles": {"a": bundle}}
    places = {"A": {"entry": "c", "property": "login"}, "B": {"entry": "c", "property": "a.b"}}
    stack = {"environment": "a", "operator": "install", "stores": {"main": STORES["vault"]}}
    stack["bundles"] = {"a": {"keys": places}}
    [before] = load([Document("stack", stack)], Document("catalogue", catalogue))
    rendered = [*_rendered(before), *_stores(before)]
    found = imported([Manifest(one, "a.yaml", 1) for one in rendered], Target("a", "a", "nowhere"))
    [after] = load([Document("stack", found.stack)], Document("catalogue", found.catalogue))
    references = [one["remoteRef"] for one in _rendered(after)[0]["spec"]["data"]]
    assert {"key": "c", "property": "a.b"} in references


@generated(100)
@given(platform=platforms())
def test_what_a_catalogue_renders_adds_nothing_to_it(platform):
    catalogue, stack = platform
    there = existing(Document("stack", stack), Document("catalogue", catalogue))
    [settings] = load([Document("stack", stack)], Document("catalogue", catalogue))
    manifests = [Manifest(one, "a.yaml", 1) for one in _rendered(settings)]
    target = Target(catalogue["platform"], stack["environment"], "nowhere")
    found = imported(manifests, target, there)
    assert (found.new_in_catalogue, found.new_in_stack) == ({}, {})
    assert {one.outcome for one in found.verdicts} <= {"exact"}, found.verdicts


@pytest.mark.parametrize("stack_file", sorted(STACK_FILES))
def test_what_a_whole_platform_renders_adds_nothing_to_it(stack_file):
    stack, catalogue = stack_document(STACK_FILES[stack_file]), catalogue_document(CATALOGUE_FILE)
    [settings] = load([stack], catalogue)
    manifests = [
        Manifest(one, "a.yaml", 1)
        for wave in waves(settings, {})
        for one in wave.objects
        if one["kind"] in ("ExternalSecret", "SecretStore", "Secret", "CronJob")
    ]
    target = Target("wren", settings.environment.environment, "nowhere")
    found = imported(manifests, target, existing(stack, catalogue))
    assert (found.new_in_catalogue, found.new_in_stack) == ({}, {})
