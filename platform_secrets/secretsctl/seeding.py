"""First values, from a file of people's into the environment's stores, through the operator.

Values go to kubectl's standard input and nowhere else. What is made for it is deleted at the end,
whatever that is; what a killed run has left, at the beginning of the next.
"""

import argparse
import json
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from platform_secrets.manifests import first_values as manifests
from platform_secrets.manifests import naming
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.one_shot_push import leaves_values
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl, right_cluster
from platform_secrets.settings import Settings, SettingsError, first_values
from platform_secrets.settings.entries import Kept
from platform_secrets.settings.problems import Problem, did_you_mean


@dataclass
class Seeding:
    """The values of one bundle, by their keys' names. `settings` are those of its namespace."""

    settings: Settings
    bundle: str
    values: dict[str, str] = field(repr=False)
    overwritten: set[str]

    @property
    def secret(self) -> str:
        return self.settings.catalogue.bundles[self.bundle].secret

    @property
    def given(self) -> list[Kept]:
        """What the values are for, whatever is there."""
        return manifests.written(self.settings, self.bundle, self.values)

    def is_overwritten(self, value: Kept) -> bool:
        return value.name == value.key and value.key in self.overwritten

    def place(self, value: Kept) -> str:
        """A value's name and its entry, for people."""
        entry, store = value.entry, self.settings.store_name(self.bundle)
        part = f" ({entry.property})" if entry.property else ""
        return f"{self.bundle}/{value.name} in entry {entry.key}{part} of store {store}"

    def write(self, kubectl: Kubectl, values: list[Kept]) -> None:
        """Writes these values into their entries, and deletes what that took."""
        is_guarded = leaves_values(self.settings, self.bundle) and not self.overwritten
        policy = "IfNotExists" if is_guarded else "Replace"
        keys = {value.key: self.values[value.key] for value in values}
        try:
            kubectl.apply(manifests.source(self.settings, self.bundle, keys))
            push = manifests.push(self.settings, self.bundle, values, policy)
            kubectl.apply(push)
            waiting.synced(kubectl, push["metadata"]["name"], "PushSecret")
        finally:
            _remove_values(kubectl, [self.secret])


def seed(settings: Settings, options: argparse.Namespace) -> str:
    """Puts values into the stores that are not there yet, or that are named to be overwritten."""
    seedings = seedings_of(settings, options)
    if options.dry_run:
        lines = [_intent(one, value) for one in seedings for value in one.given]
        return "".join(f"{line}\n" for line in lines)
    asks = settings.environment.protect and not options.yes
    if asks and not sys.stdin.isatty():
        message = f"{settings.environment.environment} has `protect`, and nobody can be asked here"
        raise SettingsError([Problem("--yes", None, (), message)])
    kubectl = right_cluster(settings)
    _remove_left(settings, kubectl)
    try:
        lacking = {one.bundle: _lacking(one, kubectl) for one in seedings}
    finally:
        _remove_left(settings, kubectl)
    planned = [(one, _to_write(one, lacking[one.bundle])) for one in seedings]
    kept = [f"{one.place(value)}: is there, and stays" for one, value in _staying(planned)]
    for line in [*kept, *(_intent(one, value) for one, values in planned for value in values)]:
        waiting.say(line)
    if asks and any(values for _, values in planned) and not _agreed(settings):
        return "nothing written\n"
    written: list[str] = []
    for one, values in planned:
        try:
            if values:
                one.write(kubectl.within(one.settings.namespace), values)
        except ClusterError as error:
            before = f"; written before: {', '.join(written)}" if written else ""
            message = f"{error}{before}; run it again: what is there stays"
            raise ClusterError(message) from None
        written += [f"{one.bundle}/{value.name}" for value in values]
    done = [f"{one.place(value)}: written" for one, values in planned for value in values]
    for line in done:
        waiting.say(line)
    lines = [*kept, *done]
    for one, values in planned:
        still = [value for value in lacking[one.bundle] if value not in values]
        lines += _synced(one, kubectl.within(one.settings.namespace), still)
    return "".join(f"{line}\n" for line in lines)


def seedings_of(settings: Settings, options: argparse.Namespace) -> list[Seeding]:
    """What the given file has for the keys that are asked for. Raises SettingsError."""
    source = Path("/dev/stdin" if options.source == "-" else options.source)
    values = first_values(settings, source)
    ids = _asked_for(settings, options.keys, values)
    overwritten = {_id(settings, name) for name in options.overwrite}
    problems = [
        Problem("--overwrite", None, (), f"{id} is not among what is given")
        for id in sorted(overwritten - ids)
    ]
    found: list[Seeding] = []
    for view in settings.by_namespace:
        for bundle, content in view.bundles.items():
            of_bundle = {
                name: values[key.id]
                for name, key in content.keys.items()
                if key.id in ids and not key.same_as
            }
            if of_bundle:
                again = {name for name in of_bundle if content.keys[name].id in overwritten}
                found.append(Seeding(view, bundle, of_bundle, again))
    problems += [problem for one in found for problem in _faults(one)]
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


def _faults(one: Seeding) -> Iterator[Problem]:
    """Why a bundle's values can't be written."""
    settings, store = one.settings, one.settings.store_name(one.bundle)
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


def _intent(one: Seeding, value: Kept) -> str:
    how = "would be overwritten" if one.is_overwritten(value) else "would be written, if missing"
    return f"{one.place(value)}: {how}"


def _lacking(one: Seeding, kubectl: Kubectl) -> list[Kept]:
    """The bundle's values that the store has not."""
    kubectl = kubectl.within(one.settings.namespace)
    if kubectl.get("externalsecret", one.secret) is None:
        message = "does not exist; apply the environment first"
        raise ClusterError(f"ExternalSecret/{one.secret}: {message}")
    look = manifests.look(one.settings, one.bundle)
    kubectl.apply(look)
    name = look["metadata"]["name"]
    waiting.synced(kubectl, name)
    found = kubectl.get_by("secret", name, "jsonpath={.data}")
    return manifests.lacking(one.settings, one.bundle, json.loads(found or "{}"))


def _to_write(one: Seeding, lacking: list[Kept]) -> list[Kept]:
    return [value for value in one.given if value in lacking or one.is_overwritten(value)]


def _staying(planned: list[tuple[Seeding, list[Kept]]]) -> Iterator[tuple[Seeding, Kept]]:
    for one, values in planned:
        yield from ((one, value) for value in one.given if value not in values)


def _agreed(settings: Settings) -> bool:
    sys.stderr.write(f"Write this to {settings.environment.environment}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _synced(one: Seeding, kubectl: Kubectl, lacking: list[Kept]) -> Iterator[str]:
    """Has the bundle's Secret made of what the store has now, and says whether it is."""
    names = [
        each["metadata"]["name"] for each in external_secret_manifests(one.settings, one.bundle)
    ]
    for name in names:
        kubectl.patch("externalsecret", name, waiting.annotated("force-sync"))
    if one.bundle in one.settings.environment.migrating:
        yield f"{one.secret}: waits for `secretsctl migrate`"
    elif lacking:
        missing = ", ".join(f"{one.bundle}/{value.name}" for value in lacking)
        yield f"{one.secret}: not Ready, since the store has no {missing}"
    else:
        yield from (waiting.synced(kubectl, name) for name in names)


def _remove_left(settings: Settings, kubectl: Kubectl) -> None:
    """Deletes all that this makes, of every bundle."""
    for view in settings.by_namespace:
        within = kubectl.within(view.namespace)
        secrets = [content.secret for content in view.bundles.values()]
        _remove_values(within, secrets)
        looks = [naming.seeding_look(one) for one in secrets]
        within.delete("externalsecret", looks)
        within.delete("secret", looks)


def _remove_values(kubectl: Kubectl, secrets: list[str]) -> None:
    names = [naming.seeding(one) for one in secrets]
    kubectl.delete("pushsecret", names)
    kubectl.delete("secret", names)
