"""Bundles whose values are short-lived tokens, for which the operator asks at each refresh."""

import re
from argparse import Namespace
from pathlib import Path

import pytest

from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.layer import STORES as STORES_WAVE
from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.network import operator_policies
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.secretsctl.put_commands import put_commands
from tests.settings_files import REMOVED, changed, lines
from tests.token_stores import (
    CLIENT,
    CLUSTER,
    TENANT,
    TOKEN_CATALOGUE,
    TOKEN_STACK,
    TOKEN_STORES,
    token_settings,
)

ROLE = "arn:aws:iam::123456789012:role/shop-test--ecr-read"
ACCOUNT = {"serviceAccountRef": {"name": "ecr-store"}}
GENERATORS = {
    "ecr": (
        "ECRAuthorizationToken",
        {"eks.amazonaws.com/role-arn": ROLE},
        {"region": "eu-central-1", "auth": {"jwt": ACCOUNT}},
    ),
    "gar": (
        "GCRAccessToken",
        {"iam.gke.io/gcp-service-account": "shop-test--gar-read@shop-test.iam.gserviceaccount.com"},
        {
            "projectID": "shop-test",
            "auth": {
                "workloadIdentity": {
                    "clusterProjectID": CLUSTER["project"],
                    "clusterLocation": CLUSTER["location"],
                    "clusterName": CLUSTER["name"],
                    "serviceAccountRef": {"name": "gar-store"},
                }
            },
        },
    ),
    "acr": (
        "ACRAccessToken",
        {
            "azure.workload.identity/client-id": CLIENT,
            "azure.workload.identity/tenant-id": TENANT,
        },
        {
            "registry": "shop.azurecr.io",
            "tenantId": TENANT,
            "environmentType": "PublicCloud",
            "scope": "repository:shop/web:pull",
            "auth": {"workloadIdentity": {"serviceAccountRef": {"name": "acr-store"}}},
        },
    ),
    "github": (
        "GithubAccessToken",
        None,
        {
            "url": "https://api.github.com",
            "appID": "4711",
            "installID": "81500",
            "permissions": {"contents": "read"},
            "repositories": ["charts"],
            "auth": {"privateKey": {"secretRef": {"name": "app-env", "key": "private-key"}}},
        },
    ),
}


@pytest.mark.parametrize("store", TOKEN_STORES)
def test_a_store_of_tokens_is_a_generator_with_an_account_of_its_own(store):
    kind, annotations, spec = GENERATORS[store]
    *account, generator = store_manifests(token_settings(), store, "read")
    assert generator["apiVersion"] == "generators.external-secrets.io/v1alpha1"
    assert (generator["kind"], generator["spec"]) == (kind, spec)
    if annotations is None:
        assert not account, "GitHub knows an App by its key"
    else:
        assert account[0]["metadata"]["annotations"] == annotations
        assert account[1]["rules"][0]["resourceNames"] == [f"{store}-store"]


def test_with_pod_identity_the_operator_itself_assumes_the_role():
    settings = token_settings({"stores.ecr.identity": "pod-identity"})
    [generator] = store_manifests(settings, "ecr", "read")
    assert generator["spec"] == {"region": "eu-central-1", "role": ROLE}


@pytest.mark.parametrize("store", TOKEN_STORES)
def test_the_external_secret_takes_what_the_generator_makes_and_fails_without_it(store):
    [found] = external_secret_manifests(token_settings(), store)
    kind, _, _ = GENERATORS[store]
    spec = found["spec"]
    reference = spec["dataFrom"][0]["sourceRef"]["generatorRef"]
    assert (reference["kind"], reference["name"]) == (kind, f"{store}-store")
    assert "secretStoreRef" not in spec
    output = "token" if store == "github" else "password"
    fault = f'fail "the token of store {store} has no {output}"'
    line = spec["target"]["template"]["data"]["password"]
    assert f'index . "{output}"' in line
    assert fault in line


@pytest.mark.parametrize(("store", "wanted"), [("ecr", 4 * 60), ("gar", 20), ("github", 20)])
def test_a_token_is_asked_for_three_times_in_its_life(store, wanted):
    def minutes(settings):
        [found] = external_secret_manifests(settings, store)
        parts = re.findall(r"(\d+)([hms])", found["spec"]["refreshInterval"])
        seconds = {"h": 3600, "m": 60, "s": 1}
        return sum(int(number) * seconds[unit] for number, unit in parts) / 60

    assert minutes(token_settings()) == pytest.approx(wanted, rel=0.06)
    own = token_settings({f"bundles.{store}.refresh-interval": "10m"})
    assert minutes(own) == pytest.approx(10, rel=0.06)


def test_a_pull_secret_s_login_is_made_of_the_token():
    bundle = {
        "secret": "ecr-env",
        "registries": {"registry.example.com": {"username": "username", "password": "password"}},
        "keys": {name: {"description": "x", "hidden": True} for name in ("username", "password")},
    }
    settings = token_settings(catalogue={"bundles.ecr": bundle})
    [found] = external_secret_manifests(settings, "ecr")
    template = found["spec"]["target"]["template"]
    assert template["type"] == "kubernetes.io/dockerconfigjson"
    assert template["data"].keys() == {".dockerconfigjson"}
    assert '"registry.example.com"' in template["data"][".dockerconfigjson"]


def test_nobody_puts_in_rotates_or_watches_a_token():
    by_hand = {"by": "hand", "max-age": "90d"}
    settings = token_settings(
        {"seeding": {"groups": ["wren-operators"]}}, {"bundles.ecr.keys.password.rotate": by_hand}
    )
    assert not rotation_plan(settings).keys
    assert settings.identities("ecr") == ["read"]
    options = Namespace(keys=[], not_ready=False, stack="s", catalogue=Path("catalogue.yaml"))
    script = put_commands(settings, options)
    assert "# ecr/password: left out, since it is a token for which the operator asks." in script
    assert script.count("\nput ") == 1


def test_the_operator_reaches_an_enterprise_server_s_port():
    url = "https://github.shop.internal:8443/api/v3"
    _, controller = operator_policies(token_settings({"stores.github.url": url}))
    ports = [one["port"] for rule in controller["spec"]["egress"] for one in rule["ports"]]
    assert {443, 8200, 8443} <= {*ports}


def test_each_namespace_has_generators_of_its_own():
    settings = token_settings({"namespaces": {"images": {"bundles": ["ecr"]}}})
    [stores] = [wave.objects for wave in waves(settings, {}) if wave.name == STORES_WAVE]
    namespaces = {
        one["metadata"]["namespace"] for one in stores if one["kind"] == "ECRAuthorizationToken"
    }
    assert namespaces == {"images"}


PASSWORD = "bundles.ecr.keys.password"  # noqa: S105 - the place of a key
WRONG = [
    ({f"{PASSWORD}.rotate": {"by": "generate", "every": "90d"}}, {}, "password can't be rotated"),
    ({f"{PASSWORD}.stored-as": "base64"}, {}, "password can't be `stored-as: base64`"),
    ({PASSWORD: {"description": "x", "same-as": "gar/password"}}, {}, "both must be in one"),
    ({"bundles.ecr.whole-entry": True}, {}, "has a whole entry, and store ecr has none"),
    (
        {"bundles.ecr.keys": {"pasword": {"description": "x"}}},
        {},
        "pasword is nothing that a token of store ecr has (did you mean password?); it has: "
        "expires_at, password, proxy_endpoint, username",
    ),
    ({}, {"bundles.github.keys": REMOVED}, "it has: token (name it by `property`)"),
    ({}, {"bundles.ecr.entry": "apps/ecr"}, "bundles.ecr.entry: store ecr has no entries"),
    ({}, {"bundles.ecr.refresh-interval": "7h"}, "must be 6h at most, and not 0"),
    ({}, {"bundles.ecr.refresh-interval": 0}, "must be 6h at most, and not 0"),
    ({}, {"stores.github.private-key.key": "key"}, "makes Secret app-env with key in it"),
    (
        {},
        {"namespaces": {"git": {"bundles": ["github"]}}},
        "no bundle in namespace git makes Secret app-env",
    ),
    ({}, {"stores.github.permissions": {}}, "stores.github.permissions: must not be empty"),
    ({}, {"stores.acr.registry": "shop"}, "must be a host such as rook.azurecr.io"),
    ({}, {"stores.github.app-id": 4711}, "stores.github.app-id: must be text: quote it"),
]


@pytest.mark.parametrize(("catalogue", "stack", "sentence"), WRONG)
def test_what_a_token_can_not_be_is_told(tmp_path, catalogue, stack, sentence):
    files = [TOKEN_CATALOGUE, TOKEN_STACK]
    for at, changes in enumerate((catalogue, stack)):
        for path, value in changes.items():
            files[at] = changed(files[at], path, value)
    found = lines(tmp_path, *files)
    assert [one for one in found if sentence in one], found
