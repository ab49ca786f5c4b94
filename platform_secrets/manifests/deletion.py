"""What holds data is not deleted by mistake, whoever asks for it: admission refuses that where the
stack file says so.

Argo CD and Flux go by annotations; `kubectl delete` and `kubectl apply --prune` know none.
"""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.cel import cel
from platform_secrets.settings import Settings

_RESOURCES = {"externalsecrets": "external-secrets.io", "configmaps": "", "namespaces": ""}


def deletion_manifests(settings: Settings) -> list[Manifest]:
    """The refusal in the environment's namespaces, and its binding; nothing where nobody asks for
    them."""
    if not settings.environment.refuse_deletion:
        return []
    metadata = {
        "name": f"{settings.namespace}-deletion",
        "labels": naming.labels(settings, "deletion"),
    }
    conditions = {
        "is-ours": _has("labels", naming.MANAGED),
        "is-protected": _has("annotations", naming.FLUX_NEVER_PRUNES),
    }
    # A namespace that goes, which was allowed, takes with it what is in it.
    is_of_deleted_namespace = (
        'request.resource.resource != "namespaces" && '
        "has(namespaceObject.metadata.deletionTimestamp)"
    )
    # With `deletionPolicy: Delete` the operator may take the Secret away all the same
    # (docs/migrating.md).
    is_orphaning = (
        'request.resource.resource == "externalsecrets" && '
        'dyn(oldObject).spec.?target.?deletionPolicy.orValue("") == "Retain" && '
        'dyn(request.options).?propagationPolicy.orValue("") == "Orphan"'
    )
    is_released = _has("annotations", naming.MAY_BE_DELETED)
    [release] = (f"{name}={value}" for name, value in naming.MAY_BE_DELETED.items())
    message = (
        "this holds data, which is deleted with it. To delete it on purpose, first: "
        f"kubectl annotate … {release}; an ExternalSecret with --cascade=orphan leaves its Secret"
    )
    policy = naming.admission_policy(
        metadata,
        _RESOURCES,
        ["DELETE"],
        conditions,
        {message: f"{is_of_deleted_namespace} || {is_orphaning} || {is_released}"},
        namespaces=[view.namespace for view in settings.by_namespace],
    )
    return [policy, naming.admission_binding(metadata)]


def _has(field: str, pairs: dict[str, str]) -> str:
    """Whether the object has these labels or annotations."""
    held = f"dyn(oldObject).metadata.?{field}.orValue({{}})"
    return " && ".join(
        f'{held}[?{cel(name)}].orValue("") == {cel(value)}' for name, value in pairs.items()
    )
