"""How a Secret that others made comes under the operator: the one-shot objects of its migration.

A PushSecret copies it into its store. An ExternalSecret reads that back as the Secret would become,
and keeps it until the migration's end. PushSecrets without data compare the two, field by field
(docs/decisions/0009): the operator runs the copy's texts over the Secret, so nobody reads a value.
"""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.manifests.secret_template import comparison
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept, kept

_COMPONENT = "migration"


def record_manifest(settings: Settings, bundle: str) -> Manifest:
    """Where a migration notes its steps, and the gate. Declared without data, which is its own."""
    annotations = {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}
    name = naming.migration(_secret(settings, bundle))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": naming.metadata(settings, name, _COMPONENT, annotations),
    }


def copied(settings: Settings, bundle: str) -> list[Kept]:
    """The values that the Secret gives to the store. A derived one in an entry of its own begins
    with the current one."""
    shown = settings.catalogue.bundles[bundle].shown
    return [
        value
        for value in kept(settings, bundle)
        if value.key in shown
        and value.may_be_written
        and (value.name == value.key or value.is_apart)
    ]


def compared(settings: Settings, bundle: str, external_secret: Manifest) -> dict[str, str]:
    """The fields that the Secret has to have, each with its line of the template."""
    lines = external_secret["spec"]["target"]["template"]["data"]
    return {field: lines[field] for field in settings.catalogue.bundles[bundle].fields}


def leaves_values(settings: Settings, bundle: str) -> bool:
    """Whether `copy` leaves each value alone that is in the store already."""
    return provider_of(settings.store_of(bundle)).misses_values


def copy(settings: Settings, bundle: str) -> Manifest:
    """Writes the Secret's values into their entries."""
    secret = _secret(settings, bundle)
    policy = "IfNotExists" if leaves_values(settings, bundle) else "Replace"
    return _push(settings, bundle, f"{naming.migration(secret)}.copy", secret, policy)


def restore(settings: Settings, bundle: str) -> Manifest:
    """Writes the values from the beginning of the migration into their entries again."""
    name = naming.migration(_secret(settings, bundle))
    return _push(settings, bundle, f"{name}.restore", name, "Replace")


def backup(settings: Settings, bundle: str, external_secret: Manifest) -> Manifest:
    """What the Secret would become, and the texts that compare it with what it is."""
    name = naming.migration(_secret(settings, bundle))
    lines = compared(settings, bundle, external_secret)
    texts = {_text(at): comparison(*one) for at, one in enumerate(lines.items())}
    target = {
        "name": name,
        "creationPolicy": "Owner",
        "deletionPolicy": "Retain",
        # The operator may look twice, and would put a later value in the place of this one.
        "immutable": True,
        "template": {
            "engineVersion": "v2",
            "mergePolicy": "Replace",
            "metadata": {"labels": naming.labels(settings, _COMPONENT)},
            "data": {**lines, **texts},
        },
    }
    once = {"refreshPolicy": "CreatedOnce", "refreshInterval": "0s", "target": target}
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": naming.metadata(settings, name, _COMPONENT),
        "spec": {**external_secret["spec"], **once},
    }


def checks(settings: Settings, bundle: str, external_secret: Manifest) -> dict[str, Manifest]:
    """By field of the Secret, what is synced only if the copy has the same there."""
    secret = _secret(settings, bundle)
    name = naming.migration(secret)
    found: dict[str, Manifest] = {}
    for at, field in enumerate(compared(settings, bundle, external_secret)):
        source = {"name": name, "items": [{"key": _text(at), "templateAs": "Values"}]}
        texts = [{"target": "Data", "secret": source}]
        template = {"engineVersion": "v2", "mergePolicy": "Replace", "templateFrom": texts}
        spec = {**_from_secret(settings, bundle, secret, "Replace"), "template": template}
        found[field] = _push_secret(settings, f"{name}.check-{at}", spec)
    return found


def _text(at: int) -> str:
    return f"migration-compares-{at}"


def _secret(settings: Settings, bundle: str) -> str:
    return settings.catalogue.bundles[bundle].secret


def _push(settings: Settings, bundle: str, name: str, source: str, policy: str) -> Manifest:
    content = settings.catalogue.bundles[bundle]
    metadata = provider_of(settings.store_of(bundle)).push_metadata
    values = copied(settings, bundle)
    encoded = {
        value.key: f'{{{{ index . "{value.key}" | b64enc }}}}'
        for value in values
        if content.keys[value.key].stored_as == "base64"
    }
    template = {"engineVersion": "v2", "mergePolicy": "Replace", "data": encoded}
    spec = {
        **_from_secret(settings, bundle, source, policy),
        **({"template": template} if encoded else {}),
        "data": [
            {
                "conversionStrategy": "None",
                "match": {"secretKey": value.key, "remoteRef": _place(value)},
                **({"metadata": metadata} if metadata else {}),
            }
            for value in values
        ],
    }
    return _push_secret(settings, name, spec)


def _place(value: Kept) -> Manifest:
    found = {"remoteKey": value.entry.key, "property": value.entry.property}
    return {name: content for name, content in found.items() if content}


def _from_secret(settings: Settings, bundle: str, source: str, policy: str) -> Manifest:
    store = naming.secret_store(settings.store_name(bundle), "seed")
    return {
        "refreshInterval": "0s",
        "updatePolicy": policy,
        "deletionPolicy": "None",
        "secretStoreRefs": [{"kind": "SecretStore", "name": store}],
        "selector": {"secret": {"name": source}},
    }


def _push_secret(settings: Settings, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "external-secrets.io/v1alpha1",
        "kind": "PushSecret",
        "metadata": naming.metadata(settings, name, _COMPONENT),
        "spec": spec,
    }
