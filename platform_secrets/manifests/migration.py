"""How a Secret that others made comes under the operator: the one-shot objects of its migration.

A PushSecret copies it into its store. An ExternalSecret reads that back as the Secret would become,
and keeps it until the migration's end. PushSecrets without data compare the two, field by field
(docs/decisions/0009): the operator runs the copy's texts over the Secret, so nobody reads a value.
"""

from collections.abc import Collection, Iterator

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.one_shot_objects import (
    UpdatePolicy,
    leaves_values,
    one_shot_check,
    one_shot_push,
    one_shot_read,
    push_template,
)
from platform_secrets.manifests.secret_template import comparison, only_text
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept, kept
from platform_secrets.settings.layout import overlap_secret

_COMPONENT = "migration"
_COPY, _COPY_APART, _RESTORE = "copy", "copy-overlap", "restore"


def record_manifest(settings: Settings, bundle: str) -> Manifest:
    """Where a migration notes its steps, and the gate. Declared without data, which is its own."""
    annotations = {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}
    name = naming.migration(_secret(settings, bundle))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": naming.metadata(settings, name, _COMPONENT, annotations),
    }


def copied(settings: Settings, bundle: str, held: Collection[str] = ()) -> list[Kept]:
    """The values that a Secret with these keys gives to the store; a derived one that has no place
    of its own there is not made for it."""
    content = settings.catalogue.bundles[bundle]
    return [
        value
        for value in kept(settings, bundle)
        if value.may_be_written
        and value.key in content.shown
        and (value.name == value.key or value.is_apart or value.name in held)
    ]


def copies(
    settings: Settings, bundle: str, held: Collection[str], held_apart: Collection[str]
) -> list[Manifest]:
    """Write a Secret's values into their entries, and those of the Secret with its derived keys."""
    secret = _secret(settings, bundle)
    policy = "IfNotExists" if leaves_values(settings, bundle) else "Replace"
    values = copied(settings, bundle, [*held, *held_apart])
    apart = [one for one in values if one.name in held_apart and one.name not in held]
    own = [one for one in values if one not in apart]
    found = [_push(settings, bundle, _COPY, secret, policy, own, held)]
    if apart:
        source = overlap_secret(secret)
        found.append(_push(settings, bundle, _COPY_APART, source, policy, apart, held_apart))
    return found


def has_derived(settings: Settings, bundle: str) -> bool:
    """Whether the bundle has values that are derived from others."""
    return any(value.name != value.key for value in kept(settings, bundle))


def push_names(settings: Settings, bundle: str, external_secret: Manifest) -> list[str]:
    """Every PushSecret that there may be of a migration."""
    checks = range(len(external_secret["spec"]["target"]["template"]["data"]))
    parts = [_COPY, _RESTORE, *(f"check-{at}" for at in checks)]
    parts += [_COPY_APART] if has_derived(settings, bundle) else []
    return [f"{naming.migration(_secret(settings, bundle))}.{part}" for part in parts]


def restore(settings: Settings, bundle: str, held: Collection[str]) -> Manifest:
    """Writes the values from the beginning of the migration into their entries again."""
    name = naming.migration(_secret(settings, bundle))
    values = [one for one in copied(settings, bundle, held) if one.name in held]
    return _push(settings, bundle, _RESTORE, name, "Replace", values, held)


def backup(
    settings: Settings, bundle: str, external_secret: Manifest, held: Collection[str]
) -> Manifest:
    """What the Secret would become, and the texts that compare it with what it is."""
    name = naming.migration(_secret(settings, bundle))
    texts: dict[str, str] = {}
    for at, field, line in _compared(external_secret, held):
        texts |= {field: line, _text(at): comparison(field, line)}
    return one_shot_read(settings, _COMPONENT, name, external_secret["spec"], texts)


def checks(
    settings: Settings, bundle: str, external_secret: Manifest, held: Collection[str]
) -> dict[str, Manifest]:
    """By field of the Secret, what is synced only if the copy has the same there."""
    secret = _secret(settings, bundle)
    name = naming.migration(secret)
    found: dict[str, Manifest] = {}
    for at, field, _ in _compared(external_secret, held):
        metadata = _check_metadata(settings, secret, at)
        found[field] = one_shot_check(settings, bundle, metadata, secret, name, _text(at))
    return found


def probe(settings: Settings, bundle: str) -> Manifest:
    """Is synced as soon as the operator may act in the store; nothing is written."""
    secret = _secret(settings, bundle)
    metadata = _check_metadata(settings, secret, 0)
    return one_shot_push(settings, bundle, metadata, secret, "Replace")


def text_checks(settings: Settings, bundle: str) -> dict[str, Manifest]:
    """By key of the Secret, what is synced only if its value is a text, which is all that a store
    keeps unchanged; without data nothing is written. None of a key that is stored as base64."""
    content, secret = settings.catalogue.bundles[bundle], _secret(settings, bundle)
    names = [
        value.key
        for value in copied(settings, bundle)
        if value.name == value.key and content.keys[value.key].stored_as != "base64"
    ]
    found: dict[str, Manifest] = {}
    for at, name in enumerate(names):
        metadata = _check_metadata(settings, secret, at)
        push = one_shot_push(settings, bundle, metadata, secret, "Replace")
        found[name] = push_template(push, {"data": {name: only_text(name)}})
    return found


def _compared(external_secret: Manifest, held: Collection[str]) -> Iterator[tuple[int, str, str]]:
    """The fields that the Secret has to have, of those that it has: each with its line of the
    template, and that line's number. A derived one is new to a Secret that others made."""
    lines = external_secret["spec"]["target"]["template"]["data"]
    return ((at, *one) for at, one in enumerate(lines.items()) if one[0] in held)


def _check_metadata(settings: Settings, secret: str, at: int) -> Manifest:
    return naming.metadata(settings, f"{naming.migration(secret)}.check-{at}", _COMPONENT)


def _text(at: int) -> str:
    return f"migration-compares-{at}"


def _secret(settings: Settings, bundle: str) -> str:
    return settings.catalogue.bundles[bundle].secret


def _push(
    settings: Settings,
    bundle: str,
    part: str,
    source: str,
    policy: UpdatePolicy,
    values: list[Kept],
    held: Collection[str],
) -> Manifest:
    content = settings.catalogue.bundles[bundle]
    encoded = {
        value.key: f'{{{{ index . "{value.key}" | b64enc }}}}'
        for value in values
        if content.keys[value.key].stored_as == "base64"
    }
    name = naming.migration(_secret(settings, bundle))
    metadata = naming.metadata(settings, f"{name}.{part}", _COMPONENT)
    push = one_shot_push(settings, bundle, metadata, source, policy, values, held)
    return push_template(push, {"data": encoded}) if encoded else push
