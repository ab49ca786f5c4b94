"""Which stores `secretsctl import` takes with their settings, and which as stores of others."""

import base64
from typing import Any

import pytest
import yaml

from platform_secrets.importing.found import Manifest
from platform_secrets.importing.imported import imported
from platform_secrets.importing.native_stores import store_settings
from platform_secrets.importing.stack_file import Target
from platform_secrets.importing.suggestions import with_store_settings
from platform_secrets.manifests.layer import waves
from platform_secrets.settings import Document, load
from tests.settings_files import STORES

PLACE = {"description": "x"}
TARGET = Target("shop", "test", "nowhere")
OTHERS = {"provider": "existing", "kind": "SecretStore", "name": "team"}


def rendered(stores, **stack):
    """What a catalogue with a Secret in each of two namespaces renders."""
    bundles = {name: {"secret": name, "keys": {"a": PLACE}} for name in ("here", "there")}
    settings: dict[str, Any] = {
        "environment": "test",
        "operator": "existing",
        "namespace": "existing",
        "namespace-name": "shop",
        "stores": stores,
        "namespaces": {"ops": {"namespace": "existing", "bundles": ["there"]}},
        "bundles": {
            name: {"keys": {"a": {"entry": f"apps-{name}", "property": "x"}}} for name in bundles
        },
        **stack,
    }
    catalogue = {"platform": "shop", "bundles": bundles}
    [found] = load([Document("stack", settings)], Document("catalogue", catalogue))
    objects = [one for wave in waves(found, {}) for one in wave.objects]
    return [Manifest(one, "a.yaml", 1) for one in objects if one["kind"] != "CronJob"]


OF_READERS = {"azure": {"client-ids": {"read": "aaaaaaaa-0000-4000-8000-000000000001"}}}


@pytest.mark.parametrize("provider", STORES)
def test_a_store_that_would_be_declared_the_same_is_one_with_its_settings(provider):
    # Where Azure's identities of another namespace are is not in the SecretStore's own.
    is_one = {"namespaces": {}} if provider == "azure" else {}
    manifests = rendered({provider: STORES[provider] | OF_READERS.get(provider, {})}, **is_one)
    found = imported(manifests, TARGET)
    assert {one.outcome for one in found.verdicts} == {"exact"}
    [(name, store)] = found.stack["stores"].items()
    assert (name, store["provider"]) == (provider, provider)
    assert (STORES[provider] | OF_READERS.get(provider, {})).items() <= store.items()
    [settings] = load([Document("", found.stack)], Document("", found.catalogue))
    again = [one for wave in waves(settings, {}) for one in wave.objects]
    kinds = ("SecretStore", "ServiceAccount", "Role", "RoleBinding")

    def of(objects):
        return {
            (one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): one
            for one in objects
            if one["kind"] in kinds
        }

    assert of(again) == of([one.content for one in manifests])


def test_stores_of_ours_are_beside_those_of_others():
    bundles = {"here": {"store": "vault"}, "there": {"store": "team"}}
    places = {
        name: {**place, "keys": {"a": {"entry": "apps", "property": "x"}}}
        for name, place in bundles.items()
    }
    stores = {"vault": STORES["vault"], "team": OTHERS}
    found = imported(rendered(stores, bundles=places, **{"default-store": "team"}), TARGET)
    assert {name: one["provider"] for name, one in found.stack["stores"].items()} == {
        "vault": "vault",
        "team": "existing",
    }


def edited(manifests, kind, change):
    """The same manifests, with the content of those of a kind changed."""
    return [
        Manifest(yaml.safe_load(yaml.safe_dump(change(dict(one.content)))), *one.at)
        if one.kind == kind
        else one
        for one in manifests
    ]


def vault_role(content):
    content = yaml.safe_load(yaml.safe_dump(content))
    content["spec"]["provider"]["vault"]["auth"]["kubernetes"]["role"] = "shop-reader"
    return content


def retry(content):
    return {**content, "spec": {**content["spec"], "retrySettings": {"maxRetries": 3}}}


def renamed(content):
    return {**content, "metadata": {**content["metadata"], "name": "vault"}}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("SecretStore", vault_role),
        ("SecretStore", retry),
        ("SecretStore", renamed),
        ("ServiceAccount", renamed),
    ],
)
def test_a_store_that_is_another_one_in_anything_stays_that_of_others(kind, change):
    """Its readers would stop until somebody had made the identity."""
    manifests = edited(rendered({"vault": STORES["vault"]}), kind, change)
    found = imported(manifests, TARGET)
    assert [one["provider"] for one in found.stack["stores"].values()] == ["existing"]
    assert {one.outcome for one in found.verdicts} == {"exact"}


def store(provider, **account):
    """A store, its ServiceAccount, and what is said of it."""
    spec = {"provider": provider}
    of_account = {"name": "reader", "namespace": "shop", "annotations": account}
    manifests = [
        Manifest({"kind": "ServiceAccount", "metadata": of_account}, "a.yaml", 1),
        Manifest(
            {
                "kind": "SecretStore",
                "metadata": {"name": "team", "namespace": "shop"},
                "spec": spec,
            },
            "a.yaml",
            2,
        ),
    ]
    return store_settings(manifests[1], manifests)


READER = {"serviceAccountRef": {"name": "reader"}}
IAM = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/reads"}


def test_of_each_provider_the_settings_are_told():
    certificate = base64.b64encode(b"a certificate").decode()
    kubernetes = {"mountPath": "eks", "role": "reads", **READER}
    vault = {"server": "https://vault.example.com", "path": "kv", "version": "v2"}
    assert store(
        {"vault": {**vault, "caBundle": certificate, "auth": {"kubernetes": kubernetes}}}
    ) == {
        "provider": "vault",
        "server": "https://vault.example.com",
        "mount": "kv",
        "auth-method": "kubernetes",
        "auth-mount": "eks",
        "ca-certificate": "a certificate",
    }
    assert store(
        {"aws": {"service": "SecretsManager", "region": "eu-west-1", "auth": {"jwt": READER}}},
        **IAM,
    ) == {
        "provider": "aws",
        "region": "eu-west-1",
        "account-id": "123456789012",
        "partition": "aws",
        "identity": "irsa",
    }
    workload = {"clusterLocation": "europe-west3", "clusterName": "main", **READER}
    assert store({"gcpsm": {"projectID": "shop-1", "auth": {"workloadIdentity": workload}}}) == {
        "provider": "gcp",
        "project": "shop-1",
        "cluster": {"project": "shop-1", "location": "europe-west3", "name": "main"},
        "access": "direct",
    }
    azure = {"authType": "WorkloadIdentity", "vaultUrl": "https://shop.vault.azure.net", **READER}
    tenant = "11111111-2222-4333-8444-555555555555"
    client = {"azure.workload.identity/client-id": "aaaaaaaa-0000-4000-8000-000000000001"}
    assert store({"azurekv": {**azure, "tenantId": tenant}}, **client) == {
        "provider": "azure",
        "vault-name": "shop",
        "tenant-id": tenant,
        "client-ids": {"read": "aaaaaaaa-0000-4000-8000-000000000001"},
    }


@pytest.mark.parametrize(
    "provider",
    [
        {"vault": {"server": "https://a", "path": "kv", "auth": {"tokenSecretRef": {"name": "t"}}}},
        {"vault": {"path": "kv", "version": "v1", "auth": {"kubernetes": {"role": "a"}}}},
        {"aws": {"service": "ParameterStore", "region": "eu-west-1"}},
        {"aws": {"service": "SecretsManager", "region": "eu-west-1", "auth": {"secretRef": {}}}},
        {"gcpsm": {"projectID": "a", "auth": {"secretRef": {}}}},
        {"azurekv": {"authType": "ServicePrincipal", "vaultUrl": "https://a.vault.azure.net"}},
        {"doppler": {}},
        {},
    ],
)
def test_a_store_of_another_kind_or_with_a_login_of_its_own_has_none(provider):
    assert store(provider) is None


def test_what_a_store_could_say_is_behind_it_as_comments_that_hold():
    stack = {"config": {"p:environment": {"stores": {"team": OTHERS, "x": {**OTHERS}}, "a": "b"}}}
    text = yaml.safe_dump(stack, sort_keys=False)
    found = with_store_settings(text, {"team": "Instead:\nprovider: vault\nmount: kv\n"})
    assert yaml.safe_load(found) == stack
    there, _, rest = found.partition("        # Instead:\n")
    lines = rest.replace("        # ", "        ").splitlines(keepends=True)
    old = "".join(f"        {name}: {value}\n" for name, value in OTHERS.items())
    assert there.endswith(old)
    taken = yaml.safe_load(there.removesuffix(old) + "".join(lines))
    assert taken["config"]["p:environment"]["stores"] == {
        "team": {"provider": "vault", "mount": "kv"},
        "x": OTHERS,
    }
