"""What a SecretStore needs in AWS: entries without a value, a key of their own, roles.

The functions return policy documents as plain values; the component declares them.
"""

import json
from typing import Any, cast

import pulumi_aws as aws
from pulumi import ComponentResource, Resource, ResourceOptions

from manifests import naming
from settings import AwsStore, Identity, Settings

Document = dict[str, Any]
"""A policy in IAM's own language."""

_VERSION = "2012-10-17"
_AUDIENCE = "sts.amazonaws.com"
_WRITTEN_BY_THE_OPERATOR = {"managed-by": "external-secrets"}

# What the operator's push calls, beside reading: it looks for its tag and for a version, and ends
# with the removal of a resource policy, also where there is none. No TagResource: the tag is there.
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
_KEY_DELETION_DAYS = 7
"""The fewest that KMS allows."""


def trust(settings: Settings, store: str, identity: Identity) -> Document:
    """Who may assume an identity's role: one ServiceAccount of the one cluster."""
    config = _store(settings, store)
    issuer = str(config.oidc_issuer).removeprefix("https://")
    account = naming.secret_store(store, identity)
    provider = f"arn:{config.partition}:iam::{config.account_id}:oidc-provider/{issuer}"
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{issuer}:aud": _AUDIENCE,
                    f"{issuer}:sub": f"system:serviceaccount:{settings.namespace}:{account}",
                }
            },
        }
    )


def rights(settings: Settings, store: str, identity: Identity, key_arn: str) -> Document:
    """What an identity's role may do, with full names: Secrets Manager ends an ARN with a hyphen
    and six characters that nobody knows before, and `-*` would also fit longer names."""
    config = _store(settings, store)
    secrets = f"arn:{config.partition}:secretsmanager:{config.region}:{config.account_id}:secret:"
    cipher = ["kms:Decrypt"] if identity == "read" else ["kms:Decrypt", "kms:GenerateDataKey"]
    return _document(
        {
            "Effect": "Allow",
            "Action": [f"secretsmanager:{action}" for action in _ACTIONS[identity]],
            "Resource": [
                f"{secrets}{entry}-??????"
                for entry in sorted(naming.identity_entries(settings, store, identity).values())
            ],
        },
        {
            "Effect": "Allow",
            "Action": cipher,
            "Resource": key_arn,
            "Condition": {"StringEquals": {"kms:ViaService": _service(config)}},
        },
    )


def key_policy(config: AwsStore) -> Document:
    """Who may do what with the key. `Resource: "*"` is this key, to which the policy belongs.

    The account's root stands for those to whom the account's own IAM gives the right: a key that
    no root administers can't be administered by anyone once its last principal is gone, and AWS
    refuses to make it. Nobody decrypts but through Secrets Manager, root included.
    """
    root = {"AWS": f"arn:{config.partition}:iam::{config.account_id}:root"}
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
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "kms:CallerAccount": config.account_id,
                    "kms:ViaService": _service(config),
                }
            },
        },
    )


class AwsBackend(ComponentResource):
    """The provider half of one store for one environment; with `shared: own` also the account's
    trust in the cluster's issuer, which other environments use and no destroy may take.

    Credentials are the Pulumi provider's own settings (AWS_PROFILE, aws:assumeRoles, …).
    """

    def __init__(
        self, name: str, *, settings: Settings, store: str, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("platform-secrets:backends:AwsBackend", name, None, opts)
        self._settings, self._name, self._store_name = settings, name, store
        self._config = _store(settings, store)
        shared = self._declare_shared() if self._config.shared == "own" else []
        protect = settings.environment.protect
        self._kept = ResourceOptions(parent=self, protect=protect, retain_on_delete=protect)
        key = self._declare_key()
        self.objects: list[Resource] = [*shared, key, *self._declare_entries(key)]
        for identity in settings.identities(store):
            self.objects += self._declare_identity(identity, key, shared)
        self.register_outputs({})

    def _declare_shared(self) -> list[Resource]:
        """Protected always: every environment's roles hang on it."""
        return [
            aws.iam.OpenIdConnectProvider(
                f"{self._name}-issuer",
                url=self._config.oidc_issuer,
                client_id_lists=[_AUDIENCE],
                opts=ResourceOptions(parent=self, protect=True, retain_on_delete=True),
            )
        ]

    def _declare_key(self) -> aws.kms.Key:
        of_readers = self._settings.identity_name(self._store_name, "read")
        key = aws.kms.Key(
            f"{self._name}-key",
            description=f"Secrets Manager: the entries that {of_readers} reads",
            enable_key_rotation=True,
            deletion_window_in_days=max(self._config.recovery_window_days, _KEY_DELETION_DAYS),
            policy=json.dumps(key_policy(self._config)),
            region=self._config.region,
            opts=self._kept,
        )
        aws.kms.Alias(
            f"{self._name}-key-alias",
            name=f"alias/{of_readers.removesuffix('-read')}",
            target_key_id=key.id,
            region=self._config.region,
            opts=self._kept,
        )
        return key

    def _declare_entries(self, key: aws.kms.Key) -> list[Resource]:
        """Names without values. The tag marks those that the operator writes: it refuses others.

        No resource policies, which its push would remove: IAM and the key keep entries apart.
        """
        settings, store = self._settings, self._store_name
        written = naming.written_entries(settings, store)
        return [
            aws.secretsmanager.Secret(
                f"{self._name}-entry-{name}",
                name=entry,
                kms_key_id=key.id.apply(lambda key_id: key_arn(self._config, key_id)),
                recovery_window_in_days=self._config.recovery_window_days,
                tags=_WRITTEN_BY_THE_OPERATOR if name in written else None,
                region=self._config.region,
                opts=self._kept,
            )
            for name, entry in naming.identity_entries(settings, store, "read").items()
        ]

    def _declare_identity(
        self, identity: Identity, key: aws.kms.Key, after: list[Resource]
    ) -> list[Resource]:
        settings, store, config = self._settings, self._store_name, self._config
        role = aws.iam.Role(
            f"{self._name}-{identity}-role",
            name=settings.identity_name(store, identity),
            assume_role_policy=json.dumps(trust(settings, store, identity)),
            opts=ResourceOptions(parent=self, depends_on=after),
        )
        policy = aws.iam.RolePolicy(
            f"{self._name}-{identity}-rights",
            name="secrets",
            role=role.name,
            policy=key.id.apply(
                lambda key_id: json.dumps(
                    rights(settings, store, identity, key_arn(config, key_id))
                )
            ),
            opts=ResourceOptions(parent=self),
        )
        return [role, policy]


def key_arn(config: AwsStore, key_id: str) -> str:
    """A key's ARN; KMS chooses its ID."""
    return f"arn:{config.partition}:kms:{config.region}:{config.account_id}:key/{key_id}"


def _service(config: AwsStore) -> str:
    """How KMS calls Secrets Manager when that asks for somebody."""
    return f"secretsmanager.{config.region}.amazonaws.com"


def _document(*statements: Document) -> Document:
    return {"Version": _VERSION, "Statement": list(statements)}


def _store(settings: Settings, store: str) -> AwsStore:
    return cast(AwsStore, settings.environment.stores[store])
