"""`secretsctl set`: a value of a person's, or the one before, for one key; and what forbids it."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from platform_secrets.manifests import new_value
from platform_secrets.manifests.new_value import Place, places
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator import contract
from platform_secrets.rotator.keys import Generated
from platform_secrets.rotator.memory import Memory, Remembered
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.asked_value import asked_value
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl, right_cluster
from platform_secrets.secretsctl.new_value import NewValue
from platform_secrets.secretsctl.older_version import is_found, version_before
from platform_secrets.secretsctl.rotation_lock import lock_of_its_own, rotation_lock
from platform_secrets.secretsctl.store_commands import versions_command
from platform_secrets.settings import Settings, SettingsError
from platform_secrets.settings.problems import Problem


def set_key(settings: Settings, id: str, options: argparse.Namespace) -> str:
    """Puts a person's value, or the one before, in the place of a key's, up to its readers; or
    gives back what was there."""
    found = _places(settings, id, options)
    kubectl = right_cluster(settings)
    text = None if options.previous else asked_value(settings, id, options)
    waiting.end_as_by_ctrl_c()
    with _locked(settings, id, options.key, kubectl) as (holding, memory):
        new = NewValue(settings, found, holding)
        try:
            lines, done = _brought(new, text, options.version)
        except KeyboardInterrupt:
            waiting.say(new.stop())
            raise
        is_aged = memory is not None and id in rotation_plan(settings).keys
        if memory and is_aged and text is not None:
            now = datetime.now(UTC)
            known = memory[id] or Remembered(now)
            memory.write({id: Remembered(known.first_seen, now, known.id)})
        new.forget()
    if is_aged and text is None:
        rotated = f"secretsctl rotated {options.key} --on DATE"
        lines.append(f"{options.key}: how old it is, only you know: `{rotated}`")
    return "".join(f"{line}\n" for line in [*lines, f"{options.key}: {done}"])


def _brought(new: NewValue, text: str | None, asked: str | None) -> tuple[list[str], str]:
    """What was done in the cluster, and what that was for the key; the value before without a text,
    of the version that is asked for where one is."""
    version = new.begin()
    if text is not None:
        return new.brought(lambda place: new_value.source(place, text)), "set"
    if version is None or asked not in (None, version):
        version = _version_before(new, asked)
    lines = new.brought(lambda place: new_value.previous(place, version), version)
    return lines, f"set to its version {version}"


def _version_before(new: NewValue, asked: str | None) -> str:
    own = new.places[0]
    try:
        return version_before(own, new.kubectl.within(own.settings.namespace), asked)
    except ClusterError:
        if not new.is_resumed:
            new.forget()
        raise


@contextmanager
def _locked(
    settings: Settings, id: str, shown: str, kubectl: Kubectl
) -> Iterator[tuple[Kubectl, Memory | None]]:
    """Keeps other commands out, and rotations where there are any. ClusterError while one of the
    key is in flight."""
    if not settings.has_rotation:
        place = new_value.lock(settings)
        with lock_of_its_own(kubectl, place, f"set {shown}") as holding:
            yield holding, None
        return
    with rotation_lock(kubectl, f"set {shown}") as (holding, memory):
        key = rotation_plan(settings).keys.get(id)
        if isinstance(key, Generated) and _is_rotating(key, holding):
            end = f"`secretsctl rotate {shown} --wait`, or the next run, ends it"
            raise ClusterError(f"{shown}: its rotation was begun and is not at its end: {end}")
        yield holding, memory


def _is_rotating(key: Generated, kubectl: Kubectl) -> bool:
    for step in ("before", "staged"):
        namespace, _, name = contract.one_shot_of(key, step).rpartition("/")
        within = kubectl.within(namespace) if namespace else kubectl
        if within.get(contract.KINDS[step].lower(), name):
            return True
    return False


def _places(settings: Settings, id: str, options: argparse.Namespace) -> list[Place]:
    """The Secrets that have the key. Raises SettingsError where nobody may set it here."""
    if options.version and not options.previous:
        raise _wrong("--version", "goes with --previous")
    if settings.catalogue.keys[id].is_generated and not options.previous:
        raise _wrong("KEY", f"the operator makes its values: `secretsctl rotate {options.key}`")
    found = places(settings, id)
    if not found or not found[0].value.may_be_written:
        message = "nobody here writes its entry (`secretsctl put-commands` says who)"
        raise _wrong("KEY", message)
    own = found[0]
    store = own.settings.store_name(own.bundle)
    if "seed" not in own.settings.identities(store):
        message = (
            f"nobody may write to store {store}: add `seeding: {{groups: [...]}}`, and apply it"
        )
        raise SettingsError([Problem(settings.stack_file, None, ("seeding",), message)])
    if settings.environment.rotation == "follower":
        message = "is `follower`: use the stack that leads this environment's rotation"
        raise SettingsError([Problem(settings.stack_file, None, ("rotation",), message)])
    if options.previous and not options.version and not is_found(own):
        lists = versions_command(own.settings.store_of(own.bundle), own.value.entry.key)
        raise _wrong("--version", f"name the one to put back; this lists them, no value: {lists}")
    return found


def _wrong(argument: str, message: str) -> SettingsError:
    return SettingsError([Problem(argument, None, (), message)])
