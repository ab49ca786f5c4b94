"""Which Secrets a pod's template refers to, and how."""

from collections.abc import Iterator
from dataclasses import dataclass

from platform_secrets.manifests.naming import Manifest


@dataclass(frozen=True)
class Reference:
    """One reference to a Secret."""

    secret: str
    key: str = ""
    """Empty where it is of the whole Secret."""
    is_optional: bool = False
    follows_changes: bool = False
    """Whether the pod gets a new value while it runs, as a volume does without `subPath`."""


def pod_spec(workload: Manifest) -> Manifest:
    """The spec of its pods."""
    spec = workload.get("spec") or {}
    if workload["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return (spec.get("template") or {}).get("spec") or {}


def references(spec: Manifest) -> Iterator[Reference]:
    """Every reference of a pod's spec to a Secret."""
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    for container in containers:
        for one in container.get("envFrom") or []:
            if source := one.get("secretRef"):
                yield Reference(source["name"], is_optional=bool(source.get("optional")))
        for one in container.get("env") or []:
            if source := (one.get("valueFrom") or {}).get("secretKeyRef"):
                yield Reference(source["name"], source["key"], bool(source.get("optional")))
    part = {
        mount["name"]
        for container in containers
        for mount in container.get("volumeMounts") or []
        if mount.get("subPath")
    }
    for volume in spec.get("volumes") or []:
        follows = volume["name"] not in part
        sources = [(volume.get("secret") or {}, "secretName")]
        sources += [
            (one.get("secret") or {}, "name")
            for one in (volume.get("projected") or {}).get("sources") or []
        ]
        for source, name in sources:
            if name not in source:
                continue
            is_optional = bool(source.get("optional"))
            keys = [item["key"] for item in source.get("items") or []]
            for key in keys or [""]:
                yield Reference(source[name], key, is_optional, follows)
    for one in spec.get("imagePullSecrets") or []:
        yield Reference(one["name"], follows_changes=True)
