"""An ExternalSecret: where each key comes from, and what becomes of one that is missing."""

import re
import statistics
from datetime import timedelta

import pytest

from platform_secrets.manifests.entries import bundle_entries, expected_entries
from platform_secrets.manifests.external_secret import external_secret_manifests, refresh_interval

AWS = {"provider": "aws", "region": "eu-central-1", "account-id": "123456789012"}
GCP = {
    "provider": "gcp",
    "project": "shop-secrets",
    "cluster": {"project": "shop-clusters", "location": "europe-west3", "name": "main"},
}


@pytest.fixture
def made(settings_with):
    """The ExternalSecrets of one of the shop's bundles."""

    def manifests(bundle="shared", **changes):
        return external_secret_manifests(settings_with(**changes), bundle)

    return manifests


def lines_of(external_secret):
    return external_secret["spec"]["target"]["template"]["data"]


def references_of(external_secret):
    return {one["secretKey"]: one["remoteRef"] for one in external_secret["spec"]["data"]}


def test_a_bundle_is_one_external_secret_and_this(made):
    labels = {
        "app.kubernetes.io/component": "external-secret",
        "app.kubernetes.io/managed-by": "platform-secrets",
        "app.kubernetes.io/part-of": "shop",
        "platform-secrets/environment": "test",
    }
    line = (
        '{{ $v := index . "bank-password" }}'
        '{{ if not $v }}{{ fail "shop/test/billing has no bank-password" }}{{ end }}{{ $v }}'
    )
    [found] = made("billing", protect=False)
    assert found.pop("spec") == {
        "refreshPolicy": "Periodic",
        "refreshInterval": "58m5s",
        "secretStoreRef": {"kind": "SecretStore", "name": "vault-store"},
        "target": {
            "name": "shop-billing",
            "creationPolicy": "Owner",
            "deletionPolicy": "Retain",
            "template": {
                "engineVersion": "v2",
                "mergePolicy": "Replace",
                "type": "Opaque",
                "metadata": {"labels": labels},
                "data": {"bank-password": line},
            },
        },
        "dataFrom": [{"extract": {"key": "shop/test/billing"}}],
    }
    assert found == {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "shop-billing", "namespace": "shop-test", "labels": labels},
    }


def test_every_key_of_every_bundle_fails_the_sync_when_it_is_missing(stack_with_stores):
    stack = stack_with_stores
    declared = {
        key
        for name, bundle in stack.settings.catalogue.bundles.items()
        for key in bundle.keys
        # Its line is the pointer's: tests/test_vault_database.py.
        if key != stack.settings.database_key(name)
    }
    found = {}
    for one in stack.rendered_objects:
        if one["kind"] == "ExternalSecret":
            found |= lines_of(one)
    assert declared <= found.keys()
    for key, line in found.items():
        assert line.startswith(f'{{{{ $v := index . "{key}" }}}}')
        assert re.search(
            r'\{\{ if not \$v \}\}\{\{ fail "[^"{}]+" \}\}\{\{ end \}\}\{\{ \$v \}\}$', line
        )


def test_derived_keys_fall_back_to_the_current_value_where_one_entry_holds_the_bundle(made):
    [found] = made("shared")
    assert list(lines_of(found)) == [
        "api-token",
        "signing-key",
        "signing-key-next",
        "signing-key-previous",
    ]
    assert lines_of(found)["signing-key-next"] == (
        '{{ $v := index . "signing-key-next" }}'
        '{{ if not $v }}{{ $v = index . "signing-key" }}{{ end }}'
        '{{ if not $v }}{{ fail "shop/test has no signing-key" }}{{ end }}{{ $v }}'
    )


@pytest.mark.parametrize(
    ("store", "reference"),
    [
        ({"layout": "per-key"}, {"key": "shop/test/signing-key", "property": "value"}),
        (AWS, {"key": "shop/test/signing-key"}),
        (GCP, {"key": "shop-test-signing-key"}),
        (GCP | {"entry-pattern": "{key}-of-{platform}"}, {"key": "signing-key-of-shop"}),
    ],
    ids=["vault", "aws", "gcp", "gcp-pattern"],
)
def test_in_layout_per_key_each_key_is_an_entry(store, reference, made, vault):
    store = store if "provider" in store else vault | store
    main, _ = made("shared", stores={store["provider"]: store})
    assert list(references_of(main)) == ["api-token", "signing-key"]
    assert references_of(main)["signing-key"] == reference
    assert f'fail "{reference["key"]} is empty"' in lines_of(main)["signing-key"]


@pytest.mark.parametrize(
    ("store", "entries"),
    [(AWS, ("shop/test", "shop/test/billing")), (GCP, ("shop-test-shared", "shop-test-billing"))],
    ids=["aws", "gcp"],
)
def test_a_cloud_s_entry_may_hold_a_whole_bundle(store, entries, made):
    stores = {store["provider"]: store | {"layout": "bundle"}}
    found = [made(bundle, stores=stores) for bundle in ("shared", "billing")]
    assert tuple(one["spec"]["dataFrom"][0]["extract"]["key"] for [one] in found) == entries


def test_derived_keys_have_a_secret_of_their_own_where_a_missing_entry_fails_the_whole(made):
    main, overlap = made("shared", stores={"aws": AWS})
    assert main["metadata"]["name"] == "shop-secrets"
    assert (
        overlap["metadata"]["name"] == overlap["spec"]["target"]["name"] == "shop-secrets-overlap"
    )
    assert references_of(overlap) == {
        "signing-key-next": {"key": "shop/test/signing-key-next"},
        "signing-key-previous": {"key": "shop/test/signing-key-previous"},
    }
    assert lines_of(overlap).keys() == references_of(overlap).keys()


def test_a_bundle_without_overlap_has_no_second_secret(made):
    assert len(made("billing", stores={"aws": AWS})) == 1


def test_a_secret_outlives_its_entry_and_takes_nothing_of_its_external_secret_s_metadata(stack):
    found = [one for one in stack.rendered_objects if one["kind"] == "ExternalSecret"]
    for one in found:
        target = one["spec"]["target"]
        assert (target["creationPolicy"], target["deletionPolicy"]) == ("Owner", "Retain")
        assert target["template"]["metadata"] == {"labels": one["metadata"]["labels"]}
        assert target["name"] == one["metadata"]["name"]


@pytest.mark.parametrize(("protect", "pruned"), [(True, False), (False, True)])
def test_gitops_tools_never_prune_what_is_protected(protect, pruned, made):
    never = {
        "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }
    [found] = made("billing", protect=protect)
    assert found["metadata"].get("annotations") == (None if pruned else never)


def seconds(interval):
    """A Go duration in seconds."""
    units = {"h": 3600, "m": 60, "s": 1}
    parts = re.findall(r"(\d+)([hms])", interval)
    assert "".join(number + unit for number, unit in parts) == interval
    return sum(int(number) * units[unit] for number, unit in parts)


def test_refresh_intervals_are_spread_over_five_percent_to_each_side(settings_with):
    settings = settings_with(refresh_interval="1h")
    found = [seconds(refresh_interval(settings, "shared", f"bundle-{n}")) for n in range(200)]
    assert min(found) >= 3600 * 0.95
    assert max(found) <= 3600 * 1.05
    tenths = [sum(3420 + 36 * n <= one < 3456 + 36 * n for one in found) for n in range(10)]
    assert min(tenths) >= 8, "a uniform spread has 20 in each tenth"
    assert max(tenths) <= 36
    assert abs(statistics.mean(found) - 3600) < 20


def test_a_refresh_interval_is_the_same_in_every_run_and_another_in_each_environment(settings_with):
    again = [refresh_interval(settings_with(), "shared", "shop-secrets") for _ in range(2)]
    assert again == ["1h0m25s"] * 2
    assert (
        refresh_interval(settings_with(environment="other"), "shared", "shop-secrets") != again[0]
    )


@pytest.mark.parametrize("wanted", ["1m", "61s", "90s", "61m", "36h", "3650d"])
def test_a_refresh_interval_is_near_the_one_in_the_settings(wanted, settings_with):
    settings = settings_with(refresh_interval=wanted)
    exact = settings.environment.refresh_interval / timedelta(seconds=1)
    found = seconds(refresh_interval(settings, "shared", "shop-secrets"))
    assert found >= 1
    assert abs(found - exact) <= exact * 0.05 + 0.5


def test_a_bundle_is_read_from_the_store_where_it_is_placed(stack_named):
    found = {
        one["metadata"]["name"]: one["spec"]["secretStoreRef"]["name"]
        for one in stack_named("two-stores").rendered_objects
        if one["kind"] == "ExternalSecret"
    }
    assert found["wren-backend-api-secrets"] == "aws-store"
    assert {store for name, store in found.items() if "backend-api" not in name} == {"vault-store"}


def test_entries_of_a_bundle_are_all_that_its_external_secrets_read(stack_with_stores):
    """What is seeded and checked elsewhere is taken from the same list."""
    settings = stack_with_stores.settings
    expected = expected_entries(settings)
    for bundle in settings.catalogue.bundles:
        entries = bundle_entries(settings, bundle)
        manifests = external_secret_manifests(settings, bundle)
        assert {key for one in manifests for key in lines_of(one)} == entries.keys()
        of_store = expected[settings.store_name(bundle)]
        assert all(key in of_store[entry.key] for key, entry in entries.items())
