"""Who reads which Secrets: every object that names one, whatever its kind."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from platform_secrets.importing.found import Manifest, mapping, sequence
from platform_secrets.importing.references import Reference, references
from platform_secrets.importing.roles import Place, readable_secrets


@dataclass(frozen=True)
class Reader:
    """A workload or another object, and what it names of one namespace's Secrets."""

    namespace: str
    kind: str
    name: str
    secrets: tuple[str, ...]
    source: Manifest


def readers(manifests: Iterable[Manifest], own_namespace: str) -> Iterator[Reader]:
    """Each of them that names a Secret: one reader for each namespace of those that it names."""
    known = [*manifests]
    accounts = {
        _place(one, own_namespace): [*_pull_secrets(one.content)]
        for one in known
        if one.kind == "ServiceAccount"
    }
    classes = {
        _place(one, own_namespace): [*_synced(one)]
        for one in known
        if one.kind == "SecretProviderClass"
    }
    readable = readable_secrets(known, own_namespace)
    for one in known:
        if not one.name:
            continue
        namespace = _namespace(one, own_namespace)
        found = [*references(one)]
        for pod in _pods(one.content):
            account = namespace, str(pod.get("serviceAccountName") or "default")
            # A pod's own come instead of its account's.
            if not pod.get("imagePullSecrets"):
                found += accounts.get(account, [])
            found += readable.get(account, [])
            for volume in map(mapping, sequence(pod.get("volumes"))):
                csi = mapping(volume.get("csi"))
                name = mapping(csi.get("volumeAttributes")).get("secretProviderClass")
                found += classes.get((namespace, str(name)), [])
        of_namespaces: dict[str, dict[str, None]] = {}
        for space, name in found:
            of_namespaces.setdefault(space or namespace, {})[name] = None
        for space, names in of_namespaces.items():
            yield Reader(space, one.kind, one.name, tuple(names), one)


def _place(manifest: Manifest, own_namespace: str) -> Place:
    return manifest.namespace or own_namespace, manifest.name


def _namespace(manifest: Manifest, own_namespace: str) -> str:
    """Where the Secrets are that it names."""
    spec = manifest.spec
    installs = spec.get("targetNamespace") if manifest.kind == "HelmRelease" else None
    if manifest.kind == "Application":
        installs = mapping(spec.get("destination")).get("namespace")
    return str(installs or manifest.namespace or own_namespace)


def _pods(value: object) -> Iterator[Mapping[str, Any]]:
    """Every pod's spec in an object; a pod has containers."""
    if isinstance(value, Mapping):
        if isinstance(value.get("containers"), list):
            yield value
        else:
            for inner in value.values():
                yield from _pods(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pods(inner)


def _pull_secrets(account: Mapping[str, Any]) -> Iterator[Reference]:
    for one in map(mapping, sequence(account.get("imagePullSecrets"))):
        if isinstance(one.get("name"), str):
            yield Reference(None, one["name"])


def _synced(of_class: Manifest) -> Iterator[Reference]:
    """The Secrets that a pod has made by mounting a class."""
    for one in map(mapping, sequence(of_class.spec.get("secretObjects"))):
        if isinstance(one.get("secretName"), str):
            yield Reference(None, one["secretName"])
