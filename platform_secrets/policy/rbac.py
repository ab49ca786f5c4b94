"""Who may do what in the cluster."""

from collections.abc import Iterator

from platform_secrets.policy.judged import Asked, Object, Violation, at, mapping, sequence

_READ_AS_SECRETS = {"": {"secrets", "serviceaccounts/token"}}
_GIVE_ONESELF_MORE = {"bind", "escalate", "impersonate"}
_READ_ALL_SECRETS = {"cluster-admin", "admin", "edit"}
_ANYBODY = {"system:authenticated", "system:unauthenticated", "system:anonymous"}


def without_wildcard(role: Object, _: Asked) -> Iterator[Violation]:
    for path, rule in _rules(role):
        for name, texts in rule.items():
            if any("*" in str(one) for one in sequence(texts)):
                yield Violation(f"{path}.{name}", "has a `*`", "name each one")


def names_its_secrets(role: Object, _: Asked) -> Iterator[Violation]:
    for path, rule in _rules(role):
        for group in map(str, sequence(rule.get("apiGroups"))):
            asked = {str(one) for one in sequence(rule.get("resources"))}
            for resource in sorted(_READ_AS_SECRETS.get(group, set()) & asked):
                if not sequence(rule.get("resourceNames")):
                    found = f"gives {_verbs(rule)} on {resource} of any name"
                    yield Violation(path, found, "list the names in `resourceNames`")


def gives_nobody_more(role: Object, _: Asked) -> Iterator[Violation]:
    for path, rule in _rules(role):
        verbs = _GIVE_ONESELF_MORE & {str(one) for one in sequence(rule.get("verbs"))}
        if verbs:
            found = f"gives {', '.join(sorted(verbs))}, with which one takes other rights"
            yield Violation(f"{path}.verbs", found, "leave it out")


def binds_the_few(binding: Object, _: Asked) -> Iterator[Violation]:
    role = str(at(binding, "roleRef", "name"))
    if at(binding, "roleRef", "kind") == "ClusterRole" and role in _READ_ALL_SECRETS:
        found = f"binds {role}, which may read every Secret"
        yield Violation("roleRef.name", found, "bind a Role that names what it is for")
    for number, subject in enumerate(sequence(binding.get("subjects"))):
        name = str(at(subject, "name"))
        if name in _ANYBODY or name.startswith("system:serviceaccounts"):
            path = f"subjects[{number}].name"
            yield Violation(path, f"is {name}, so whole crowds", "name the account or the group")


def _rules(role: Object) -> Iterator[tuple[str, Object]]:
    for number, rule in enumerate(sequence(role.get("rules"))):
        yield f"rules[{number}]", mapping(rule)


def _verbs(rule: Object) -> str:
    return ", ".join(map(str, sequence(rule.get("verbs")))) or "nothing"
