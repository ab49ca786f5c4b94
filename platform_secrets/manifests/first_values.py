"""How first values come into a store through the operator: the one-shot objects of `secretsctl
seed`.

An ExternalSecret looks which values are there; its Secret says that, and holds none of them. A
short-lived Secret has the new values, and a PushSecret writes them.
"""

import base64
from collections.abc import Mapping

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.one_shot_objects import (
    UpdatePolicy,
    one_shot_push,
    one_shot_read,
    one_shot_secret,
)
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept, kept

_COMPONENT = "seeding"
_IS_THERE = "there"
# Said, so that admission finds what is here, whichever operator's definitions are installed.
_DEFAULTS = {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}


def look(settings: Settings, bundle: str) -> Manifest:
    """Reads every entry of a bundle, and makes a Secret of which of its values are there."""
    values = _looked_for(settings, bundle)
    entries = [*dict.fromkeys(value.entry.key for value in values)]
    numbers = {entry: f"e{number}" for number, entry in enumerate(entries)}
    name = naming.seeding_look(settings.catalogue.bundles[bundle].secret)
    sources = {
        "secretStoreRef": provider_of(settings.store_of(bundle)).reference(
            settings.store_name(bundle)
        ),
        "data": [
            {"secretKey": number, "remoteRef": {"key": entry, **_DEFAULTS}}
            for entry, number in numbers.items()
        ],
    }
    texts = {value.name: _asked(value, numbers) for value in values}
    return one_shot_read(settings, _COMPONENT, name, sources, texts, is_kept=False)


def lacking(settings: Settings, bundle: str, found: Mapping[str, str]) -> list[Kept]:
    """The values that are not there, by what the look's Secret has as data."""
    is_there = base64.b64encode(_IS_THERE.encode()).decode()
    return [one for one in _looked_for(settings, bundle) if found.get(one.name) != is_there]


def source(settings: Settings, bundle: str, values: Mapping[str, str]) -> Manifest:
    """The Secret of the values, by their keys' names."""
    name = naming.seeding(settings.catalogue.bundles[bundle].secret)
    return one_shot_secret(settings, _COMPONENT, name, values)


def push(settings: Settings, bundle: str, values: list[Kept], policy: UpdatePolicy) -> Manifest:
    """Writes what `source` has into the entries of these values."""
    name = naming.seeding(settings.catalogue.bundles[bundle].secret)
    metadata = naming.metadata(settings, name, _COMPONENT)
    return one_shot_push(settings, bundle, metadata, name, policy, values)


def _looked_for(settings: Settings, bundle: str) -> list[Kept]:
    """Those without which the bundle is not in its Secret, or that can be written."""
    return [
        value
        for value in kept(settings, bundle)
        if (value.name == value.key or value.is_apart) and not value.entry.before
    ]


def _asked(value: Kept, numbers: Mapping[str, str]) -> str:
    content = f'index . "{numbers[value.entry.key]}"'
    if not value.entry.property:
        return f"{{{{ if {content} }}}}{_IS_THERE}{{{{ end }}}}"
    has = f'hasKey $e "{value.entry.property}"'
    nested = value.entry.property.split(".")
    if len(nested) > 1:
        path = " ".join(f'"{part}"' for part in nested)
        has = f'or ({has}) (dig {path} "" $e)'
    found = f"{{{{ if {has} }}}}{_IS_THERE}{{{{ end }}}}"
    return f"{{{{ with {content} }}}}{{{{ $e := fromJson . }}}}{found}{{{{ end }}}}"
