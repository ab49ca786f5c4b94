"""What the rotator and the age check may ask of the API server: exact verbs on exact names.

A right to create can't be bound to names, nor one to patch to a field: that is what
`rotation_admission` does. No right on Secrets.
"""

from collections.abc import Iterable

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.rotation.names import COMPONENT
from platform_secrets.rotator import contract
from platform_secrets.rotator.keys import Database, RotatedKey
from platform_secrets.rotator.plan import Plan
from platform_secrets.settings import Settings
from platform_secrets.settings.rotator import AGE_CHECK, ROTATION

_ESO = "external-secrets.io"
# etcd takes 1.5 MiB, and an object of half of that can still be shown and compared.
_MOST_BYTES = 750_000
_WORKLOADS = {
    "Deployment": ("apps", "deployments"),
    "StatefulSet": ("apps", "statefulsets"),
    "DaemonSet": ("apps", "daemonsets"),
    "Rollout": ("argoproj.io", "rollouts"),
}


def rotation_rights(settings: Settings, plan: Plan) -> list[Manifest]:
    """Roles of each of the two, and their bindings."""
    memory = _rules("", "configmaps", ["get"], [names.MEMORY])
    rules = {ROTATION: _rotator_rules(settings, plan), AGE_CHECK: memory}
    roles = {
        names.part(account, at): (account, some)
        for account, allowed in rules.items()
        for at, some in enumerate(_by_size(allowed))
    }
    found = [_role(settings, name, some) for name, (_, some) in roles.items()]
    return found + [_binding(settings, name, account) for name, (account, _) in roles.items()]


def _rotator_rules(settings: Settings, plan: Plan) -> list[Manifest]:
    keys = plan.rotated
    external_secrets = [
        contract.one_shot(step, key.name) for key in keys for step in ("before", "staged")
    ]
    pushes = [
        name
        for key in keys
        for name in (
            *(contract.one_shot(step, key.name) for step in contract.pushes(key)),
            *contract.check_names(key),
        )
    ]
    pointers = [key.pointer for key in keys if isinstance(key, Database)]
    found = [
        *_one_shots("externalsecrets", external_secrets, ["get", "delete"]),
        *_rules(_ESO, "externalsecrets", ["get", "patch"], names.rotated_secrets(settings)),
        *_one_shots("pushsecrets", pushes, ["get", "patch", "delete"]),
    ]
    for kind, (group, resource) in _WORKLOADS.items():
        workloads = [each.partition("/") for each in names.all_readers(settings)]
        found += _rules(
            group, resource, ["get", "patch"], [name for each, _, name in workloads if each == kind]
        )
    events = {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}
    found += [*_rules("", "configmaps", ["get", "patch"], [names.MEMORY, *pointers]), events]
    return found + _admitted(keys)


def _admitted(keys: list[RotatedKey]) -> list[Manifest]:
    """What admission looks up: which entries, Secrets and contents a key's objects may name."""
    names_of: dict[tuple[str, ...], list[str]] = {}
    for key in keys:
        verbs_of: dict[tuple[str, ...], list[str]] = {}
        for verb, parts in contract.rights(key):
            verbs_of.setdefault(parts, []).append(verb)
        for parts, verbs in verbs_of.items():
            names_of.setdefault(tuple(verbs), []).append(contract.right_name(parts))
    rules = [
        _rules(contract.RIGHTS_GROUP, contract.RIGHTS_RESOURCE, [*verbs], found)
        for verbs, found in names_of.items()
    ]
    return [rule for some in rules for rule in some]


def _by_size(rules: list[Manifest]) -> list[list[Manifest]]:
    """The rules as Roles that etcd takes; rights of several Roles add up."""
    found, length = [list[Manifest]()], 0
    for rule in rules:
        some: list[str] = []
        for name in rule.get("resourceNames", []):
            size = len(name.encode()) + 6
            if length + size > _MOST_BYTES:
                if some:
                    found[-1].append({**rule, "resourceNames": some})
                found.append([])
                some, length = [], 0
            some.append(name)
            length += size
        found[-1].append({**rule, "resourceNames": some} if some else rule)
        length += 200
    return found


def _one_shots(resource: str, objects: list[str], verbs: list[str]) -> list[Manifest]:
    if not objects:
        return []
    create = {"apiGroups": [_ESO], "resources": [resource], "verbs": ["create"]}
    return [create, *_rules(_ESO, resource, verbs, objects)]


def _rules(group: str, resource: str, verbs: list[str], objects: Iterable[str]) -> list[Manifest]:
    """One rule, or none without names: a rule that names nothing is a right on everything."""
    rule = {"apiGroups": [group], "resources": [resource], "resourceNames": [*objects]}
    return [{**rule, "verbs": verbs}] if rule["resourceNames"] else []


def _role(settings: Settings, name: str, rules: list[Manifest]) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": naming.metadata(settings, name, COMPONENT),
        "rules": rules,
    }


def _binding(settings: Settings, name: str, account: str) -> Manifest:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": settings.namespace}
    return naming.role_binding(settings, name, COMPONENT, [subject])
