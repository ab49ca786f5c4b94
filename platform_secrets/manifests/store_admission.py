"""Admission of what reads or writes by a store of one purpose."""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.cel import cel

SPEC = "dyn(object.spec)"


def may_write(stores: list[str]) -> str:
    """Whether a PushSecret may reach one of these SecretStores."""
    reached = f'has(store.labelSelector) || store.?name.orValue("") in {cel(stores)}'
    return f"{SPEC}.secretStoreRefs.exists(store, {reached})"


def store_policy(
    metadata: Manifest, namespaces: list[str], resource: str, condition: str, rules: dict[str, str]
) -> Manifest:
    """About objects that are new, or that are to do something else than before."""
    is_new = 'request.operation == "CREATE"'
    return naming.admission_policy(
        metadata,
        {resource: "external-secrets.io"},
        ["CREATE", "UPDATE"],
        {"changes": f"{is_new} || {SPEC} != dyn(oldObject.spec)", "store": condition},
        rules,
        namespaces=namespaces,
    )
