"""What a SecretStore needs in AWS: entries without a value, keys of their own, roles."""

import json
from datetime import timedelta
from functools import partial
from typing import cast

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import (
    adopted_entries,
    made_entries,
    rotated_entry,
    written_entries,
)
from platform_secrets.manifests.providers.aws import STS_AUDIENCE, role_arn, rotator_role
from platform_secrets.settings import Identity, Settings
from platform_secrets.settings.databases import RotatedDatabase
from platform_secrets.settings.rotator import ROTATION

from .aws_alarm import AwsAlarm
from .aws_policies import (
    Document,
    key_arn,
    key_policy,
    operator_trust,
    rights,
    rotator_rights,
    rotator_trust,
    store_of,
    trust,
)

_MARK = {"key": "managed-by", "value": "external-secrets"}
_KEY_DELETION_DAYS = 7  # the fewest that KMS allows


class AwsBackend(ComponentResource):
    """The provider half of one store for one environment; with `shared: own` also what lets the
    cluster in, which other environments use and no destroy may take: the account's trust in its
    issuer, or its operator's role.

    Credentials are the Pulumi provider's own settings (AWS_PROFILE, aws:assumeRoles, …).
    """

    def __init__(
        self, name: str, *, settings: Settings, store: str, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("platform-secrets:backends:AwsBackend", name, None, opts)
        self._settings, self._name, self._store_name = settings, name, store
        self._config = config = store_of(settings, store)
        shared = self._declare_shared() if config.shared == "own" else []
        protect = settings.environment.protect
        self._kept = ResourceOptions(parent=self, protect=protect, retain_on_delete=protect)
        keys = {
            region: self._declare_key(region) for region in [config.region, *config.replica_regions]
        }
        self._key_arns = {
            region: key.id.apply(partial(key_arn, config, region)) for region, key in keys.items()
        }
        self.objects: list[Resource] = [*shared, *keys.values(), *self._declare_entries()]
        for view, identity in settings.all_identities(store):
            self.objects += self._declare_identity(view, identity, shared)
        for bundle in settings.bundles_in(store):
            if settings.has_rotation and (key := settings.rotated_key(bundle)):
                self.objects += self._declare_rotator(bundle, key, shared)
        if config.alarm:
            AwsAlarm(
                f"{name}-alarm",
                settings=settings,
                store=store,
                alarm=config.alarm,
                opts=ResourceOptions(parent=self),
            )
        self.register_outputs({})

    def _declare_shared(self) -> list[Resource]:
        """Protected always: every environment's roles hang on it."""
        opts = ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        if self._config.identity == "pod-identity":
            return self._declare_operator(opts)
        return [
            aws.iam.OpenIdConnectProvider(
                f"{self._name}-issuer",
                url=self._config.oidc_issuer,
                client_id_lists=[STS_AUDIENCE],
                opts=opts,
            )
        ]

    def _declare_operator(self, opts: ResourceOptions) -> list[Resource]:
        env = self._settings.environment
        role = aws.iam.Role(
            f"{self._name}-operator-role",
            name=self._config.operator_role,
            assume_role_policy=json.dumps(operator_trust(self._settings, self._store_name)),
            opts=opts,
        )
        account = (env.operator_namespace, env.operator_service_account)
        association = self._declare_association("operator", account, role, opts)
        return [role, association]

    def _declare_key(self, region: str) -> aws.kms.Key:
        """A region's key; one of its own for each, since a key never becomes a multi-region one."""
        of_readers = self._settings.identity_name(self._store_name, "read")
        name = f"{self._name}-key"
        if region != self._config.region:
            name += f"-{region}"
        key = aws.kms.Key(
            name,
            description=f"Secrets Manager: the entries that {of_readers} reads",
            enable_key_rotation=True,
            deletion_window_in_days=max(self._config.recovery_window_days, _KEY_DELETION_DAYS),
            policy=json.dumps(key_policy(self._config, region)),
            region=region,
            opts=self._kept,
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{of_readers.removesuffix('-read')}",
            target_key_id=key.id,
            region=region,
            opts=self._kept,
        )
        return key

    def _declare_entries(self) -> list[Resource]:
        """Names without values. The tag marks those that the operator writes: it refuses others.

        No resource policies, which its push would remove: IAM and the key keep entries apart.
        """
        settings, store, config = self._settings, self._store_name, self._config
        written = written_entries(settings, store)
        rotated = naming.secrets_manager_keys(settings)
        made: list[Resource] = []
        for name, entry in made_entries(settings, store).items():
            secret = aws.secretsmanager.Secret(
                f"{self._name}-entry-{name}",
                name=entry,
                kms_key_id=self._key_arns[config.region],
                replicas=[
                    {"region": region, "kms_key_id": self._key_arns[region]}
                    for region in config.replica_regions
                ]
                or None,
                recovery_window_in_days=config.recovery_window_days,
                tags={_MARK["key"]: _MARK["value"]} if name in written else None,
                region=config.region,
                opts=self._kept,
            )
            made.append(secret)
            if name in rotated and config.database:
                self._declare_rotation(secret, config.database)
        adopted = adopted_entries(settings, store)
        for name in [name for name, entry in written.items() if entry in adopted]:
            opts, tag = ResourceOptions(parent=self), {"region": config.region, **_MARK}
            made.append(
                aws.secretsmanager.Tag(
                    f"{self._name}-mark-{name}", secret_id=written[name], **tag, opts=opts
                )
            )
        return made

    def _declare_rotation(
        self, secret: aws.secretsmanager.Secret, database: RotatedDatabase
    ) -> None:
        """Not at once: the entry may not hold an account yet.

        No part of `objects`: readers need no rotation.
        """
        settings, store, config = self._settings, self._store_name, self._config
        every = cast(timedelta, settings.database_rotation(store))
        permission = aws.lambda_.Permission(
            f"{self._name}-rotation-permission",
            statement_id=settings.name_at_provider(store, "secrets-manager"),
            action="lambda:InvokeFunction",
            function=str(database.rotation_lambda_arn),
            principal="secretsmanager.amazonaws.com",
            source_account=config.account_id,
            region=config.region,
            opts=ResourceOptions(parent=self),
        )
        aws.secretsmanager.SecretRotation(
            f"{self._name}-rotation",
            secret_id=secret.id,
            rotation_lambda_arn=database.rotation_lambda_arn,
            rotation_rules={"schedule_expression": database.schedule}
            if database.schedule
            else {"automatically_after_days": every.days},
            rotate_immediately=False,
            region=config.region,
            opts=ResourceOptions(parent=self, depends_on=permission),
        )

    def _declare_identity(
        self, view: Settings, identity: Identity, after: list[Resource]
    ) -> list[Resource]:
        store, of_keys = self._store_name, Output.all(**self._key_arns)
        policy = of_keys.apply(lambda arns: json.dumps(rights(view, store, identity, arns)))
        name, trusted = view.identity_name(store, identity), trust(view, store, identity)
        called = view.declared_name(f"{self._name}-{identity}")
        return [*self._declare_role(called, name, trusted, policy, after)]

    def _declare_rotator(self, bundle: str, key: str, after: list[Resource]) -> list[Resource]:
        """How the rotator reaches the entry that Secrets Manager rotates."""
        settings, store = self._settings, self._store_name
        entry = rotated_entry(settings, bundle, key)
        policy = json.dumps(rotator_rights(self._config, entry))
        name, trusted = rotator_role(settings, store), rotator_trust(settings, store)
        role, its_rights = self._declare_role(f"{self._name}-rotator", name, trusted, policy, after)
        if self._config.identity != "pod-identity":
            return [role, its_rights]
        account, opts = (settings.namespace, ROTATION), ResourceOptions(parent=self)
        return [role, its_rights, self._declare_association("rotator", account, role, opts)]

    def _declare_association(
        self, part: str, account: tuple[str, str], role: aws.iam.Role, opts: ResourceOptions
    ) -> aws.eks.PodIdentityAssociation:
        """The pods of an account, by namespace and name, act as the role."""
        return aws.eks.PodIdentityAssociation(
            f"{self._name}-{part}",
            cluster_name=str(self._config.eks_cluster),
            namespace=account[0],
            service_account=account[1],
            # The ARN of a role that is there, so that it is made before.
            role_arn=role.name.apply(partial(role_arn, self._config)),
            region=self._config.region,
            opts=opts,
        )

    def _declare_role(
        self,
        called: str,
        name: str,
        trusted: Document,
        policy: Input[str],
        after: list[Resource],
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(
            f"{called}-role",
            name=name,
            assume_role_policy=json.dumps(trusted),
            opts=ResourceOptions(parent=self, depends_on=after),
        )
        rights_of_it = aws.iam.RolePolicy(
            f"{called}-rights",
            name="secrets",
            role=role.name,
            policy=policy,
            opts=ResourceOptions(parent=self),
        )
        return role, rights_of_it
