"""Plain Kubernetes Secrets for an environment without stores. Key names only: values come from
the shell under Pulumi, and from git-ignored files beside the kustomization in a rendered tree."""

from manifests import naming
from manifests.naming import Manifest
from settings import Settings

_COMPONENT = "basic-secret"


def basic_secret(settings: Settings, bundle: str) -> Manifest:
    """A bundle's Secret without its values."""
    name = settings.catalogue.bundles[bundle].secret
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": naming.metadata(settings, name, _COMPONENT),
        "type": "Opaque",
    }


def kustomization(settings: Settings) -> Manifest:
    """Makes the same Secrets from `<secret>.env` files, which `secretsctl basic-secrets` writes."""
    secrets = [basic_secret(settings, bundle) for bundle in settings.catalogue.bundles]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": settings.namespace,
        "generatorOptions": {"disableNameSuffixHash": True},
        "secretGenerator": [
            {
                "name": secret["metadata"]["name"],
                "type": secret["type"],
                "envs": [env_file(secret["metadata"]["name"])],
                "options": {"labels": secret["metadata"]["labels"]},
            }
            for secret in secrets
        ],
    }


def env_file(secret: str) -> str:
    """The git-ignored file that holds the values of one Secret."""
    return f"{secret}.env"
