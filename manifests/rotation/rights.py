"""What the rotator and the age check may ask of the API server: exact verbs on exact names.

A right to create can't be bound to names, nor one to patch to a field: that is what
`rotation_admission` does. No right on Secrets.
"""

from collections.abc import Iterable

from manifests import naming
from manifests.naming import Manifest
from manifests.rotation import names
from manifests.rotation.names import AWS_CHECKS, CHECKS, COMPONENT, DATABASE_CHECKS, PUSHES
from settings import Settings
from settings.rotator import AGE_CHECK, ROTATION

_ESO = "external-secrets.io"
_WORKLOADS = {
    "Deployment": ("apps", "deployments"),
    "StatefulSet": ("apps", "statefulsets"),
    "DaemonSet": ("apps", "daemonsets"),
    "Rollout": ("argoproj.io", "rollouts"),
}


def rotation_rights(settings: Settings) -> list[Manifest]:
    """A Role of each of the two, and their bindings."""
    memory = _rules("", "configmaps", ["get"], [names.MEMORY])
    rules = {ROTATION: _rotator_rules(settings), AGE_CHECK: memory}
    roles = [_role(settings, account, allowed) for account, allowed in rules.items()]
    return roles + [_binding(settings, account) for account in rules]


def _rotator_rules(settings: Settings) -> list[Manifest]:
    generated, databases = names.generated_keys(settings), naming.database_keys(settings)
    by_aws = naming.secrets_manager_keys(settings)
    external_secrets = [
        names.one_shot(word, key)
        for key, words in {
            **dict.fromkeys(generated, ("before", "staged")),
            **dict.fromkeys([*databases, *by_aws], ("before", "staged")),
        }.items()
        for word in words
    ]
    pushes = [
        names.one_shot(push, name)
        for name, key in generated.items()
        for push in PUSHES
        if key.target(push)
    ] + [
        names.one_shot(check, name)
        for name, key in generated.items()
        for check in CHECKS
        if key.checked(check)
    ]
    pushes += [names.one_shot(check, key) for key in databases for check in DATABASE_CHECKS]
    pushes += [names.one_shot(check, key) for key in by_aws for check in AWS_CHECKS]
    config_maps = [names.MEMORY, *naming.database_pointers(settings)]
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
    return [*found, *_rules("", "configmaps", ["get", "patch"], config_maps), events]


def _one_shots(resource: str, objects: list[str], verbs: list[str]) -> list[Manifest]:
    if not objects:
        return []
    create = {"apiGroups": [_ESO], "resources": [resource], "verbs": ["create"]}
    return [create, *_rules(_ESO, resource, verbs, objects)]


def _rules(group: str, resource: str, verbs: list[str], objects: Iterable[str]) -> list[Manifest]:
    """One rule, or none without names: a rule that names nothing is a right on everything."""
    rule = {"apiGroups": [group], "resources": [resource], "resourceNames": [*objects]}
    return [{**rule, "verbs": verbs}] if rule["resourceNames"] else []


def _role(settings: Settings, account: str, rules: list[Manifest]) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": naming.metadata(settings, account, COMPONENT),
        "rules": rules,
    }


def _binding(settings: Settings, account: str) -> Manifest:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": settings.namespace}
    return naming.role_binding(settings, account, COMPONENT, [subject])
