"""What the template of an ExternalSecret makes of its values."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from platform_secrets.importing.found import (
    Expression,
    Filtered,
    Manifest,
    NotTakenError,
    Piece,
    Value,
    mapping,
    sequence,
)
from platform_secrets.importing.go_templates import HasLogicError, expression_of
from platform_secrets.importing.remotes import Values

LOGIC = "its template does more than put values into text; keep it as it is beside the catalogue"
_TLS, _OF_TLS = "kubernetes.io/tls", ("tls.crt", "tls.key")
_FROM = "target.template.templateFrom"
ConfigMaps = Mapping[tuple[str, str], Mapping[str, Any]]
"""What is in ConfigMaps, by namespace and name."""


def config_maps(manifests: Iterable[Manifest], own_namespace: str) -> ConfigMaps:
    """Those among the manifests."""
    return {
        (one.namespace or own_namespace, one.name): mapping(one.content.get("data"))
        for one in manifests
        if one.kind == "ConfigMap"
    }


def template_of(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an ExternalSecret's Secret is made by."""
    return mapping(mapping(spec.get("target")).get("template"))


def template_fields(
    template: Mapping[str, Any], values: Values, namespace: str, texts: ConfigMaps
) -> tuple[dict[str, Expression], tuple[str, ...]]:
    if template.get("engineVersion") not in (None, "v2"):
        raise NotTakenError("target.template.engineVersion", "only v2 is rendered")
    given = dict(_given(template, values, namespace, texts))
    lines = {**given, **mapping(template.get("data"))}
    takes_all = not lines or template.get("mergePolicy") == "Merge"
    fields = dict(values.named) if takes_all else {}
    for name, text in lines.items():
        field = f"target.template.data.{name}"
        try:
            found = expression_of(str(text))
        except HasLogicError as error:
            raise NotTakenError(field, f"{LOGIC} ({{{{ {error} }}}})") from None
        fields[name] = _resolved(found, values, field)
    if takes_all and values.are_decoded and template.get("type") == _TLS:
        why = f"only {' and '.join(_OF_TLS)} are read, which such a Secret has"
        values.notes["dataFrom.extract"] = why
        return fields | {name: values.find(name, "dataFrom.extract") for name in _OF_TLS}, ()
    return fields, values.whole() if takes_all else ()


def _resolved(expression: Expression, values: Values, field: str) -> Expression:
    found: list[Piece] = []
    for piece in expression:
        if isinstance(piece, Value):
            found += values.find(str(piece.of), field)
        elif isinstance(piece, Filtered):
            found.append(Filtered(_resolved(piece.of, values, field), piece.by))
        else:
            found.append(piece)
    return tuple(found)


def _given(
    template: Mapping[str, Any], values: Values, namespace: str, texts: ConfigMaps
) -> Iterator[tuple[str, str]]:
    """The fields whose texts are in ConfigMaps, with those."""
    for one in map(mapping, sequence(template.get("templateFrom"))):
        config_map = mapping(one.get("configMap"))
        name, items = str(config_map.get("name")), sequence(config_map.get("items"))
        if not config_map or one.get("target") not in (None, "Data"):
            raise NotTakenError(_FROM, "is in a Secret, or makes its own names; keep it as it is")
        content = texts.get((namespace, name))
        for item in map(mapping, items):
            key = str(item.get("key"))
            if item.get("templateAs") not in (None, "Values"):
                raise NotTakenError(_FROM, "makes its own names; keep it as it is")
            if content is None or not isinstance(content.get(key), str):
                why = f"is {key} of ConfigMap {name}, which is not among these manifests: import "
                why += "what kustomize or Helm prints, or say it as `texts`"
                raise NotTakenError(_FROM, why)
            values.notes[_FROM] = f"the texts of ConfigMap {name} are the catalogue's from now on"
            yield key, content[key]
