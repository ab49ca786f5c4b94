"""`secretsctl set`: a value of a person's for one key, and what forbids it."""

import argparse
from datetime import UTC, datetime

from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.asked_value import asked_value
from platform_secrets.secretsctl.kubectl import right_cluster
from platform_secrets.secretsctl.new_value import NewValue
from platform_secrets.settings import Settings, SettingsError
from platform_secrets.settings.entries import Kept, kept
from platform_secrets.settings.problems import Problem


def set_key(settings: Settings, id: str, options: argparse.Namespace) -> str:
    """Puts a person's value in the place of a key's, up to its readers; or gives the one before
    back."""
    bundle, value = _settable(settings, id, options.key)
    kubectl = right_cluster(settings)
    text = asked_value(options, settings.catalogue.keys[id])
    if settings.has_rotation:
        waiting.require_no_run(kubectl)
    lines = NewValue(settings, bundle, value, kubectl).written(text)
    if settings.has_rotation and id in rotation_plan(settings).keys:
        waiting.remember(kubectl, id, datetime.now(UTC))
    return "".join(f"{line}\n" for line in [*lines, f"{options.key}: set"])


def _settable(settings: Settings, id: str, shown: str) -> tuple[str, Kept]:
    """The key's bundle and value. Raises SettingsError where nobody may set it here."""
    [bundle, *_] = settings.catalogue.bundles_of[id]
    if settings.catalogue.keys[id].is_generated:
        raise _wrong("KEY", f"the operator makes its values: `secretsctl rotate {shown}`")
    found = [one for one in kept(settings, bundle) if one.id == id and one.may_be_written]
    if not found:
        message = "nobody here writes its entry (`secretsctl put-commands` says who)"
        raise _wrong("KEY", message)
    store = settings.store_name(bundle)
    if not any("seed" in view.identities(store) for view in settings.by_namespace):
        message = (
            f"nobody may write to store {store}: add `seeding: {{groups: [...]}}`, and apply it"
        )
        raise SettingsError([Problem(settings.stack_file, None, ("seeding",), message)])
    return bundle, found[0]


def _wrong(argument: str, message: str) -> SettingsError:
    return SettingsError([Problem(argument, None, (), message)])
