"""What people's commands make for a moment: a Secret of values, a PushSecret that writes them into
their entries once, through the store's seed identity, an ExternalSecret that reads once, and a
check that compares in the cluster."""

import base64
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept, kept
from platform_secrets.settings.operator_releases import EXTERNAL_SECRETS_API, PUSH_SECRETS_API

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
    held: Collection[str] = (),
) -> Manifest:
    """Each value is what the Secret `source` has under the value's own name where that is among
    `held`, else under the name of its key."""
    store = naming.secret_store(settings.store_name(bundle), "seed")
    push_metadata = provider_of(settings.store_of(bundle)).push_metadata
    data = [
        {
            "conversionStrategy": "None",
            "match": {
                "secretKey": value.name if value.name in held else value.key,
                "remoteRef": _place(value),
            },
            **({"metadata": push_metadata} if push_metadata else {}),
        }
        for value in values
    ]
    return {
        "apiVersion": PUSH_SECRETS_API,
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


def one_shot_check(
    settings: Settings, bundle: str, metadata: Manifest, secret: str, kept: str, text: str
) -> Manifest:
    """Is synced only if the text `text` of the Secret `kept` finds in `secret` what it asks for:
    without data nothing is written (docs/decisions/0009)."""
    found = one_shot_push(settings, bundle, metadata, secret, "Replace")
    source = {"name": kept, "items": [{"key": text, "templateAs": "Values"}]}
    return push_template(found, {"templateFrom": [{"target": "Data", "secret": source}]})


def push_template(push: Manifest, texts: Manifest) -> Manifest:
    """The PushSecret with a template: what is pushed is what that makes of its source."""
    template = {"engineVersion": "v2", "mergePolicy": "Replace", **texts}
    return {**push, "spec": {**push["spec"], "template": template}}


def one_shot_read(
    settings: Settings,
    component: str,
    name: str,
    sources: Manifest,
    texts: Mapping[str, str],
    *,
    is_kept: bool = True,
) -> Manifest:
    """Makes a Secret of these texts once. What is kept has values, and fails where there is no
    entry; what is not says only what is there."""
    target: Manifest = {
        "name": name,
        "creationPolicy": "Owner",
        "deletionPolicy": "Retain" if is_kept else "Merge",
    }
    if is_kept:
        # The operator may look twice, and would put a later value in the place of this one.
        target["immutable"] = True
    target["template"] = {
        "engineVersion": "v2",
        "mergePolicy": "Replace",
        "metadata": {"labels": naming.labels(settings, component)},
        "data": dict(texts),
    }
    return {
        "apiVersion": EXTERNAL_SECRETS_API,
        "kind": "ExternalSecret",
        "metadata": naming.metadata(settings, name, component),
        "spec": {
            **sources,
            "refreshPolicy": "CreatedOnce",
            "refreshInterval": "0s",
            "target": target,
        },
    }


def one_shot_secret(
    settings: Settings, component: str, name: str, texts: Mapping[str, str]
) -> Manifest:
    """A Secret of these texts."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": naming.metadata(settings, name, component),
        "type": "Opaque",
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()},
    }


def _place(value: Kept) -> Manifest:
    found = {"remoteKey": value.entry.key, "property": value.entry.property}
    return {name: content for name, content in found.items() if content}
