"""The catalogue: which services need which keys, as data, for every environment alike."""

from collections import Counter
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from platform_secrets.settings.key import LONGEST_FIELD, Key, KeyName
from platform_secrets.settings.key_ids import DERIVED, derived_name, key_ids
from platform_secrets.settings.model import SUBDOMAIN, Model, ServiceName, text_of
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


class Bundle(SecretContent):
    """Keys that are synced together into one Kubernetes Secret."""

    secret: SecretName
    """The name of its Kubernetes Secret in every environment."""
    keys: dict[KeyName, Key] = {}
    """Its values, by their names in the Secret. The same name may stand in other bundles:
    a key is known as bundle/key."""
    whole_entry: bool = False
    """Whether the Secret has everything that the bundle's entry holds, also what no key names."""

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
        texts = self.parts
        fields = {*self.shown, *texts}
        for name, parts in texts.items():
            if name in self.keys:
                yield f"{name} is a key and a text; a name stands once"
            for key in dict.fromkeys(parts):
                if key not in self.keys:
                    yield f"text {name} is made of {key}, which is no key of this bundle"
                elif self.keys[key].is_of_database:
                    yield f"text {name} is made of {key}, whose value is a database's URL already"
        used = {key for parts in texts.values() for key in parts}
        for name, key in self.keys.items():
            if key.hidden and name not in used:
                yield f"{name} is `hidden` and no text is made of it"
            elif key.hidden and key.is_generated and name not in self.texts_of_one:
                yield (
                    f"{name} is generated and `hidden`: a rotation proves its value in a text that "
                    "is made of no other key, and there is none"
                )
            for derived in DERIVED if key.overlap else ():
                of_rotation = derived_name(name, derived)
                if of_rotation in texts or of_rotation in self.keys:
                    what = "text" if of_rotation in texts else "key"
                    yield f"{what} {of_rotation} has the name of a value of {name}'s rotation"
                if len(of_rotation) > LONGEST_FIELD:
                    yield f"{of_rotation} has more than {LONGEST_FIELD} characters"
        if self.registries and self.type not in ("Opaque", DOCKER_CONFIG):
            yield f"`registries` make a Secret of type {DOCKER_CONFIG}: remove `type`"
        if self.whole_entry:
            hidden = [name for name, key in self.keys.items() if key.hidden]
            if hidden:
                yield f"`whole-entry` puts every value into the Secret: {hidden[0]} can't be hidden"
            return
        if not self.keys:
            yield "has no keys: name them, or say `whole-entry: true`"
        elif not fields:
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
    every_key_has: list[Literal["owner", "rotate"]] = []
    """What no key may lack: somebody who answers for it, and a greatest age (`by: hand` too)."""

    def lacks(self, key: Key) -> list[str]:
        """What a key has not that every key must have; one with `same-as` has its lender's."""
        return [] if key.same_as else [one for one in self.every_key_has if not getattr(key, one)]

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
        services = {name: service.without(bundles) for name, service in self.services.items()}
        return self.model_copy(update={"bundles": left, "services": services})

    def identified(self) -> "Catalogue":
        """The same, its keys with their ids."""
        ids = key_ids(
            (bundle, name)
            for bundle, content in self.bundles.items()
            for name, key in content.keys.items()
            if not key.same_as
        )
        bundles: dict[str, Bundle] = {}
        for bundle, content in self.bundles.items():
            keys = {
                name: key.called(ids.get((bundle, name), f"{bundle}/{name}"), self._lender_of(key))
                for name, key in content.keys.items()
            }
            bundles[bundle] = content.model_copy(update={"keys": keys})
        return self.model_copy(update={"bundles": bundles})

    def _lender_of(self, key: Key) -> Key | None:
        bundle, name = key.lender
        return self.bundles[bundle].keys[name] if key.same_as else None

    @cached_property
    def bundles_of(self) -> dict[str, dict[str, str]]:
        """The bundles whose Secrets have a key's value, its own first, by its id; each with the
        key's name there."""
        found: dict[str, dict[str, str]] = {}
        lent: list[tuple[str, str, str]] = []
        for bundle, content in self.bundles.items():
            for name, key in content.keys.items():
                lender, lenders_name = key.lender
                if key.same_as:
                    lent.append((self.bundles[lender].keys[lenders_name].id, bundle, name))
                else:
                    found[key.id] = {bundle: name}
        for id, bundle, name in lent:
            found[id][bundle] = name
        return found

    @property
    def keys(self) -> dict[str, Key]:
        """Every key by its id."""
        return {key.id: key for bundle in self.bundles.values() for key in bundle.keys.values()}

    @property
    def spellings(self) -> dict[str, str]:
        """The id of each key with a value of its own by what people call it: its name where no
        other bundle has that, else bundle/key."""
        own = [
            (bundle, name, key)
            for bundle, content in self.bundles.items()
            for name, key in content.keys.items()
            if not key.same_as
        ]
        counts = Counter(name for _, name, _ in own)
        return {
            name if counts[name] == 1 else f"{bundle}/{name}": key.id for bundle, name, key in own
        }

    def key_id(self, spelling: str) -> str | None:
        """The id of a key that somebody names, as above or as bundle/key; of one with `same-as` the
        id of the key whose value it has."""
        bundle, _, name = spelling.partition("/")
        key = self.bundles[bundle].keys.get(name) if bundle in self.bundles else None
        if key and key.same_as:
            return self.key_id(key.same_as)
        return key.id if key else self.spellings.get(spelling)
