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
    """Roles of each of the two, and their bindings; in other namespaces, the rotator's alone."""
    of_rotator = _rotator_rules(plan.rotated)
    rules = [
        (view, ROTATION, of_rotator[place])
        for view in settings.by_namespace
        if (place := view.namespace if view.is_of_another else "") in of_rotator
    ]
    rules.append((settings, AGE_CHECK, _rules("", "configmaps", ["get"], [names.MEMORY])))
    roles = [
        (view, names.part(account, at), account, some)
        for view, account, allowed in rules
        for at, some in enumerate(_by_size(allowed))
    ]
    found = [_role(view, name, some) for view, name, _, some in roles]
    return found + [_binding(view, name, account) for view, name, account, _ in roles]


def _rotator_rules(keys: list[RotatedKey]) -> dict[str, list[Manifest]]:
    """By namespace, as in `_by_namespace`; the own one has the rotator's memory too."""
    external_secrets = _by_namespace(
        name
        for key in keys
        for step in ("before", "staged")
        for name in (contract.one_shot_of(key, step), *contract.copies(key, step))
    )
    pushes = _by_namespace(
        name
        for key in keys
        for name in (
            *(contract.one_shot_of(key, step) for step in contract.pushes(key)),
            *contract.check_names(key),
        )
    )
    pointers = _by_namespace(key.pointer for key in keys if isinstance(key, Database))
    synced = _by_namespace(name for key in keys for name in key.synced)
    readers = [reader.partition("/") for key in keys for reader in key.readers]
    workloads = {
        kind: _by_namespace(name for each, _, name in readers if each == kind)
        for kind in _WORKLOADS
    }
    admitted = _admitted(keys)
    events = {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}
    found: dict[str, list[Manifest]] = {}
    for place in dict.fromkeys(("", *synced)):
        config_maps = [*([] if place else [names.MEMORY]), *pointers.get(place, ())]
        found[place] = [
            *_one_shots("externalsecrets", external_secrets.get(place), ["get", "delete"]),
            *_rules(_ESO, "externalsecrets", ["get", "patch"], synced.get(place, ())),
            *_one_shots("pushsecrets", pushes.get(place), ["get", "patch", "delete"]),
        ]
        for kind, (group, resource) in _WORKLOADS.items():
            of_kind = workloads[kind].get(place, ())
            found[place] += _rules(group, resource, ["get", "patch"], of_kind)
        found[place] += [*_rules("", "configmaps", ["get", "patch"], config_maps), events]
        for verbs, rights in admitted.get(place, {}).items():
            group, resource = contract.RIGHTS_GROUP, contract.RIGHTS_RESOURCE
            found[place] += _rules(group, resource, [*verbs], rights)
    return found


def _by_namespace(addresses: Iterable[str]) -> dict[str, list[str]]:
    """The names of these objects by their namespaces; the own one is an empty text."""
    found: dict[str, list[str]] = {}
    for address in dict.fromkeys(addresses):
        place, _, name = address.rpartition("/")
        found.setdefault(place, []).append(name)
    return found


def _admitted(keys: list[RotatedKey]) -> dict[str, dict[tuple[str, ...], list[str]]]:
    """What admission looks up: which entries, Secrets and contents a key's objects may name. By
    namespace, and by the verbs that hold for the same names."""
    found: dict[str, dict[tuple[str, ...], list[str]]] = {}
    for key in keys:
        verbs_of: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for address, (verb, parts) in contract.rights(key):
            verbs_of.setdefault((address.rpartition("/")[0], parts), []).append(verb)
        for (place, parts), verbs in verbs_of.items():
            names_of = found.setdefault(place, {})
            names_of.setdefault(tuple(verbs), []).append(contract.right_name(parts))
    return found


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


def _one_shots(resource: str, objects: list[str] | None, verbs: list[str]) -> list[Manifest]:
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
    subject = {"kind": "ServiceAccount", "name": account, "namespace": settings.own_namespace}
    return naming.role_binding(settings, name, COMPONENT, [subject])
