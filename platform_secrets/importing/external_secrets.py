"""ExternalSecrets and ClusterExternalSecrets of any version: what they have the operator do."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from platform_secrets.importing.found import (
    Manifest,
    NotTakenError,
    WantedSecret,
    mapping,
    sequence,
)
from platform_secrets.importing.go_templates import HasLogicError, expression_of
from platform_secrets.importing.metadata import own_metadata
from platform_secrets.importing.pull_secrets import with_logins
from platform_secrets.importing.remotes import PATCH, Values
from platform_secrets.importing.templates import LOGIC, ConfigMaps, template_fields

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9.]+)(h|ms|us|µs|ns|m|s)")
_NAME = "kubernetes.io/metadata.name"
"""The label of every namespace that has its name."""


def wanted_secrets(
    manifest: Manifest, own_namespace: str, texts: ConfigMaps = MappingProxyType({})
) -> Iterator[WantedSecret]:
    """What one manifest asks for; several Secrets where it names several namespaces. Raises
    NotTakenError."""
    if manifest.kind == "ExternalSecret":
        yield _wanted(manifest, manifest.namespace or own_namespace, manifest.content, texts)
        return
    spec = manifest.spec
    # A cluster tells in which namespaces it is.
    status = mapping(manifest.content.get("status"))
    told = sequence(status.get("provisionedNamespaces"))
    named, selected = sequence(spec.get("namespaces")), _selected(spec)
    namespaces = told or list(dict.fromkeys([*named, *(selected or ())]))
    if not namespaces or (selected is None and not told):
        why = "chooses namespaces by their labels, which are not told here; keep it as it is"
        raise NotTakenError("namespaceSelectors", why)
    metadata = {**mapping(spec.get("externalSecretMetadata"))}
    metadata["name"] = spec.get("externalSecretName") or manifest.name
    content = {"metadata": metadata, "spec": spec.get("externalSecretSpec")}
    for namespace in namespaces:
        yield _wanted(manifest, str(namespace), content, texts)


def _selected(spec: Mapping[str, Any]) -> list[str] | None:
    """The namespaces that selectors choose by their names alone; None for any others."""
    given = [*sequence(spec.get("namespaceSelectors")), spec.get("namespaceSelector")]
    found: list[str] = []
    for one in (mapping(each) for each in given if each):
        labels, rules = mapping(one.get("matchLabels")), sequence(one.get("matchExpressions"))
        rule = mapping(rules[0]) if rules else {"key": _NAME, "values": [*labels.values()]}
        is_by_name = len(labels) + len(rules) == 1 and {*labels} <= {_NAME}
        if not is_by_name or rule.get("key") != _NAME or rule.get("operator", "In") != "In":
            return None
        found += map(str, sequence(rule.get("values")))
    return found


def _wanted(
    manifest: Manifest, namespace: str, content: Mapping[str, Any], texts: ConfigMaps
) -> WantedSecret:
    metadata, spec = mapping(content.get("metadata")), mapping(content.get("spec"))
    target = mapping(spec.get("target"))
    template = target.get("template")
    creation = target.get("creationPolicy") or "Owner"
    if creation in ("Merge", "None"):
        why = f"`{creation}` makes no Secret of its own; keep it as it is beside the catalogue"
        raise NotTakenError("target.creationPolicy", why)
    secret_metadata = metadata if template is None else mapping(template.get("metadata"))
    values = Values(spec)
    fields, whole = template_fields(mapping(template), values, namespace, texts)
    store = mapping(spec.get("secretStoreRef"))
    if not store.get("name"):
        raise NotTakenError("secretStoreRef", f"names no store{PATCH}")
    return WantedSecret(
        source=manifest,
        namespace=namespace,
        external_secret=str(metadata.get("name") or ""),
        secret=str(target.get("name") or metadata.get("name") or ""),
        store=(store.get("kind") or "SecretStore", store["name"]),
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
