"""A database whose password no person changes: Vault's engine or AWS Secrets Manager does."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from platform_secrets.settings.model import (
    SUBDOMAIN,
    MinuteOrMore,
    Model,
    PathSegments,
    Port,
    text_of,
)

DatabaseName = Annotated[
    str,
    text_of(
        r"[a-z_][a-z0-9_-]*",
        "a PostgreSQL name: lower-case letters, digits, _ and -, no digit or hyphen first",
    ),
]
AWS_PARTITION = "aws(-cn|-us-gov)?"

LambdaArn = Annotated[
    str,
    text_of(
        rf"arn:{AWS_PARTITION}:lambda:[a-z0-9-]+:[0-9]{{12}}:function:[A-Za-z0-9_-]{{1,64}}",
        "a Lambda function's full ARN, without a version",
        200,
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
SslMode = Literal["verify-full", "verify-ca", "require", "disable"]


class PostgresDatabase(Model):
    """A PostgreSQL database behind Vault's database secrets engine.

    Its accounts exist before: Vault changes passwords of `users` and makes members of `grants`.
    """

    mount: PathSegments = "database"
    """Where the engine is mounted."""
    host: Annotated[str, text_of(SUBDOMAIN, "a host's name or IPv4 address", 253)]
    """The server, as Vault and the services reach it."""
    port: Port = 5432
    """The server's port."""
    name: DatabaseName
    """The database's name."""
    ssl_mode: SslMode = "verify-full"
    """For Vault's own connection and in the services' URL alike."""
    admin_user: DatabaseName
    """Vault's own account, used by nobody else: its password is rotated at once."""
    users: Annotated[list[DatabaseName], Field(min_length=2, max_length=2)]
    """The two accounts between which the services' URL changes over. Used by nothing yet, since
    Vault changes their passwords when it takes them over."""
    grants: Annotated[list[DatabaseName], Field(min_length=1)]
    """The roles whose rights an account made for a person or a job has."""
    ttl: MinuteOrMore = timedelta(hours=1)
    """How long such an account lives unless it is renewed."""
    max_ttl: MinuteOrMore = timedelta(hours=8)
    """How long it lives at most, however often it is renewed."""

    @model_validator(mode="after")
    def _accounts_are_three(self) -> "PostgresDatabase":
        if len({self.admin_user, *self.users}) != 3:
            raise ValueError("admin-user and users must be three different accounts")
        if self.ttl > self.max_ttl:
            raise ValueError("ttl must not be longer than max-ttl")
        return self


class RotatedDatabase(Model):
    """A PostgreSQL account in an entry of AWS Secrets Manager's own form, which its rotation keeps:
    JSON with username, password, host, port and dbname."""

    rotation_lambda_arn: LambdaArn | None = None
    """With `backend: declare`: the function that changes the password."""
    schedule: Schedule | None = None
    """When it does; every so many days as the catalogue's `every` says unless it is set."""
    ssl_mode: SslMode = "verify-full"
    """For the services' URL."""
