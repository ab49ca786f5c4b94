"""What kubectl is to print of objects that are not to be seen whole: of Secrets, and of definitions
of kinds, which are long. Each line begins with what it says; every word after it is escaped."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_END = '{{"\\n"}}'
_METADATA = (
    f"{{{{range $k, $v := .metadata.labels}}}}label {{{{urlquery $k}}}} {{{{urlquery $v}}}}{_END}"
    "{{end}}"
    f'{{{{range $k, $v := .metadata.annotations}}}}{{{{if ne $k "{_LAST_APPLIED}"}}}}'
    f"annotation {{{{urlquery $k}}}} {{{{urlquery $v}}}}{_END}{{{{end}}}}{{{{end}}}}"
)
_SECRET = (
    "secret {{urlquery .metadata.namespace}} {{urlquery .metadata.name}}"
    f' {{{{urlquery (or .type "Opaque")}}}}{_END}'
    f"created {{{{urlquery .metadata.creationTimestamp}}}} {{{{urlquery .metadata.uid}}}}{_END}"
    f"{{{{range .metadata.ownerReferences}}}}owner {{{{urlquery .kind}}}} {{{{urlquery .name}}}}"
    f"{_END}{{{{end}}}}"
    f"{{{{range .metadata.managedFields}}}}managed {{{{urlquery .manager}}}} {{{{urlquery .time}}}}"
    f"{_END}{{{{end}}}}"
    f"{_METADATA}{{{{range $k, $v := .data}}}}key {{{{urlquery $k}}}}{_END}{{{{end}}}}"
)
_DEFINITION = (
    "definition {{urlquery .metadata.name}} {{urlquery .spec.group}} {{urlquery .spec.names.kind}}"
    f" {{{{urlquery .metadata.creationTimestamp}}}}{_END}"
    f"{_METADATA}{{{{range .spec.versions}}}}version {{{{urlquery .name}}}} {{{{.served}}}}"
    f" {{{{.storage}}}}{_END}{{{{end}}}}"
    f"{{{{range .status.storedVersions}}}}stored {{{{urlquery .}}}}{_END}{{{{end}}}}"
    f"{{{{range .status.conditions}}}}condition {{{{urlquery .type}}}} {{{{urlquery .status}}}}"
    f" {{{{urlquery .reason}}}} {{{{urlquery .message}}}}{_END}{{{{end}}}}"
)


def _of_each(template: str) -> str:
    """kubectl gives a template a list, or the object itself where one name was asked for."""
    return (
        f'{{{{define "one"}}}}{template}{{{{end}}}}'
        '{{if .items}}{{range .items}}{{template "one" .}}{{end}}'
        '{{else if .metadata.name}}{{template "one" .}}{{end}}'
    )


SECRETS = _of_each(_SECRET)
"""A template for kubectl: of Secrets their names, types, owners, labels and annotations, when who
wrote them, and the names of their keys. No value is printed."""
DEFINITIONS = _of_each(_DEFINITION)
"""The same of CustomResourceDefinitions, without their schemas."""


def secrets(text: str) -> Iterator[dict[str, Any]]:
    """The Secrets of which kubectl has printed SECRETS; each key has an empty text."""
    one: dict[str, Any] = {}
    for what, words in _lines(text):
        match what, words:
            case "secret", [namespace, name, type]:
                if one:
                    yield one
                metadata = {"namespace": namespace, "name": name, "ownerReferences": []}
                one = {"apiVersion": "v1", "kind": "Secret", "type": type}
                one |= {"metadata": metadata, "data": {}}
            case "created", [time, uid]:
                one["metadata"] |= {"creationTimestamp": time, "uid": uid}
            case "owner", [kind, name]:
                one["metadata"]["ownerReferences"].append({"kind": kind, "name": name})
            case "managed", [manager, time]:
                managed = one["metadata"].setdefault("managedFields", [])
                managed.append({"manager": manager, "time": time})
            case "key", [name]:
                one["data"][name] = ""
            case _:
                _add_metadata(one, what, words)
    if one:
        yield one


def definitions(text: str) -> Iterator[dict[str, Any]]:
    """The CustomResourceDefinitions of which kubectl has printed DEFINITIONS."""
    one: dict[str, Any] = {}
    for what, words in _lines(text):
        match what, words:
            case "definition", [name, group, kind, time]:
                if one:
                    yield one
                one = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
                one["metadata"] = {"name": name, "creationTimestamp": time}
                one["spec"] = {"group": group, "names": {"kind": kind}, "versions": []}
                one["status"] = {"storedVersions": [], "conditions": []}
            case "version", [name, served, storage]:
                version = {"name": name, "served": served == "true", "storage": storage == "true"}
                one["spec"]["versions"].append(version)
            case "stored", [name]:
                one["status"]["storedVersions"].append(name)
            case "condition", [type, status, reason, message]:
                said = {"type": type, "status": status, "reason": reason, "message": message}
                one["status"]["conditions"].append(said)
            case _:
                _add_metadata(one, what, words)
    if one:
        yield one


def _lines(text: str) -> Iterator[tuple[str, list[str]]]:
    for line in text.splitlines():
        what, *words = line.split(" ")
        yield what, [unquote_plus(word) for word in words]


def _add_metadata(one: dict[str, Any], what: str, words: list[str]) -> None:
    if what in ("label", "annotation"):
        name, text = words
        one["metadata"].setdefault(f"{what}s", {})[name] = text
