"""Who else writes a Secret or takes it away, and what makes them leave it alone.

Each release holds whatever they do next, in whatever order: what was seen of them stands in
docs/migrating.md.
"""

import json
from collections.abc import Collection, Iterator, Mapping

from platform_secrets.diagnosing.external_secrets import letting_go

_SEALED = ("sealedsecrets.bitnami.com/managed", "sealedsecrets.bitnami.com/patch")
_HELM, _HELM_KEEPS = "meta.helm.sh/release-name", "helm.sh/resource-policy"
_ARGO, _ARGO_KEEPS = "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/sync-options"
_FLUX = "kustomize.toolkit.fluxcd.io/name"
# Flux' own `prune: disabled` is lost again where kubectl set it: the next reconcile takes it away.
_FLUX_RELEASES = {
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "kustomize.toolkit.fluxcd.io/ssa": "Ignore",
}
MARKS = (*_SEALED, _HELM, _HELM_KEEPS, _ARGO, _ARGO_KEEPS, _FLUX, *_FLUX_RELEASES)
"""Labels and annotations by which owners know what is theirs, and what they are to leave."""


def releases(
    secret: str, namespace: str, owners: Collection[tuple[str, str]], marks: Mapping[str, str]
) -> Iterator[str]:
    """To whom a Secret belongs, and how each lets go of it. `owners` are those of its
    ownerReferences: kind and name; `marks` are its labels and annotations."""
    within = f"-n {namespace}"
    annotate = f"kubectl annotate secret {secret} {within}"
    sealed = [one for kind, one in owners if kind == "SealedSecret"]
    if sealed or any(marks.get(one) == "true" for one in _SEALED):
        change = {"ownerReferences": None, "annotations": dict.fromkeys(_SEALED)}
        patch = json.dumps({"metadata": change}, separators=(",", ":"))
        name = sealed[0] if sealed else secret
        release = f"kubectl patch secret {secret} {within} --type=merge -p '{patch}'"
        yield f"belongs to SealedSecret/{name}: `{release}`, then take that away"
    for kind, name in owners:
        if kind == "ExternalSecret":
            release = letting_go(name, namespace)
            how = f"there where it is written or by `{release}`, and delete it once this is done"
            yield f"belongs to {kind}/{name}: have that let go of it, {how}"
        elif kind != "SealedSecret":
            yield (
                f"belongs to {kind}/{name}, which would write it again, and with which it would be "
                "deleted: have that make another Secret or none, or leave it out (`without`)"
            )
    if _HELM in marks and marks.get(_HELM_KEEPS) != "keep":
        release = f"`{annotate} {_HELM_KEEPS}=keep`, then take it out of the chart and upgrade"
        first = "`helm uninstall` before that deletes it all the same"
        yield f"belongs to Helm's release {marks[_HELM]}: {release}; {first}"
    if _ARGO in marks and "Prune=false" not in marks.get(_ARGO_KEEPS, ""):
        release = f"`{annotate} {_ARGO_KEEPS}=Prune=false,Delete=false`, then take it out of Git"
        yield f"belongs to Argo CD's {marks[_ARGO].partition(':')[0]}: {release}"
    if _FLUX in marks and not _FLUX_RELEASES.items() & marks.items():
        [(name, value), *_] = _FLUX_RELEASES.items()
        release = f"`{annotate} {name}={value}`, then take it out of Git"
        yield f"belongs to Flux' Kustomization {marks[_FLUX]}: {release}"
