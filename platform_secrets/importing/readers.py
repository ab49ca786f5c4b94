"""Who reads which Secrets: every object that has pods, whatever its kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from platform_secrets.importing.found import Manifest, mapping, sequence


@dataclass(frozen=True)
class Reader:
    """A workload, and the Secrets that its pods name."""

    namespace: str
    kind: str
    name: str
    secrets: tuple[str, ...]
    source: Manifest


def readers(manifest: Manifest, own_namespace: str) -> Iterator[Reader]:
    """The reader that a manifest is, if its pods read any Secret."""
    secrets = dict.fromkeys(one for pod in _pods(manifest.content) for one in _secrets(pod))
    if secrets and manifest.name:
        namespace = manifest.namespace or own_namespace
        yield Reader(namespace, manifest.kind, manifest.name, tuple(secrets), manifest)


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


def _secrets(pod: Mapping[str, Any]) -> Iterator[str]:
    """Each Secret that a pod names."""
    for one in sequence(pod.get("imagePullSecrets")):
        yield from _named(one, "name")
    kinds = ("initContainers", "containers", "ephemeralContainers")
    for container in (mapping(one) for kind in kinds for one in sequence(pod.get(kind))):
        for one in sequence(container.get("env")):
            yield from _named(mapping(mapping(one).get("valueFrom")).get("secretKeyRef"), "name")
        for one in sequence(container.get("envFrom")):
            yield from _named(mapping(one).get("secretRef"), "name")
    for volume in map(mapping, sequence(pod.get("volumes"))):
        yield from _named(volume.get("secret"), "secretName")
        for one in sequence(mapping(volume.get("projected")).get("sources")):
            yield from _named(mapping(one).get("secret"), "name")
        yield from _named(mapping(volume.get("csi")).get("nodePublishSecretRef"), "name")


def _named(reference: object, field: str) -> Iterator[str]:
    name = mapping(reference).get(field)
    if isinstance(name, str):
        yield name
