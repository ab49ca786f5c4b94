"""How Argo CD and Flux take a rendered tree: an entry point for each, one object per wave."""

from typing import Any

from manifests import naming
from manifests.naming import Manifest
from settings import Settings
from settings.environment import GitOps

_COMPONENT = "gitops"


def argocd_manifests(
    settings: Settings, gitops: GitOps, waves: list[str], chart_values: Manifest | None
) -> list[Manifest]:
    """An Application per wave, and the operator's chart where this stack installs it.

    Waves between Applications do not wait for health, so each retries without end, and skips the
    dry run of kinds that do not exist yet.
    """
    found = []
    for place, wave in enumerate(waves):
        source = {
            "repoURL": gitops.repository,
            "targetRevision": gitops.branch,
            "path": _path(settings, gitops, wave),
        }
        application = _application(settings, gitops, _name(settings, wave), 2 * place, source)
        pointers = naming.database_pointers(settings)
        if pointers and wave.endswith("stores"):
            _leave_to_rotation(application["spec"], pointers)
        found.append(application)
    if chart_values is not None:
        chart = settings.environment.chart
        source = {
            "repoURL": chart.repository.removeprefix("oci://"),
            "chart": naming.OPERATOR_RELEASE,
            "targetRevision": chart.version,
            "helm": {"releaseName": naming.OPERATOR_RELEASE, "valuesObject": chart_values},
        }
        found.insert(1, _application(settings, gitops, _name(settings, "chart"), 1, source))
    return found


def _leave_to_rotation(spec: Manifest, pointers: list[str]) -> None:
    """Has Argo CD make these ConfigMaps and then leave their content alone."""
    spec["ignoreDifferences"] = [
        {"group": "", "kind": "ConfigMap", "name": pointer, "jsonPointers": ["/data"]}
        for pointer in pointers
    ]
    spec["syncPolicy"]["syncOptions"].append("RespectIgnoreDifferences=true")


def _application(
    settings: Settings, gitops: GitOps, name: str, sync_wave: int, source: Manifest
) -> Manifest:
    is_operator = "chart" in source
    namespace = settings.environment.operator_namespace if is_operator else settings.namespace
    annotations = {
        "argocd.argoproj.io/sync-wave": str(sync_wave),
        # Fields that the API server or the operator fills in are no difference.
        "argocd.argoproj.io/compare-options": "ServerSideDiff=true",
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": naming.metadata(
            settings, name, _COMPONENT, annotations, gitops.argocd.namespace
        ),
        "spec": {
            "project": gitops.argocd.project,
            "destination": {"server": gitops.argocd.destination, "namespace": namespace},
            "source": source,
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true", "SkipDryRunOnMissingResource=true"],
                "retry": {
                    "limit": -1,
                    "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"},
                },
            },
        },
    }


def flux_manifests(
    settings: Settings, gitops: GitOps, waves: list[str], installs_operator: bool
) -> list[Manifest]:
    """A GitRepository, and a Kustomization per wave that waits for the wave before it.

    ExternalSecrets are not waited for: an environment whose store is still empty is a valid state.
    """
    repository = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": _flux_metadata(settings, gitops, _name(settings, None)),
        "spec": {
            "interval": "5m",
            "url": gitops.repository,
            "ref": {"branch": gitops.branch},
            **({"secretRef": {"name": gitops.flux.secret}} if gitops.flux.secret else {}),
        },
    }
    paths = [(wave, _path(settings, gitops, wave)) for wave in waves]
    if installs_operator:
        paths.insert(1, ("chart", _path(settings, gitops, "gitops/flux/operator")))
    found = [repository]
    before: str | None = None
    for wave, path in paths:
        name = _name(settings, wave)
        spec: dict[str, Any] = {
            "interval": "10m",
            "retryInterval": "1m",
            "timeout": "10m",
            "prune": True,
            "wait": not wave.endswith("external-secrets"),
            "path": f"./{path}",
            "sourceRef": {"kind": "GitRepository", "name": _name(settings, None)},
        }
        if before:
            spec["dependsOn"] = [{"name": before}]
        found.append(
            {
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
                "kind": "Kustomization",
                "metadata": _flux_metadata(settings, gitops, name),
                "spec": spec,
            }
        )
        before = name
    return found


def flux_operator_manifests(settings: Settings, chart_values: Manifest) -> list[Manifest]:
    """The operator's chart as a HelmRepository and a HelmRelease."""
    chart = settings.environment.chart
    namespace = settings.environment.operator_namespace
    name = naming.OPERATOR_RELEASE
    metadata = naming.metadata(settings, name, _COMPONENT, namespace=namespace)
    is_oci = chart.repository.startswith("oci://")
    source = {"kind": "HelmRepository", "name": name}
    return [
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "HelmRepository",
            "metadata": metadata,
            "spec": {
                **({"type": "oci"} if is_oci else {}),
                "interval": "1h",
                "url": chart.repository,
            },
        },
        {
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "metadata": metadata,
            "spec": {
                "interval": "1h",
                "timeout": "10m",
                "releaseName": name,
                "chart": {"spec": {"chart": name, "version": chart.version, "sourceRef": source}},
                "install": {"remediation": {"retries": -1}},
                "upgrade": {"remediation": {"retries": 3}},
                "values": chart_values,
            },
        },
    ]


def _flux_metadata(settings: Settings, gitops: GitOps, name: str) -> Manifest:
    return naming.metadata(settings, name, _COMPONENT, namespace=gitops.flux.namespace)


def _name(settings: Settings, wave: str | None) -> str:
    """`<platform>-<environment>` and the wave's name without its number."""
    parts = [settings.catalogue.platform, settings.environment.environment]
    return "-".join(parts + ([wave.lstrip("0123456789-")] if wave else []))


def _path(settings: Settings, gitops: GitOps, folder: str) -> str:
    return f"{gitops.path}/{settings.environment.environment}/{folder}"
