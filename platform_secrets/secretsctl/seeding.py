"""First values, from a file of people's into the environment's stores, through the operator.

Values go to kubectl's standard input and nowhere else. What is made for it is deleted at the end,
whatever that is; what a killed run has left, at the beginning of the next.
"""

import argparse
import json
import sys
from collections.abc import Iterator

from platform_secrets.manifests import first_values as manifests
from platform_secrets.manifests import naming
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.one_shot_objects import leaves_values
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl, right_cluster
from platform_secrets.secretsctl.values_file import BundleValues, values_by_bundle
from platform_secrets.settings import Settings, SettingsError
from platform_secrets.settings.entries import Kept
from platform_secrets.settings.problems import Problem


def seed(settings: Settings, options: argparse.Namespace) -> str:
    """Puts values into the stores that are not there yet, or that are named to be overwritten."""
    given = values_by_bundle(settings, options)
    if options.dry_run:
        lines = [_intent(one, value) for one in given for value in one.given]
        return "".join(f"{line}\n" for line in lines)
    asks = settings.environment.protect and not options.yes
    if asks and not sys.stdin.isatty():
        message = f"{settings.environment.environment} has `protect`, and nobody can be asked here"
        raise SettingsError([Problem("--yes", None, (), message)])
    kubectl = right_cluster(settings)
    waiting.end_as_by_ctrl_c()
    _remove_left(settings, kubectl)
    try:
        lacking = {one.bundle: _lacking(one, kubectl) for one in given}
    except KeyboardInterrupt:
        waiting.say("stopped; nothing was written")
        raise
    finally:
        _remove_left(settings, kubectl)
    planned = [(one, _to_write(one, lacking[one.bundle])) for one in given]
    kept = [f"{one.place(value)}: is there, and stays" for one, value in _staying(planned)]
    to_do = [f"{one.place(value)}: to be written" for one, values in planned for value in values]
    for line in [*kept, *to_do]:
        waiting.say(line)
    if asks and any(values for _, values in planned) and not _agreed(settings):
        return "nothing written\n"
    written: list[str] = []
    for one, values in planned:
        try:
            if values:
                _write(one, kubectl.within(one.settings.namespace), values)
        except (ClusterError, KeyboardInterrupt) as error:
            before = f"; written before: {', '.join(written)}" if written else ""
            again = f"{before}; run it again: what is there stays"
            if isinstance(error, KeyboardInterrupt):
                waiting.say(f"stopped{again}")
                raise
            raise ClusterError(f"{error}{again}") from None
        written += [f"{one.bundle}/{value.name}" for value in values]
    done = [f"{one.place(value)}: written" for one, values in planned for value in values]
    for line in done:
        waiting.say(line)
    lines = [*kept, *done]
    filled = {(one.store, value.entry) for one, values in planned for value in values}
    for one in given:
        still = [each for each in lacking[one.bundle] if (one.store, each.entry) not in filled]
        lines += _synced(one, kubectl.within(one.settings.namespace), still)
    return "".join(f"{line}\n" for line in lines)


def _write(one: BundleValues, kubectl: Kubectl, values: list[Kept]) -> None:
    """Writes these values into their entries, and deletes what that took."""
    is_guarded = leaves_values(one.settings, one.bundle) and not one.overwritten
    policy = "IfNotExists" if is_guarded else "Replace"
    keys = {value.key: one.values[value.key] for value in values}
    try:
        kubectl.apply(manifests.source(one.settings, one.bundle, keys))
        push = manifests.push(one.settings, one.bundle, values, policy)
        kubectl.apply(push)
        waiting.synced(kubectl, push["metadata"]["name"], "PushSecret")
    finally:
        _remove_values(kubectl, [one.secret])


def _intent(one: BundleValues, value: Kept) -> str:
    how = "would be overwritten" if one.is_overwritten(value) else "would be written, if missing"
    return f"{one.place(value)}: {how}"


def _lacking(one: BundleValues, kubectl: Kubectl) -> list[Kept]:
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


def _to_write(one: BundleValues, lacking: list[Kept]) -> list[Kept]:
    return [value for value in one.given if value in lacking or one.is_overwritten(value)]


def _staying(planned: list[tuple[BundleValues, list[Kept]]]) -> Iterator[tuple[BundleValues, Kept]]:
    for one, values in planned:
        yield from ((one, value) for value in one.given if value not in values)


def _agreed(settings: Settings) -> bool:
    sys.stderr.write(f"Write this to {settings.environment.environment}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _synced(one: BundleValues, kubectl: Kubectl, lacking: list[Kept]) -> Iterator[str]:
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
    try:
        kubectl.delete("pushsecret", names)
        kubectl.delete("secret", names)
    except ClusterError as error:
        message = f"values may be left in Secret {', '.join(names)}: run it again once that works"
        raise ClusterError(f"{error}; {message}") from None
