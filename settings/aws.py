"""What a store in AWS may have besides entries: rotation by Secrets Manager, an alarm."""

from typing import Annotated

from pydantic import Field

from settings.databases import SslMode
from settings.model import Model, text_of

_PARTITION = "aws(-cn|-us-gov)?"

RoleName = Annotated[str, text_of(r"[A-Za-z0-9+=,.@_-]+", "an IAM role's name without path", 64)]
EksClusterName = Annotated[str, text_of(r"[A-Za-z0-9][A-Za-z0-9_-]*", "an EKS cluster's name", 100)]
LambdaArn = Annotated[
    str,
    text_of(
        rf"arn:{_PARTITION}:lambda:[a-z0-9-]+:[0-9]{{12}}:function:[A-Za-z0-9_-]{{1,64}}",
        "a Lambda function's full ARN, without a version",
        200,
    ),
]
TopicArn = Annotated[
    str,
    text_of(
        rf"arn:{_PARTITION}:sns:[a-z0-9-]+:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}",
        "an SNS topic's full ARN",
        400,
    ),
]
_HOUR = r"(\*|([01]?[0-9]|2[0-3])(-([01]?[0-9]|2[0-3]))?)(/[1-9][0-9]?)?"
_HOURS = rf"{_HOUR}(,{_HOUR})*"
Schedule = Annotated[
    str,
    text_of(
        r"rate\(([1-9][0-9]{0,2} days|([4-9]|[1-9][0-9]{1,2}) hours)\)"
        rf"|cron\(0 {_HOURS}( [A-Z0-9?*/,#-]+){{3}} \*\)",
        "rate(30 days), rate(4 hours) or rarer, or cron(0 3 1 * ? *): minute 0, every year, in UTC",
        200,
    ),
]


class RotatedDatabase(Model):
    """A PostgreSQL account in an entry of AWS Secrets Manager's own form, which its rotation keeps:
    JSON with username, password, host, port and dbname."""

    rotation_lambda_arn: LambdaArn | None = None
    """With `backend: declare`: the function that changes the password."""
    schedule: Schedule | None = None
    """When it does; every so many days as the catalogue's `every` says unless it is set."""
    ssl_mode: SslMode = "verify-full"
    """For the services' URL."""


class Alarm(Model):
    """A message for each denied call, each read by a stranger and each failed rotation, from
    CloudTrail's events."""

    topic_arn: TopicArn
    """Its policy lets EventBridge publish."""
    other_readers: Annotated[list[RoleName], Field(default_factory=list)]
    """Roles that read besides this environment's own, such as the rotation function's."""
