"""How one value is replaced: the one-shot objects of `secretsctl set`.

An ExternalSecret keeps the value before, to be given back. A short-lived Secret has the new one. A
PushSecret of each writes it into the key's entry.
"""

import base64

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.one_shot_push import one_shot_push
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.manifests.remote_values import remote_values
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept

KEY = "platform-secrets/key"
"""On the value before: whose it is."""
_COMPONENT = "new-value"


def before(settings: Settings, bundle: str, value: Kept) -> Manifest:
    """Keeps the value that is in the store now."""
    name = naming.value_before(settings.catalogue.bundles[bundle].secret)
    found = remote_values([value])
    text = f'{{{{ index . "{found.names[value.name]}" }}}}'
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": naming.metadata(settings, name, _COMPONENT, {KEY: value.key}),
        "spec": {
            "refreshPolicy": "CreatedOnce",
            "refreshInterval": "0s",
            "secretStoreRef": provider_of(settings.store_of(bundle)).reference(
                settings.store_name(bundle)
            ),
            "target": {
                "name": name,
                "creationPolicy": "Owner",
                "deletionPolicy": "Retain",
                # The operator may look twice, and would put a later value in the place of this one.
                "immutable": True,
                "template": {
                    "engineVersion": "v2",
                    "mergePolicy": "Replace",
                    "metadata": {"labels": naming.labels(settings, _COMPONENT)},
                    "data": {value.key: text},
                },
            },
            **found.spec,
        },
    }


def source(settings: Settings, bundle: str, value: Kept, text: str) -> Manifest:
    """The Secret of the new value."""
    name = naming.new_value(settings.catalogue.bundles[bundle].secret)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": naming.metadata(settings, name, _COMPONENT),
        "type": "Opaque",
        "data": {value.key: base64.b64encode(text.encode()).decode()},
    }


def push(settings: Settings, bundle: str, value: Kept) -> Manifest:
    """Writes the new value into its entry."""
    name = naming.new_value(settings.catalogue.bundles[bundle].secret)
    return _push(settings, bundle, value, name)


def restore(settings: Settings, bundle: str, value: Kept) -> Manifest:
    """Writes the value before into its entry again."""
    name = naming.value_before(settings.catalogue.bundles[bundle].secret)
    return _push(settings, bundle, value, name)


def _push(settings: Settings, bundle: str, value: Kept, name: str) -> Manifest:
    metadata = naming.metadata(settings, name, _COMPONENT)
    return one_shot_push(settings, bundle, metadata, name, "Replace", [value])
