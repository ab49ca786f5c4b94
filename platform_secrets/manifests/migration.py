"""How a Secret that others made comes under the operator: the one-shot objects of its migration.

A PushSecret copies it into its store. An ExternalSecret reads that back as the Secret would become,
and keeps it until the migration's end. PushSecrets without data compare the two, field by field
(docs/decisions/0009): the operator runs the copy's texts over the Secret, so nobody reads a value.
"""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.one_shot_objects import (
    UpdatePolicy,
    leaves_values,
    one_shot_check,
    one_shot_push,
    one_shot_read,
    pushed_values,
)
from platform_secrets.manifests.secret_template import comparison
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept

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
    """The values that the Secret gives to the store."""
    return pushed_values(settings, bundle, settings.catalogue.bundles[bundle].shown)


def compared(settings: Settings, bundle: str, external_secret: Manifest) -> dict[str, str]:
    """The fields that the Secret has to have, each with its line of the template."""
    lines = external_secret["spec"]["target"]["template"]["data"]
    return {field: lines[field] for field in settings.catalogue.bundles[bundle].fields}


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
    spec = external_secret["spec"]
    return one_shot_read(settings, _COMPONENT, name, spec, {**lines, **texts})


def checks(settings: Settings, bundle: str, external_secret: Manifest) -> dict[str, Manifest]:
    """By field of the Secret, what is synced only if the copy has the same there."""
    secret = _secret(settings, bundle)
    name = naming.migration(secret)
    found: dict[str, Manifest] = {}
    for at, field in enumerate(compared(settings, bundle, external_secret)):
        metadata = naming.metadata(settings, f"{name}.check-{at}", _COMPONENT)
        found[field] = one_shot_check(settings, bundle, metadata, secret, name, _text(at))
    return found


def _text(at: int) -> str:
    return f"migration-compares-{at}"


def _secret(settings: Settings, bundle: str) -> str:
    return settings.catalogue.bundles[bundle].secret


def _push(
    settings: Settings, bundle: str, name: str, source: str, policy: UpdatePolicy
) -> Manifest:
    content = settings.catalogue.bundles[bundle]
    values = copied(settings, bundle)
    encoded = {
        value.key: f'{{{{ index . "{value.key}" | b64enc }}}}'
        for value in values
        if content.keys[value.key].stored_as == "base64"
    }
    template = {"engineVersion": "v2", "mergePolicy": "Replace", "data": encoded}
    metadata = naming.metadata(settings, name, _COMPONENT)
    push = one_shot_push(settings, bundle, metadata, source, policy, values)
    return {**push, "spec": {**push["spec"], **({"template": template} if encoded else {})}}
