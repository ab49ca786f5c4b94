"""The admission policies: none of the rotator's rights to write is without one. What they admit is
tried on a real API server (tests/e2e/test_rotation_rights.py, test_rotation_shapes.py)."""

import json

import pytest

from manifests.layer import ROTATION, waves
from manifests.rotation import names
from manifests.rotation.admission import admission_manifests
from manifests.rotation.cel import Cel, cel, same, table
from manifests.rotation.rights import rotation_rights
from rotator import shapes

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


def test_no_right_to_write_is_without_its_policy(stack_with_stores):
    settings = stack_with_stores.settings
    role = next(
        one
        for one in of_kind(rotation_rights(settings), "Role")
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
    assert len(names) == 6
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


def test_each_policy_is_about_this_environment_s_rotator_alone(settings_with):
    for one in of_kind(admission_manifests(settings_with()), "ValidatingAdmissionPolicy"):
        [condition] = one["spec"]["matchConditions"]
        assert condition["expression"] == (
            'request.userInfo.username == "system:serviceaccount:shop-test:secrets-rotation"'
        )
        assert one["metadata"]["name"].startswith("shop-test-rotation-")
        assert "namespace" not in one["metadata"]


def test_a_reviewer_sees_each_key_in_a_line_of_its_own(settings_with):
    policies = of_kind(admission_manifests(settings_with()), "ValidatingAdmissionPolicy")
    [pushes] = [one for one in policies if one["metadata"]["name"].endswith("-pushes")]
    variables = {one["name"]: one["expression"] for one in pushes["spec"]["variables"]}
    assert variables["current"] == '{\n  "signing-key": ["shop/test", "signing-key"]\n}'
    assert json.loads(variables["next"]) == {"signing-key": ["shop/test", "signing-key-next"]}
    assert json.loads(variables["previous"]) == {
        "signing-key": ["shop/test", "signing-key-previous"]
    }


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


def test_the_policies_know_the_very_pushes_and_checks_that_the_rotator_makes():
    assert names.PUSHES == shapes.PUSHES
    assert names.CHECKS == shapes.CHECKS
    for known, made in (
        (names.DATABASE_CHECKS, shapes.DATABASE_CHECKS),
        (names.AWS_CHECKS, shapes.AWS_CHECKS),
    ):
        assert {check: dict([pair]) for check, pair in known.items()} == made
