"""A PushSecret that writes a Secret's values into their entries once, through its store's seed
identity."""

from collections.abc import Collection, Iterable
from typing import Literal

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept, kept

UpdatePolicy = Literal["IfNotExists", "Replace"]


def leaves_values(settings: Settings, bundle: str) -> bool:
    """Whether `IfNotExists` leaves just the values alone that are in the store already."""
    return provider_of(settings.store_of(bundle)).misses_values


def pushed_values(settings: Settings, bundle: str, keys: Collection[str]) -> list[Kept]:
    """The values that these keys give to the store. A derived one in an entry of its own begins
    with the current one."""
    return [
        value
        for value in kept(settings, bundle)
        if value.key in keys
        and value.may_be_written
        and (value.name == value.key or value.is_apart)
    ]


def one_shot_push(
    settings: Settings,
    bundle: str,
    metadata: Manifest,
    source: str,
    policy: UpdatePolicy,
    values: Iterable[Kept] = (),
) -> Manifest:
    """Each value is what the Secret `source` has under the name of the value's key."""
    store = naming.secret_store(settings.store_name(bundle), "seed")
    push_metadata = provider_of(settings.store_of(bundle)).push_metadata
    data = [
        {
            "conversionStrategy": "None",
            "match": {"secretKey": value.key, "remoteRef": _place(value)},
            **({"metadata": push_metadata} if push_metadata else {}),
        }
        for value in values
    ]
    return {
        "apiVersion": "external-secrets.io/v1alpha1",
        "kind": "PushSecret",
        "metadata": metadata,
        "spec": {
            "refreshInterval": "0s",
            "updatePolicy": policy,
            "deletionPolicy": "None",
            "secretStoreRefs": [{"kind": "SecretStore", "name": store}],
            "selector": {"secret": {"name": source}},
            **({"data": data} if data else {}),
        },
    }


def _place(value: Kept) -> Manifest:
    found = {"remoteKey": value.entry.key, "property": value.entry.property}
    return {name: content for name, content in found.items() if content}
