"""The keys of the plan: what each is, where its values are, and who reads them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any


def beside(other: str, name: str) -> str:
    """The address of the object of this name in the namespace of the other one."""
    namespace, slash, _ = other.rpartition("/")
    return f"{namespace}{slash}{name}"


def name_of(address: str) -> str:
    """The object's name alone."""
    return address.rpartition("/")[2]


@dataclass(frozen=True)
class Entry:
    """A place in a store."""

    key: str
    property: str | None


@dataclass(frozen=True)
class Secrets:
    """Another bundle's Secrets that have a key's value too, in `fields` where those are not called
    as the key's. Where they are in another namespace than the key, `store` is the SecretStore there
    that reads the key's one-shot Secrets."""

    external_secret: str
    overlap_external_secret: str | None
    fields: list[str] = field(default_factory=list, kw_only=True)
    store: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class ByHand:
    """A key that only its owner can rotate; `source` says who sets its limit. It is `shown` to
    people as its name alone or, where that is not its own, as bundle/name."""

    name: str
    shown: str
    bundle: str
    owner: str | None
    max_age_seconds: int
    grace_seconds: int
    source: str

    @property
    def every(self) -> timedelta:
        return timedelta(seconds=self.max_age_seconds)


@dataclass(frozen=True)
class Rotated:
    """A key that this program rotates. `name` is what its objects are called after, `shown` what
    people know it as, `fields` what holds it in the services' Secrets: the value and, of a
    generated key, the one to come and the one before, where it has those. `readers` are the
    workloads to restart, as Kind/name; `not_restarted` is what else reads it, each with how it gets
    a new value; `store` is the SecretStore through which it is pushed, or read where nothing is.

    What is in another namespace than the rotator itself is named by its address, namespace/name.
    All objects of a key's rotation are beside its ExternalSecret."""

    name: str
    shown: str
    bundle: str
    owner: str | None
    every_seconds: int
    grace_seconds: int
    fields: list[str]
    external_secret: str
    store: str
    readers: list[str]
    not_restarted: dict[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def every(self) -> timedelta:
        return timedelta(seconds=self.every_seconds)

    @property
    def synced(self) -> list[str]:
        """All ExternalSecrets that its rotation syncs."""
        return [self.external_secret]

    @property
    def compared(self) -> list[str]:
        """What the texts of its one-shot Secrets look at: of each of `fields` every name that it
        has, with `/` between them. A Secret has one of those."""
        return self.fields


@dataclass(frozen=True)
class Generated(Rotated):
    """A key whose values the operator generates, in one of the contract's forms; one with an
    overlap has `next` and `previous`."""

    overlap_seconds: int | None
    entry: Entry
    next: Entry | None
    previous: Entry | None
    push_metadata: dict[str, Any] | None
    overlap_external_secret: str | None
    form: str = field(default="text", kw_only=True)
    text: str = field(default="$v", kw_only=True)
    """What the first of `fields` is made of: the value `$v`, or a template's pipeline with it."""
    borrowing: list[Secrets] = field(default_factory=list, kw_only=True)

    @cached_property
    def secrets(self) -> list[Secrets]:
        """All Secrets with its values, its own bundle's first."""
        return [Secrets(self.external_secret, self.overlap_external_secret), *self.borrowing]

    @property
    def elsewhere(self) -> list[Secrets]:
        """Those in other namespaces, one of each."""
        found = {beside(one.external_secret, ""): one for one in self.borrowing if one.store}
        return [*found.values()]

    @property
    def synced(self) -> list[str]:
        overlap = [one.overlap_external_secret for one in self.secrets]
        return [*(one.external_secret for one in self.secrets), *filter(None, overlap)]

    @property
    def compared(self) -> list[str]:
        everywhere = [self.fields, *(one.fields for one in self.borrowing if one.fields)]
        return ["/".join(dict.fromkeys(names)) for names in zip(*everywhere, strict=True)]


@dataclass(frozen=True)
class Database(Rotated):
    """A database's URL: the ConfigMap `pointer` holds one of two contents, each of which is for
    an account of its own."""

    pointer: str
    contents: dict[str, str]


@dataclass(frozen=True)
class SecretsManager(Rotated):
    """A database's URL, made of an entry that AWS Secrets Manager rotates. `credentials` is where
    the pod's token is traded: at STS for those of `role`, or at EKS Pod Identity's agent."""

    secret_id: str
    region: str
    role: str | None
    credentials: str
    secrets_manager: str


RotatedKey = Generated | Database | SecretsManager
Key = ByHand | RotatedKey
KINDS = {
    "hand": ByHand,
    "generate": Generated,
    "database": Database,
    "aws": SecretsManager,
}


def not_restarted(keys: Iterable[RotatedKey]) -> str:
    """The end of a report: what reads some keys and is not restarted; empty where all are."""
    readers = {reader: how for key in keys for reader, how in key.not_restarted.items()}
    named = ", ".join(f"{reader} ({how})" for reader, how in readers.items())
    return f"; not restarted: {named}" if named else ""
