"""How a key's value is seen to have arrived in another namespace.

A check compares a service's Secret with the texts of the key's one-shot Secrets. Another namespace
with the key's value reads those texts through a SecretStore of its own, whose identity may get
exactly these Secrets. They hold the value too, which that namespace has anyway.
"""

from collections.abc import Iterator

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.secret_store import account_manifests
from platform_secrets.rotator import contract
from platform_secrets.rotator.keys import Generated
from platform_secrets.rotator.plan import Plan
from platform_secrets.settings import Settings
from platform_secrets.settings.operator_releases import EXTERNAL_SECRETS_API

_STEPS = ("before", "staged")
# Kubernetes writes it into each namespace.
_AUTHORITY = {"type": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca.crt"}
_API_SERVER = "https://kubernetes.default.svc"


def copies_manifests(settings: Settings, plan: Plan) -> list[Manifest]:
    """For each pair of namespaces: the SecretStore with its account, and what that may get."""
    found: list[Manifest] = []
    for key_view in settings.by_namespace:
        for view in settings.by_namespace:
            if keys := [*_copied(key_view, view, plan)]:
                found += _rights(view, key_view, keys) + _store(view, key_view)
    return found


def _copied(key_view: Settings, view: Settings, plan: Plan) -> Iterator[str]:
    """The keys of one namespace whose values another one has too."""
    for key in plan.rotated:
        if isinstance(key, Generated) and names.is_in(key_view, key.external_secret):
            there = [one for one in key.elsewhere if names.is_in(view, one.external_secret)]
            yield from [key.name for _ in there]


def _store(view: Settings, key_view: Settings) -> list[Manifest]:
    name = names.copies_store(key_view.namespace)
    provider = {
        "remoteNamespace": key_view.namespace,
        "server": {"url": _API_SERVER, "caProvider": _AUTHORITY},
        "auth": {"serviceAccount": {"name": name}},
    }
    secret_store = {
        "apiVersion": EXTERNAL_SECRETS_API,
        "kind": "SecretStore",
        "metadata": naming.metadata(view, name, names.COMPONENT),
        "spec": {"provider": {"kubernetes": provider}},
    }
    return [*account_manifests(view, name, names.COMPONENT, {}), secret_store]


def _rights(view: Settings, key_view: Settings, keys: list[str]) -> list[Manifest]:
    name = f"rotation-to-{view.namespace}"
    account = {
        "kind": "ServiceAccount",
        "name": names.copies_store(key_view.namespace),
        "namespace": view.namespace,
    }
    rule = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": [contract.one_shot(step, key) for key in keys for step in _STEPS],
        "verbs": ["get"],
    }
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": naming.metadata(key_view, name, names.COMPONENT),
        "rules": [rule],
    }
    return [role, naming.role_binding(key_view, name, names.COMPONENT, [account])]
