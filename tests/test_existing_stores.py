"""A store that others declare: what is read through it, and that nothing of it is declared."""

import argparse
from datetime import timedelta
from pathlib import Path

import pytest

from platform_secrets.components.layer import Layer
from platform_secrets.manifests.eso import chart_values
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator.keys import ByHand
from platform_secrets.secretsctl.put_commands import put_commands
from tests.declaring import CLUSTER_UID, declare
from tests.settings_files import STACK, changed, lines, stack

TEAM = {"provider": "existing", "kind": "ClusterSecretStore", "name": "team-passwords"}
METRICS = {
    "platform": "shop",
    "bundles": {
        "metrics": {
            "secret": "shop-metrics",
            "keys": {
                "admin-user": {"description": "who logs in"},
                "admin-password": {
                    "description": "a password",
                    "rotate": {"by": "hand", "max-age": "90d"},
                },
            },
        }
    },
    "services": {"charts": {"workload": "Deployment/charts", "reads": ["metrics"]}},
}
PLACE = {"entry": "Ops: metrics / main", "keys": {"admin-user": {"property": "login name"}}}


@pytest.fixture
def settings(settings_with):
    return lambda store=TEAM, place=PLACE, **changes: settings_with(
        catalogue=METRICS,
        stores={"team": store},
        bundles={"metrics": place} if place else None,
        **changes,
    )


def spec_of(settings):
    [found] = external_secret_manifests(settings, "metrics")
    return found["spec"]


def objects_of(settings):
    return [one for wave in waves(settings, {}) for one in wave.objects]


@pytest.mark.parametrize("kind", ["SecretStore", "ClusterSecretStore"])
def test_an_externalsecret_names_exactly_that_store(settings, kind):
    spec = spec_of(settings(TEAM | {"kind": kind}))
    assert spec["secretStoreRef"] == {"kind": kind, "name": "team-passwords"}


def test_a_store_without_kind_is_one_of_the_namespace(settings):
    found = settings({"provider": "existing", "name": "team"})
    assert spec_of(found)["secretStoreRef"] == {"kind": "SecretStore", "name": "team"}


def test_nothing_but_the_externalsecret_is_declared_for_it(settings):
    kinds = {(one["kind"], one["metadata"]["name"]) for one in objects_of(settings())}
    assert ("ExternalSecret", "shop-metrics") in kinds
    assert not {kind for kind, _ in kinds} & {"SecretStore", "ClusterSecretStore", "PushSecret"}
    accounts = {name for kind, name in kinds if kind == "ServiceAccount"}
    assert accounts == {"charts", "secrets-rotation", "secrets-age-check"}


def test_the_program_declares_what_is_rendered_and_no_provider_half(settings):
    found = settings(cluster={"uid": CLUSTER_UID})
    run = declare(lambda: Layer("secrets", settings=found, values={}, rotator={}))
    assert [one.manifest for one in run.objects() if one.inputs["kind"] == "ExternalSecret"] == [
        *external_secret_manifests(found, "metrics")
    ]
    assert {one.package for one in run.declared if one.is_custom} == {"kubernetes"}


def test_an_entry_s_name_may_hold_what_its_store_takes(settings):
    spec, entry = spec_of(settings()), "Ops: metrics / main"
    references = [one["remoteRef"] for one in spec["data"]]
    assert references == [{"key": entry, "property": "login name"}]
    assert [one["extract"] for one in spec["dataFrom"]] == [{"key": entry}]


def test_the_stack_file_says_how_a_store_of_others_is_read(settings):
    """Not every provider of theirs knows one property of an entry, or all of them."""
    place = {"entry": "metrics", "keys": {"admin-user": {"property": "login"}}}
    assert spec_of(settings(place=place))["dataFrom"] == [{"extract": {"key": "metrics"}}]
    keys = {
        "admin-user": {"entry": "metrics", "property": "login"},
        "admin-password": {"entry": "metrics", "property": "password"},
    }
    spec = spec_of(settings(place={"keys": keys}))
    assert "dataFrom" not in spec
    assert [one["remoteRef"]["property"] for one in spec["data"]] == ["login", "password"]


def test_a_pattern_names_entries_too(settings):
    store = TEAM | {"entry-pattern": "{environment} / {key}"}
    references = [one["remoteRef"] for one in spec_of(settings(store, None))["data"]]
    assert references == [{"key": "test / admin-user"}, {"key": "test / admin-password"}]
    whole = store | {"entry-pattern": "op://{environment}/{bundle}", "layout": "bundle"}
    assert spec_of(settings(whole, None))["dataFrom"] == [{"extract": {"key": "op://test/metrics"}}]


def test_its_keys_ages_are_watched(settings):
    key = rotation_plan(settings()).keys["admin-password"]
    assert isinstance(key, ByHand)
    assert key.every == timedelta(days=90)


def served(values):
    return values["processClusterStore"], values["crds"]["createClusterSecretStore"]


def test_an_operator_of_ours_serves_a_clustersecretstore_only_where_one_is_read(settings):
    values = chart_values(settings())
    assert served(values) == (True, True)
    values = chart_values(settings(TEAM | {"kind": "SecretStore"}))
    assert served(values) == (False, False)


def test_put_commands_says_that_the_store_is_others(settings):
    options = argparse.Namespace(
        keys=[], not_ready=False, stack=None, env="test", catalogue=Path("catalogue.yaml")
    )
    script = put_commands(settings(), options)
    assert "Others declare it, as ClusterSecretStore/team-passwords: nothing here puts" in script
    assert "# admin-user: left out: property login name of entry Ops: metrics / main" in script
    assert not [line for line in script.splitlines() if line.startswith("put ")]


def mixed(path, value):
    """The shop with the bundle `mail` in a store of others, changed at one place."""
    content = stack("vault")
    content["stores"]["team"] = TEAM
    content["default-store"] = "vault"
    content["bundles"] = {"mail": {"store": "team", "entry": "mail"}}
    return changed(content, path, value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("stores.team.backend", "declare", "unknown key"),
        ("stores.team.shared", "own", "unknown key"),
        ("stores.team.kind", "Secret", "SecretStore"),
        ("bundles.mail.writes", "allowed", "store team is others': nothing here writes to it"),
        ("bundles.mail", {"store": "team"}, "needs `entry`, or store team `entry-pattern`"),
    ],
)
def test_what_needs_more_than_reading_is_refused(tmp_path, path, value, message):
    [line] = lines(tmp_path, stack=mixed(path, value))
    assert message in line


def test_a_key_that_is_generated_is_refused_in_it(tmp_path):
    rotate = {"by": "generate", "every": "90d"}
    catalogue = changed(METRICS, "bundles.metrics.keys.admin-password.rotate", rotate)
    content = STACK | {"stores": {"team": TEAM}, "bundles": {"metrics": PLACE}}
    [line] = lines(tmp_path, catalogue=catalogue, stack=content)
    assert "bundles.metrics.entry: is in store team, which is others'" in line
    assert "key admin-password can't be `by: generate`" in line


def test_a_bundle_of_which_some_keys_have_no_entry_names_them(tmp_path):
    place = {"store": "team", "keys": {"admin-user": {"entry": "login"}}}
    content = STACK | {"stores": {"team": TEAM}, "bundles": {"metrics": place}}
    [line] = lines(tmp_path, catalogue=METRICS, stack=content)
    assert "bundles.metrics: needs `entry` for admin-password" in line


def test_seeding_is_refused_where_every_store_is_others(tmp_path):
    content = STACK | {"stores": {"team": TEAM}, "bundles": {"metrics": PLACE}}
    content["seeding"] = {"groups": ["wren-operators"]}
    [line] = lines(tmp_path, catalogue=METRICS, stack=content)
    assert "seeding: has nothing to write: every store here is others'" in line


def test_a_database_s_password_there_is_people_s_to_rotate(settings_with):
    catalogue = changed(
        METRICS,
        "bundles.metrics.keys.admin-password.rotate",
        {"by": "database", "every": "90d"},
    )
    found = settings_with(catalogue=catalogue, stores={"team": TEAM}, bundles={"metrics": PLACE})
    assert "people must rotate it" in "".join(one.message for one in found.warnings)
    assert found.keys["metrics/admin-password"].kind.value == "hand"
