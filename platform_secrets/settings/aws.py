"""A store in AWS Secrets Manager; besides entries it may have a rotation of its own, an alarm."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from platform_secrets.settings.any_store import Identities, Layout, ProviderHalf, Rule
from platform_secrets.settings.databases import AWS_PARTITION, RotatedDatabase
from platform_secrets.settings.model import HttpsUrl, Model, text_of
from platform_secrets.settings.references import Fault
from platform_secrets.settings.store_texts import AwsRegion, PathPattern

RoleName = Annotated[str, text_of(r"[A-Za-z0-9+=,.@_-]+", "an IAM role's name without path", 64)]
EksClusterName = Annotated[str, text_of(r"[A-Za-z0-9][A-Za-z0-9_-]*", "an EKS cluster's name", 100)]
TopicArn = Annotated[
    str,
    text_of(
        rf"arn:{AWS_PARTITION}:sns:[a-z0-9-]+:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}",
        "an SNS topic's full ARN",
        400,
    ),
]

AccountId = Annotated[str, text_of(r"[0-9]{12}", "an account's twelve digits, quoted", 12)]
Partition = Literal["aws", "aws-cn", "aws-us-gov"]


class Alarm(Model):
    """A message for each denied call, each read by a stranger and each failed rotation, from
    CloudTrail's events."""

    topic_arn: TopicArn
    """Its policy lets EventBridge publish."""
    other_readers: Annotated[list[RoleName], Field(default_factory=list)]
    """Roles that read besides this environment's own, such as the rotation function's."""


class AwsStore(ProviderHalf):
    """AWS Secrets Manager, reached through IAM roles."""

    entry_rule: ClassVar[Rule] = Rule(
        r"[A-Za-z0-9/_+=.@-]{1,512}", "at most 512 letters, digits and /_+=.@-"
    )
    version_rule: ClassVar[Rule] = Rule(
        r"uuid/[A-Za-z0-9-]{32,64}|[A-Za-z0-9_+=.@-]+", "uuid/<version id>, or a stage's name"
    )
    longest_identity_name: ClassVar[int | None] = 64  # an IAM role's
    largest_entry: ClassVar[int | None] = 65_536

    provider: Literal["aws"]
    """AWS Secrets Manager."""
    layout: Layout = "per-key"
    """An entry for each key, or one for a bundle."""
    entry_pattern: PathPattern | None = None
    """The name of an entry, of {platform}, {environment} and {bundle}, and in layout `per-key` of
    {key}; unless it is set {platform}/{environment}/{key} or {platform}/{environment}/{bundle},
    and {platform}/{environment} for the bundle `shared`."""
    region: AwsRegion
    """Of the entries."""
    account_id: AccountId
    """The account that holds them."""
    partition: Partition = "aws"
    """Which of Amazon's clouds."""
    identity: Literal["irsa", "pod-identity"] = "irsa"
    """Who assumes the roles: each store's ServiceAccount, or the operator for all of its stores."""
    oidc_issuer: HttpsUrl | None = None
    """With `backend: declare`: the cluster's issuer of ServiceAccount tokens, which the account
    trusts; on EKS https://oidc.eks.<region>.amazonaws.com/id/<ID>."""
    operator_role: RoleName | None = None
    """With `identity: pod-identity` and `backend: declare`: the role of the operator's own pods."""
    eks_cluster: EksClusterName | None = None
    """With `shared: own` or `database` too: the cluster, in the store's region, whose operator or
    rotator gets its role."""
    recovery_window_days: Annotated[int, Field(ge=0, le=30)] = 30
    """With `backend: declare`: how long a deleted entry can be brought back; 0 is not at all, and
    only for an environment with `protect: false`."""
    replica_regions: Annotated[list[AwsRegion], Field(default_factory=list)]
    """With `backend: declare`: further regions that hold a copy of each entry, each with a key of
    its own; readers may read there too."""
    database: RotatedDatabase | None = None
    """Has Secrets Manager rotate the catalogue's key with `by: database`; a plain entry otherwise.
    """
    alarm: Alarm | None = None
    """With `backend: declare`: who hears of denied calls and unusual reads."""

    @property
    def read_only_rule(self) -> Rule:
        arn = rf"arn:{self.partition}:secretsmanager:{self.region}:[0-9]{{12}}:secret:"
        return Rule(rf"{arn}[A-Za-z0-9/_+=.@-]{{1,519}}", f"the whole ARN of one in {self.region}")

    @property
    def rotated_database(self) -> RotatedDatabase | None:
        return self.database

    @property
    def largest_policy(self) -> int | None:
        return 10_240 // (1 + len(self.replica_regions))  # of all policies in a role

    def faults(self, identities: Identities, *, protect: bool) -> Iterator[Fault]:
        yield from super().faults(identities, protect=protect)
        if not self.declares_backend:
            return
        for setting in self._missing():
            yield tuple(setting.split(".")), "is missing: `backend: declare` needs it"
        if 0 < self.recovery_window_days < 7:
            yield ("recovery-window-days",), "must be 0, or 7 to 30"
        if self.recovery_window_days == 0 and protect:
            yield ("recovery-window-days",), "0 needs `protect: false`"
        regions = [self.region, *self.replica_regions]
        if len(set(regions)) < len(regions):
            yield ("replica-regions",), "must be other regions than the store's, each once"

    def _missing(self) -> list[str]:
        """The settings that `backend: declare` needs and that are not set."""
        needed = {"oidc-issuer": self.oidc_issuer}
        if self.identity == "pod-identity":
            needed = {"operator-role": self.operator_role}
            if self.shared == "own" or self.database:
                needed["eks-cluster"] = self.eks_cluster
        if self.database:
            needed["database.rotation-lambda-arn"] = self.database.rotation_lambda_arn
        return [name for name, value in needed.items() if value is None]
