"""A namespace of the environment, where this program creates it; it is never pruned."""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings


def namespace_manifests(settings: Settings) -> list[Manifest]:
    """The Namespace with its Pod Security labels, or nothing where it is somebody else's."""
    if not settings.creates_namespace:
        return []
    levels = settings.environment.pod_security
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": settings.namespace,
                "labels": {
                    **naming.labels(settings, "namespace"),
                    "pod-security.kubernetes.io/enforce": levels.enforce,
                    "pod-security.kubernetes.io/audit": levels.audit,
                    "pod-security.kubernetes.io/warn": levels.warn,
                },
                "annotations": dict(naming.NEVER_PRUNED),
            },
        }
    ]
