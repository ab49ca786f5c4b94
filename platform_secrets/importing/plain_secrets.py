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
            given = (mapping(manifest.content.get(name)) for name in ("data", "stringData"))
            keys = dict.fromkeys(name for one in given for name in one)
            yield plain_secret(manifest, namespace, manifest.content, keys)
    elif manifest.kind == "SealedSecret":
        template = mapping(manifest.spec.get("template"))
        given = mapping(manifest.spec.get("encryptedData")), mapping(template.get("data"))
        content = {**template, "metadata": {**mapping(template.get("metadata")), "name": None}}
        keys = dict.fromkeys(name for one in given for name in one)
        yield plain_secret(manifest, namespace, content, keys)
    elif manifest.kind == "SecretProviderClass":
        yield from _synced(manifest, namespace)
    elif manifest.is_kustomization:
        for one in map(mapping, sequence(manifest.content.get("secretGenerator"))):
            yield _generated(manifest, one, str(one.get("namespace") or namespace))


def plain_secret(
    manifest: Manifest, namespace: str, content: Mapping[str, Any], keys: Mapping[str, str | None]
) -> WantedSecret:
    """One without a store, of this type and metadata; of each key what the catalogue may say.
    Raises NotTakenError."""
    if not keys:
        raise NotTakenError("data", "has no keys; whoever fills it in keeps it")
    metadata = mapping(content.get("metadata"))
    called = str(metadata.get("name") or manifest.name)
    return WantedSecret(
        source=manifest,
        namespace=namespace,
        external_secret=called,
        secret=called,
        store=NO_STORE,
        interval=0,
        fields={name: (Value(Remote("", name, None), name),) for name in keys},
        type=content.get("type") or "Opaque",
        labels=own_metadata(metadata.get("labels")),
        annotations=own_metadata(metadata.get("annotations")),
        suggestions={name: text for name, text in keys.items() if text},
    )


def _synced(manifest: Manifest, namespace: str) -> Iterator[WantedSecret]:
    """What a CSI driver makes of a class."""
    synced = [*map(mapping, sequence(manifest.spec.get("secretObjects")))]
    if not synced:
        why = "has values mounted that are in no Secret; keep it as it is beside the catalogue"
        raise NotTakenError("", why)
    for one in synced:
        keys = {str(mapping(each).get("key")): None for each in sequence(one.get("data"))}
        metadata = {name: one.get(name) for name in ("labels", "annotations")}
        content = {"type": one.get("type"), "metadata": {**metadata, "name": one.get("secretName")}}
        yield plain_secret(manifest, namespace, content, keys)


def _generated(manifest: Manifest, one: Mapping[str, Any], namespace: str) -> WantedSecret:
    if one.get("envs") or one.get("env"):
        why = "has the names of its keys in a file that is not here; name them in `literals`"
        raise NotTakenError("secretGenerator.envs", why)
    literals = [str(text).partition("=")[0] for text in sequence(one.get("literals"))]
    files = [str(text) for text in sequence(one.get("files"))]
    names = [*literals, *(text.partition("=")[0].rpartition("/")[2] for text in files)]
    options = mapping(one.get("options"))
    source = Manifest({**manifest.content, "metadata": {"name": one.get("name")}}, *manifest.at)
    content = {"type": one.get("type"), "metadata": options}
    return plain_secret(source, namespace, content, dict.fromkeys(names))


def _is_of_the_operator(manifest: Manifest) -> bool:
    owners = sequence(manifest.metadata.get("ownerReferences"))
    return any(mapping(one).get("kind") == "ExternalSecret" for one in owners)
