"""A limit that can't be lifted is told with the number at which it is reached, and what to do."""

import json
import re

import pytest

from platform_secrets.components.backends import aws_policies
from platform_secrets.rotator.memory import Remembered, moment
from platform_secrets.settings import Document, Settings, SettingsError, limits, load

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


def loaded(store: dict, bundles: int, keys: int, name: str = "key", **key) -> Settings:
    """An environment of so many bundles of so many keys."""
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
