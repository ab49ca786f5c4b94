"""Objects of Kubernetes' own kinds are valid, field by field, for every supported version."""

import copy
from functools import cache

import kubernetes_validate
import pytest
from kubernetes_validate import utils

CORE = (
    "v1",
    "admissionregistration.k8s.io/v1",
    "batch/v1",
    "networking.k8s.io/v1",
    "rbac.authorization.k8s.io/v1",
)
VERSIONS = ("1.31", utils.latest_version())


@pytest.fixture(autouse=True)
def _schemas_are_read_once(monkeypatch):
    monkeypatch.setattr(utils, "schema_contents", _schema_contents)


_schema_contents = cache(utils.schema_contents)


def core_objects(any_stack):
    rendered = [one for one in any_stack.rendered_objects if one["apiVersion"] in CORE]
    # The tree's kustomization makes these, and Pulumi declares them.
    basic = [one.manifest for one in any_stack.declared.of_kind("Secret")]
    return rendered + [{**one, "data": {}} for one in basic]


def faults(one, version):
    """What is wrong with an object; nothing when it is valid."""
    try:
        kubernetes_validate.validate(one, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return error.message
    return None


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_of_a_core_kind_is_valid(version, any_stack):
    objects = core_objects(any_stack)
    found = [(one["kind"], one["metadata"]["name"], faults(one, version)) for one in objects]
    assert found
    assert not [one for one in found if one[-1]]


def test_only_the_operator_s_own_kinds_are_checked_elsewhere(any_stack):
    others = {one["apiVersion"] for one in any_stack.rendered_objects} - {*CORE}
    operators = {"external-secrets.io/v1", "generators.external-secrets.io/v1alpha1"}
    assert others <= operators | {"monitoring.coreos.com/v1"}


def fields(value, path=()):
    """The path of every field in an object whose names are Kubernetes' and not ours."""
    free = ("labels", "annotations", "matchLabels", "data", "requests", "limits")
    if isinstance(value, dict) and (not path or path[-1] not in free):
        for key, item in value.items():
            yield (*path, key)
            yield from fields(item, (*path, key))
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from fields(item, (*path, place))


def misspelt(one, path):
    changed = copy.deepcopy(one)
    parent = changed
    for part in path[:-1]:
        parent = parent[part]
    parent[f"{path[-1]}x"] = parent.pop(path[-1])
    return changed


@pytest.mark.parametrize("version", VERSIONS)
def test_a_misspelt_field_is_found_wherever_it_is(version, stack_named):
    kinds = {one["kind"]: one for one in core_objects(stack_named("production"))}
    kinds |= {one["kind"]: one for one in core_objects(stack_named("development"))}
    assert kinds.keys() == {
        "ConfigMap",
        "CronJob",
        "Namespace",
        "NetworkPolicy",
        "Role",
        "RoleBinding",
        "Secret",
        "ServiceAccount",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    for one in kinds.values():
        for path in fields(one):
            if path not in (("apiVersion",), ("kind",)):
                assert faults(misspelt(one, path), version), path
