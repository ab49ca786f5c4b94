"""What the rotator creates, field by field: admission takes its objects and nothing else."""

import secrets

import pytest

from platform_secrets.rotator import contract
from tests.e2e.deviations import deviations
from tests.e2e.kubernetes_api import KubernetesApiError
from tests.e2e.live_objects import empty
from tests.e2e.rotating import rotating_settings
from tests.e2e.rotation_rights import ACTED_ON, ROTATION_ID, STAMPS, Admitted, is_denied

DATABASE = {
    "host": "db.example.com",
    "name": "wren",
    "admin-user": "vault",
    "users": ["wren_a", "wren_b"],
    "grants": ["wren"],
}
# Layout `bundle` in Vault, with a database; `per-key` in AWS.
HIDDEN = {"description": "x", "hidden": True, "rotate": {"by": "generate", "every": "90d"}}
TEXT = 'url="redis://:${REDIS|url}@redis" 100% {{ `x` }}'
CHANGES = {
    "catalogue": {"bundles": {"shared": {"keys": {"REDIS": HIDDEN}, "texts": {"URL": TEXT}}}},
    "stores": {"vault": {"database": DATABASE}},
    "bundles": {"chat-server": {"store": "aws"}},
}
KEYS = 200
NAMES = [
    *(f"rotation-{step}-jwt-secret" for step in ("before", "staged", "next", "previous")),
    *(f"rotation-{step}-jwt-secret" for step in ("reserve", "reserved")),
    *(f"rotation-{step}-jwt-secret" for step in ("promote", "restore", "withdraw")),
    *(f"rotation-{step}-jwt-secret" for step in ("kept", "published", "promoted")),
    *(f"rotation-{step}-jwt-secret" for step in ("restored", "withdrawn")),
    *(f"rotation-{step}-chat-server-secret" for step in ("before", "staged", "promote")),
    "rotation-promoted-chat-server-secret",
    "rotation-before-shared-redis",
    "rotation-staged-shared-redis",
    "rotation-staged-database-url",
    "rotation-before-database-url",
    "rotation-promoted-database-url",
    "rotation-restored-database-url",
]


@pytest.fixture(scope="module")
def world(operator_crds):
    settings = rotating_settings("two-stores", "shapes", **CHANGES)
    yield Admitted(operator_crds, settings)
    empty(operator_crds, [settings.namespace])


@pytest.fixture(scope="module")
def schemas(operator_crds):
    """The schema of each kind's spec."""
    found = {}
    for kind, plural in (("ExternalSecret", "externalsecrets"), ("PushSecret", "pushsecrets")):
        name = f"{plural}.external-secrets.io"
        crd = operator_crds.api.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
        stored = next(one for one in crd["spec"]["versions"] if one["storage"])
        found[kind] = stored["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def policy_of(obj):
    return "one-shots" if obj["kind"] == "ExternalSecret" else "pushes"


def stored(world, obj):
    """The spec as it would be stored, with the CRD's defaults."""
    path = world.cluster.api.path(obj["apiVersion"], obj["kind"], None, world.namespace)
    return world.rotator.request("POST", path, obj, params={"dryRun": "All"})["spec"]


def test_the_rotator_makes_each_of_its_objects_and_they_are_stored_as_they_are_sent(world):
    for obj in world.one_shots():
        assert world.creating(obj) == "", obj["metadata"]["name"]
        assert stored(world, obj) == obj["spec"]


@pytest.mark.parametrize("name", NAMES)
def test_no_field_of_the_spec_may_differ_and_none_may_be_added(name, world, schemas):
    obj = world.one_shot(name)
    refused = 0
    for what, other in deviations(obj, schemas[obj["kind"]]):
        answer = world.creating(other)
        if is_denied(answer, world, policy_of(obj)):
            refused += 1
        elif answer:
            assert "is invalid" in answer, "the kind's own schema refuses what is no such object"
        else:
            assert what.startswith("no "), what
            # Left out is what the CRD sets to the very value: this is no other object.
            assert stored(world, other) == obj["spec"], what
    assert refused > 20


def test_a_stamp_of_the_cluster_s_own_policies_is_taken(world):
    for obj in world.one_shots():
        own = obj["metadata"]
        stamped = {part: {**own[part], **STAMPS} for part in ("labels", "annotations")}
        assert world.creating({**obj, "metadata": {**own, **stamped}}) == "", own["name"]


def test_no_label_or_annotation_is_taken_that_some_program_acts_on(world):
    for name in ("rotation-staged-jwt-secret", "rotation-next-jwt-secret"):
        obj = world.one_shot(name)
        own = obj["metadata"]
        for part in ("labels", "annotations"):
            for acted_on in ACTED_ON:
                metadata = {**own, part: {**own[part], acted_on: "x"}}
                answer = world.creating({**obj, "metadata": metadata})
                assert is_denied(answer, world, policy_of(obj)), (part, acted_on, answer)


def test_no_metadata_but_name_labels_and_annotations_is_taken(world):
    owner = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "gone",
        "uid": "5f0b6c2e-77aa-4c7e-9d7c-0f6a1b2c3d4e",
    }
    token = secrets.token_hex(4)
    for name in ("rotation-staged-jwt-secret", "rotation-next-jwt-secret"):
        obj = world.one_shot(name)
        own = obj["metadata"]
        nameless = {key: value for key, value in own.items() if key != "name"}
        others = [
            {**own, "ownerReferences": [owner]},
            {**own, "finalizers": ["example.com/kept"]},
            {**own, "generateName": "rotation-staged-"},
            {**nameless, "generateName": "rotation-staged-jwt-secret-"},
            {**own, "name": f"rotation-staged-{token}"},
            {**own, "name": f"{name}-{token}"},
            {**own, "name": token},
            {**own, "name": "rotation-staged-redis-url"},
            {**own, "labels": {}},
            {**own, "labels": {**own["labels"], "app.kubernetes.io/managed-by": "other"}},
            {**own, "labels": {**own["labels"], **{f"other-{n}": "x" for n in range(29)}}},
            {**own, "labels": {**own["labels"], "platform-secrets/environment": "other"}},
            {key: value for key, value in own.items() if key != "labels"},
            {**own, "annotations": {}},
            {**own, "annotations": {**own["annotations"], "other": "x" * 2049}},
            {**own, "annotations": {**own["annotations"], **{f"a-{n}": "x" for n in range(32)}}},
            {**own, "annotations": {"platform-secrets/rotation": "not a day"}},
            {**own, "annotations": {"other": ROTATION_ID}},
            {key: value for key, value in own.items() if key != "annotations"},
        ]
        for metadata in others:
            answer = world.creating({**obj, "metadata": metadata})
            assert is_denied(answer, world, policy_of(obj)), (metadata, answer)
        again = {**own, "annotations": {"platform-secrets/rotation": f"{ROTATION_ID}.2"}}
        assert world.creating({**obj, "metadata": again}) == ""


def test_no_object_takes_the_place_of_another(world):
    """A spec goes with its name alone, whichever of the rotator's own it is."""
    for kind in ("ExternalSecret", "PushSecret"):
        objects = [obj for obj in world.one_shots() if obj["kind"] == kind]
        for obj in objects:
            for other in objects:
                answer = world.creating({**obj, "spec": other["spec"]})
                if obj["metadata"]["name"] == other["metadata"]["name"]:
                    assert answer == ""
                else:
                    assert is_denied(answer, world, policy_of(obj))


def test_an_earlier_version_of_the_kind_is_no_way_round(world):
    obj = world.one_shot("rotation-staged-jwt-secret")
    template = {"data": {"password": "{{ `chosen` }}"}}
    other = {
        **obj,
        "spec": {**obj["spec"], "target": {**obj["spec"]["target"], "template": template}},
    }
    crd = world.cluster.api.get(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "externalsecrets.external-secrets.io",
    )
    served = [version["name"] for version in crd["spec"]["versions"] if version["served"]]
    assert "v1" in served
    for version in served:
        answer = world.creating({**other, "apiVersion": f"external-secrets.io/{version}"})
        assert is_denied(answer, world, "one-shots"), version


def test_the_bounds_are_the_rotator_s_alone(world):
    """Whoever else may write these kinds writes what he likes."""
    obj = world.one_shot("rotation-staged-jwt-secret")
    other = {**obj, "metadata": {**obj["metadata"], "labels": {}}}
    path = world.cluster.api.path(obj["apiVersion"], obj["kind"], None, world.namespace)
    try:
        world.cluster.api.request("POST", path, other, params={"dryRun": "All"})
    except KubernetesApiError as error:
        pytest.fail(str(error))


def test_two_hundred_keys_are_within_what_admission_may_cost(operator_crds):
    rotate = {"by": "generate", "every": "90d", "overlap": "1d"}
    keys = {
        f"key-{number:03}": {"description": "one of many", "rotate": rotate}
        for number in range(KEYS)
    }
    catalogue = {"bundles": {"many": {"secret": "wren-many", "keys": keys}}}
    stores = {"vault": {"layout": "per-key"}}
    settings = rotating_settings("staging", "many", catalogue=catalogue, stores=stores)
    world = Admitted(operator_crds, settings, absent={"Password"})
    try:
        for key in ("key-000", f"key-{KEYS - 1:03}"):
            for step in ("before", "staged", *contract.PUSHES, *contract.CHECKS):
                obj = world.one_shot(f"rotation-{step}-{key}")
                assert world.creating(obj) == ""
                other = {**obj, "spec": {**obj["spec"], "refreshInterval": "1h"}}
                assert is_denied(world.creating(other), world, policy_of(obj))
    finally:
        empty(operator_crds, [settings.namespace])
