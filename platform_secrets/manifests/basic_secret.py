"""Plain Kubernetes Secrets for an environment without stores. Key names only: values come from
the shell under Pulumi, and from git-ignored files beside the kustomization in a rendered tree."""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Bundle, Settings

_COMPONENT = "basic-secret"


def basic_secret(settings: Settings, bundle: str) -> Manifest:
    """A bundle's Secret without its values."""
    content = settings.catalogue.bundles[bundle]
    metadata = naming.metadata(settings, content.secret, _COMPONENT, content.annotations)
    metadata["labels"] |= content.labels
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": content.secret_type,
    }


def kustomization(settings: Settings) -> Manifest:
    """Makes the same Secrets from `<secret>.env` files, which `secretsctl basic-secrets` writes."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": settings.namespace,
        "generatorOptions": {"disableNameSuffixHash": True},
        "secretGenerator": [_generator(settings, bundle) for bundle in settings.catalogue.bundles],
    }


def _generator(settings: Settings, bundle: str) -> Manifest:
    secret, content = basic_secret(settings, bundle), settings.catalogue.bundles[bundle]
    metadata, files = secret["metadata"], field_files(content)
    options = {name: metadata[name] for name in ("labels", "annotations") if name in metadata}
    sources: Manifest = {}
    if len(files) < len(content.fields):
        sources["envs"] = [env_file(content.secret)]
    if files:
        sources["files"] = [f"{field}={file}" for field, file in files.items()]
    return {"name": content.secret, "type": secret["type"], **sources, "options": options}


def env_file(secret: str) -> str:
    """The git-ignored file that holds the values of one Secret."""
    return f"{secret}.env"


def field_files(bundle: Bundle) -> dict[str, str]:
    """The git-ignored files of fields that a line of an env file can't hold: texts, what was
    base64, and names that begin with a digit."""
    return {
        field: f"{bundle.secret}.{field}.env"
        for field in bundle.fields
        if field not in bundle.keys
        or bundle.keys[field].stored_as == "base64"
        or field[0].isdigit()
    }
