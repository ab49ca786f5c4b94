"""A namespaced SecretStore: the operator's door to one provider, for one identity; of a store of
tokens, the generator that asks for them."""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import Identity, Settings
from platform_secrets.settings.operator_releases import EXTERNAL_SECRETS_API, GENERATORS_API

_COMPONENT = "store"


def store_manifests(settings: Settings, store: str, identity: Identity) -> list[Manifest]:
    """The identity's ServiceAccount, the operator's right to act as it, and the SecretStore or
    generator; that alone where the operator acts as itself."""
    name = naming.secret_store(store, identity)
    identity_name = settings.identity_name(store, identity)
    provider = provider_of(settings.environment.stores[store])
    spec = provider.spec(name, identity_name)
    secret_store: Manifest = {
        "apiVersion": GENERATORS_API if provider.generator else EXTERNAL_SECRETS_API,
        "kind": provider.generator or "SecretStore",
        "metadata": naming.metadata(settings, name, _COMPONENT),
        "spec": spec if provider.generator else {"provider": spec},
    }
    annotations = provider.account_annotations(identity, identity_name, settings.namespace)
    if annotations is None:
        return [secret_store]
    return [*account_manifests(settings, name, _COMPONENT, annotations), secret_store]


def account_manifests(
    settings: Settings, name: str, component: str, annotations: dict[str, str]
) -> list[Manifest]:
    """A SecretStore's ServiceAccount, and the operator's right to act as it."""
    operator = {
        "kind": "ServiceAccount",
        "name": settings.environment.operator_service_account,
        "namespace": settings.environment.operator_namespace,
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": naming.metadata(settings, name, component, annotations),
            "automountServiceAccountToken": False,
        },
        _token_role(settings, name, component),
        naming.role_binding(settings, f"{name}-token", component, [operator]),
    ]


def _token_role(settings: Settings, account: str, component: str) -> Manifest:
    """Lets the operator ask for tokens of this one ServiceAccount: the chart's own right, which
    covers every account in the cluster, is switched off."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": naming.metadata(settings, f"{account}-token", component),
        "rules": [
            {
                "apiGroups": [""],
                "resources": ["serviceaccounts/token"],
                "resourceNames": [account],
                "verbs": ["create"],
            }
        ],
    }
