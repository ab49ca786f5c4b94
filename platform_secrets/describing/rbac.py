"""Whom Roles and ClusterRoles let read which Secrets, as the API server reads them."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from platform_secrets.manifests.naming import Manifest

# Groups of everybody begin so too, and are none of Kubernetes' parts.
_PARTS = ("system:kube-", "system:controller:", "system:node:")
_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts")


@dataclass(frozen=True, order=True)
class Grant:
    """One subject's right to read one Secret."""

    kind: str
    """ServiceAccount, Group or User."""
    name: str
    """Of a ServiceAccount with its namespace before."""
    by: str
    """The Role, and the binding where its name is another."""
    secret: str
    """Namespace and name."""

    @property
    def role(self) -> str:
        """The name of the Role or ClusterRole."""
        return self.by.partition(", ")[0].rpartition(" ")[2]

    @property
    def binding(self) -> str:
        """The name of the binding."""
        return self.by.rpartition(" ")[2]


def grants(objects: Iterable[Manifest], secrets: Collection[str]) -> Iterator[Grant]:
    """What the Roles, ClusterRoles and bindings among these objects grant on these Secrets, each as
    namespace/name."""
    rules: dict[tuple[str, str | None, str], list[Manifest]] = {}
    bindings: list[Manifest] = []
    for one in objects:
        if one["kind"] in ("Role", "ClusterRole"):
            metadata = one["metadata"]
            place = (one["kind"], metadata.get("namespace"), metadata["name"])
            # A ClusterRole that aggregates others has none before the first.
            rules[place] = [rule for rule in one.get("rules") or () if _is_of_secrets(rule)]
        elif one["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            bindings.append(one)
    known = frozenset(secrets)
    for one in bindings:
        namespace, role = one["metadata"].get("namespace"), one["roleRef"]
        place = (role["kind"], namespace if role["kind"] == "Role" else None, role["name"])
        by = f"{role['kind']} {role['name']}"
        if one["metadata"]["name"] != role["name"]:
            by += f", {one['kind']} {one['metadata']['name']}"
        for secret in sorted(_covered(rules.get(place, []), namespace, known)):
            for subject in one.get("subjects") or ():
                # A ServiceAccount without a namespace is of the binding's.
                place = subject.get("namespace") or namespace
                is_account = subject["kind"] == "ServiceAccount"
                name = f"{place}/{subject['name']}" if is_account else subject["name"]
                yield Grant(subject["kind"], name, by, secret)


def is_of_kubernetes(grant: Grant) -> bool:
    """Whether it is one of the cluster's own parts, or its administrators' group."""
    if grant.kind == "ServiceAccount":
        return grant.name.startswith("kube-system/")
    return grant.name == "system:masters" or grant.name.startswith(_PARTS)


def is_everybody(grant: Grant) -> bool:
    """Whether it is a group of all who log in, of all who do not, or of ServiceAccounts."""
    return grant.kind == "Group" and grant.name.startswith(_EVERYBODY)


def _is_of_secrets(rule: Manifest) -> bool:
    """Whether a rule lets somebody see Secrets: a list has their values too."""
    groups, resources = rule.get("apiGroups") or [], rule.get("resources") or []
    is_about_secrets = {"", "*"} & {*groups} and {"secrets", "*"} & {*resources}
    return bool(is_about_secrets and {"get", "list", "watch", "*"} & {*rule["verbs"]})


def _covered(rules: list[Manifest], namespace: str | None, secrets: frozenset[str]) -> set[str]:
    """Those of the Secrets that rules are about, in one namespace or, without one, in all."""
    found: set[str] = set()
    for rule in rules:
        names = rule.get("resourceNames")
        if names and namespace:
            found.update(secrets.intersection(f"{namespace}/{name}" for name in names))
            continue
        for secret in secrets:
            place, _, name = secret.partition("/")
            if namespace in (None, place) and (not names or name in names):
                found.add(secret)
    return found
