"""What a cluster wants of the rotator's pods is laid over them, and never over what bounds them."""

import copy
from typing import Any

import pytest

from platform_secrets.manifests import naming
from platform_secrets.manifests.network import rotation_policy
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.rotation.cron_jobs import rotation_manifests
from tests.rotator_pods import ENV, SPEC, TOLERATION, WANTED
from tests.settings_files import STACK, changed, lines
from tests.test_aws_rotation import DATABASE
from tests.test_core_kinds import VERSIONS, faults

RESOURCES = {"limits": {"cpu": "1", "ephemeral-storage": "1Gi"}}
NODES = "nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution.0"
TAKEN = "must be a label's key that neither we nor Jobs use themselves"
ID = "must be a number from 1 on, or `cluster` where that chooses it"
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"labels": {"job-name": "x"}}, f"labels.job-name: {TAKEN}"),
    ({"labels": {"a b": "x"}}, f"labels.(a key): {TAKEN}"),
    ({"labels": {"tier": "a value"}}, "labels.tier: must be a label's value"),
    ({"node-selector": {"pool": 1}}, "node-selector.pool: must be text: quote it"),
    ({"nodeSelector": {}}, "nodeSelector: unknown key (did you mean node-selector?)"),
    ({"service-account-name": "default"}, "service-account-name: unknown key"),
    ({"security-context": {}}, "security-context: unknown key"),
    (
        {"tolerations": [{**TOLERATION, "toleration-seconds": 5}]},
        "tolerations.0.toleration-seconds: unknown key (did you mean tolerationSeconds?)",
    ),
    (
        {"tolerations": [{**TOLERATION, "effect": "Never"}]},
        "tolerations.0.effect: must be one of: NoSchedule, PreferNoSchedule or NoExecute",
    ),
    (
        {"tolerations": [{**TOLERATION, "value": "x"}]},
        "tolerations.0: with `operator: Exists` there is no value",
    ),
    (
        {"tolerations": [{**TOLERATION, "tolerationSeconds": 5}]},
        "tolerations.0: tolerationSeconds needs `effect: NoExecute`",
    ),
    (
        {"tolerations": [{"effect": "NoExecute"}]},
        "tolerations.0: without key, operator must be Exists",
    ),
    ({"affinity": {"nodeAfinity": {}}}, "affinity.nodeAfinity: unknown key (did you mean"),
    (
        {"affinity": changed({}, NODES[:-2], [{"weight": 101, "preference": {}}])},
        f"affinity.{NODES}.weight: must be at most 100",
    ),
    ({"run-as-user": 0}, f"run-as-user: {ID}"),
    ({"run-as-group": "root"}, f"run-as-group: {ID}"),
    ({"image-pull-secrets": [{"name": "x"}]}, "image-pull-secrets.0: must be text: quote it"),
    (
        {"https-proxy": "http://somebody:something@proxy.example.com:3128"},
        "https-proxy: must be http://HOST:PORT, without user",
    ),
    ({"https-proxy": "http://proxy.example.com"}, "https-proxy: must be http://HOST:PORT"),
    ({"no-proxy": ["10.0.0.0/8"]}, "no-proxy.0: must be a host, or a domain after a dot"),
]


def pods(settings):
    cron_jobs = [
        one for one in rotation_manifests(settings, {"a.py": ""}) if one["kind"] == "CronJob"
    ]
    assert len(cron_jobs) == len(names.ACCOUNTS)
    return [one["spec"]["jobTemplate"]["spec"]["template"] for one in cron_jobs]


def test_what_a_stack_wants_is_laid_over_both_pods(settings_with):
    settings = settings_with(rotator={"pod": WANTED, "resources": RESOURCES})
    for before, pod in zip(pods(settings_with()), pods(settings), strict=True):
        expected = copy.deepcopy(before)
        expected["metadata"]["labels"]["sidecar.istio.io/inject"] = "false"
        expected["metadata"]["annotations"] = {"linkerd.io/inject": "disabled"}
        expected["spec"] |= SPEC
        expected["spec"]["securityContext"]["runAsUser"] = 1000
        del expected["spec"]["securityContext"]["runAsGroup"]
        [container] = expected["spec"]["containers"]
        container["env"] += ENV
        container["resources"]["limits"] |= RESOURCES["limits"]
        assert pod == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_all_of_it(settings_with, version):
    settings = settings_with(rotator={"pod": WANTED, "resources": RESOURCES})
    for one in rotation_manifests(settings, {"a.py": ""}):
        if one["kind"] == "CronJob":
            assert faults(one, version) is None


def test_the_policies_find_the_pods_whatever_their_labels(settings_with):
    settings = settings_with(rotator={"pod": WANTED})
    selector = rotation_policy(settings)["spec"]["podSelector"]["matchLabels"]
    assert selector
    for pod in pods(settings):
        assert selector.items() <= pod["metadata"]["labels"].items()


def test_no_label_of_ours_can_be_replaced(settings_with, tmp_path):
    for key in naming.labels(settings_with(), names.COMPONENT):
        [found] = lines(tmp_path, stack=STACK | {"rotator": {"pod": {"labels": {key: "x"}}}})
        assert "must be a label's key that neither we nor Jobs use themselves" in found


def test_the_proxy_before_aws_is_let_through(aws_settings):
    proxied = aws_settings(DATABASE, rotator={"pod": WANTED})
    ports = [rule["ports"] for rule in rotation_policy(proxied)["spec"]["egress"]]
    assert [{"protocol": "TCP", "port": port} for port in (443, 3128)] in ports


@pytest.mark.parametrize(("pod", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_what_can_not_be_is_said_with_its_place(pod, sentence, tmp_path):
    [found] = lines(tmp_path, stack=STACK | {"rotator": {"pod": pod}})
    assert f": rotator.pod.{sentence}" in found
    assert "something" not in found


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        ({"limits": {"cpu": "99m"}}, "limits.cpu must not be less than requests.cpu, 100m"),
        ({"requests": {"memory": "0.2Gi"}}, "limits.memory must not be less than requests.memory"),
        ({"requests": {"cpu": "2"}, "limits": {"cpu": "1999m"}}, "limits.cpu must not be less"),
        ({"limits": {"memory": "128 MB"}}, "limits.memory: must be an amount such as 100m or"),
        ({"limits": {"gpu": "1"}}, "limits.gpu: unknown key"),
    ],
)
def test_resources_that_no_pod_can_have_are_refused(resources, sentence, tmp_path):
    [found] = lines(tmp_path, stack=STACK | {"rotator": {"resources": resources}})
    assert sentence in found


def test_amounts_are_compared_whatever_their_units(tmp_path):
    resources = {
        "requests": {"cpu": "0.5", "memory": "1Gi"},
        "limits": {"cpu": "500m", "memory": "1024Mi"},
    }
    assert lines(tmp_path, stack=STACK | {"rotator": {"resources": resources}}) == []
