"""Secrets whose values no store has: plain, sealed, encrypted in a file, or made by kustomize."""

from collections.abc import Iterator, Mapping
from typing import Any

from platform_secrets.importing.found import (
    NO_STORE,
    Manifest,
    NotTakenError,
    Remote,
    Value,
    WantedSecret,
    mapping,
    sequence,
)
from platform_secrets.importing.metadata import own_metadata

KINDS = ("Secret", "SealedSecret")
# Kubernetes, Helm and the operator make these for themselves.
_OTHERS = (
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "helm.sh/release.v1",
)


def plain_secrets(manifest: Manifest, own_namespace: str) -> Iterator[WantedSecret]:
    """The Secrets that a manifest is, or makes, each with the names of its keys. Raises
    NotTakenError."""
    namespace = manifest.namespace or own_namespace
    if manifest.kind == "Secret" and manifest.content.get("type") not in _OTHERS:
        if not _is_of_the_operator(manifest):
            keys = {**mapping(manifest.content.get("data"))}
            keys |= mapping(manifest.content.get("stringData"))
            yield _plain(manifest, namespace, manifest.content, keys)
    elif manifest.kind == "SealedSecret":
        template = mapping(manifest.spec.get("template"))
        keys = {**mapping(manifest.spec.get("encryptedData"))}
        keys |= mapping(template.get("data"))
        yield _plain(manifest, namespace, template, keys)
    elif manifest.is_kustomization:
        for one in map(mapping, sequence(manifest.content.get("secretGenerator"))):
            yield _generated(manifest, one, str(one.get("namespace") or namespace))


def _plain(
    manifest: Manifest, namespace: str, content: Mapping[str, Any], keys: Mapping[str, object]
) -> WantedSecret:
    if not keys:
        raise NotTakenError("data", "has no keys")
    metadata = mapping(content.get("metadata"))
    return WantedSecret(
        source=manifest,
        namespace=namespace,
        external_secret=manifest.name,
        secret=manifest.name,
        store=NO_STORE,
        interval=0,
        fields={name: (Value(Remote("", name, None), name),) for name in keys},
        type=content.get("type") or "Opaque",
        labels=own_metadata(metadata.get("labels")),
        annotations=own_metadata(metadata.get("annotations")),
    )


def _generated(manifest: Manifest, one: Mapping[str, Any], namespace: str) -> WantedSecret:
    if one.get("envs") or one.get("env"):
        why = "has the names of its keys in another file; name them in `literals` or `files`"
        raise NotTakenError("secretGenerator.envs", why)
    literals = [str(text).partition("=")[0] for text in sequence(one.get("literals"))]
    files = [str(text) for text in sequence(one.get("files"))]
    names = [*literals, *(text.partition("=")[0].rpartition("/")[2] for text in files)]
    options = mapping(one.get("options"))
    source = Manifest({**manifest.content, "metadata": {"name": one.get("name")}}, *manifest.at)
    content = {"type": one.get("type"), "metadata": options}
    return _plain(source, namespace, content, dict.fromkeys(names, ""))


def _is_of_the_operator(manifest: Manifest) -> bool:
    owners = sequence(manifest.metadata.get("ownerReferences"))
    return any(mapping(one).get("kind") == "ExternalSecret" for one in owners)
