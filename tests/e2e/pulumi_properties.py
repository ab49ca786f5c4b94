"""Pulumi's property values for Kubernetes objects: the wire's form, plain objects, and differences.

On the wire every number is a float, a secret is a marked wrapper around its value, and a value that
a preview cannot know yet is a fixed text (pulumi/developer-docs, "property values").
"""

import base64
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from tests.e2e.kubernetes_api import Manifest

Properties = dict[str, Any]

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - Pulumi's public mark of a secret

# What makes the real provider replace an object rather than update it, for the kinds used here.
REPLACING_PATHS = {
    "RoleBinding": ["roleRef"],
    "ClusterRoleBinding": ["roleRef"],
    "Deployment": ["spec.selector"],
    "StatefulSet": ["spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"],
    "Job": ["spec.template", "spec.selector", "spec.completions", "spec.parallelism"],
    "Secret": ["type"],
}
IDENTITY = ["metadata.name", "metadata.namespace"]


def properties_of(struct: Struct) -> Properties:
    """The properties as they came, secrets still wrapped, without Pulumi's internal `__` ones."""
    properties = MessageToDict(struct)
    return {key: value for key, value in properties.items() if not key.startswith("__")}


def struct_of(properties: Properties) -> Struct:
    struct = Struct()
    struct.update(properties)
    return struct


def plain(value: Any) -> Any:
    """The value for the API server: secrets unwrapped, integers whole, nulls left out."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return plain(value["value"])
        return {key: plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def observed(declared: Any, applied: Any, live: Any) -> Any:
    """`declared` with the live value wherever that differs from what applying would make of it.

    `applied` is the object as the API server would store it, so that its normal forms and default
    values are no difference. None stands for a field that is gone.
    """
    if applied == live:
        return declared
    if isinstance(declared, dict) and declared.get(SIGNATURE) == SECRET:
        return {**declared, "value": observed(declared["value"], applied, live)}
    if all(isinstance(each, dict) for each in (declared, applied, live)):
        fields = {k: observed(v, applied.get(k), live.get(k)) for k, v in declared.items()}
        return {key: value for key, value in fields.items() if value is not None}
    if all(isinstance(each, list) for each in (declared, applied, live)) and (
        len(declared) == len(applied) == len(live)
    ):
        return [observed(*each) for each in zip(declared, applied, live, strict=True)]
    return live


def with_string_data(live: Manifest) -> Manifest:
    """A Secret with its `stringData`, which the API server takes and never gives; others as is."""
    if live["kind"] != "Secret":
        return live
    data = live.get("data", {})
    return {**live, "stringData": {k: base64.b64decode(v).decode() for k, v in data.items()}}


def replacing_paths(obj: Manifest, *, mutable_kinds: frozenset[str]) -> list[str]:
    """The paths of `obj` whose change means a replacement.

    The real provider replaces a ConfigMap or Secret for any change of its data, unless its
    `enableConfigMapMutable` or `enableSecretMutable` is set and the object is not immutable.
    """
    kind = obj["kind"]
    paths = IDENTITY + REPLACING_PATHS.get(kind, [])
    if kind in ("ConfigMap", "Secret") and (kind not in mutable_kinds or obj.get("immutable")):
        paths = [*paths, "data", "binaryData", "stringData", "type"]
    return paths


def at(obj: Any, path: str) -> Any:
    """The value at a dotted path, None when there is none."""
    for key in path.split("."):
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def type_token(obj: Manifest) -> str:
    """Pulumi's type of a Kubernetes object, such as `kubernetes:core/v1:Secret`."""
    api_version = obj.get("apiVersion", "")
    version = api_version if "/" in api_version else f"core/{api_version}"
    return f"kubernetes:{version}:{obj.get('kind', '')}"


def kind_of(token: str) -> tuple[str, str]:
    """The apiVersion and kind of a type token."""
    _, version, kind = token.split(":")
    return version.removeprefix("core/"), kind


def object_id(obj: Manifest) -> str:
    """`namespace/name`, or the name alone for what is in no namespace."""
    metadata = obj.get("metadata", obj)
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def annotation(obj: Manifest, name: str) -> str:
    """The value of `pulumi.com/<name>`, "" without one."""
    return (at(obj, "metadata.annotations") or {}).get(f"pulumi.com/{name}", "")


def is_satisfied(live: Manifest, expression: str) -> bool:
    """Whether the object meets `condition=TYPE[=STATUS]` or `jsonpath={.a.b}[=VALUE]`."""
    form, _, rest = expression.partition("=")
    what, _, wanted = rest.partition("=")
    if form == "condition":
        conditions = at(live, "status.conditions") or []
        statuses = [c["status"] for c in conditions if c["type"].lower() == what.lower()]
        return statuses == [wanted or "True"]
    if form == "jsonpath":
        found = at(live, what.strip("{}").removeprefix("."))
        return str(found) == wanted if wanted else found is not None
    raise ValueError(f"pulumi.com/waitFor knows condition= and jsonpath=, not {expression}")
