"""How Argo CD and Flux take a rendered tree: an entry point for each, one object per wave, and a
root that keeps the entry point, itself too, as it is in Git, and those of other environments."""

from collections.abc import Mapping

from platform_secrets.manifests import naming
from platform_secrets.manifests.chart import ChartRelease
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings
from platform_secrets.settings.environment import GitOps

_COMPONENT = "gitops"
ARGOCD, FLUX = "gitops/argocd", "gitops/flux"
WAVES = "waves"
"""The folder in each of these that holds all but the root."""
# What goes with its own wave. Others leave their objects when they go: an operator that goes takes
# its kinds with it, and so every Secret.
_REMOVED_WITH_ITS_WAVE = ("rotation", "monitoring")


def argocd_manifests(
    settings: Settings, gitops: GitOps, waves: list[str], charts: Mapping[str, ChartRelease]
) -> list[Manifest]:
    """An Application per wave, and one per chart, which follows the wave that it is named by.

    Waves between Applications wait for health only where Argo CD is told to, so each retries
    without end, and skips the dry run of kinds that do not exist yet.
    """
    found = []
    for place, wave in enumerate(waves):
        source = _git_source(settings, gitops, wave)
        name, namespace = _name(settings, wave), settings.namespace
        application = _application(settings, gitops, name, namespace, 2 * place, source)
        if naming.wave_part(wave) in _REMOVED_WITH_ITS_WAVE:
            application["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
        pointers = naming.database_pointers(settings)
        if pointers and wave.endswith("stores"):
            _leave_to_rotation(application["spec"], pointers)
        found.append(application)
        if wave in charts:
            found.append(_chart_application(settings, gitops, wave, 2 * place + 1, charts[wave]))
    return found


def argocd_root(settings: Settings, gitops: GitOps, waves: list[str]) -> Manifest:
    """The root. It comes last: Argo CD would wait for its health, and so for itself."""
    sync_wave = 2 * len(waves)
    name, source = _name(settings, None), _git_source(settings, gitops, ARGOCD)
    root = _application(settings, gitops, name, gitops.argocd.namespace, sync_wave, source)
    root["metadata"]["annotations"]["argocd.argoproj.io/ignore-healthcheck"] = "true"
    return root


def _git_source(settings: Settings, gitops: GitOps, folder: str) -> Manifest:
    return {
        "repoURL": gitops.repository,
        "targetRevision": gitops.branch,
        "path": _path(settings, gitops, folder),
    }


def _chart_application(
    settings: Settings, gitops: GitOps, wave: str, sync_wave: int, release: ChartRelease
) -> Manifest:
    source = {
        "repoURL": release.repository.removeprefix("oci://"),
        "chart": release.chart,
        "targetRevision": release.version,
        "helm": {"releaseName": release.name, "valuesObject": release.values},
    }
    name = f"{_name(settings, wave)}-chart"
    application = _application(settings, gitops, name, release.namespace, sync_wave, source)
    if release.is_kept:
        _never_prune(application["metadata"]["annotations"])
    return application


def _never_prune(annotations: dict[str, str]) -> None:
    """Adds the marks, and keeps what an Application says of comparing already."""
    for name, mark in naming.NEVER_PRUNED.items():
        annotations[name] = ",".join(filter(None, (annotations.get(name), mark)))


def _leave_to_rotation(spec: Manifest, pointers: list[str]) -> None:
    """Has Argo CD make these ConfigMaps and then leave their content alone."""
    spec["ignoreDifferences"] = [
        {"group": "", "kind": "ConfigMap", "name": pointer, "jsonPointers": ["/data"]}
        for pointer in pointers
    ]
    spec["syncPolicy"]["syncOptions"].append("RespectIgnoreDifferences=true")


def _application(
    settings: Settings,
    gitops: GitOps,
    name: str,
    namespace: str,
    sync_wave: int,
    source: Manifest,
) -> Manifest:
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
    settings: Settings, gitops: GitOps, waves: list[str], charts: Mapping[str, ChartRelease]
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
    steps: list[tuple[str, str]] = []
    for wave in waves:
        steps.append((_name(settings, wave), wave))
        if wave in charts:
            folder = f"{FLUX}/{naming.wave_part(wave)}"
            steps.append((f"{_name(settings, wave)}-chart", folder))
    found = [repository]
    before: str | None = None
    for name, folder in steps:
        waits = not folder.endswith("external-secrets")
        one = _kustomization(settings, gitops, name, folder, waits=waits)
        if naming.wave_part(folder) not in _REMOVED_WITH_ITS_WAVE:
            one["spec"]["deletionPolicy"] = "Orphan"
        if before:
            one["spec"]["dependsOn"] = [{"name": before}]
        found.append(one)
        before = name
    return found


def flux_root(settings: Settings, gitops: GitOps) -> Manifest:
    """The root, which waits for nothing."""
    return _kustomization(settings, gitops, _name(settings, None), FLUX, waits=False)


def entry_folders(gitops: GitOps, tool: str) -> list[str]:
    """What else the root has, as seen from its folder: the waves of its own environment and of the
    others on its cluster. Theirs without their root: nothing can belong to two."""
    others = [f"../../../{name}/{tool}/{WAVES}" for name in gitops.environments]
    return [WAVES, *others]


def _kustomization(
    settings: Settings, gitops: GitOps, name: str, folder: str, *, waits: bool
) -> Manifest:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": _flux_metadata(settings, gitops, name),
        "spec": {
            "interval": "10m",
            "retryInterval": "1m",
            "timeout": "10m",
            "prune": True,
            "wait": waits,
            "path": f"./{_path(settings, gitops, folder)}",
            "sourceRef": {"kind": "GitRepository", "name": _name(settings, None)},
        },
    }


def flux_release_manifests(settings: Settings, release: ChartRelease) -> list[Manifest]:
    """A chart as a HelmRepository and a HelmRelease."""
    annotations = naming.NEVER_PRUNED if release.is_kept else None
    metadata = naming.metadata(settings, release.name, _COMPONENT, annotations, release.namespace)
    is_oci = release.repository.startswith("oci://")
    source = {"kind": "HelmRepository", "name": release.name}
    chart = {"chart": release.chart, "version": release.version, "sourceRef": source}
    # A release that is waited for in vain would be uninstalled and installed anew.
    waiting = {} if release.is_awaited else {"disableWait": True}
    return [
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "HelmRepository",
            "metadata": metadata,
            "spec": {
                **({"type": "oci"} if is_oci else {}),
                "interval": "1h",
                "url": release.repository,
            },
        },
        {
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "metadata": metadata,
            "spec": {
                "interval": "1h",
                "timeout": "10m",
                "releaseName": release.name,
                "chart": {"spec": chart},
                "install": {**waiting, "remediation": {"retries": -1}},
                "upgrade": {**waiting, "remediation": {"retries": 3}},
                "values": release.values,
            },
        },
    ]


def _flux_metadata(settings: Settings, gitops: GitOps, name: str) -> Manifest:
    return naming.metadata(settings, name, _COMPONENT, namespace=gitops.flux.namespace)


def _name(settings: Settings, wave: str | None) -> str:
    """`<platform>-<environment>` and the wave's name without its number."""
    parts = [settings.catalogue.platform, settings.environment.environment]
    return "-".join(parts + ([naming.wave_part(wave)] if wave else []))


def _path(settings: Settings, gitops: GitOps, folder: str) -> str:
    return f"{gitops.path}/{settings.environment.environment}/{folder}"
