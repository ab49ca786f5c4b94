"""A store in AWS Systems Manager Parameter Store."""

from typing import ClassVar, Literal

from platform_secrets.settings.any_store import AnyStore, Rule
from platform_secrets.settings.aws import AccountId, Partition
from platform_secrets.settings.store_texts import AwsRegion, PathPattern


class ParameterStore(AnyStore):
    """AWS Parameter Store, reached through IAM roles that others declare."""

    entry_rule: ClassVar[Rule] = Rule(
        r"(/[A-Za-z0-9_.-]+){1,15}|[A-Za-z0-9_.-]+",
        "letters, digits and _.-, and / before each of at most 15 parts",
    )
    version_rule: ClassVar[Rule] = Rule(
        r"[1-9][0-9]*|[A-Za-z_.-][A-Za-z0-9_.-]{0,99}", "a version's number, or a label"
    )
    longest_identity_name: ClassVar[int | None] = 64  # an IAM role's
    may_leave_out_its_name: ClassVar[bool] = False  # a store of Secrets Manager may, in one account
    root: ClassVar[str] = "/"
    writes_properties: ClassVar[bool] = False
    largest_entry: ClassVar[int | None] = 4_096  # a standard parameter's, which the operator makes

    provider: Literal["aws-parameter-store"]
    """AWS Parameter Store."""
    layout: Literal["per-key"] = "per-key"
    """A parameter for each key: the operator writes a whole parameter, never one property of it."""
    entry_pattern: PathPattern | None = None
    """The name of a parameter, of {platform}, {environment}, {bundle} and {key}; unless it is set
    /{platform}/{environment}/{key}."""
    region: AwsRegion
    """Of the parameters."""
    account_id: AccountId
    """The account that holds them."""
    partition: Partition = "aws"
    """Which of Amazon's clouds."""
    identity: Literal["irsa", "pod-identity"] = "irsa"
    """Who assumes the roles: each store's ServiceAccount, or the operator for all of its stores."""

    @property
    def read_only_rule(self) -> Rule:
        arn = rf"arn:{self.partition}:ssm:{self.region}:[0-9]{{12}}:parameter"
        words = f"the whole ARN of one in {self.region}"
        return Rule(rf"{arn}(/[A-Za-z0-9_.-]+){{1,15}}", words)
