"""ExternalSecrets and ClusterExternalSecrets of any version: what they have the operator do."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from platform_secrets.importing.found import (
    Expression,
    Filtered,
    Manifest,
    NotTakenError,
    Piece,
    Remote,
    Value,
    WantedSecret,
    mapping,
    sequence,
)
from platform_secrets.importing.go_templates import HasLogicError, expression_of
from platform_secrets.importing.metadata import own_metadata
from platform_secrets.importing.pull_secrets import with_logins

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9.]+)(h|ms|us|µs|ns|m|s)")
_LOGIC = "its template does more than put values into text; keep it as it is beside the catalogue"
_PREFIX = re.compile(r"([-._a-zA-Z0-9]*)\$(?:1|\{1\})")
_CLEANED = {"source": "[^-._a-zA-Z0-9]", "target": "_"}


def wanted_secrets(manifest: Manifest, own_namespace: str) -> Iterator[WantedSecret]:
    """What one manifest asks for; several Secrets where it names several namespaces. Raises
    NotTakenError."""
    if manifest.kind == "ExternalSecret":
        yield _wanted(manifest, manifest.namespace or own_namespace, manifest.content)
        return
    spec = manifest.spec
    # A cluster tells in which namespaces it is.
    status = mapping(manifest.content.get("status"))
    told = sequence(status.get("provisionedNamespaces"))
    namespaces = told or sequence(spec.get("namespaces"))
    by_labels = spec.get("namespaceSelectors") or spec.get("namespaceSelector")
    if not namespaces or (by_labels and not told):
        why = "chooses namespaces by their labels, which are not told here; keep it as it is"
        raise NotTakenError("namespaceSelectors", why)
    metadata = {**mapping(spec.get("externalSecretMetadata"))}
    metadata["name"] = spec.get("externalSecretName") or manifest.name
    content = {"metadata": metadata, "spec": spec.get("externalSecretSpec")}
    for namespace in namespaces:
        yield _wanted(manifest, str(namespace), content)


def _wanted(manifest: Manifest, namespace: str, content: Mapping[str, Any]) -> WantedSecret:
    metadata, spec = mapping(content.get("metadata")), mapping(content.get("spec"))
    target = mapping(spec.get("target"))
    template = target.get("template")
    creation = target.get("creationPolicy") or "Owner"
    if creation in ("Merge", "None"):
        why = f"`{creation}` makes no Secret of its own; keep it as it is beside the catalogue"
        raise NotTakenError("target.creationPolicy", why)
    secret_metadata = metadata if template is None else mapping(template.get("metadata"))
    values = _Values(spec)
    fields, whole = _fields(mapping(template), values)
    store = mapping(spec.get("secretStoreRef"))
    if not store.get("name"):
        raise NotTakenError("secretStoreRef", "names no store")
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
    )


def _names(given: object, field: str) -> dict[str, str]:
    found = {}
    for name, text in own_metadata(given).items():
        try:
            pieces = expression_of(text)
        except HasLogicError:
            raise NotTakenError(f"{field}.{name}", _LOGIC) from None
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


class _Values:
    """The values that an ExternalSecret reads, by the names that its template knows."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.named: dict[str, Expression] = {}
        self._extracts: list[tuple[str, Remote]] = []
        for number, one in enumerate(sequence(spec.get("dataFrom"))):
            self._extracts.append(_extract(mapping(one), f"dataFrom[{number}]"))
        for number, one in enumerate(sequence(spec.get("data"))):
            name, value = _reference(mapping(one), f"data[{number}]")
            self.named[name] = value

    def whole(self) -> tuple[str, ...]:
        """The entries that are taken as they are. Raises NotTakenError."""
        if any(prefix for prefix, _ in self._extracts):
            why = "renames keys whose names are not told here; name them in a template first"
            raise NotTakenError("dataFrom.rewrite", why)
        if any(remote.version for _, remote in self._extracts):
            why = "takes one version of an entry whole; name the keys in `data` first"
            raise NotTakenError("dataFrom.extract.version", why)
        return _in_order(remote for _, remote in self._extracts)

    def find(self, name: str, field: str) -> Expression:
        if name in self.named:
            return self.named[name]
        fitting = [one for one in self._extracts if name.startswith(one[0])]
        longest = max((len(prefix) for prefix, _ in fitting), default=0)
        fitting = [one for one in fitting if len(one[0]) == longest]
        if not fitting:
            why = f"is made of {name}, which is not read; the sync fails already"
            raise NotTakenError(field, why)
        prefix, remote = fitting[-1]
        *before, _ = _in_order(remote for _, remote in fitting)
        if before and any(remote.version for _, remote in fitting):
            why = f"is made of {name}, which several entries may have, one of them in one version"
            raise NotTakenError(field, f"{why}; name it in `data` first")
        property = name.removeprefix(prefix)
        return (Value(replace(remote, property=property, before=tuple(before)), name),)


def _in_order(remotes: Iterable[Remote]) -> tuple[str, ...]:
    """The entries, each at the last of its places: what is read later is what is taken."""
    return tuple(reversed(dict.fromkeys(reversed([one.key for one in remotes]))))


def _reference(one: Mapping[str, Any], field: str) -> tuple[str, Expression]:
    if one.get("sourceRef"):
        why = "reads another store than the rest, or a generator; split the ExternalSecret first"
        raise NotTakenError(f"{field}.sourceRef", why)
    remote, decoding = _remote(mapping(one.get("remoteRef")), f"{field}.remoteRef")
    name = str(one.get("secretKey"))
    found: Expression = (Value(remote, name),)
    return name, (Filtered(found, "decoded"),) if decoding == "Base64" else found


def _remote(reference: Mapping[str, Any], field: str) -> tuple[Remote, str]:
    decoding = reference.get("decodingStrategy") or "None"
    if decoding not in ("None", "Base64"):
        why = f"`{decoding}`: the catalogue has `stored-as: base64` alone"
        raise NotTakenError(f"{field}.decodingStrategy", why)
    if reference.get("metadataPolicy") not in (None, "None"):
        raise NotTakenError(f"{field}.metadataPolicy", "reads an entry's metadata, not its value")
    if not reference.get("key"):
        raise NotTakenError(f"{field}.key", "names no entry")
    property, version = (str(reference.get(name) or "") for name in ("property", "version"))
    return Remote(str(reference["key"]), property or None, version or None), decoding


def _extract(one: Mapping[str, Any], field: str) -> tuple[str, Remote]:
    """What is put before the names of an entry's properties, and the entry."""
    if "extract" not in one and "key" not in one:
        what = "find" if "find" in one else "sourceRef"
        whys = {
            "find": "finds entries by a pattern, and their names are not told here",
            "sourceRef": "takes what a generator makes (a token: docs/providers/tokens.md)",
        }
        raise NotTakenError(f"{field}.{what}", f"{whys[what]}; keep it as it is")
    if one.get("sourceRef"):
        why = "reads another store than the rest; split the ExternalSecret first"
        raise NotTakenError(f"{field}.sourceRef", why)
    reference = mapping(one.get("extract")) or one
    remote, decoding = _remote(reference, f"{field}.extract")
    if decoding == "Base64":
        why = "decodes every property; name the keys in `data` first"
        raise NotTakenError(f"{field}.extract.decodingStrategy", why)
    return _prefix(one, field), replace(remote, is_extracted=True)


def _prefix(one: Mapping[str, Any], field: str) -> str:
    rules = [mapping(rule) for rule in sequence(one.get("rewrite"))]
    rules = [rule for rule in rules if mapping(rule.get("regexp")) != _CLEANED]
    if not rules:
        return ""
    rule = mapping(rules[0].get("regexp"))
    target = _PREFIX.fullmatch(str(rule.get("target")))
    is_any = str(rule.get("source")) in ("(.*)", "^(.*)$", "(.+)", "^(.+)$")
    if len(rules) > 1 or not is_any or not target:
        why = "renames keys otherwise than by a prefix; name them in `data` first"
        raise NotTakenError(f"{field}.rewrite", why)
    return target[1]


def _fields(
    template: Mapping[str, Any], values: _Values
) -> tuple[dict[str, Expression], tuple[str, ...]]:
    if template.get("templateFrom"):
        why = "is in a ConfigMap or a Secret, or makes its own names; keep it as it is"
        raise NotTakenError("target.template.templateFrom", why)
    if template.get("engineVersion") not in (None, "v2"):
        raise NotTakenError("target.template.engineVersion", "only v2 is rendered")
    lines = mapping(template.get("data"))
    takes_all = not lines or template.get("mergePolicy") == "Merge"
    fields = dict(values.named) if takes_all else {}
    for name, text in lines.items():
        field = f"target.template.data.{name}"
        try:
            found = expression_of(str(text))
        except HasLogicError as error:
            raise NotTakenError(field, f"{_LOGIC} ({{{{ {error} }}}})") from None
        fields[name] = _resolved(found, values, field)
    return fields, values.whole() if takes_all else ()


def _resolved(expression: Expression, values: _Values, field: str) -> Expression:
    found: list[Piece] = []
    for piece in expression:
        if isinstance(piece, Value):
            found += values.find(str(piece.of), field)
        elif isinstance(piece, Filtered):
            found.append(Filtered(_resolved(piece.of, values, field), piece.by))
        else:
            found.append(piece)
    return tuple(found)
