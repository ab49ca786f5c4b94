"""The catalogue: which services need which keys, as data, for every environment alike."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from platform_secrets.settings.key_ids import DERIVED, derived_name, key_ids
from platform_secrets.settings.model import SUBDOMAIN, Model, ServiceName, Text, text_of
from platform_secrets.settings.rotations import Database, Generated, Rotation
from platform_secrets.settings.secret_kinds import DOCKER_CONFIG, SecretContent, type_faults
from platform_secrets.settings.services import Service

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
        r"(?!(lock|run)$)(?!.*-(next|previous)$)(?!\.{1,2}$)[-._a-zA-Z0-9]+",
        "a name of letters, digits, hyphens, _ and . that does not end in -next or -previous, "
        "nor lock or run",
        253,
    ),
]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        raise ValueError("must be a regular expression") from None
    return text


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
    stored_as: Literal["text", "base64"] = "text"
    """`base64`: the store holds the value in base64, and the Secret gets what that stands for."""
    hidden: bool = False
    """Whether it is only a part of texts and registries, and not in the Secret itself."""

    _id: str = PrivateAttr("")

    @model_validator(mode="after")
    def _is_as_long_as_it_must_be(self) -> "Key":
        if isinstance(self.rotate, Generated) and (self.rotate.length or 4096) < self.min_length:
            raise ValueError("`length` of its rotation must not be less than min-length")
        return self

    @model_validator(mode="after")
    def _is_itself_in_the_secret(self) -> "Key":
        is_rotated = self.is_generated or self.is_of_database
        if is_rotated and (self.hidden or self.stored_as != "text"):
            name = "hidden" if self.hidden else "stored-as: base64"
            raise ValueError(f"a rotation proves the value in the Secret: it takes no `{name}`")
        return self

    @model_validator(mode="after")
    def _can_be_generated(self) -> "Key":
        if self.is_generated and (self.pattern or self.format != "text"):
            message = "generated values are letters and digits: `by: generate` takes no"
            raise ValueError(f"{message} {'pattern' if self.pattern else 'format'}")
        return self

    @property
    def id(self) -> str:
        """What its objects and entries are called after; unique in the catalogue."""
        return self._id

    def called(self, id: str) -> "Key":
        """The same with its id."""
        found = self.model_copy()
        found._id = id
        return found

    @property
    def is_generated(self) -> bool:
        return isinstance(self.rotate, Generated)

    @property
    def is_of_database(self) -> bool:
        return isinstance(self.rotate, Database)

    @property
    def overlap(self) -> timedelta | None:
        return self.rotate.overlap if isinstance(self.rotate, Generated) else None


class Bundle(SecretContent):
    """Keys that are synced together into one Kubernetes Secret."""

    secret: SecretName
    """The name of its Kubernetes Secret in every environment."""
    keys: Annotated[dict[KeyName, Key], Field(min_length=1)]
    """Its values, by their names in the Secret. The same name may stand in other bundles:
    a key is known as bundle/key."""

    @property
    def shown(self) -> dict[str, Key]:
        """The keys that are in the Secret itself."""
        return {name: key for name, key in self.keys.items() if not key.hidden}

    @property
    def fields(self) -> dict[str, list[str]]:
        """What is in the Secret, each with the keys of which it is made; without derived values."""
        return {**{name: [name] for name in self.shown}, **self.parts}

    @model_validator(mode="after")
    def _is_a_secret_that_can_be(self) -> "Bundle":
        if faults := [*self.faults()]:
            raise ValueError("; ".join(faults))
        return self

    def without(self, keys: Collection[str]) -> "Bundle":
        """The same without these keys; what then is wrong with it, `faults` says."""
        left = {name: key for name, key in self.keys.items() if name not in keys}
        return self.model_copy(update={"keys": left})

    def faults(self) -> Iterator[str]:
        """Why this can't be a Secret."""
        fields = {*self.shown}
        for name in self.parts:
            if name in self.keys:
                yield f"{name} is a key and a text; a name stands once"
            fields.add(name)
        for name, parts in self.parts.items():
            for key in dict.fromkeys(parts):
                if key not in self.keys:
                    yield f"text {name} is made of {key}, which is no key of this bundle"
                elif self.keys[key].is_of_database:
                    yield f"text {name} is made of {key}, whose value is a database's URL already"
        used = {key for parts in self.parts.values() for key in parts}
        for name, key in self.keys.items():
            if key.hidden and name not in used:
                yield f"{name} is `hidden` and no text is made of it"
            for derived in DERIVED if key.overlap else ():
                of_rotation = derived_name(name, derived)
                if of_rotation in {**self.parts, **self.keys}:
                    what = "text" if of_rotation in self.parts else "key"
                    yield f"{what} {of_rotation} has the name of a value of {name}'s rotation"
        if self.registries and self.type not in ("Opaque", DOCKER_CONFIG):
            yield f"`registries` make a Secret of type {DOCKER_CONFIG}: remove `type`"
        if not fields:
            yield "its Secret is empty: every key is `hidden`"
        yield from type_faults(self.secret_type, fields, self.texts)


class Catalogue(Model):
    """Everything that the platform needs; environments differ in where it is kept, not in what."""

    platform: PlatformName
    """The platform's name: the beginning of what its environments are called everywhere."""
    bundles: Annotated[dict[ServiceName, Bundle], Field(min_length=1)]
    """What is synced together, by a name for it."""
    services: dict[ServiceName, Service] = {}
    """Who reads, by the service's name."""

    def without(self, bundles: Collection[str], keys: Collection[str]) -> "Catalogue":
        """The same without these bundles, and without these keys, each as bundle/key. Readers keep
        what is left."""
        if not bundles and not keys:
            return self
        left = {
            name: bundle.without([key for key in bundle.keys if f"{name}/{key}" in keys])
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

    def identified(self) -> "Catalogue":
        """The same, its keys with their ids."""
        ids = key_ids((name, key) for name, one in self.bundles.items() for key in one.keys)
        bundles: dict[str, Bundle] = {}
        for bundle, content in self.bundles.items():
            keys = {name: key.called(ids[bundle, name]) for name, key in content.keys.items()}
            bundles[bundle] = content.model_copy(update={"keys": keys})
        return self.model_copy(update={"bundles": bundles})

    @property
    def keys(self) -> dict[str, Key]:
        """Every key by its id."""
        return {key.id: key for bundle in self.bundles.values() for key in bundle.keys.values()}

    @property
    def spellings(self) -> dict[str, str]:
        """The id of each key by what people call it: its name where no other bundle has that, else
        bundle/key."""
        counts = Counter(name for content in self.bundles.values() for name in content.keys)
        return {
            name if counts[name] == 1 else f"{bundle}/{name}": key.id
            for bundle, content in self.bundles.items()
            for name, key in content.keys.items()
        }

    def key_id(self, spelling: str) -> str | None:
        """The id of a key that somebody names: as above, or as bundle/key."""
        bundle, _, name = spelling.partition("/")
        key = self.bundles[bundle].keys.get(name) if bundle in self.bundles else None
        return key.id if key else self.spellings.get(spelling)

    @cached_property
    def account_makers(self) -> dict[str, str]:
        """Every ServiceAccount that is created, with the first service that runs as it."""
        made: dict[str, str] = {}
        for name, service in self.services.items():
            if service.creates_account and service.account:
                made.setdefault(service.account, name)
        return made
