"""The layer of RBAC: who can read the Secrets, against what the catalogue says."""

from collections.abc import Iterator

from platform_secrets.describing.rbac import Grant, grants, is_everybody, is_of_kubernetes
from platform_secrets.diagnosing.case import At, Case, Finding, changed_rights

_RBAC = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
_ACCESS = "access"


def rbac_findings(case: Case) -> Iterator[Finding]:
    """Who can't read what the catalogue says, and who reads besides."""
    for place, _ in case.declared_of("ServiceAccount", component=_ACCESS):
        if case.is_missing(place):
            what = "does not exist; workloads that run as it make no pod"
            yield Finding("reader-account-missing", place, what, case.apply)
    secrets = {f"{place.namespace}/{place.name}" for place in case.secrets}
    declared = {*grants((one for _, one in case.declared_of(*_RBAC)), secrets)}
    objects = [one for kind in _RBAC for one in case.snapshot.of(kind)]
    own = {*grants((one for one in objects if one["kind"] != "ClusterRoleBinding"), secrets)}
    wide = {*grants((one for one in objects if one["kind"] != "RoleBinding"), secrets)}
    namespaces = {view.namespace for view in case.settings.by_namespace}
    known = all(not _unread(case, one) for one in namespaces)
    there = {_right(one) for one in own | wide}
    lacking = [one for one in sorted(declared) if known and _right(one) not in there]
    yield from (_lacking(case, one) for one in lacking)
    changed = [] if lacking else [*_changed(case)]
    yield from changed
    rights = {_right(one) for one in declared}
    yield from _besides(case, own - _told(case, own, changed), rights, is_wide=False)
    yield from _besides(case, wide, rights, is_wide=True)


def _changed(case: Case) -> Iterator[Finding]:
    for place, one in case.declared_of("Role", "RoleBinding", component=_ACCESS):
        live = case.live(place)
        if changed := [*changed_rights(one, live)] if live else []:
            what = f"is not as the settings say: {', '.join(changed)}"
            yield Finding("reader-right-changed", place, what, case.apply)


def _told(case: Case, found: set[Grant], changed: list[Finding]) -> set[Grant]:
    """What a binding of ours gives because it, or its Role, is changed: to mend that is enough."""
    ours = {(place.namespace, place.name) for place, _ in case.declared_of("RoleBinding")}
    told = {(one.at.namespace, one.at.name) for one in changed}
    return {
        one
        for one in found
        for namespace in [one.secret.partition("/")[0]]
        if (namespace, one.binding) in ours
        and {(namespace, one.role), (namespace, one.binding)} & told
    }


def _unread(case: Case, namespace: str) -> bool:
    return any(case.snapshot.why_unread(kind, namespace) for kind in ("Role", "RoleBinding"))


def _right(grant: Grant) -> tuple[str, str, str]:
    return grant.kind, grant.name, grant.secret


def _lacking(case: Case, grant: Grant) -> Finding:
    namespace, _, secret = grant.secret.partition("/")
    user = grant.name
    if grant.kind == "ServiceAccount":
        user = f"system:serviceaccount:{grant.name.replace('/', ':')}"
    option = f"--as={user}" if grant.kind != "Group" else f"--as=somebody --as-group={user}"
    command = f"kubectl auth can-i get secret/{secret} -n {namespace} {option}"
    what = f"{grant.kind} {grant.name} may not read Secret {secret}, and the catalogue says so"
    return Finding(
        "reader-right-missing",
        At("Role", namespace, grant.role),
        what,
        f"{case.apply}; then `{command}` says yes",
    )


def _besides(
    case: Case, found: set[Grant], declared: set[tuple[str, str, str]], *, is_wide: bool
) -> Iterator[Finding]:
    """Readers that are not declared: a fault where a Role of the namespace says so, or where that
    is everybody. Who has a ClusterRole, such as `admin` or `edit`, is only told of: the cluster's
    owners give these."""
    operator = f"{case.settings.environment.operator_namespace}/"
    merged: dict[tuple[str, str, str, str], list[Grant]] = {}
    for one in sorted(found):
        if _right(one) in declared or is_of_kubernetes(one) or one.name.startswith(operator):
            continue
        namespace = one.secret.partition("/")[0]
        merged.setdefault((one.kind, one.name, one.by, namespace), []).append(one)
    for (kind, name, by, namespace), some in merged.items():
        binding = some[0].binding
        place = (
            At("ClusterRoleBinding", "", binding)
            if is_wide
            else At("RoleBinding", namespace, binding)
        )
        what = f"{kind} {name} can read {len(some)} Secrets of {namespace} by {by}"
        within = "" if is_wide else f" -n {namespace}"
        take = f"take the right away: `kubectl delete {place.kind.lower()} {binding}{within}`"
        is_fault = by.startswith("Role ") or is_everybody(some[0])
        step = f"name it in the catalogue or in `readers`, or {take}"
        if not is_fault:
            step = f"if that is not wanted, {take}"
        yield Finding("reader-not-declared", place, what, step, is_fault=is_fault)
