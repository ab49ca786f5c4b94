"""The namespaces in which a ClusterExternalSecret is."""

from collections.abc import Iterable, Mapping
from typing import Any

from platform_secrets.importing.found import Manifest, NotTakenError, mapping, sequence

_NAME = "kubernetes.io/metadata.name"
"""The label of every namespace that has its name."""
Labels = Mapping[str, Mapping[str, Any]]
"""Those of the namespaces that are known."""


def namespace_labels(manifests: Iterable[Manifest]) -> dict[str, Mapping[str, Any]]:
    """Those of the Namespaces among the manifests."""
    return {
        one.name: mapping(one.metadata.get("labels"))
        for one in manifests
        if one.kind == "Namespace"
    }


def chosen_namespaces(
    manifest: Manifest, labels: Labels
) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """Their names, and what is to be told of that. Raises NotTakenError."""
    spec, status = manifest.spec, mapping(manifest.content.get("status"))
    # A cluster tells it.
    if told := sequence(status.get("provisionedNamespaces")):
        return [*map(str, told)], ()
    given = [*sequence(spec.get("namespaceSelectors")), spec.get("namespaceSelector")]
    selectors = [mapping(one) for one in given if one is not None]
    by_name = [_named(one) for one in selectors]
    found = [*map(str, sequence(spec.get("namespaces")))]
    found += [name for names in by_name for name in names or ()]
    others = [one for one, names in zip(selectors, by_name, strict=True) if names is None]
    by_label = [
        name
        for name, its_own in sorted(labels.items())
        if any(_is_selected(one, {_NAME: name, **its_own}) for one in others)
    ]
    found = [*dict.fromkeys([*found, *by_label])]
    if not found or (others and not by_label):
        why = "chooses namespaces by their labels, which are not told here: import the Namespaces"
        raise NotTakenError("namespaceSelectors", f"{why} with it, or keep it as it is")
    if not others:
        return found, ()
    why = f"of the Namespaces among the manifests it chooses {', '.join(by_label)}"
    return found, (("namespaceSelectors", f"{why}; one that comes later needs a line here"),)


def _named(selector: Mapping[str, Any]) -> list[str] | None:
    """The namespaces that a selector chooses by their names alone; None for any other one."""
    labels = mapping(selector.get("matchLabels"))
    rules = [*map(mapping, sequence(selector.get("matchExpressions")))]
    if {*labels} == {_NAME} and not rules:
        return [*map(str, labels.values())]
    if not labels and len(rules) == 1 and rules[0].get("key") == _NAME:
        is_in = rules[0].get("operator") == "In"
        return [*map(str, sequence(rules[0].get("values")))] if is_in else None
    return None


def _is_selected(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    wanted = mapping(selector.get("matchLabels"))
    rules = map(mapping, sequence(selector.get("matchExpressions")))
    is_equal = all(labels.get(name) == value for name, value in wanted.items())
    return is_equal and all(_holds(rule, labels) for rule in rules)


def _holds(rule: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    value, values = labels.get(str(rule.get("key"))), sequence(rule.get("values"))
    match rule.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False
