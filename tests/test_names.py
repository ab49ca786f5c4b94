"""Names that people choose freely: what is made of them never collides, or is refused."""

from collections import Counter

import pytest

from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.manifests.layer import OPERATOR, kustomizations, waves
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import SettingsError

GITOPS = {"repository": "https://git.example.com/shop.git"}


@pytest.fixture
def vault_named(vault):
    """A store with a mount of its own."""
    return lambda name: {name: vault | {"auth-mount": name}}


@pytest.fixture
def chosen(request, shop, vault, vault_named):
    """A catalogue and settings whose names are awkward."""
    second = {"default-store": "vault", "bundles": {"billing": {"store": "vault-rotation"}}}
    if request.param == "a store named like another's rotation store":
        return shop, {"stores": vault_named("vault") | vault_named("vault-rotation")} | second
    if request.param == "a Secret named like another's overlap Secret":
        shop["bundles"]["billing"]["secret"] = "shop-secrets-overlap"  # noqa: S105
        return shop, {"stores": {"vault": vault | {"layout": "per-key"}}}
    if request.param == "a workload named like a store's account":
        shop["services"]["web"]["workload"] = "Deployment/vault-store"
        return shop, {}
    if request.param == "a namespace that is the operator's":
        return shop, {"namespace-name": "external-secrets-system"}
    return shop, {}


@pytest.mark.parametrize(
    "chosen",
    [
        "ordinary names",
        "a store named like another's rotation store",
        "a Secret named like another's overlap Secret",
        "a workload named like a store's account",
        "a namespace that is the operator's",
    ],
    indirect=True,
)
def test_no_two_objects_have_one_name(chosen, settings_with):
    catalogue, changes = chosen
    try:
        settings = settings_with(catalogue, **changes)
    except SettingsError:
        return
    found = Counter(
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
        for wave in waves(settings, rotator_source())
        for one in wave.objects
    )
    found.update(
        ("Secret", settings.namespace, one["spec"]["target"]["name"])
        for wave in waves(settings, rotator_source())
        for one in wave.objects
        if one["kind"] == "ExternalSecret"
    )
    assert not [name for name, count in found.items() if count > 1]


def test_every_key_has_an_entry_of_its_own(stack_with_stores):
    settings = stack_with_stores.settings
    entries = Counter(
        (settings.store_name(bundle), entry)
        for bundle in settings.catalogue.bundles
        for entry in bundle_entries(settings, bundle).values()
    )
    assert not [entry for entry, count in entries.items() if count > 1]


def test_environments_that_share_a_store_share_no_entry(stack_named):
    names = ("shared-cluster-staging", "shared-cluster-production")
    staging, production = (
        {
            entry
            for bundle in stack_named(name).settings.catalogue.bundles
            for entry in bundle_entries(stack_named(name).settings, bundle).values()
        }
        for name in names
    )
    assert staging
    assert not staging & production


def test_environments_that_share_a_cluster_share_no_object(stack_named):
    staging, production = (
        {
            (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
            for one in stack_named(name).rendered_objects
        }
        for name in ("shared-cluster-staging", "shared-cluster-production")
    )
    assert staging
    assert not staging & production


def test_environments_that_share_an_argo_cd_share_no_application(settings_with):
    """One Argo CD may serve many clusters: `argocd.destination` names each environment's own."""
    staging, production = (
        {
            one["metadata"]["name"]
            for wave in kustomizations(settings_with(environment=name, gitops=GITOPS), [OPERATOR])
            if wave.name == "gitops/argocd"
            for one in wave.objects
        }
        for name in ("staging", "production")
    )
    assert staging
    assert not staging & production


def test_the_stack_s_outputs_say_where_and_what_its_stores_must_hold(stack_named):
    assert stack_named("two-stores").declared.outputs == {
        "namespace": "wren-production",
        "expected-entries": {
            "vault": {
                "wren/production": [
                    "database-url",
                    "redis-url",
                    "jwt-secret",
                    "jwt-secret-next",
                    "jwt-secret-previous",
                ],
                "wren/production/chat-server": ["chat-server-secret"],
                "wren/production/stream-server": ["stream-server-secret"],
            },
            "aws": {
                f"wren/production/{key}": [key]
                for key in (
                    "stripe-api-key",
                    "stripe-webhook-secret",
                    "smtp-password",
                    "s3-access-key",
                    "s3-secret-key",
                )
            },
        },
    }
