"""What of readers and ExternalSecrets is in no manifest, since a tool makes or changes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from platform_secrets.importing.found import Manifest, mapping, sequence

_GROUPS = {
    "HelmRelease": "helm.toolkit.fluxcd.io",
    "HelmChart": "helm.cattle.io",
    "Application": "argoproj.io",
    "ApplicationSet": "argoproj.io",
}
_PATCHES = ("patches", "patchesStrategicMerge", "patchesJson6902", "replacements")


@dataclass(frozen=True)
class Unseen:
    """What is told, and is no failure."""

    charts: Sequence[Manifest]
    """What installs Helm charts: what those make is in no manifest."""
    kustomizations: Sequence[Manifest]
    """What changes names, or what stands in ExternalSecrets."""
    wide_bindings: Sequence[Manifest]
    """By which every Secret of their namespace may be read."""


def unseen(manifests: Sequence[Manifest], wide_bindings: Sequence[Manifest]) -> Unseen:
    return Unseen(
        [one for one in manifests if _installs_a_chart(one)],
        [one for one in manifests if one.is_kustomization and _changes(one.content)],
        wide_bindings,
    )


def _installs_a_chart(manifest: Manifest) -> bool:
    if manifest.kind == "HelmChartInflationGenerator" or manifest.is_kustomization:
        return not manifest.is_kustomization or bool(manifest.content.get("helmCharts"))
    group = str(manifest.content.get("apiVersion")).partition("/")[0]
    if _GROUPS.get(manifest.kind) != group:
        return False
    if group != "argoproj.io":
        return True
    return any({"chart", "helm"} & {*one} for one in sources(manifest))


def sources(application: Manifest) -> Iterator[Mapping[str, Any]]:
    """What an Application, or each that an ApplicationSet makes, is made of."""
    spec = application.spec
    if application.kind == "ApplicationSet":
        spec = mapping(mapping(spec.get("template")).get("spec"))
    yield from map(mapping, [spec.get("source"), *sequence(spec.get("sources"))])


def _changes(kustomization: Mapping[str, Any]) -> bool:
    if kustomization.get("namePrefix") or kustomization.get("nameSuffix"):
        return True
    return any("Secret" in str(kustomization.get(name)) for name in _PATCHES)
