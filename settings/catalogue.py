"""The catalogue: which services need which keys, as data, for every environment alike."""

import re
from collections.abc import Collection
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from settings.model import (
    DAY_OR_MORE_PATTERN,
    SUBDOMAIN,
    Duration,
    Model,
    ServiceName,
    Text,
    text_of,
)

PlatformName = Annotated[
    str, text_of(r"[a-z]([-a-z0-9]*[a-z0-9])?", "a name of lower-case letters, digits, hyphens", 24)
]
SecretName = Annotated[
    str,
    text_of(
        rf"(?!rotation-)(?!.*-overlap$){SUBDOMAIN}",
        "a Secret's name: lower-case letters, digits, hyphens and dots, not beginning with "
        "rotation- or ending in -overlap",
        200,
    ),
]
KeyName = Annotated[
    str,
    text_of(
        # `lock` and `run` are what else the rotator's memory holds.
        r"(?!(lock|run)$)(?!.*-(next|previous)$)[a-z]([-a-z0-9]*[a-z0-9])?",
        "a name of lower-case letters, digits and hyphens that does not end in -next or -previous, "
        "nor lock or run",
        50,
    ),
]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        raise ValueError("must be a regular expression") from None
    return text


def _a_day_or_more(duration: timedelta) -> timedelta:
    if duration < timedelta(days=1):
        raise ValueError("must be 1d or more: a rotation is known by the day on which it is due")
    return duration


Age = Annotated[
    Duration,
    AfterValidator(_a_day_or_more),
    WithJsonSchema({"type": "string", "pattern": DAY_OR_MORE_PATTERN}),
]


class Generated(Model):
    """The rotator has the operator make a new value."""

    by: Literal["generate"]
    """The rotator."""
    every: Age
    """How old a value may become."""
    grace: Duration = timedelta(days=7)
    """How much later than `every` the age check reports the key."""
    overlap: Duration | None = None
    """How long the value before stays valid; without it readers change over in one restart."""

    @property
    def period(self) -> timedelta:
        return self.every

    @model_validator(mode="after")
    def _overlap_ends_before_the_next_rotation(self) -> "Generated":
        if self.overlap and self.overlap >= self.every:
            raise ValueError("overlap must be shorter than every")
        return self


class Database(Model):
    """The engine that owns the account makes the new value; by hand where there is no engine."""

    by: Literal["database"]
    """The engine, or Secrets Manager, that owns the account; people where there is none."""
    every: Age
    """How old a password may become."""
    grace: Duration = timedelta(days=14)
    """How much later than `every` the age check reports the key."""

    @property
    def period(self) -> timedelta:
        return self.every


class ByHand(Model):
    """People change the value where it is issued; only its age is watched."""

    by: Literal["hand"]
    """People."""
    max_age: Age
    """How old a value may become."""
    grace: Duration = timedelta(days=14)
    """How much later than `max-age` the age check reports the key."""
    source: Text | None = None
    """Where the limit comes from: a standard, a contract, a provider's advice."""

    @property
    def period(self) -> timedelta:
        return self.max_age


Rotation = Annotated[Generated | Database | ByHand, Field(discriminator="by")]


Pattern = Annotated[str, AfterValidator(_pattern), Field(json_schema_extra={"format": "regex"})]


class Key(Model):
    """One value that a service needs; only its description is required."""

    description: Text
    """What it is, for whoever has to fill it in."""
    format: Literal["text", "postgres-url", "redis-url"] = "text"
    """What kind of text it is; values of basic Secrets are checked against it."""
    pattern: Pattern | None = None
    """A regular expression that the whole value must match."""
    min_length: Annotated[int, Field(ge=1, le=4096)] = 1
    """How many characters it has at least."""
    example: Text | None = None
    """What a value looks like, with no real one."""
    owner: Text | None = None
    """Who is asked about it, and told when it is overdue."""
    rotate: Rotation | None = None
    """How often it changes, and who changes it; never, and unwatched, without it."""

    @model_validator(mode="after")
    def _can_be_generated(self) -> "Key":
        if self.is_generated and (self.pattern or self.format != "text"):
            message = "generated values are letters and digits: `by: generate` takes no"
            raise ValueError(f"{message} {'pattern' if self.pattern else 'format'}")
        return self

    @property
    def is_generated(self) -> bool:
        return isinstance(self.rotate, Generated)

    @property
    def is_of_database(self) -> bool:
        return isinstance(self.rotate, Database)

    @property
    def overlap(self) -> timedelta | None:
        return self.rotate.overlap if isinstance(self.rotate, Generated) else None


class Bundle(Model):
    """Keys that are synced together into one Kubernetes Secret."""

    secret: SecretName
    """The name of its Kubernetes Secret in every environment."""
    keys: Annotated[dict[KeyName, Key], Field(min_length=1)]
    """Its values, by their names in the Secret. A name is unique in the catalogue."""


OwnAccount = Annotated[
    str,
    text_of(
        rf"(?!default$){SUBDOMAIN}",
        "a Kubernetes name, and not default: that is the account of every pod that names none",
        253,
    ),
]


class Service(Model):
    """A workload and the bundles that it reads."""

    workload: Annotated[
        str,
        text_of(
            rf"(Deployment|StatefulSet|DaemonSet|Rollout)/{SUBDOMAIN}",
            "Deployment, StatefulSet, DaemonSet or Rollout, a slash, and the name",
            253,
        ),
    ]
    """Its kind and name, such as Deployment/web."""
    reads: list[ServiceName]
    """The bundles that it reads."""
    service_account: Literal["create", "existing"] = "create"
    """Whether this program creates its ServiceAccount."""
    service_account_name: OwnAccount | None = None
    """The workload's name unless it is set."""

    @property
    def workload_name(self) -> str:
        return self.workload.partition("/")[2]

    @property
    def account(self) -> str:
        """The name of the ServiceAccount under which the workload runs."""
        return self.service_account_name or self.workload_name


class Catalogue(Model):
    """Everything that the platform needs; environments differ in where it is kept, not in what."""

    platform: PlatformName
    """The platform's name: the beginning of what its environments are called everywhere."""
    bundles: Annotated[dict[ServiceName, Bundle], Field(min_length=1)]
    """What is synced together, by a name for it."""
    services: dict[ServiceName, Service]
    """Who reads, by the service's name."""

    def without(self, bundles: Collection[str], keys: Collection[str]) -> "Catalogue":
        """The same without these bundles, and without these keys, each as bundle/key. Readers keep
        what is left."""
        if not bundles and not keys:
            return self
        left = {
            name: bundle.model_copy(
                update={
                    "keys": {k: key for k, key in bundle.keys.items() if f"{name}/{k}" not in keys}
                }
            )
            for name, bundle in self.bundles.items()
            if name not in bundles
        }
        services = {
            name: service.model_copy(
                update={"reads": [one for one in service.reads if one in left]}
            )
            for name, service in self.services.items()
        }
        return self.model_copy(update={"bundles": left, "services": services})

    @property
    def keys(self) -> dict[str, Key]:
        """Every key by its name, which is unique in the catalogue."""
        return {name: key for bundle in self.bundles.values() for name, key in bundle.keys.items()}
