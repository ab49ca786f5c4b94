"""How the rotator reaches the entry that Secrets Manager rotates: its plan, its pods, its role."""

import argparse
import json

import pytest

from platform_secrets.manifests.network import rotation_policy
from platform_secrets.manifests.rotation.cron_jobs import rotation_manifests
from platform_secrets.manifests.rotation.plan import plan_config_maps, rotation_plan
from platform_secrets.manifests.rotation.rights import rotation_rights
from platform_secrets.rotator.contract import PUSHES
from platform_secrets.rotator.plan import parse
from platform_secrets.secretsctl import operations
from platform_secrets.secretsctl.kubectl import ClusterError
from platform_secrets.settings import SettingsError
from tests.aws_shop import ACCOUNT, ROLE

LAMBDA = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:rotate-postgres"
DATABASE = {"database": {"rotation-lambda-arn": LAMBDA}}
POD_IDENTITY = {"identity": "pod-identity", "operator-role": "eso", "eks-cluster": "main"}
ROTATOR = "system:serviceaccount:shop-test:secrets-rotation"
AGENT = {
    "to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}, {"ipBlock": {"cidr": "fd00:ec2::23/128"}}],
    "ports": [{"protocol": "TCP", "port": 80}],
}


def planned(settings):
    return json.loads(plan_config_maps(settings, rotation_plan(settings))[0]["data"]["plan.json"])[
        "keys"
    ]["orders-url"]


def pods(settings):
    found = rotation_manifests(settings, {"a.py": ""})
    return {
        one["metadata"]["name"]: one["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for one in found
        if one["kind"] == "CronJob"
    }


def test_the_plan_says_which_entry_and_as_whom(aws_settings):
    settings = aws_settings(DATABASE)
    assert planned(settings) == {
        "by": "aws",
        "shown": "orders-url",
        "bundle": "shared",
        "owner": None,
        "every_seconds": 90 * 86400,
        "grace_seconds": 14 * 86400,
        "fields": ["orders-url"],
        "external_secret": settings.catalogue.bundles["shared"].secret,
        "store": "aws-store",
        "readers": settings.readers["shared"],
        "secret_id": "shop/test/orders-url",
        "region": "eu-central-1",
        "role": f"{ROLE}/shop-test-rotator",
        "credentials": "https://sts.eu-central-1.amazonaws.com",
        "secrets_manager": "https://secretsmanager.eu-central-1.amazonaws.com",
    }
    plan = parse(plan_config_maps(settings, rotation_plan(settings))[0]["data"]["plan.json"])
    assert "orders-url" in [key.name for key in plan.rotated]


def test_with_pod_identity_the_agent_knows_the_role(aws_settings):
    found = planned(aws_settings(DATABASE, POD_IDENTITY))
    assert (found["role"], found["credentials"]) == (None, "http://169.254.170.23/v1/credentials")


def test_a_dry_run_from_outside_of_the_cluster_does_not_ask_aws(aws_settings, monkeypatch):
    class Kubectl:
        namespace = "shop"

        def within(self, namespace):
            return self

        def get_raw(self, path):
            if "configmaps" not in path:
                raise ClusterError("(NotFound)")
            return json.dumps({"metadata": {"resourceVersion": "1"}, "data": {}})

        def would_create(self, *_, **__):
            return {}

        def would_patch(self, *_, **__):
            raise ClusterError("(NotFound)")

    monkeypatch.setattr(operations, "right_cluster", lambda settings: Kubectl())
    options = argparse.Namespace(key="orders-url", dry_run=True, wait=False)
    said = operations.rotate(aws_settings(DATABASE), options)
    assert "orders-url: whether AWS has rotated it is looked at in the run alone\n" in said
    assert "would rotate orders-url: promote, restart" in said


def test_china_has_addresses_of_its_own(aws_settings):
    found = planned(aws_settings(DATABASE, {"partition": "aws-cn", "region": "cn-north-1"}))
    assert found["credentials"] == "https://sts.cn-north-1.amazonaws.com.cn"


def test_without_secrets_manager_s_rotation_people_change_the_password(aws_settings):
    assert planned(aws_settings())["by"] == "hand"


@pytest.mark.parametrize(
    ("option", "audience"), [({}, "sts.amazonaws.com"), (POD_IDENTITY, "pods.eks.amazonaws.com")]
)
def test_the_rotator_s_pods_alone_have_a_token_for_aws(aws_settings, option, audience):
    found = pods(aws_settings(DATABASE, option))
    token = {"audience": audience, "expirationSeconds": 3600, "path": audience}
    volume = {
        "name": "aws-tokens",
        "projected": {"sources": [{"serviceAccountToken": token}]},
    }
    mount = {"name": "aws-tokens", "mountPath": "/var/run/secrets/aws", "readOnly": True}
    assert volume in found["secrets-rotation"]["volumes"]
    assert mount in found["secrets-rotation"]["containers"][0]["volumeMounts"]
    assert "aws" not in json.dumps(found["secrets-age-check"])
    assert "aws-tokens" not in json.dumps(pods(aws_settings(option)))


def test_they_reach_aws_s_addresses_where_they_need_to(aws_settings):
    network = {"providers": {"cidrs": ["10.20.0.0/16"]}}

    def egress(*options):
        return rotation_policy(aws_settings(*options, network=network))["spec"]["egress"]

    to_aws = {
        "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}],
        "ports": [{"protocol": "TCP", "port": 443}],
    }
    assert len(egress()) == 1
    assert egress(DATABASE)[0] == egress()[0]
    assert egress(DATABASE)[2:] == [to_aws]
    assert egress(DATABASE, POD_IDENTITY)[2:] == [to_aws, AGENT]


def test_in_the_cluster_it_may_sync_restart_and_compare_and_pushes_nothing(aws_settings):
    rules = rotation_rights(aws_settings(DATABASE), rotation_plan(aws_settings(DATABASE)))[0][
        "rules"
    ]
    named = json.dumps(rules)
    for step in ("before", "staged", "published", "promoted"):
        assert f"rotation-{step}-orders-url" in named
    for step in PUSHES:
        assert f"rotation-{step}-orders-url" not in named
    [synced] = [rule for rule in rules if rule["verbs"] == ["get", "patch"]][:1]
    assert aws_settings().catalogue.bundles["shared"].secret in synced["resourceNames"]


def test_its_role_has_the_one_entry_rotated_as_it_is_declared_and_reads_no_value(aws_backend):
    found = aws_backend(DATABASE)
    role, rights = found["aws-rotator-role"], found["aws-rotator-rights"]
    assert role.inputs["name"] == "shop-test-rotator"
    secret = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:shop/test/orders-url-??????"
    assert json.loads(rights.inputs["policy"])["Statement"] == [
        {"Effect": "Allow", "Action": "secretsmanager:DescribeSecret", "Resource": secret},
        {
            "Effect": "Allow",
            "Action": "secretsmanager:RotateSecret",
            "Resource": secret,
            "Condition": {
                "ArnEqualsIfExists": {"secretsmanager:RotationLambdaARN": LAMBDA},
                "BoolIfExists": {"secretsmanager:ModifyRotationRules": "false"},
            },
        },
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": LAMBDA},
    ]
    [trust] = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    issuer = "oidc.eks.eu-central-1.amazonaws.com/id/0A1B"
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == {
        "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": ROTATOR}
    }


def test_with_pod_identity_the_role_is_for_the_rotator_s_account_of_the_cluster(aws_backend):
    found = aws_backend(DATABASE, POD_IDENTITY)
    [trust] = json.loads(found["aws-rotator-role"].inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {
        "aws:RequestTag/eks-cluster-arn": f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/main",
        "aws:RequestTag/kubernetes-namespace": "shop-test",
        "aws:RequestTag/kubernetes-service-account": "secrets-rotation",
    }
    assert found["aws-rotator"].inputs == {
        "clusterName": "main",
        "namespace": "shop-test",
        "serviceAccount": "secrets-rotation",
        "roleArn": f"{ROLE}/shop-test-rotator",
        "region": "eu-central-1",
    }


def test_pod_identity_needs_the_cluster_s_name_for_it(aws_settings):
    with pytest.raises(SettingsError, match=r"stores.aws.eks-cluster: is missing"):
        aws_settings(DATABASE, POD_IDENTITY | {"eks-cluster": None})


@pytest.mark.parametrize("changes", [{"rotation": "follower"}])
def test_who_does_not_lead_has_no_such_role(aws_backend, changes):
    assert "aws-rotator-role" not in aws_backend(DATABASE, **changes)
    assert "aws-rotator-role" not in aws_backend()
