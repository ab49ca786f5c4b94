"""A bundle whose Secret has everything that its entry holds (`whole-entry`)."""

import pytest

from platform_secrets.manifests.entries import (
    adopted_entries,
    expected_entries,
    identity_entries,
    made_entries,
)
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.settings import SettingsError
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
