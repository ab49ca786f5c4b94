"""An AWS store whose entries have replicas, or that the operator reaches by EKS Pod Identity."""

import json

import pytest

from platform_secrets.components.backends.aws_policies import key_policy
from platform_secrets.components.layer import Layer
from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.network import operator_policies
from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import SettingsError
from tests.aws_shop import ACCOUNT, ROLE
from tests.declaring import CLUSTER_UID, declare

REPLICAS = {"replica-regions": ["eu-west-1"]}
POD_IDENTITY = {"identity": "pod-identity", "operator-role": "eso", "eks-cluster": "main"}
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/aws-key-id"
COPY_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/aws-key-eu-west-1-id"


def statements(one):
    return json.loads(one.inputs["policy"])["Statement"]


def through(region):
    return {"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}}


def test_a_replica_is_read_like_its_entry_and_with_the_key_of_its_region(aws_backend):
    entry, key, copied, key_of_copy = statements(aws_backend(REPLICAS)["aws-read-rights"])
    assert (entry["Action"], copied["Action"]) == (["secretsmanager:GetSecretValue"],) * 2
    assert copied["Resource"] == [
        one.replace(":eu-central-1:", ":eu-west-1:") for one in entry["Resource"]
    ]
    used = {"Effect": "Allow", "Action": ["kms:Decrypt"]}
    assert key == used | {"Resource": KEY, "Condition": through("eu-central-1")}
    assert key_of_copy == used | {"Resource": COPY_KEY, "Condition": through("eu-west-1")}


@pytest.mark.parametrize("identity", ["rotation", "seed"])
def test_who_writes_an_entry_may_have_it_copied_and_do_nothing_else_with_a_replica(
    aws_backend, identity
):
    alone = statements(
        aws_backend(seeding={"groups": ["wren-operators"]})[f"aws-{identity}-rights"]
    )
    found = statements(
        aws_backend(REPLICAS, seeding={"groups": ["wren-operators"]})[f"aws-{identity}-rights"]
    )
    assert found == [
        *alone,
        {
            "Effect": "Allow",
            "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
            "Resource": COPY_KEY,
            "Condition": through("eu-west-1"),
        },
    ]


def test_each_region_has_a_key_of_its_own_and_the_first_stays_as_it_is(aws_backend, aws_settings):
    alone, found = aws_backend(), aws_backend(REPLICAS)
    assert alone["aws-key"].inputs == found["aws-key"].inputs
    config = aws_settings(REPLICAS).environment.stores["aws"]
    assert found["aws-key-eu-west-1"].inputs == {
        **found["aws-key"].inputs,
        "region": "eu-west-1",
        "policy": json.dumps(key_policy(config, "eu-west-1")),
    }
    assert found["aws-key-eu-west-1-alias"].inputs["name"] == "alias/shop-test"
    assert found["aws-key-eu-west-1"].protect


def test_a_copy_s_key_is_used_through_secrets_manager_of_its_region_alone(aws_settings):
    config = aws_settings(REPLICAS).environment.stores["aws"]
    administration, use = key_policy(config, "eu-west-1")["Statement"]
    assert administration == key_policy(config, "eu-central-1")["Statement"][0]
    assert use == {
        "Sid": "UseThroughSecretsManager",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:CallerAccount": ACCOUNT,
                "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com",
            }
        },
    }


def test_every_entry_is_copied_to_each_region(aws_backend):
    found = [one for one in aws_backend(REPLICAS).values() if one.type.endswith("secret:Secret")]
    assert len(found) == 6
    assert all(
        one.inputs["replicas"] == [{"region": "eu-west-1", "kmsKeyId": COPY_KEY}] for one in found
    )


@pytest.mark.parametrize("identity", ["read", "rotation"])
def test_with_pod_identity_a_role_is_assumed_by_the_operator_s_role_alone(aws_backend, identity):
    role = aws_backend(POD_IDENTITY)[f"aws-{identity}-role"]
    assert json.loads(role.inputs["assumeRolePolicy"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"{ROLE}/eso"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            }
        ],
    }


def test_the_operator_s_role_is_for_its_account_of_one_cluster_and_has_no_right(aws_backend):
    guest = aws_backend(POD_IDENTITY)
    found = aws_backend(POD_IDENTITY, {"shared": "own"})
    own = {name: one for name, one in found.items() if name not in guest}
    assert {name: one.inputs for name, one in own.items()} == {
        "aws-operator-role": {
            "name": "eso",
            "assumeRolePolicy": own["aws-operator-role"].inputs["assumeRolePolicy"],
        },
        "aws-operator": {
            "clusterName": "main",
            "namespace": "external-secrets-system",
            "serviceAccount": "external-secrets",
            "roleArn": f"{ROLE}/eso",
            "region": "eu-central-1",
        },
    }
    assert json.loads(own["aws-operator-role"].inputs["assumeRolePolicy"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "pods.eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {
                    "StringEquals": {
                        "aws:RequestTag/eks-cluster-arn": (
                            f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/main"
                        ),
                        "aws:RequestTag/kubernetes-namespace": "external-secrets-system",
                        "aws:RequestTag/kubernetes-service-account": "external-secrets",
                    }
                },
            }
        ],
    }
    assert all(one.protect and one.retain_on_delete for one in own.values())
    assert own["aws-operator-role"].urn in found["aws-read-role"].depends_on


def test_with_pod_identity_a_store_is_one_object_that_names_its_role(aws_settings):
    [store] = store_manifests(aws_settings(POD_IDENTITY), "aws", "read")
    assert store["spec"] == {
        "provider": {
            "aws": {
                "service": "SecretsManager",
                "region": "eu-central-1",
                "role": f"{ROLE}/shop-test-read",
            }
        }
    }


def test_the_operator_reaches_pod_identity_s_agent_where_it_needs_it(aws_settings):
    def egress(*options):
        return operator_policies(aws_settings(*options))[1]["spec"]["egress"]

    assert egress(POD_IDENTITY) == [
        *egress(),
        {
            "to": [
                {"ipBlock": {"cidr": "169.254.170.23/32"}},
                {"ipBlock": {"cidr": "fd00:ec2::23/128"}},
            ],
            "ports": [{"protocol": "TCP", "port": 80}],
        },
    ]


def test_the_operator_starts_after_its_association(aws_settings):
    settings = aws_settings(POD_IDENTITY, {"shared": "own"}, cluster={"uid": CLUSTER_UID})
    found = declare(
        lambda: Layer("secrets", settings=settings, values={}, rotator=rotator_source())
    )
    [release] = [one for one in found.declared if one.name == "operator-release"]
    assert "aws-operator" in {
        one.name for one in found.declared if one.urn in found.before(release)
    }


def test_a_guest_with_pod_identity_needs_neither_issuer_nor_cluster(aws_backend):
    found = aws_backend(POD_IDENTITY | {"oidc-issuer": None, "eks-cluster": None})
    assert "aws-read-role" in found


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ({"replica-regions": ["eu-central-1"]}, "stores.aws.replica-regions"),
        ({"replica-regions": ["eu-west-1", "eu-west-1"]}, "stores.aws.replica-regions"),
        (POD_IDENTITY | {"operator-role": None}, "stores.aws.operator-role"),
        (POD_IDENTITY | {"shared": "own", "eks-cluster": None}, "stores.aws.eks-cluster"),
    ],
)
def test_what_is_missing_or_wrong_is_told_with_the_setting_s_name(aws_settings, option, place):
    with pytest.raises(SettingsError, match=place):
        aws_settings(option)


def test_what_is_rendered_is_what_is_declared(aws_settings):
    settings = aws_settings(POD_IDENTITY, REPLICAS, cluster={"uid": CLUSTER_UID})
    found = declare(
        lambda: Layer("secrets", settings=settings, values={}, rotator=rotator_source())
    )
    declared = [one.manifest for one in found.objects()]
    rendered = [one for wave in waves(settings, rotator_source()) for one in wave.objects]
    assert len(declared) == len(rendered)
    assert all(one in declared for one in rendered)
