"""What the rotator and the age check may ask of the API server: exact verbs on exact names.

A right to create can't be bound to names, nor one to patch to a field: that is what
`rotation_admission` does. No right on Secrets.
"""

from collections.abc import Iterable, Iterator

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.rotation.names import COMPONENT
from platform_secrets.rotator import contract
from platform_secrets.rotator.keys import Database, RotatedKey, name_of
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
    rules = [
        (view, ROTATION, _rotator_rules(view, keys))
        for view, keys in _keys_by_namespace(settings, plan)
    ]
    rules.append((settings, AGE_CHECK, _rules("", "configmaps", ["get"], [names.MEMORY])))
    roles = [
        (view, names.part(account, at), account, some)
        for view, account, allowed in rules
        for at, some in enumerate(_by_size(allowed))
    ]
    found = [_role(view, name, some) for view, name, _, some in roles]
    return found + [_binding(view, name, account) for view, name, account, _ in roles]


def _keys_by_namespace(
    settings: Settings, plan: Plan
) -> Iterator[tuple[Settings, list[RotatedKey]]]:
    """The keys that have something in each namespace; the own one has the rotator's memory too."""
    for view in settings.by_namespace:
        keys = [key for key in plan.rotated if any(names.is_in(view, one) for one in key.synced)]
        if keys or not view.is_of_another:
            yield view, keys


def _rotator_rules(view: Settings, keys: list[RotatedKey]) -> list[Manifest]:
    external_secrets = [
        name
        for key in keys
        for step in ("before", "staged")
        for name in (contract.one_shot_of(key, step), *contract.copies(key, step))
    ]
    pushes = [
        name
        for key in keys
        for name in (
            *(contract.one_shot_of(key, step) for step in contract.pushes(key)),
            *contract.check_names(key),
        )
    ]
    pointers = [key.pointer for key in keys if isinstance(key, Database)]
    synced = [name for key in keys for name in key.synced]
    found = [
        *_one_shots("externalsecrets", _within(view, external_secrets), ["get", "delete"]),
        *_rules(_ESO, "externalsecrets", ["get", "patch"], _within(view, synced)),
        *_one_shots("pushsecrets", _within(view, pushes), ["get", "patch", "delete"]),
    ]
    workloads = [reader.partition("/") for key in keys for reader in key.readers]
    for kind, (group, resource) in _WORKLOADS.items():
        of_kind = _within(view, [name for each, _, name in workloads if each == kind])
        found += _rules(group, resource, ["get", "patch"], of_kind)
    memory = [] if view.is_of_another else [names.MEMORY]
    events = {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}
    config_maps = [*memory, *_within(view, pointers)]
    found += [*_rules("", "configmaps", ["get", "patch"], config_maps), events]
    return found + _admitted(view, keys)


def _within(view: Settings, addresses: list[str]) -> list[str]:
    """The names of those that are in this namespace."""
    return [name_of(one) for one in dict.fromkeys(addresses) if names.is_in(view, one)]


def _admitted(view: Settings, keys: list[RotatedKey]) -> list[Manifest]:
    """What admission looks up: which entries, Secrets and contents a key's objects may name."""
    names_of: dict[tuple[str, ...], list[str]] = {}
    for key in keys:
        verbs_of: dict[tuple[str, ...], list[str]] = {}
        for address, (verb, parts) in contract.rights(key):
            if names.is_in(view, address):
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
    subject = {"kind": "ServiceAccount", "name": account, "namespace": settings.own_namespace}
    return naming.role_binding(settings, name, COMPONENT, [subject])
