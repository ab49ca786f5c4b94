"""The admission policies: none of the rotator's rights to write is without one. What they admit is
tried on a real API server (tests/e2e/rotation/test_rotation_rights.py, test_rotation_shapes.py)."""

import json
from dataclasses import replace

import pytest

from platform_secrets.manifests.layer import ROTATION, waves
from platform_secrets.manifests.rotation.admission import admission_manifests
from platform_secrets.manifests.rotation.cel import Cel, among, cel, same, table
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.manifests.rotation.rights import rotation_rights
from platform_secrets.rotator import contract
from tests.conftest import SHOP
from tests.settings_files import changed

OPERATIONS = {"create": "CREATE", "patch": "UPDATE", "update": "UPDATE"}


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def bounded(policies):
    """Every (group, resource, operation) that a policy is about."""
    return {
        (group, resource, operation)
        for policy in policies
        for rule in policy["spec"]["matchConstraints"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for operation in rule["operations"]
        if rule["apiVersions"] == ["*"]
    }


def test_no_right_to_write_is_without_its_policy(any_stack_with_stores):
    settings = any_stack_with_stores.settings
    role = next(
        one
        for one in of_kind(rotation_rights(settings, rotation_plan(settings)), "Role")
        if one["metadata"]["name"] == "secrets-rotation"
    )
    written = {
        (group, resource, OPERATIONS[verb])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb in OPERATIONS
    }
    assert ("external-secrets.io", "pushsecrets", "CREATE") in written
    policies = of_kind(admission_manifests(settings), "ValidatingAdmissionPolicy")
    assert written <= bounded(policies)


def test_each_policy_is_bound_denies_and_fails_closed(settings_with):
    objects = admission_manifests(settings_with())
    policies = of_kind(objects, "ValidatingAdmissionPolicy")
    bindings = of_kind(objects, "ValidatingAdmissionPolicyBinding")
    names = [one["metadata"]["name"] for one in policies]
    assert len(names) == 7
    assert [one["spec"] for one in bindings] == [
        {"policyName": name, "validationActions": ["Deny"]} for name in names
    ]
    assert {one["spec"]["failurePolicy"] for one in policies} == {"Fail"}


def test_argo_cd_applies_the_policies_before_what_they_bound(settings_with):
    [wave] = [one for one in waves(settings_with(), {}) if one.name == ROTATION]
    policies = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    for one in wave.objects:
        place = one["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0")
        assert (int(place) < 0) == (one["kind"] in policies)


IS_ROTATOR = 'request.userInfo.username == "system:serviceaccount:shop-test:secrets-rotation"'


def test_each_policy_but_that_of_the_stores_is_about_this_environment_s_rotator_alone(
    settings_with,
):
    for one in of_kind(admission_manifests(settings_with()), "ValidatingAdmissionPolicy"):
        assert one["metadata"]["name"].startswith("shop-test-rotation-")
        assert "namespace" not in one["metadata"]
        if one["metadata"]["name"] != "shop-test-rotation-stores":
            [condition] = one["spec"]["matchConditions"]
            assert condition["expression"] == IS_ROTATOR


def of_stores(settings):
    policies = of_kind(admission_manifests(settings), "ValidatingAdmissionPolicy")
    return [one["spec"] for one in policies if one["metadata"]["name"].endswith("-stores")]


def test_the_rotation_stores_of_every_namespace_are_for_the_one_rotator(settings_with):
    some = {"secret": "shop-mail", "keys": {"MAIL_TOKEN": {"description": "a token"}}}
    generated = changed(some, "keys.MAIL_TOKEN.rotate", {"by": "generate", "every": "90d"})
    for mail, expected in ((some, ["shop-test"]), (generated, ["shop-test", "mail"])):
        catalogue = changed(SHOP, "bundles.mail", mail)
        settings = settings_with(catalogue=catalogue, namespaces={"mail": {"bundles": ["mail"]}})
        [spec] = of_stores(settings)
        [selected] = spec["matchConstraints"]["namespaceSelector"]["matchExpressions"]
        assert selected["values"] == expected
        assert [one["expression"] for one in spec["validations"]] == [IS_ROTATOR]
        assert '"vault-rotation-store"' in spec["matchConditions"][1]["expression"]


def test_a_reviewer_sees_each_key_in_lines_of_the_role(settings_with):
    settings = settings_with()
    rules = [
        rule
        for role in of_kind(rotation_rights(settings, rotation_plan(settings)), "Role")
        for rule in role["rules"]
        if rule["apiGroups"] == ["platform-secrets"]
    ]
    found = {rule["verbs"][0]: rule["resourceNames"] for rule in rules}
    store = "vault-rotation-store"
    assert found["generate"] == ["signing-key"]
    assert found["current"] == [f"signing-key {store} shop/test signing-key"]
    assert found["next"] == [f"signing-key {store} shop/test signing-key-next"]
    assert found["previous"] == [f"signing-key {store} shop/test signing-key-previous"]


def test_no_policy_but_that_of_the_memory_grows_with_the_keys(settings_with):
    settings = settings_with()

    def size(some):
        found = admission_manifests(some)
        others = [one for one in found if not one["metadata"]["name"].endswith("config-maps")]
        return len(json.dumps(others))

    keys = settings.catalogue.bundles["shared"].keys
    more = {f"key-{at}": keys["signing-key"] for at in range(100)}
    bundle = settings.catalogue.bundles["shared"].model_copy(update={"keys": {**keys, **more}})
    bundles = {**settings.catalogue.bundles, "shared": bundle}
    catalogue = settings.catalogue.model_copy(update={"bundles": bundles})
    large = replace(settings, catalogue=catalogue)
    assert size(large) == size(settings)


@pytest.mark.parametrize("parts", [("a b", "c"), ("a", "b c"), ("a%20b", "c"), ("a", "b%20c")])
def test_the_parts_of_a_right_are_told_from_each_other(parts):
    others = {("a b", "c"), ("a", "b c"), ("a%20b", "c"), ("a", "b%20c")} - {parts}
    assert contract.right_name(parts) not in map(contract.right_name, others)


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ("a", '"a"'),
        ('"', '"\\""'),
        (Cel("object.name"), "object.name"),
        (["a", "b"], '["a", "b"]'),
        ({"a": "b", "c": "d"}, '{"a": "b", "c": "d"}'),
        ({"a": ["b"], "c": ["d"]}, '{"a": ["b"], "c": ["d"]}'),
        ({"a": "b", "c": ["d"]}, '{"a": dyn("b"), "c": dyn(["d"])}'),
        ({"a": Cel("b"), "c": "d"}, '{"a": dyn(b), "c": dyn("d")}'),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_a_literal_s_members_are_of_one_type_as_the_api_server_wants(value, expression):
    assert cel(value) == expression


def test_a_table_without_rows_is_an_empty_mapping():
    assert table({}) == "{}"


def test_sameness_is_asked_in_both_directions():
    """Else a field could be taken away."""
    assert same("Spec", ["template"]).count(".all(") == 2


def test_many_known_texts_are_told_apart_by_expressions_that_the_api_server_takes():
    known = [f"{'x' * 200}{number:05}" for number in range(5000)]
    variables, expression = among("one", known)
    assert max(map(len, variables.values())) <= 100_000
    assert expression == " || ".join(f"one in variables.{name}" for name in variables)
    assert [one for text in variables.values() for one in json.loads(text)] == known
