"""Which keys a file of people's has values for, where those go, and what forbids it."""

import argparse
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from platform_secrets.manifests import naming
from platform_secrets.manifests.one_shot_objects import pushed_values
from platform_secrets.settings import Settings, SettingsError, first_values
from platform_secrets.settings.entries import Kept
from platform_secrets.settings.problems import Problem, did_you_mean


@dataclass
class BundleValues:
    """The values of one bundle, by their keys' names; none of one that only has the same value as
    one of them (`same-as`). `settings` are those of its namespace."""

    settings: Settings
    bundle: str
    values: dict[str, str] = field(repr=False)
    overwritten: set[str]

    @property
    def secret(self) -> str:
        return self.settings.catalogue.bundles[self.bundle].secret

    @property
    def store(self) -> str:
        return self.settings.store_name(self.bundle)

    @property
    def given(self) -> list[Kept]:
        """What the values are for, whatever is there."""
        return pushed_values(self.settings, self.bundle, self.values)

    def is_overwritten(self, value: Kept) -> bool:
        return value.name == value.key and value.key in self.overwritten

    def place(self, value: Kept) -> str:
        """A value's name and its entry, for people."""
        entry = value.entry
        part = f" ({entry.property})" if entry.property else ""
        return f"{self.bundle}/{value.name} in entry {entry.key}{part} of store {self.store}"


def values_by_bundle(settings: Settings, options: argparse.Namespace) -> list[BundleValues]:
    """What the given file has for the keys that are asked for, by each bundle whose Secret has one
    of these values. Raises SettingsError."""
    source = Path("/dev/stdin" if options.source == "-" else options.source)
    values = first_values(settings, source)
    ids = _asked_for(settings, options.keys, values)
    overwritten = {_id(settings, name) for name in options.overwrite}
    problems = [
        Problem("--overwrite", None, (), f"{id} is not among what is given")
        for id in sorted(overwritten - ids)
    ]
    found: list[BundleValues] = []
    having = {bundle for id in ids for bundle in settings.catalogue.bundles_of[id]}
    for view in settings.by_namespace:
        for bundle, content in view.bundles.items():
            of_bundle = {
                name: values[key.id]
                for name, key in content.keys.items()
                if key.id in ids and not key.same_as
            }
            if bundle in having:
                again = {name for name in of_bundle if content.keys[name].id in overwritten}
                found.append(BundleValues(view, bundle, of_bundle, again))
    problems += [problem for one in found for problem in _faults(one)]
    problems += _taken_names(settings)
    if problems:
        raise SettingsError(problems)
    return found


def _asked_for(settings: Settings, names: list[str], values: Collection[str]) -> set[str]:
    """The ids of the keys: all that are given, or those of the named bundles and keys."""
    if not names:
        return {*values}
    found: set[str] = set()
    for name in names:
        bundle = settings.catalogue.bundles.get(name)
        ids = {key.id for key in bundle.keys.values()} if bundle else {_id(settings, name)}
        if not ids & {*values}:
            raise SettingsError([Problem("KEY", None, (), f"{name} is not among what is given")])
        found |= ids & {*values}
    return found


def _id(settings: Settings, name: str) -> str:
    id = settings.catalogue.key_id(name)
    if id is None:
        names = {*settings.catalogue.bundles, *settings.catalogue.spellings}
        message = f"{name}: there is no such bundle or key{did_you_mean(name, names)}"
        raise SettingsError([Problem("KEY", None, (), message)])
    return id


def _faults(one: BundleValues) -> Iterator[Problem]:
    """Why a bundle's values can't be written."""
    settings, store = one.settings, one.store
    writable = {value.key for value in one.given}
    for name in one.values:
        if name not in writable:
            message = "nobody here writes its entry (`secretsctl put-commands` says who): remove it"
            yield Problem("KEY", None, (one.bundle, name), message)
    if writable and "seed" not in settings.identities(store):
        message = (
            f"nobody may write to store {store}: add `seeding: {{groups: [...]}}`, and apply it"
        )
        yield Problem(settings.stack_file, None, ("seeding",), message)


def _taken_names(settings: Settings) -> Iterator[Problem]:
    """Secrets of the catalogue that this would take for its own, and delete."""
    secrets = {content.secret for content in settings.catalogue.bundles.values()}
    for secret in sorted(secrets):
        for name in (naming.seeding(secret), naming.seeding_look(secret)):
            if name in secrets:
                message = f"is what `seed` calls its own beside {secret}: give one another name"
                yield Problem("catalogue.yaml", None, (name,), message)
