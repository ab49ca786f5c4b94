"""A bundle whose Secret has everything that its entry holds (`whole-entry`)."""

import re

import pytest

from platform_secrets.manifests.entries import (
    adopted_entries,
    expected_entries,
    identity_entries,
    made_entries,
)
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.settings import SettingsError
from platform_secrets.settings.entries import kept
from tests.settings_files import STORES

TEAM = {"provider": "existing", "name": "team"}
CHARTS = {"secret": "charts-env", "whole-entry": True}


@pytest.fixture
def settings(settings_with):
    def settings(store="vault", place=None, bundle=CHARTS):
        return settings_with(
            catalogue={"platform": "shop", "bundles": {"charts": bundle}},
            stores={"main": TEAM if store == "existing" else STORES[store]},
            bundles={"charts": place} if place else None,
        )

    return settings


def spec_of(settings):
    [found] = external_secret_manifests(settings, "charts")
    return found["spec"]


@pytest.mark.parametrize("store", ["vault", "aws", "gcp", "existing"])
def test_everything_in_the_entry_is_in_the_secret(settings, store):
    spec = spec_of(settings(store, {"entry": "charts"}))
    assert spec["dataFrom"] == [{"extract": {"key": "charts"}}]
    assert "data" not in spec
    assert "data" not in spec["target"]["template"]


def test_a_key_that_is_named_has_its_guard_and_the_rest_stays(settings):
    bundle = {
        **CHARTS,
        "keys": {"TOKEN": {"description": "a token"}, "mail": {"description": "elsewhere"}},
    }
    place = {"entry": "charts", "keys": {"mail": {"entry": "mail", "property": "password"}}}
    spec = spec_of(settings("vault", place, bundle))
    assert spec["dataFrom"] == [{"extract": {"key": "charts"}}]
    reference = {"key": "mail", "property": "password"}
    assert spec["data"] == [{"secretKey": "mail", "remoteRef": reference}]
    template = spec["target"]["template"]
    assert template["mergePolicy"] == "Merge"
    assert {*template["data"]} == {"TOKEN", "mail"}
    assert "fail" in template["data"]["TOKEN"]


def test_its_entry_is_read_and_counted_as_any_other(settings):
    named = settings("vault", {"entry": "charts"})
    assert {*identity_entries(named, "main", "read").values()} == {"charts"}
    assert adopted_entries(named, "main") == {"charts"}
    assert made_entries(named, "main") == {}
    assert expected_entries(named) == {"main": {"charts": []}}
    by_convention = settings("vault")
    assert identity_entries(by_convention, "main", "read") == {"charts": "shop/test/charts"}
    assert made_entries(by_convention, "main") == {"charts": "shop/test/charts"}


def test_it_needs_an_entry_that_is_one(settings):
    with pytest.raises(SettingsError, match="needs `entry`: the one that its Secret has whole"):
        settings("aws")


def test_nothing_can_be_hidden_in_it(settings):
    keys = {"A": {"description": "a", "hidden": True}}
    bundle = {**CHARTS, "keys": keys, "texts": {"T": "${A}"}}
    with pytest.raises(SettingsError, match="A can't be hidden"):
        settings("vault", {"entry": "charts"}, bundle)


def test_basic_secrets_have_none(settings_with):
    catalogue = {"platform": "shop", "bundles": {"charts": CHARTS}}
    with pytest.raises(SettingsError, match="charts has a whole entry"):
        settings_with(catalogue=catalogue, stores=None, operator=None, secrets="basic")


def test_several_entries_are_read_in_their_order_and_all_of_them_is_in_the_secret(settings):
    bundle = {**CHARTS, "keys": {"TOKEN": {"description": "a token"}}, "texts": {"T": "${TOKEN}!"}}
    spec = spec_of(settings("vault", {"entries": ["apps/charts", "shared"]}, bundle))
    assert spec["dataFrom"] == [{"extract": {"key": "apps/charts"}}, {"extract": {"key": "shared"}}]
    assert "data" not in spec
    assert {*spec["target"]["template"]["data"]} == {"TOKEN", "T"}
    assert spec["target"]["template"]["mergePolicy"] == "Merge"
    assert "none of apps/charts, shared has TOKEN" in spec["target"]["template"]["data"]["T"]


PARTS = {
    "secret": "charts-env",
    "keys": {"TOKEN": {"description": "a token"}, "MAIL": {"description": "m", "hidden": True}},
    "texts": {"URL": "smtp://${MAIL}@x"},
}


@pytest.mark.parametrize("store", ["vault", "aws", "existing"])
def test_a_key_is_in_whichever_of_several_entries_has_it(settings, store):
    place = {"entries": ["charts", "shared"], "keys": {"MAIL": {"property": "mail.login"}}}
    spec = spec_of(settings(store, place, PARTS))
    assert spec["dataFrom"] == [{"extract": {"key": "charts"}}, {"extract": {"key": "shared"}}]
    assert "data" not in spec
    template = spec["target"]["template"]
    assert template["mergePolicy"] == "Replace"
    assert {*template["data"]} == {"TOKEN", "URL"}
    assert 'index . "mail.login"' in template["data"]["URL"]


def test_entries_that_are_read_as_one_keep_their_order_beside_another_entry(settings):
    place = {"entries": ["charts", "shared"], "keys": {"MAIL": {"entry": "m", "property": "p"}}}
    spec = spec_of(settings("vault", place, PARTS))
    [mail] = spec["data"]
    names = {mail["secretKey"]}
    assert [one["extract"]["key"] for one in spec["dataFrom"]] == ["charts", "shared"]
    first, second = (one["rewrite"] for one in spec["dataFrom"])
    assert first == second
    names |= {first[-1]["regexp"]["target"].replace("$1", "TOKEN")}
    assert all(f'index . "{name}"' in str(spec["target"]["template"]["data"]) for name in names)


@pytest.mark.parametrize("bundle", [PARTS, CHARTS])
def test_exactly_the_entries_that_are_named_are_read_and_none_is_made_or_written(settings, bundle):
    found = settings("vault", {"entries": ["apps/charts", "shared"]}, bundle)
    entries = {"apps/charts", "shared"}
    assert {*identity_entries(found, "main", "read").values()} == entries
    assert adopted_entries(found, "main") == entries
    assert made_entries(found, "main") == {}
    assert expected_entries(found) == {"main": {"apps/charts": [], "shared": []}}
    assert [value for value in kept(found, "charts") if value.may_be_written] == []


GENERATED = {
    **PARTS,
    "keys": {"TOKEN": {"description": "t", "rotate": {"by": "generate", "every": "90d"}}},
    "texts": {},
}
ENTRIES = {"entries": ["a", "b"]}


@pytest.mark.parametrize(
    ("place", "bundle", "message"),
    [
        ({"entries": ["a"]}, PARTS, "entries: "),
        ({"entries": ["a", "b", "a"]}, PARTS, "`entries` has a twice"),
        ({**ENTRIES, "entry": "c"}, PARTS, "keep one of them"),
        ({**ENTRIES, "writes": "allowed"}, PARTS, "`writes` is about an entry"),
        ({"entries": ["a", "/b"]}, PARTS, "bundles.charts.entries: makes the entry /b"),
        (ENTRIES, GENERATED, "entries: are read as one, so key TOKEN can't be `by: generate`"),
        (ENTRIES | {"keys": {"TOKEN": {"version": "7"}}}, PARTS, "version: is one entry's"),
        (ENTRIES | {"keys": {"TOKEN": {"property": "a/b"}}}, PARTS, "property: must be letters"),
        (
            ENTRIES | {"keys": {"TOKEN": {"property": "b"}}},
            {**CHARTS, "keys": {"TOKEN": {"description": "t"}}},
            "property: must be the key's name",
        ),
        (
            ENTRIES | {"keys": {name: {"entry": "c"} for name in ("TOKEN", "MAIL")}},
            PARTS,
            "entries: is where no key of this bundle is kept",
        ),
    ],
)
def test_what_can_t_be_of_several_entries_is_told(settings, place, bundle, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        settings("vault", place, bundle)


def test_a_whole_bundle_can_t_borrow_what_several_entries_have(settings_with):
    borrowed = {"T": {"description": "t", "same-as": "lender/T"}}
    lender = {"secret": "lender", "keys": {"T": {"description": "t"}}}
    bundles = {"charts": {**CHARTS, "keys": borrowed}, "lender": lender}
    with pytest.raises(SettingsError, match="T is the value of a key in several entries"):
        settings_with(
            catalogue={"platform": "shop", "bundles": bundles},
            stores={"main": STORES["vault"]},
            bundles={"charts": {"entry": "c"}, "lender": ENTRIES},
        )


def test_a_key_that_is_borrowed_is_in_the_same_entries(settings_with):
    borrowed = {"T": {"description": "t", "same-as": "lender/T"}}
    lender = {"secret": "lender", "keys": {"T": {"description": "t"}}}
    found = settings_with(
        catalogue={
            "platform": "shop",
            "bundles": {"charts": {"secret": "charts", "keys": borrowed}, "lender": lender},
        },
        stores={"main": STORES["vault"]},
        bundles={"lender": ENTRIES},
    )
    assert spec_of(found)["dataFrom"] == [{"extract": {"key": one}} for one in "ab"]
    assert {*identity_entries(found, "main", "read").values()} == {*"ab"}
