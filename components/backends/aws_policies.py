"""What may be done in AWS, and by whom, for one environment: policy documents as plain values."""

from collections.abc import Mapping
from typing import Any, cast

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import identity_entries
from platform_secrets.manifests.providers.aws import STS_AUDIENCE, role_arn
from platform_secrets.settings import AwsStore, Identity, Settings
from platform_secrets.settings.rotator import ROTATION

Document = dict[str, Any]
"""A policy in IAM's own language."""

_VERSION = "2012-10-17"

# What the operator's push calls, beside reading: it looks for its tag and for a version, and takes
# a resource policy away, also where there is none. No TagResource: the tag is there.
_ACTIONS: dict[Identity, list[str]] = {
    "read": ["GetSecretValue"],
    "rotation": ["DeleteResourcePolicy", "DescribeSecret", "GetSecretValue", "PutSecretValue"],
    "seed": ["DeleteResourcePolicy", "DescribeSecret", "GetSecretValue", "PutSecretValue"],
}
# Everything but to encrypt, to decrypt, and to grant either.
_KEY_ADMINISTRATION = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
]
_ENCRYPT_A_COPY = ["kms:Encrypt", "kms:GenerateDataKey"]
"""What Secrets Manager does in the name of whoever writes an entry that has a replica."""


def trust(settings: Settings, store: str, identity: Identity) -> Document:
    """Who may assume an identity's role: one ServiceAccount of the one cluster, or its operator."""
    config = store_of(settings, store)
    if config.identity == "pod-identity":
        return _document(
            {
                "Effect": "Allow",
                "Principal": {"AWS": role_arn(config, str(config.operator_role))},
                # Pod Identity's sessions pass their tags on.
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            }
        )
    return _account_trust(settings, config, naming.secret_store(store, identity))


def _account_trust(settings: Settings, config: AwsStore, account: str) -> Document:
    """One ServiceAccount of the environment's namespace, by its tokens of the cluster's issuer."""
    issuer = str(config.oidc_issuer).removeprefix("https://")
    provider = f"arn:{config.partition}:iam::{config.account_id}:oidc-provider/{issuer}"
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{issuer}:aud": STS_AUDIENCE,
                    f"{issuer}:sub": f"system:serviceaccount:{settings.namespace}:{account}",
                }
            },
        }
    )


def operator_trust(settings: Settings, store: str) -> Document:
    """Who may assume the operator's role: EKS Pod Identity, for the operator of the one cluster.

    The role has no right of its own: the trust of those that it assumes names it, which is enough
    within an account.
    """
    env = settings.environment
    config, account = store_of(settings, store), env.operator_service_account
    return _pod_trust(config, env.operator_namespace, account)


def rotator_trust(settings: Settings, store: str) -> Document:
    """Who may assume the rotator's role: the rotator's own pods."""
    config = store_of(settings, store)
    if config.identity == "pod-identity":
        return _pod_trust(config, settings.namespace, ROTATION)
    return _account_trust(settings, config, ROTATION)


def _pod_trust(config: AwsStore, namespace: str, account: str) -> Document:
    """EKS Pod Identity, for one ServiceAccount of the one cluster."""
    clusters = f"arn:{config.partition}:eks:{config.region}:{config.account_id}:cluster"
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {
                "StringEquals": {
                    "aws:RequestTag/eks-cluster-arn": f"{clusters}/{config.eks_cluster}",
                    "aws:RequestTag/kubernetes-namespace": namespace,
                    "aws:RequestTag/kubernetes-service-account": account,
                }
            },
        }
    )


def rights(
    settings: Settings, store: str, identity: Identity, key_arns: Mapping[str, str]
) -> Document:
    """What an identity's role may do; `key_arns` by region, the store's own first.

    With full names: Secrets Manager ends an ARN with a hyphen and six characters that nobody knows
    before, and `-*` would also fit longer names. A replica is read like its entry, and written by
    nobody: Secrets Manager copies the value.
    """
    config = store_of(settings, store)
    statements = []
    for region, key_arn in key_arns.items():
        if region == config.region or identity == "read":
            statements.append(_entry_rights(settings, store, identity, region))
        cipher = ["kms:Decrypt"] if identity == "read" else ["kms:Decrypt", "kms:GenerateDataKey"]
        if region != config.region and identity != "read":
            cipher = _ENCRYPT_A_COPY
        statements.append(
            {
                "Effect": "Allow",
                "Action": cipher,
                "Resource": key_arn,
                "Condition": {"StringEquals": {"kms:ViaService": _service(region)}},
            }
        )
    return _document(*statements)


def rotator_rights(config: AwsStore, entry: str) -> Document:
    """To have Secrets Manager rotate one entry, by the function and as often as is declared, and to
    see what it did: nothing of the value, and so nothing of its key.

    Secrets Manager looks whether the caller might call the function.
    """
    function = str(config.database and config.database.rotation_lambda_arn)
    secret = f"{_secrets(config, config.region)}{entry}-??????"
    return _document(
        {"Effect": "Allow", "Action": "secretsmanager:DescribeSecret", "Resource": secret},
        {
            "Effect": "Allow",
            "Action": "secretsmanager:RotateSecret",
            "Resource": secret,
            "Condition": {
                "ArnEqualsIfExists": {"secretsmanager:RotationLambdaARN": function},
                "BoolIfExists": {"secretsmanager:ModifyRotationRules": "false"},
            },
        },
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function},
    )


def _entry_rights(settings: Settings, store: str, identity: Identity, region: str) -> Document:
    config = store_of(settings, store)
    entries = sorted(identity_entries(settings, store, identity).values())
    return {
        "Effect": "Allow",
        "Action": [f"secretsmanager:{action}" for action in _ACTIONS[identity]],
        "Resource": [
            entry if entry.startswith("arn:") else f"{_secrets(config, region)}{entry}-??????"
            for entry in entries
        ],
    }


def _secrets(config: AwsStore, region: str) -> str:
    return f"arn:{config.partition}:secretsmanager:{region}:{config.account_id}:secret:"


def key_policy(config: AwsStore, region: str) -> Document:
    """Who may do what with a region's key. `Resource: "*"` is the key that the policy belongs to.

    The account's root stands for those to whom the account's own IAM gives the right: a key that
    no root administers can't be administered by anyone once its last principal is gone, and AWS
    refuses to make it. Nobody decrypts but through Secrets Manager, root included.
    """
    root = {"AWS": f"arn:{config.partition}:iam::{config.account_id}:root"}
    use = ["kms:Decrypt", "kms:GenerateDataKey"]
    if region != config.region:
        use = ["kms:Decrypt", *_ENCRYPT_A_COPY]
    return _document(
        {
            "Sid": "Administration",
            "Effect": "Allow",
            "Principal": root,
            "Action": _KEY_ADMINISTRATION,
            "Resource": "*",
        },
        {
            "Sid": "UseThroughSecretsManager",
            "Effect": "Allow",
            "Principal": root,
            "Action": use,
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "kms:CallerAccount": config.account_id,
                    "kms:ViaService": _service(region),
                }
            },
        },
    )


def key_arn(config: AwsStore, region: str, key_id: str) -> str:
    """A key's ARN; KMS chooses its ID."""
    return f"arn:{config.partition}:kms:{region}:{config.account_id}:key/{key_id}"


def _service(region: str) -> str:
    """How KMS calls Secrets Manager when that asks for somebody."""
    return f"secretsmanager.{region}.amazonaws.com"


def _document(*statements: Document) -> Document:
    return {"Version": _VERSION, "Statement": list(statements)}


def store_of(settings: Settings, store: str) -> AwsStore:
    """The store's own settings."""
    return cast(AwsStore, settings.environment.stores[store])
