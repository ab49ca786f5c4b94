"""What is there in a cluster at one moment, without any value."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from platform_secrets.manifests.naming import PROJECT, Manifest

Address = tuple[str, str, str]
"""Kind, namespace and name; what belongs to no namespace has an empty one."""

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Of a Secret's own labels and annotations the others' texts may be made of its values.
MARKS = (
    "app.kubernetes.io/managed-by",
    "argocd.argoproj.io/tracking-id",
    "external-secrets.io/component",
    "helm.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/name",
    "meta.helm.sh/release-name",
    "reconcile.external-secrets.io/created-by",
    "reconcile.external-secrets.io/managed",
)
"""By which others know what is theirs."""
_TIME = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]+)?Z")
_MADE = ("Pod", "ReplicaSet", "Job")
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "Job", "CronJob")


@dataclass(frozen=True)
class Snapshot:
    """The objects as the API gives them, but for values: of a Secret the names of its keys are
    left, each with an empty text, and so of ConfigMaps that are not this project's; no container
    has the text of an environment variable."""

    taken_at: datetime
    """By the API server's clock, where it has said what that is."""
    objects: Mapping[Address, Manifest]
    unread: Mapping[str, str] = field(default_factory=dict)
    """What is not known: a kind, or kind/namespace, or a file; and why it was not read."""
    is_partial: bool = False
    """Whether somebody has sent it: of each kind in a namespace all there is, or none."""
    callers_clock_seconds: float = 0
    """How far the clock of whoever has looked is ahead of the API server's."""

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """None where there is none, or it was not read: `why_unread` tells which."""
        return self.objects.get((kind, namespace, name))

    def of(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        """All of a kind: of one namespace, or of every one that was read."""
        found = self._by_kind.get(kind, {})
        if namespace is not None:
            return found.get(namespace, [])
        return [one for some in found.values() for one in some]

    def why_unread(self, kind: str, namespace: str = "") -> str | None:
        """Why it is not known what there is of a kind; None where it is known."""
        return self.unread.get(f"{kind}/{namespace}") or self.unread.get(kind)

    def is_missing(self, kind: str, namespace: str, name: str) -> bool:
        """Whether it is not there; what could not be looked at is not missing."""
        if self.get(kind, namespace, name) or self.why_unread(kind, namespace):
            return False
        return not self.is_partial or bool(self.of(kind, namespace))

    def pods_of(self, kind: str, namespace: str, name: str) -> list[Manifest]:
        """The pods that a workload has made, by itself or by a ReplicaSet or Job."""
        made = self._made_by.get((kind, namespace, name), [])
        pods = [one for one in made if one["kind"] == "Pod"]
        between = [_address(one) for one in made if one["kind"] != "Pod"]
        return pods + [pod for one in between for pod in self.pods_of(*one)]

    @cached_property
    def _made_by(self) -> dict[Address, list[Manifest]]:
        found: dict[Address, list[Manifest]] = {}
        for one in (each for kind in _MADE for each in self.of(kind)):
            namespace = one["metadata"].get("namespace") or ""
            for owner in one["metadata"].get("ownerReferences") or []:
                place = (owner["kind"], namespace, owner["name"])
                if owner["kind"] == "ReplicaSet" and place not in self.objects:
                    # It may not be read; its name is the Deployment's with a hash.
                    place = ("Deployment", namespace, owner["name"].rpartition("-")[0])
                found.setdefault(place, []).append(one)
        return found

    @cached_property
    def _by_kind(self) -> dict[str, dict[str, list[Manifest]]]:
        found: dict[str, dict[str, list[Manifest]]] = {}
        for (kind, namespace, _), one in self.objects.items():
            found.setdefault(kind, {}).setdefault(namespace, []).append(one)
        return found


def snapshot_of(
    documents: Iterable[Mapping[str, Any]],
    taken_at: datetime,
    unread: Mapping[str, str] | None = None,
    *,
    is_partial: bool = False,
    callers_clock_seconds: float = 0,
) -> Snapshot:
    """A snapshot of objects as the API gives them, lists of them included. The documents stay as
    they are; none of their values is in the snapshot."""
    objects = {_address(one): without_values(one) for each in documents for one in _items(each)}
    return Snapshot(taken_at, objects, unread or {}, is_partial, callers_clock_seconds)


def condition(live: Mapping[str, Any] | None, type: str) -> Manifest | None:
    """What an object's status says of one matter."""
    found = ((live or {}).get("status") or {}).get("conditions") or []
    return next((one for one in found if one.get("type") == type), None)


def without_values(document: Mapping[str, Any]) -> Manifest:
    """A copy of what may be seen of an object."""
    kind = document["kind"]
    found = {**document, "metadata": _metadata(document)}
    if kind == "Secret":
        _keep_names(found, "data", "stringData")
    elif kind == "ConfigMap" and not _is_ours(document):
        _keep_names(found, "data", "binaryData")
    elif kind == "Pod" or kind in _WORKLOADS:
        found["spec"] = _without_variables(document.get("spec"))
    return found


def latest_moment(documents: Iterable[Any]) -> datetime | None:
    """The latest time that is named in some objects."""
    found = max((text for one in documents for text in _times(one)), default=None)
    return datetime.fromisoformat(found) if found else None


def _times(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        part = part.values()  # pyright: ignore[reportUnknownMemberType]
    elif not isinstance(part, list):
        if isinstance(part, str) and _TIME.fullmatch(part):
            yield part
        return
    for one in part:  # pyright: ignore[reportUnknownVariableType]
        yield from _times(one)


def _items(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if isinstance(document.get("items"), list):
        return (one for each in document["items"] for one in _items(each))
    is_object = isinstance(document.get("metadata"), dict) and "name" in document["metadata"]
    return [document] if is_object and isinstance(document.get("kind"), str) else []


def _address(document: Mapping[str, Any]) -> Address:
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace") or "", metadata["name"]


def _metadata(document: Mapping[str, Any]) -> Manifest:
    is_secret = document["kind"] == "Secret"
    found = {**document["metadata"]}
    managed: list[Manifest] = found.pop("managedFields", None) or []
    if is_secret and managed:
        names = ("manager", "operation", "subresource", "time")
        found["managedFields"] = [
            {name: one[name] for name in names if name in one} for one in managed
        ]
    for part in ("labels", "annotations"):
        texts: dict[str, str] = found.get(part) or {}
        kept = {name: text for name, text in texts.items() if name != _LAST_APPLIED}
        if is_secret:
            kept = {name: text if name in MARKS else "" for name, text in kept.items()}
        if part in found:
            found[part] = kept
    return found


def _is_ours(document: Mapping[str, Any]) -> bool:
    labels = document["metadata"].get("labels") or {}
    return labels.get("app.kubernetes.io/managed-by") == PROJECT


def _keep_names(document: Manifest, *parts: str) -> None:
    for part in parts:
        if part in document:
            document[part] = dict.fromkeys(document[part] or {}, "")


def _without_variables(spec: Any) -> Any:
    """A pod's spec, or what has one in it, with the names alone of what its containers are given
    as texts."""
    if isinstance(spec, list):
        return [_without_variables(one) for one in spec]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(spec, dict):
        return spec
    found: Manifest = {}
    for name, part in spec.items():  # pyright: ignore[reportUnknownVariableType]
        if name == "env" and isinstance(part, list):
            found[name] = [{k: v for k, v in one.items() if k != "value"} for one in part]  # pyright: ignore[reportUnknownVariableType]
        else:
            found[str(name)] = _without_variables(part)  # pyright: ignore[reportUnknownArgumentType]
    return found
