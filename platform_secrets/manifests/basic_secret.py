"""Plain Kubernetes Secrets for an environment without stores. Key names only: values come from
the shell under Pulumi, and from git-ignored files beside the kustomization in a rendered tree."""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings

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
    """Makes the same Secrets from `.env` files, which `secretsctl basic-secrets` writes."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "generatorOptions": {"disableNameSuffixHash": True},
        "secretGenerator": [
            _generator(view, bundle) for view in settings.by_namespace for bundle in view.bundles
        ],
    }


def _generator(settings: Settings, bundle: str) -> Manifest:
    secret, content = basic_secret(settings, bundle), settings.catalogue.bundles[bundle]
    metadata, files = secret["metadata"], field_files(settings, bundle)
    options = {name: metadata[name] for name in ("labels", "annotations") if name in metadata}
    sources: Manifest = {}
    if len(files) < len(content.fields):
        sources["envs"] = [env_file(settings, bundle)]
    if files:
        sources["files"] = [f"{field}={file}" for field, file in files.items()]
    name = {"name": content.secret, "namespace": settings.namespace}
    return {**name, "type": secret["type"], **sources, "options": options}


def env_file(settings: Settings, bundle: str, field: str | None = None) -> str:
    """The git-ignored file that holds the values of one Secret, or of one field of it; with the
    namespace before, where that is another of the environment's: neither name has a `_`, so no two
    files have one name."""
    secret = settings.catalogue.bundles[bundle].secret
    place = f"{settings.namespace}_" if settings.is_of_another else ""
    return f"{place}{secret}{f'__{field}' if field else ''}.env"


def field_files(settings: Settings, bundle: str) -> dict[str, str]:
    """The files of fields that a line of an env file can't hold: texts, what was base64, and names
    that begin with a digit."""
    content = settings.catalogue.bundles[bundle]
    return {
        field: env_file(settings, bundle, field)
        for field in content.fields
        if field not in content.keys
        or content.keys[field].stored_as == "base64"
        or field[0].isdigit()
    }
