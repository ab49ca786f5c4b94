"""What rotates: the plan, what makes new values, the program, its memory and its CronJobs."""

import json
from base64 import b64encode

import pytest
import yaml

from platform_secrets.manifests import naming
from platform_secrets.manifests.layer import ROTATION, waves
from platform_secrets.manifests.network import rotation_policy
from platform_secrets.manifests.rotation.cron_jobs import (
    generator_manifests,
    memory_config_map,
    rotation_manifests,
)
from platform_secrets.manifests.rotation.plan import plan_config_maps, rotation_plan
from platform_secrets.manifests.rotation.rights import rotation_rights
from platform_secrets.rotator import plan as plans
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.secretsctl.yaml_text import yaml_text
from platform_secrets.settings import time_zones
from tests.conftest import VAULT

AWS = {"provider": "aws", "region": "eu-central-1", "account-id": "123456789012"}
GCP = {
    "provider": "gcp",
    "project": "shop-test",
    "cluster": {"project": "shop-test", "location": "europe-west3", "name": "shop"},
}
DATABASE = {
    "host": "db.example.com",
    "name": "shop",
    "admin-user": "vault_admin",
    "users": ["shop_a", "shop_b"],
    "grants": ["shop_readers"],
}
LABELS = {
    "app.kubernetes.io/component": "rotation",
    "app.kubernetes.io/managed-by": "platform-secrets",
    "app.kubernetes.io/part-of": "shop",
    "platform-secrets/environment": "test",
}
PROGRAM = {"__main__.py": "print()\n", "plan.py": "# nothing\n"}
DAY = 86400


@pytest.fixture
def with_database(shop):
    """The shop's catalogue with a database key."""
    rotate = {"by": "database", "every": "180d"}
    key = {"description": "orders", "format": "postgres-url", "rotate": rotate}
    shop["bundles"]["shared"]["keys"]["orders-url"] = key
    return shop


@pytest.fixture
def by_hand(shop):
    """The shop's catalogue with nothing that a machine could rotate."""
    rotate = {"by": "hand", "max-age": "365d", "source": "our policy"}
    shop["bundles"]["shared"]["keys"]["signing-key"]["rotate"] = rotate
    return shop


def plan_of(settings):
    return json.loads(plan_config_maps(settings, rotation_plan(settings))[0]["data"]["plan.json"])


def named(objects, kind, name=None):
    """The single object of a kind, or of a kind and name."""
    [found] = [
        one for one in objects if one["kind"] == kind and name in (None, one["metadata"]["name"])
    ]
    return found


def test_the_rotator_reads_every_stack_s_plan_and_finds_every_key_with_a_limit(
    any_stack_with_stores,
):
    config_map = any_stack_with_stores.tree["5-rotation/configmap-secrets-rotation-plan.yaml"]
    plan = plans.parse(config_map["data"]["plan.json"])
    keys = any_stack_with_stores.settings.catalogue.keys
    assert plan.keys.keys() == {name for name, key in keys.items() if key.rotate}
    assert plan.namespace == any_stack_with_stores.settings.namespace


def test_a_generated_key_with_overlap_is_planned_so(settings_with):
    plan = plan_of(settings_with())
    assert plan.pop("keys") == {
        "signing-key": {
            "by": "generate",
            "shown": "signing-key",
            "bundle": "shared",
            "owner": None,
            "every_seconds": 90 * DAY,
            "grace_seconds": 7 * DAY,
            "overlap_seconds": DAY,
            "store": "vault-rotation-store",
            "entry": {"key": "shop/test", "property": "signing-key"},
            "next": {"key": "shop/test", "property": "signing-key-next"},
            "previous": {"key": "shop/test", "property": "signing-key-previous"},
            "push_metadata": None,
            "fields": ["signing-key", "signing-key-next", "signing-key-previous"],
            "external_secret": "shop-secrets",
            "overlap_external_secret": None,
            "readers": ["Deployment/shop-web", "Deployment/shop-billing"],
        }
    }
    assert plan == {
        "environment": "test",
        "namespace": "shop-test",
        "labels": LABELS,
        "memory": "secrets-rotation-memory",
        "longest_pause_seconds": 86400 + 6 * 3600,
        "bundles_at_once": 4,
        "sync_seconds": 600,
        "rollout_seconds": 600,
        "window": None,
        "freezes": [],
    }


def test_in_a_cloud_a_value_is_pushed_as_text_and_derived_keys_have_a_secret_of_their_own(
    settings_with,
):
    key = plan_of(settings_with(stores={"aws": AWS}))["keys"]["signing-key"]
    assert key["entry"] == {"key": "shop/test/signing-key", "property": None}
    assert key["push_metadata"]["spec"] == {"secretPushFormat": "string"}
    assert key["overlap_external_secret"] == "shop-secrets-overlap"  # noqa: S105 - a name
    assert key["store"] == "aws-rotation-store"


@pytest.mark.parametrize(
    ("layout", "told"), [("per-key", {"mergePolicy": "Merge"}), ("bundle", None)]
)
def test_a_push_to_google_leaves_the_labels_of_others(settings_with, layout, told):
    key = plan_of(settings_with(stores={"gcp": GCP | {"layout": layout}}))["keys"]["signing-key"]
    assert (key["push_metadata"] or {}).get("spec") == told


def test_a_database_key_is_the_engine_s_where_there_is_one_and_people_s_elsewhere(
    settings_with, with_database
):
    stores = {"vault": VAULT | {"database": DATABASE}}
    engine = plan_of(settings_with(with_database, stores=stores))["keys"]["orders-url"]
    assert (engine["by"], engine["pointer"]) == ("database", "orders-url-active")
    assert {side: f".{side}_password" in text for side, text in engine["contents"].items()} == {
        "a": True,
        "b": True,
    }
    assert plan_of(settings_with(with_database))["keys"]["orders-url"] == {
        "by": "hand",
        "shown": "orders-url",
        "bundle": "shared",
        "owner": None,
        "max_age_seconds": 180 * DAY,
        "source": "catalogue",
        "grace_seconds": 14 * DAY,
    }


def test_window_freezes_and_limits_are_settings(settings_with):
    rotator = {
        "window": {"days": ["sat", "sun"], "from": "22:00", "until": "02:00"},
        "schedule": "17 23 * * *",
        "time-zone": "Europe/Berlin",
        "freezes": [{"from": "2026-12-20", "until": "2027-01-02", "reason": "year's end"}],
        "bundles-at-once": 2,
        "sync-deadline": "8m",
        "rollout-deadline": "20m",
    }
    plan = plan_of(settings_with(rotator=rotator))
    rules = b64encode(time_zones.rules("Europe/Berlin")).decode()
    zone = {"time_zone": "Europe/Berlin", "time_zone_rules": rules}
    assert plan["window"] == rotator["window"] | zone
    assert plan["freezes"] == rotator["freezes"]
    assert (plan["bundles_at_once"], plan["sync_seconds"], plan["rollout_seconds"]) == (
        2,
        480,
        1200,
    )


def test_a_generated_value_has_the_symbols_that_its_program_takes(settings_with, shop):
    rotate = shop["bundles"]["shared"]["keys"]["signing-key"]["rotate"]
    rotate |= {"length": 40, "symbols": "-!"}
    [generator] = generator_manifests(settings_with(shop), "signing-key")
    assert generator["spec"] == {
        "length": 40,
        "symbols": 5,
        "symbolCharacters": "-!",
        "allowRepeat": True,
        "noUpper": False,
    }


@pytest.mark.parametrize(("shortest", "length"), [(1, 64), (64, 64), (65, 65)])
def test_a_new_value_is_letters_and_digits_and_as_long_as_the_key_wants(
    shortest, length, settings_with, shop
):
    shop["bundles"]["shared"]["keys"]["signing-key"]["min-length"] = shortest
    [generator] = generator_manifests(settings_with(shop), "signing-key")
    assert generator == {
        "apiVersion": "generators.external-secrets.io/v1alpha1",
        "kind": "Password",
        "metadata": {
            "name": "rotation-signing-key",
            "namespace": "shop-test",
            "labels": LABELS,
        },
        "spec": {"length": length, "symbols": 0, "allowRepeat": True, "noUpper": False},
    }


def test_each_account_of_a_database_is_rotated_by_the_engine_as_the_rotation_identity(
    settings_with, with_database
):
    stores = {"vault": VAULT | {"database": DATABASE}}
    settings = settings_with(with_database, stores=stores)
    for side, generator in zip("ab", generator_manifests(settings, "orders-url"), strict=True):
        assert generator["kind"] == "VaultDynamicSecret"
        assert generator["metadata"]["name"] == f"rotation-orders-url-{side}"
        spec = generator["spec"]
        auth = spec.pop("provider")["auth"]["kubernetes"]
        assert auth["role"] == "shop-test-rotation"
        assert auth["serviceAccountRef"]["name"] == "vault-rotation-store"
        assert spec == {
            "method": "POST",
            "path": f"database/rotate-role/shop-test-{side}",
            "allowEmptyResponse": True,
            "resultType": "Raw",
        }


def test_the_memory_is_declared_without_data_and_is_never_pruned_where_secrets_are_not(
    settings_with,
):
    memory = memory_config_map(settings_with())
    assert memory.keys() == {"apiVersion", "kind", "metadata"}
    merged = {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}
    assert memory["metadata"]["annotations"] == merged | naming.NEVER_PRUNED
    unprotected = memory_config_map(settings_with(protect=False))
    assert unprotected["metadata"]["annotations"] == merged


def test_the_program_is_immutable_and_another_text_has_another_name(settings_with):
    settings = settings_with()

    def held(program):
        found = rotation_manifests(settings, program)
        [one] = [each for each in found if each.get("immutable")]
        return one, named(found, "CronJob", "secrets-rotation")

    first, cron_job = held(PROGRAM)
    assert first["data"] == PROGRAM
    volumes = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": "program", "configMap": {"name": first["metadata"]["name"]}} in volumes
    same, _ = held(dict(reversed(PROGRAM.items())))
    assert same["metadata"]["name"] == first["metadata"]["name"]
    for other in (PROGRAM | {"plan.py": "# else\n"}, {"__main__.py": PROGRAM["__main__.py"]}):
        assert held(other)[0]["metadata"]["name"] != first["metadata"]["name"]


def test_the_program_passes_through_yaml_to_the_letter(settings_with):
    source = rotator_source()
    [held] = [one for one in rotation_manifests(settings_with(), source) if one.get("immutable")]
    assert yaml.load(yaml_text(held), yaml.CSafeLoader)["data"] == source


def test_the_cron_job_is_this(settings_with):
    rotator = {
        "image": f"registry.example.com/python@sha256:{'a' * 64}",
        "schedule": "1 2 * * *",
        "time-zone": "Europe/Berlin",
    }
    objects = rotation_manifests(settings_with(rotator=rotator), PROGRAM)
    spec = named(objects, "CronJob", "secrets-rotation")["spec"]
    job = spec.pop("jobTemplate")["spec"]
    assert spec == {
        "schedule": "1 2 * * *",
        "timeZone": "Europe/Berlin",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 21600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
    }
    template = job.pop("template")
    assert job == {
        "activeDeadlineSeconds": 21600,
        "backoffLimit": 3,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": "rotation",
                        "operator": "In",
                        "values": [2, 4, 5],
                    },
                },
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
            ]
        },
    }
    assert template["metadata"] == {"labels": LABELS}
    pod = template["spec"]
    [container] = pod.pop("containers")
    del pod["volumes"]
    assert pod == {
        "serviceAccountName": "secrets-rotation",
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    assert container == {
        "name": "rotation",
        "image": rotator["image"],
        "command": ["python", "-m", "rotator", "rotate", "--plan", "/etc/rotation"],
        "workingDir": "/opt/rotation",
        "env": [
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"cpu": "200m", "memory": "128Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "program", "mountPath": "/opt/rotation/rotator", "readOnly": True},
            {"name": "plan", "mountPath": "/etc/rotation", "readOnly": True},
        ],
    }


def test_the_age_check_is_the_same_pod_with_another_command_and_account(settings_with):
    objects = rotation_manifests(
        settings_with(rotator={"age-check-schedule": "5 6 * * 1"}), PROGRAM
    )
    spec = named(objects, "CronJob", "secrets-age-check")["spec"]
    assert spec["schedule"] == "5 6 * * 1"
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "secrets-age-check"
    assert pod["containers"][0]["command"][3] == "age"


def test_a_run_may_last_longer_than_the_operator_s_longest_pause(settings_with):
    for one in rotation_manifests(settings_with(), PROGRAM):
        if one["kind"] == "CronJob":
            assert one["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 7 * 60


def test_the_rotator_s_pods_reach_the_api_server_and_nothing_else(settings_with):
    network = {"api-server": {"cidrs": ["10.0.0.1/32"], "ports": [6443]}}
    policy = rotation_policy(settings_with(network=network))
    assert policy["metadata"]["namespace"] == "shop-test"
    assert policy["spec"] == {
        "podSelector": {"matchLabels": LABELS},
        "policyTypes": ["Ingress", "Egress"],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
                "ports": [{"protocol": "TCP", "port": 6443}],
            }
        ],
    }


def test_where_nothing_is_rotated_no_rule_is_left_without_names(settings_with, by_hand):
    """A rule without names would be a right on everything."""
    role = named(
        rotation_rights(settings_with(by_hand), rotation_plan(settings_with(by_hand))),
        "Role",
        "secrets-rotation",
    )
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["secrets-rotation-memory"],
            "verbs": ["get", "patch"],
        },
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]


def test_nobody_of_the_two_has_a_right_on_secrets(any_stack_with_stores):
    tree = any_stack_with_stores.tree
    for name in ("secrets-rotation", "secrets-age-check"):
        rules = tree[f"5-rotation/role-{name}.yaml"]["rules"]
        assert not [rule for rule in rules if "secrets" in rule["resources"]]
        # Rights of this group open no API: admission looks them up.
        rules = [rule for rule in rules if rule["apiGroups"] != ["platform-secrets"]]
        assert {verb for rule in rules for verb in rule["verbs"]} <= {
            "get", "patch", "create", "delete",
        }  # fmt: skip


def test_only_a_leader_with_stores_and_with_a_limit_rotates(settings_with, shop):
    def has_rotation(settings):
        return ROTATION in [wave.name for wave in waves(settings, PROGRAM)]

    assert has_rotation(settings_with())
    assert not has_rotation(settings_with(rotation="follower"))
    assert not has_rotation(settings_with(secrets="basic", stores=None, operator=None))
    del shop["bundles"]["shared"]["keys"]["signing-key"]["rotate"]
    assert not has_rotation(settings_with(shop))


def test_its_bounds_come_before_what_acts(settings_with):
    [wave] = [one for one in waves(settings_with(), PROGRAM) if one.name == ROTATION]
    kinds = [one["kind"] for one in wave.objects]
    last = max(
        place for place, kind in enumerate(kinds) if kind.startswith("ValidatingAdmissionPolicy")
    )
    assert last < min(kinds.index("RoleBinding"), kinds.index("CronJob"))


def test_the_command_line_hands_in_every_file_of_the_program():
    assert {"__main__.py", "plan.py", "shapes.py"} <= rotator_source().keys()
