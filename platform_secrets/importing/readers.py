"""Who reads which Secrets: every object that has pods, whatever its kind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


PullSecrets = Mapping[tuple[str, str], Sequence[str]]
"""What ServiceAccounts, by namespace and name, have kubelets log in to registries with."""


def pull_secrets(manifests: Iterable[Manifest], own_namespace: str) -> PullSecrets:
    """Those of all ServiceAccounts among the manifests."""
    return {
        (one.namespace or own_namespace, one.name): [*_pull_secrets(one.content)]
        for one in manifests
        if one.kind == "ServiceAccount"
    }


def readers(manifest: Manifest, own_namespace: str, of_accounts: PullSecrets) -> Iterator[Reader]:
    """The reader that a manifest is, if its pods read any Secret."""
    namespace = manifest.namespace or own_namespace
    secrets: dict[str, None] = {}
    for pod in _pods(manifest.content):
        account = namespace, str(pod.get("serviceAccountName") or "default")
        # A pod's own come instead of its account's.
        inherited = [] if pod.get("imagePullSecrets") else of_accounts.get(account, [])
        secrets |= dict.fromkeys([*inherited, *_secrets(pod)])
    if secrets and manifest.name:
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
    yield from _pull_secrets(pod)
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


def _pull_secrets(content: Mapping[str, Any]) -> Iterator[str]:
    """Those of a pod or of a ServiceAccount."""
    for one in sequence(content.get("imagePullSecrets")):
        yield from _named(one, "name")


def _named(reference: object, field: str) -> Iterator[str]:
    name = mapping(reference).get(field)
    if isinstance(name, str):
        yield name
