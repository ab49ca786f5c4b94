"""Who may read which Secret: each service its bundles', people what is this environment's."""

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import has_overlap_secret
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Service, Settings
from platform_secrets.settings.layout import overlap_secret

_COMPONENT = "access"


def service_manifests(settings: Settings, name: str, service: Service) -> list[Manifest]:
    """A service's ServiceAccount, unless it exists or an earlier service shares it, and its right
    to get its own Secrets."""
    found: list[Manifest] = []
    if service.account is None:
        return found
    if settings.account_makers.get(service.account) == name:
        found.append(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": naming.metadata(settings, service.account, _COMPONENT),
                # A pod that asks the API server for its Secrets says so in its own spec.
                "automountServiceAccountToken": False,
            }
        )
    secrets = read_secrets(settings, service)
    if secrets:
        account = {
            "kind": "ServiceAccount",
            "name": service.account,
            "namespace": settings.namespace,
        }
        found += _grant(settings, f"{name}-secrets", secrets, [account])
    return found


def reader_manifests(settings: Settings) -> list[Manifest]:
    """`secrets-reader`: all of the environment's Secrets, bound to the people in the settings."""
    readers = settings.environment.readers
    secrets = all_secrets(settings)
    if not secrets:  # a Role without names is one of all Secrets
        return []
    people = [("Group", group) for group in readers.groups]
    people += [("User", user) for user in readers.users]
    subjects = [
        {"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        for kind, name in people
    ]
    return _grant(settings, "secrets-reader", secrets, subjects)


def read_secrets(settings: Settings, service: Service) -> list[str]:
    """The Secrets that a service reads."""
    return [secret for bundle in service.reads for secret in _secrets(settings, bundle)]


def all_secrets(settings: Settings) -> list[str]:
    """Every Secret of the catalogue in a namespace."""
    return [secret for bundle in settings.bundles for secret in _secrets(settings, bundle)]


def _secrets(settings: Settings, bundle: str) -> list[str]:
    """The Secrets that a bundle is synced into."""
    secret = settings.catalogue.bundles[bundle].secret
    external = settings.environment.secrets == "external"
    if external and has_overlap_secret(settings, bundle):
        return [secret, overlap_secret(secret)]
    return [secret]


def _grant(
    settings: Settings, name: str, secrets: list[str], subjects: list[Manifest]
) -> list[Manifest]:
    """A Role to get exactly these Secrets, and its binding where there is somebody to bind."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": naming.metadata(settings, name, _COMPONENT),
        "rules": [
            {
                "apiGroups": [""],
                "resources": ["secrets"],
                "resourceNames": secrets,
                "verbs": ["get"],
            }
        ],
    }
    return [role, naming.role_binding(settings, name, _COMPONENT, subjects)] if subjects else [role]
