"""Objects as the cluster has them, beside what was declared."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError, Manifest
from tests.e2e.process import wait_until

Name = tuple[str, str, str]
"""Kind, namespace (or "") and name."""

ADMISSION = "admissionregistration.k8s.io/v1"
POLICIES = {
    "ValidatingAdmissionPolicy": ADMISSION,
    "ValidatingAdmissionPolicyBinding": ADMISSION,
    "ClusterRole": "rbac.authorization.k8s.io/v1",
}
"""Cluster-wide, with their API version; an environment's are called after its namespace."""
_OF_A_NAMESPACE = re.compile(
    r"(?P<namespace>.+?)-(admission-.+|deletion|rotation-.+|(seeding-)?account-tokens|seeding-(pushsecrets|externalsecrets|migrations))"
)
MADE_BY_CONTROLLERS = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}


def contents(
    cluster: Cluster, namespaces: Iterable[str], *, only: Collection[str] = ()
) -> dict[Name, Manifest]:
    """Every object of every kind, or of some, in the namespaces, but events and what each namespace
    has; and the namespaces themselves, and the policies that are called after them."""
    found = {}
    wanted = set(namespaces)
    for api_version, kind, is_namespaced in _kinds(cluster.api):
        if only and kind not in only:
            continue
        for obj in cluster.api.list(api_version, kind):
            metadata = obj["metadata"]
            namespace, name = metadata.get("namespace", ""), metadata["name"]
            if (namespace if is_namespaced else name) in wanted:
                found[kind, namespace, name] = {"apiVersion": api_version, "kind": kind, **obj}
    for kind, api_version in POLICIES.items():
        for obj in cluster.api.list(api_version, kind):
            name = obj["metadata"]["name"]
            match = _OF_A_NAMESPACE.fullmatch(name)
            if match and match["namespace"] in wanted:
                found[kind, "", name] = {"apiVersion": api_version, "kind": kind, **obj}
    return {
        name: obj for name, obj in found.items() if (name[0], name[2]) not in MADE_BY_CONTROLLERS
    }


def versions(objects: dict[Name, Manifest]) -> dict[Name, str]:
    """The resourceVersion of each: equal ones mean that nobody wrote, not even the same again."""
    return {name: obj["metadata"]["resourceVersion"] for name, obj in objects.items()}


def empty(cluster: Cluster, namespaces: Iterable[str]) -> None:
    """Deletes all that is in the namespaces, but not them: that takes the controllers seconds.

    Returns once it is gone. Finalizers are taken away, since their controller may be gone.
    """

    kinds: set[str] = set()

    def is_empty() -> bool:
        """Whether no kind is left: one by one only those are looked at that had objects before."""
        nonlocal kinds
        found = contents(cluster, namespaces, only=kinds).values()
        left = [obj for obj in found if obj["kind"] != "Namespace"]
        # What guards the others goes first.
        for obj in sorted(left, key=lambda one: one["kind"] not in POLICIES):
            metadata = obj["metadata"]
            where = (obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace"))
            if "deletionTimestamp" not in metadata:
                # What guarded it is gone, and the API server may not have heard of that yet.
                with suppress(KubernetesApiError):
                    cluster.api.delete(*where)
            if "finalizers" in metadata:
                # Where the controller is still there, it may be faster.
                with suppress(KubernetesApiError):
                    cluster.api.patch(*where, {"metadata": {"finalizers": None}})
        looked_at_all, kinds = not kinds, {obj["kind"] for obj in left}
        return looked_at_all and not left

    wait_until(is_empty, f"{', '.join(namespaces)} are empty", timeout_seconds=60)


def projected(live: Any, declared: Any) -> Any:
    """The part of `live` that `declared` speaks of: equal to it when the cluster has it so."""
    if isinstance(live, dict) and isinstance(declared, dict):
        return {key: projected(live[key], declared[key]) for key in declared if key in live}
    if isinstance(live, list) and isinstance(declared, list) and len(live) == len(declared):
        return [projected(*pair) for pair in zip(live, declared, strict=True)]
    return live


def with_pulumi_annotations(declared: Manifest, live: Manifest) -> Manifest:
    """`declared` with the `pulumi.com/*` annotations of `live`, which are Pulumi's own affair."""
    metadata = declared["metadata"]
    annotations = live["metadata"].get("annotations", {})
    added = {key: value for key, value in annotations.items() if key.startswith("pulumi.com/")}
    if not added:
        return declared
    merged = {**metadata.get("annotations", {}), **added}
    return {**declared, "metadata": {**metadata, "annotations": merged}}


def owned_otherwise(live: Manifest, declared: Manifest, manager: str) -> list[str]:
    """The paths that `manager` applied without their being declared, or the other way round."""
    [fields] = [
        entry["fieldsV1"]
        for entry in live["metadata"]["managedFields"]
        if (entry["manager"], entry["operation"]) == (manager, "Apply")
    ]
    # What an object is called belongs to no manager.
    metadata = {k: v for k, v in declared["metadata"].items() if k not in ("name", "namespace")}
    own = {key: value for key, value in declared.items() if key not in ("apiVersion", "kind")}
    own["metadata"] = metadata
    return list(_differing_paths(fields, own, ""))


def _differing_paths(fields: Manifest, declared: Any, path: str) -> Iterator[str]:
    """`fields` is in the form of `fieldsV1`: `f:<name>` for each field, `k:<keys>` for each object
    and `v:<value>` for each value in a list, {} for one owned whole."""
    names = {key.removeprefix("f:") for key in fields if key != "."}
    if not names:
        return
    if isinstance(declared, list):
        if names == {f"v:{json.dumps(value)}" for value in declared}:
            return
        keys = [key for key in fields if key.startswith("k:")]
        members = {place: key for key in keys if (place := _member(key, declared)) is not None}
        if members.keys() == {*range(len(declared))}:
            for place, key in members.items():
                yield from _differing_paths(fields[key], declared[place], f"{path}.{place}")
            return
    if not isinstance(declared, dict):
        yield f"{path}: {sorted(names)}"
        return
    yield from (f"{path}.{name}" for name in sorted(names ^ declared.keys()))
    for name in sorted(names & declared.keys()):
        yield from _differing_paths(fields[f"f:{name}"], declared[name], f"{path}.{name}")


def _member(key: str, declared: list[Any]) -> int | None:
    """The place of the object that `k:<JSON of its keys>` means."""
    keys = json.loads(key.removeprefix("k:"))
    places = [place for place, one in enumerate(declared) if keys.items() <= one.items()]
    return places[0] if len(places) == 1 else None


def _kinds(api: KubernetesApi) -> list[tuple[str, str, bool]]:
    """(apiVersion, kind, whether it is namespaced) of each namespaced kind, and Namespace."""
    found = {("", "Namespace"): ("v1", "Namespace", False)}
    for group in api.served():
        name = group["metadata"].get("name", "")
        for version in group["versions"]:
            api_version = f"{name}/{version['version']}" if name else version["version"]
            for resource in version["resources"]:
                kind = resource["responseKind"]["kind"]
                can = {"list", "delete"} <= set(resource["verbs"])
                if resource["scope"] == "Namespaced" and can and kind != "Event":
                    found.setdefault((name, kind), (api_version, kind, True))
    return list(found.values())
