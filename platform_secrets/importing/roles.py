"""The Secrets that Roles let ServiceAccounts read by the API, beside what pods name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from platform_secrets.importing.found import Manifest, mapping, sequence
from platform_secrets.importing.references import Reference

Place = tuple[str, str]
_READING = {"get", "list", "watch", "*"}


def readable_secrets(
    manifests: Iterable[Manifest], own_namespace: str
) -> Mapping[Place, Sequence[Reference]]:
    """Those that Roles name, by the account's namespace and name."""
    found: dict[Place, list[Reference]] = {}
    for binding, namespace, rules in _bound(manifests, own_namespace):
        names = [str(one) for rule in rules for one in sequence(rule.get("resourceNames"))]
        for subject in map(mapping, sequence(binding.content.get("subjects"))):
            if names and subject.get("kind") == "ServiceAccount":
                account = str(subject.get("namespace") or namespace), str(subject.get("name"))
                found.setdefault(account, []).extend(Reference(namespace, one) for one in names)
    return found


def wide_bindings(manifests: Iterable[Manifest], own_namespace: str) -> list[Manifest]:
    """Those of people by which every Secret of their namespace may be read: which of them are, no
    manifest tells."""
    return [
        binding
        for binding, _, rules in _bound(manifests, own_namespace)
        if any(not rule.get("resourceNames") for rule in rules)
        and not binding.name.startswith("system:")
    ]


def _bound(
    manifests: Iterable[Manifest], own_namespace: str
) -> Iterator[tuple[Manifest, str, list[Mapping[str, Any]]]]:
    """Each RoleBinding with its namespace and what its Role says of reading Secrets."""
    rules: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    bindings: list[Manifest] = []
    for one in manifests:
        if one.kind in ("Role", "ClusterRole"):
            space = (one.namespace or own_namespace) if one.kind == "Role" else ""
            given = map(mapping, sequence(one.content.get("rules")))
            rules[one.kind, space, one.name] = [rule for rule in given if _reads_secrets(rule)]
        elif one.kind == "RoleBinding":
            bindings.append(one)
    for one in bindings:
        role, namespace = mapping(one.content.get("roleRef")), one.namespace or own_namespace
        space = namespace if role.get("kind") == "Role" else ""
        known = rules.get((str(role.get("kind")), space, str(role.get("name"))))
        if known:
            yield one, namespace, known


def _reads_secrets(rule: Mapping[str, Any]) -> bool:
    groups, resources, verbs = (
        {*map(str, sequence(rule.get(name)))} for name in ("apiGroups", "resources", "verbs")
    )
    return bool(groups & {"", "*"} and resources & {"secrets", "*"} and verbs & _READING)
