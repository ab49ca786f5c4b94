"""What installs a Helm chart: the workloads that it makes are in no manifest."""

from collections.abc import Iterable

from platform_secrets.importing.found import Manifest, mapping, sequence


def charts(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Flux' HelmReleases, and Argo CD's Applications of a chart."""
    return [one for one in manifests if _is_of_flux(one) or _is_of_argo_cd(one)]


def _is_of_flux(manifest: Manifest) -> bool:
    return manifest.kind == "HelmRelease" and _group(manifest) == "helm.toolkit.fluxcd.io"


def _is_of_argo_cd(manifest: Manifest) -> bool:
    if manifest.kind != "Application" or _group(manifest) != "argoproj.io":
        return False
    sources = [manifest.spec.get("source"), *sequence(manifest.spec.get("sources"))]
    return any({"chart", "helm"} & {*mapping(one)} for one in sources)


def _group(manifest: Manifest) -> str:
    return str(manifest.content.get("apiVersion")).partition("/")[0]
