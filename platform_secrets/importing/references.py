"""The Secrets that an object names, whatever its kind and wherever it names them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from platform_secrets.importing.found import Manifest

# What these name they make, or are about.
_NO_READERS = (
    *("ExternalSecret", "ClusterExternalSecret", "PushSecret", "ClusterPushSecret"),
    *("Secret", "SealedSecret", "SecretProviderClass", "ConfigMap", "CustomResourceDefinition"),
    *("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount"),
)
_MADE = ("writeConnectionSecretToRef", "publishConnectionDetailsTo")
# Fields of which no word says that a Secret's name is in them, and those around them.
_UNSAID = {"credentialName": None, "certificateRefs": None, "repository": "restic"}
_OTHER_PARTS = ("apiVersion", "kind", "metadata", "status")
_RELEASE = "{{ .Release.Name }}"


class Reference(NamedTuple):
    """The namespace, where it is told, and the name of what may be a Secret."""

    namespace: str | None
    name: str


def references(manifest: Manifest) -> Iterator[Reference]:
    """Every name in a field that is for a Secret's. Some are other things' names: whoever asks
    knows which Secrets there are."""
    if manifest.kind in _NO_READERS or manifest.is_kustomization:
        return
    release = str(manifest.spec.get("releaseName") or manifest.name)
    annotations = {"annotations": manifest.metadata.get("annotations")}
    parts = {name: part for name, part in manifest.content.items() if name not in _OTHER_PARTS}
    if manifest.kind == "Certificate":
        parts = {"spec": {**manifest.spec, "secretName": None}}
    for one in _in_mapping({**parts, **annotations}, ""):
        namespace, has_namespace, name = one.name.partition("/")
        if has_namespace:
            yield Reference(namespace, name)
        else:
            yield Reference(one.namespace, one.name.replace(_RELEASE, release))


def _in_mapping(content: Mapping[str, Any], field: str) -> Iterator[Reference]:
    name = content.get("name") or content.get("secretName")
    if isinstance(name, str) and _is_reference(content, field):
        yield Reference(content.get("namespace"), name)
    for key, value in content.items():
        if key in _MADE:
            continue
        if isinstance(value, str):
            if _is_name(str(key), field):
                yield Reference(content.get("secretNamespace"), value)
        elif isinstance(value, Mapping):
            # In a store's `secretRef` each value has a field of its own.
            yield from _in_mapping(value, field if field == "secretRef" else str(key))
        elif isinstance(value, list):
            yield from _in_list(value, str(key))


def _in_list(content: list[Any], field: str) -> Iterator[Reference]:
    for one in content:
        if isinstance(one, Mapping):
            yield from _in_mapping(one, field)
        elif isinstance(one, list):
            yield from _in_list(one, field)
        elif isinstance(one, str) and "secret" in field.lower():
            yield Reference(None, one)


def _is_reference(content: Mapping[str, Any], field: str) -> bool:
    """Whether the mapping in this field is a Secret's name and what goes with it."""
    kind, lower = content.get("kind") or content.get("type"), field.lower()
    if isinstance(kind, str) and kind.lower() in ("secret", "configmap"):
        return kind.lower() == "secret"
    if "configmap" in lower:
        return False
    return "secret" in lower or field in _UNSAID or isinstance(content.get("key"), str)


def _is_name(key: str, around: str) -> bool:
    """Whether the text under this key is a Secret's name."""
    if key in _UNSAID:
        return _UNSAID[key] in (None, around)
    return key.lower().endswith(("secret", "secretname", "secretref"))
