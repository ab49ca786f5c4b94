"""ExternalSecrets and ClusterExternalSecrets of any version: what they have the operator do."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from platform_secrets.importing.found import (
    Manifest,
    NotTakenError,
    WantedSecret,
    mapping,
)
from platform_secrets.importing.generated import Generators, generated_fields
from platform_secrets.importing.go_templates import HasLogicError, expression_of
from platform_secrets.importing.metadata import own_metadata
from platform_secrets.importing.plain_secrets import plain_secret
from platform_secrets.importing.pull_secrets import with_logins
from platform_secrets.importing.remotes import PATCH, Values
from platform_secrets.importing.selectors import Labels, chosen_namespaces
from platform_secrets.importing.templates import LOGIC, ConfigMaps, template_fields

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9.]+)(h|ms|us|µs|ns|m|s)")


@dataclass(frozen=True)
class Around:
    """What other manifests say, by which an ExternalSecret is understood."""

    texts: ConfigMaps = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    generators: Generators = field(default_factory=dict)


NOTHING_AROUND = Around()


def wanted_secrets(
    manifest: Manifest, own_namespace: str, around: Around = NOTHING_AROUND
) -> Iterator[WantedSecret]:
    """What one manifest asks for; several Secrets where it names several namespaces. Raises
    NotTakenError."""
    if manifest.kind == "ExternalSecret":
        yield _wanted(manifest, manifest.namespace or own_namespace, manifest.content, around)
        return
    spec = manifest.spec
    namespaces, notes = chosen_namespaces(manifest, around.labels)
    metadata = {**mapping(spec.get("externalSecretMetadata"))}
    metadata["name"] = spec.get("externalSecretName") or manifest.name
    content = {"metadata": metadata, "spec": spec.get("externalSecretSpec")}
    for namespace in namespaces:
        found = _wanted(manifest, namespace, content, around)
        yield replace(found, notes=(*found.notes, *notes))


def _wanted(
    manifest: Manifest, namespace: str, content: Mapping[str, Any], around: Around
) -> WantedSecret:
    metadata, spec = mapping(content.get("metadata")), mapping(content.get("spec"))
    target = mapping(spec.get("target"))
    template = target.get("template")
    creation = target.get("creationPolicy") or "Owner"
    if creation in ("Merge", "None"):
        why = f"`{creation}` makes no Secret of its own; keep it as it is beside the catalogue"
        raise NotTakenError("target.creationPolicy", why)
    secret_metadata = metadata if template is None else mapping(template.get("metadata"))
    called = str(target.get("name") or metadata.get("name") or "")
    made = generated_fields(spec, around.generators)
    if made is not None:
        return plain_secret(
            manifest,
            namespace,
            {
                "type": mapping(template).get("type"),
                "metadata": {**secret_metadata, "name": called},
            },
            made,
        )
    values = Values(spec)
    fields, whole = template_fields(mapping(template), values, namespace, around.texts)
    if values.store is None:
        raise NotTakenError("secretStoreRef", f"names no store{PATCH}")
    return WantedSecret(
        source=manifest,
        namespace=namespace,
        external_secret=str(metadata.get("name") or ""),
        secret=called,
        store=values.store,
        interval=_interval(spec),
        fields={name: with_logins(name, value) for name, value in fields.items()},
        whole=whole,
        type=mapping(template).get("type") or "Opaque",
        labels=_names(secret_metadata.get("labels"), "labels"),
        annotations=_names(secret_metadata.get("annotations"), "annotations"),
        creation=creation,
        deletion=target.get("deletionPolicy") or "Retain",
        is_immutable=bool(target.get("immutable")),
        notes=tuple(values.notes.items()),
    )


def _names(given: object, field: str) -> dict[str, str]:
    found = {}
    for name, text in own_metadata(given).items():
        try:
            pieces = expression_of(text)
        except HasLogicError:
            raise NotTakenError(f"{field}.{name}", LOGIC) from None
        if any(not isinstance(one, str) for one in pieces):
            raise NotTakenError(f"{field}.{name}", "is made of a value of the store")
        found[name] = "".join(map(str, pieces))
    return found


def _interval(spec: Mapping[str, Any]) -> float:
    if spec.get("refreshPolicy") in ("OnChange", "CreatedOnce"):
        return 0
    text = str(spec.get("refreshInterval", "1h"))
    found = _DURATION.findall(text)
    if text != "0" and "".join(number + unit for number, unit in found) != text:
        raise NotTakenError("refreshInterval", "is no duration")
    return sum(float(number) * _UNITS[unit] for number, unit in found)
