"""Admission of what reads or writes by a store of one purpose."""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.cel import cel
from platform_secrets.settings import Settings
from platform_secrets.settings.rotator import ROTATION

SPEC = "dyn(object.spec)"
CHANGES = f'request.operation == "CREATE" || {SPEC} != dyn(oldObject.spec)'
"""Whether an object is new, or is to do something else than before."""


def is_rotator(settings: Settings) -> str:
    """Whether it is the rotator who asks."""
    account = f"system:serviceaccount:{settings.own_namespace}:{ROTATION}"
    return f"request.userInfo.username == {cel(account)}"


def is_operator(settings: Settings) -> str:
    """Whether it is the operator who asks."""
    env = settings.environment
    account = f"{env.operator_namespace}:{env.operator_service_account}"
    return f"request.userInfo.username == {cel(f'system:serviceaccount:{account}')}"


def is_seeder(settings: Settings) -> str:
    """Whether it is one of the people who may seed; nobody is without `seeding`."""
    seeding = settings.environment.seeding
    groups = seeding.groups if seeding else []
    return f"request.userInfo.groups.exists(group, group in {cel(groups)})" if groups else "false"


def may_write(stores: list[str]) -> str:
    """Whether a PushSecret may reach one of these SecretStores."""
    reached = f'has(store.labelSelector) || store.?name.orValue("") in {cel(stores)}'
    return f"{SPEC}.secretStoreRefs.exists(store, {reached})"


def store_policy(
    metadata: Manifest, namespaces: list[str], resource: str, condition: str, rules: dict[str, str]
) -> Manifest:
    """About objects that are new, or that are to do something else than before."""
    return naming.admission_policy(
        metadata,
        {resource: "external-secrets.io"},
        ["CREATE", "UPDATE"],
        {"changes": CHANGES, "store": condition},
        rules,
        namespaces=namespaces,
    )
