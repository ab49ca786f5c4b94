"""A limit that can't be lifted is told with the number at which it is reached, and what to do."""

import json
import re
from pathlib import Path

import pytest

from platform_secrets.components.backends import aws_policies, azure_rights
from platform_secrets.rotator.memory import Remembered, moment
from platform_secrets.secretsctl.object_sizes import size_faults
from platform_secrets.secretsctl.rendering import rendered_files
from platform_secrets.settings import (
    Document,
    Settings,
    SettingsError,
    limits,
    load,
    load_catalogue,
)

VAULT = {"provider": "vault", "server": "https://vault.test:8200"}
AWS = {
    "provider": "aws",
    "region": "eu-central-1",
    "account-id": "123456789012",
    "backend": "declare",
    "oidc-issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC",
}
GCP = {
    "provider": "gcp",
    "layout": "bundle",
    "project": "shop-test",
    "cluster": {"project": "shop-test", "location": "europe-west3", "name": "main"},
}
ROTATED = {"by": "generate", "every": "90d"}


AZURE = {
    "provider": "azure",
    "backend": "declare",
    "vault-name": "shop-test",
    "tenant-id": "11111111-2222-4333-8444-555555555555",
    "subscription-id": "99999999-0000-4000-8000-000000000000",
    "resource-group": "shop",
    "location": "westeurope",
    "oidc-issuer": "https://westeurope.oic.prod-aks.azure.com/tenant/cluster/",
    "client-ids": {
        "read": "aaaaaaaa-0000-4000-8000-000000000001",
        "rotation": "aaaaaaaa-0000-4000-8000-000000000002",
    },
}


def loaded(
    store: dict, bundles: int, keys: int, name: str = "key", *, elsewhere: int = 0, **key
) -> Settings:
    """An environment of so many bundles of so many keys; some bundles are in another namespace."""
    catalogue = {
        "platform": "shop",
        "bundles": {
            f"bundle-{at}": {
                "secret": f"secret-{at}",
                "keys": {
                    f"{name}-{at}-{number}": {"description": "a key", **key}
                    for number in range(keys)
                },
            }
            for at in range(bundles)
        },
    }
    stack = {"environment": "test", "operator": "existing", "stores": {"main": store}}
    if elsewhere:
        there = {"bundles": [f"bundle-{at}" for at in range(elsewhere)]}
        stack["namespaces"] = {"annex": there}
    [settings] = load([Document("stack", stack)], Document("catalogue", catalogue))
    return settings


def told(*arguments, **key) -> tuple[str, int]:
    """The one problem, and the number in it that would be right."""
    with pytest.raises(SettingsError) as caught:
        loaded(*arguments, **key)
    [problem] = caught.value.problems
    numbers = re.findall(r"(?:room for|some) ([0-9,]+)", problem.message)
    return str(problem), int(numbers[0].replace(",", "")) if numbers else 0


def test_more_rotated_keys_than_the_memory_holds_are_told_with_how_many_it_does():
    name = "a-name-of-forty-letters-as-some-have-it"
    said, most = told(VAULT, 100, 100, name, rotate=ROTATED)
    assert said.startswith("stack: 10,000 keys have `rotate`; the rotator's memory, one ConfigMap,")
    assert "give some an environment of their own, or shorter names" in said
    assert 7_000 < most < 10_000
    loaded(VAULT, most // 100, 100, name, rotate=ROTATED)
    loaded(VAULT, 100, 100, "key", rotate=ROTATED)


def test_what_the_memory_s_limit_reckons_for_a_key_is_what_the_rotator_writes():
    at = moment("2026-11-26T03:17:00Z")
    text = Remembered(at, at, "2026-11-26.1").text()
    # Kubernetes notes `"f:<name>":{},` beside it.
    assert limits._REMEMBERED_BYTES - 20 < len(text) + 9 <= limits._REMEMBERED_BYTES


@pytest.mark.parametrize(("store", "kind"), [({**AWS, "layout": "bundle"}, "aws"), (GCP, "gcp")])
def test_a_bundle_that_no_entry_holds_is_told_with_how_many_of_its_values_it_does(store, kind):
    said, most = told(store, 1, 900, rotate=ROTATED)
    assert "stores.main: entry" in said
    assert f"{kind} takes" in said
    assert "split its bundle" in said
    assert most > 200
    loaded(store, 1, most - 1, rotate=ROTATED)


def test_a_secret_that_kubernetes_would_not_take_is_told():
    store = {**GCP, "layout": "per-key"}
    said, _ = told(store, 1, 300, **{"min-length": 4096})
    assert "Secret secret-0 would have 1,228,800 bytes at least; Kubernetes takes 1,048,576" in said
    loaded(store, 1, 250, "key", **{"min-length": 4096})


def test_annotations_that_kubernetes_would_not_take_are_told_with_their_size():
    text, keys = "x" * 9_993, {"a": {"description": "a key"}}
    for count, is_told in ((26, False), (27, True)):
        annotations = {f"many-{place:02}": text for place in range(count)}
        bundle = {"secret": "many", "keys": keys, "annotations": annotations}
        catalogue = {"platform": "shop", "bundles": {"many": bundle}}
        said = ""
        try:
            load_catalogue(Document("catalogue.yaml", catalogue))
        except SettingsError as error:
            said = str(error)
        wanted = "bundles.many: annotations have 270,000 bytes; Kubernetes takes 262,144"
        assert (wanted in said) is is_told


def test_more_entries_than_a_role_may_name_are_told_and_the_number_is_iam_s():
    said, most = told(AWS, 20, 10)
    assert "stores.main: a role's policy would name 200 entries; aws takes 10,240" in said
    assert "use `layout: bundle`" in said
    settings = loaded(AWS, most // 10, 10)
    keys = {"eu-central-1": "arn:aws:kms:eu-central-1:123456789012:key/" + "0" * 36}
    policy = json.dumps(aws_policies.rights(settings, "main", "read", keys), separators=(",", ":"))
    assert 0.8 * 10_240 < len(policy) <= 10_240
    _, less = told({**AWS, "replica-regions": ["eu-west-1"]}, 20, 10)
    assert less < most * 0.6
    loaded({**AWS, "backend": "existing"}, 20, 10)


def test_each_namespace_s_role_names_its_own_entries_and_has_room_for_them():
    told(AWS, 20, 7)
    loaded(AWS, 20, 7, elsewhere=10)


def test_more_role_assignments_than_a_subscription_has_are_told_and_the_number_is_the_backend_s():
    said, _ = told(AZURE, 401, 10, rotate=ROTATED)
    assert "stores.main: its identities would have 4,011 role assignments" in said
    assert "a subscription has room for 4,000, with all others in it: put bundles into" in said
    loaded({**AZURE, "backend": "existing"}, 401, 10, rotate=ROTATED)
    ids = {"annex": {"read": "aaaaaaaa-0000-4001-8000-000000000001"}}
    ids["annex"]["rotation"] = "aaaaaaaa-0000-4001-8000-000000000002"
    shared = {**AZURE, "namespace-client-ids": ids}
    said, _ = told(shared, 201, 10, elsewhere=100, rotate=ROTATED)
    assert "4,020 role assignments" in said
    assert "or have fewer namespaces" in said
    settings = loaded(shared, 20, 10, elsewhere=10, rotate=ROTATED)
    rights = [
        right
        for view, identity in settings.all_identities("main")
        for right in azure_rights.role_assignments(view, "main", identity)
    ]
    assert len(rights) == 20 * 10 * 2


LARGE = {
    "by bundle": ({"provider": "vault", "server": "https://vault.test:8200"}, 12_000),
    "by key": ({**GCP, "layout": "per-key"}, 9_000),
}


@pytest.mark.parametrize("case", LARGE)
def test_an_external_secret_that_etcd_would_not_take_is_told_with_how_many_keys_it_does(case):
    store, keys = LARGE[case]
    with pytest.raises(SettingsError) as caught:
        rendered_files(loaded(store, 1, keys), Path("catalogue.yaml"))
    said = str(caught.value)
    assert "stack: ExternalSecret secret-0 would have" in said
    assert "etcd takes 1,572,864" in said
    assert said.endswith("split its bundle in the catalogue")
    [most] = re.findall(r"some ([0-9,]+) of", said)
    rendered_files(loaded(store, 1, int(most.replace(",", ""))), Path("catalogue.yaml"))


def test_a_role_of_more_names_than_etcd_takes_is_told():
    rule = {"resourceNames": [f"{number:0250}" for number in range(7_000)]}
    role = {"kind": "Role", "metadata": {"name": "secrets-reader"}, "rules": [rule]}
    [said] = size_faults(role, len(json.dumps(role)))
    assert said.startswith("Role secrets-reader would have 1,7")
    assert "of its 7,000 names: put bundles into more namespaces" in said
    rule["resourceNames"] = rule["resourceNames"][:6_000]
    assert not [*size_faults(role, len(json.dumps(role)))]
