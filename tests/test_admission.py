"""What is taken, as rendered. `tests/e2e/values/test_admission.py` asks an API server."""

import json

import pytest

from platform_secrets.components.layer import Layer
from platform_secrets.describing.asked import asked_of
from platform_secrets.manifests.admission.objects import namespace_bounds
from platform_secrets.policy import Asked
from platform_secrets.settings import SettingsError
from tests.declaring import CLUSTER_UID, declare
from tests.test_limits import VAULT, loaded

LARGEST_EXPRESSION, MEBIBYTE = 100_000, 2**20
LABELS = {"app.kubernetes.io/component": "admission"}


def expressions(policy):
    return [one["expression"] for one in policy["spec"]["validations"]] + [
        one["expression"] for one in policy["spec"].get("variables", [])
    ]


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def test_nothing_is_judged_unless_it_is_asked_for(settings_with):
    settings = settings_with()
    assert namespace_bounds(settings, settings) == []


@pytest.mark.parametrize(
    ("word", "action", "failure"),
    [("audit", "Audit", "Ignore"), ("warn", "Warn", "Ignore"), ("deny", "Deny", "Fail")],
)
def test_only_deny_stops_anything_whatever_happens_to_a_policy(
    settings_with, word, action, failure
):
    settings = settings_with(admission=word)
    found = namespace_bounds(settings, settings)
    policies = of_kind(found, "ValidatingAdmissionPolicy")
    bindings = of_kind(found, "ValidatingAdmissionPolicyBinding")
    assert len(policies) == len(bindings) == 4
    assert {one["spec"]["failurePolicy"] for one in policies} == {failure}
    assert [one["spec"]["validationActions"] for one in bindings] == [[action]] * 4


def test_the_policies_are_the_same_for_a_thousand_bundles_and_fit_as_their_roles_do():
    store = {**VAULT, "layout": "per-key"}
    few, many = (bounds(loaded(store, count, 10, rotate=ROTATED)) for count in (2, 1000))
    assert of_kind(few, "ValidatingAdmissionPolicy") == of_kind(many, "ValidatingAdmissionPolicy")
    for policy in of_kind(many, "ValidatingAdmissionPolicy"):
        assert max(map(len, expressions(policy))) < LARGEST_EXPRESSION
    sizes = {one["metadata"]["name"]: len(json.dumps(one)) for one in of_kind(many, "ClusterRole")}
    assert all(size < MEBIBYTE for size in sizes.values()), sizes
    assert max(sizes.values()) > MEBIBYTE / 3


ROTATED = {"by": "generate", "every": "90d"}


def bounds(settings):
    admitted = settings.environment.model_copy(update={"admission": "deny"})
    object.__setattr__(settings, "environment", admitted)
    return namespace_bounds(settings, settings)


def test_another_server_or_role_is_another_role_and_no_other_policy(settings_with):
    """A changed policy is in force only after the update has applied the store."""
    one, other = (
        namespace_bounds(settings, settings)
        for settings in (
            settings_with(admission="deny", stores={"vault": {**VAULT, "server": server}})
            for server in ("https://one.test:8200", "https://other.test:8200")
        )
    )
    assert one != other
    assert of_kind(one, "ValidatingAdmissionPolicy") == of_kind(other, "ValidatingAdmissionPolicy")


def test_nobody_is_given_what_the_roles_say(settings_with):
    settings = settings_with(admission="deny", seeding={"groups": ["shop-operators"]})
    roles = of_kind(namespace_bounds(settings, settings), "ClusterRole")
    assert len(roles) == 3
    rules = [rule for role in roles for rule in role["rules"]]
    assert {group for rule in rules for group in rule["apiGroups"]} == {"platform-secrets"}
    assert all(rule["resourceNames"] for rule in rules)


def test_what_may_be_declared_is_said_before_it_is(settings_with):
    settings = settings_with(admission="deny", cluster={"uid": CLUSTER_UID})
    found = declare(lambda: Layer("secrets", settings=settings, values={}, rotator={}))
    bindings = {
        one.urn
        for one in found.of_kind("ValidatingAdmissionPolicyBinding")
        if "-admission-" in one.inputs["metadata"]["name"]
    }
    assert len(bindings) == 4
    judged = [*found.of_kind("SecretStore"), *found.of_kind("ExternalSecret")]
    assert len(judged) > 3
    for one in judged:
        assert bindings <= found.before(one)


def test_off_is_said_by_leaving_it_out(settings_with):
    with pytest.raises(SettingsError, match="is off without it: leave it out"):
        settings_with(admission="off")


def test_it_is_for_environments_with_stores(settings_with):
    with pytest.raises(SettingsError, match="admission: has no meaning with `secrets: basic`"):
        settings_with(admission="deny", secrets="basic", stores=None, operator=None)


def test_a_tree_that_only_tells_is_as_the_stack_file_wants_it(settings_with):
    assert asked_of(settings_with(admission="warn")).is_only_told
    assert not asked_of(settings_with(admission="deny")).is_only_told
    assert not Asked().is_only_told
