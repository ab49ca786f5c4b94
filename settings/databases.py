"""A database whose accounts a store's engine owns: no person and no entry knows a password."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from settings.model import SUBDOMAIN, MinuteOrMore, Model, PathSegments, Port, text_of

DatabaseName = Annotated[
    str,
    text_of(
        r"[a-z_][a-z0-9_-]*",
        "a PostgreSQL name: lower-case letters, digits, _ and -, no digit or hyphen first",
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
