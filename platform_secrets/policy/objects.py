"""What stands in a tree, what may be deleted of it, and what admission does."""

from collections.abc import Iterator

from platform_secrets.policy.judged import (
    PROTECT,
    Asked,
    Object,
    Violation,
    at,
    mapping,
    sequence,
)

_KUSTOMIZE = "kustomize.config.k8s.io"
_LISTS = {"apiVersion", "kind", "metadata", "resources", "sortOptions"}
_MAKES_SECRETS = {"secretGenerator", "generatorOptions"}
_SYNC = "argocd.argoproj.io/sync-options"
_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
# Says that its content is the cluster's, so a deletion loses it.
_LIVES = "kustomize.toolkit.fluxcd.io/ssa"
_COMPONENT = "app.kubernetes.io/component"


def holds_no_value(secret: Object, asked: Asked) -> Iterator[Violation]:
    for name in ("data", "stringData"):
        if secret.get(name) and not asked.keeps_plain_secrets:
            right = "an ExternalSecret; `secrets: basic` is for development"
            yield Violation(name, "holds values", right)


def is_applied_as_it_stands(kustomization: Object, asked: Asked) -> Iterator[Violation]:
    """What a kustomization changes or fetches is not what these rules look at."""
    if not str(kustomization.get("apiVersion") or _KUSTOMIZE).startswith(_KUSTOMIZE):
        return
    known = _LISTS | (_MAKES_SECRETS if asked.keeps_plain_secrets else set[str]())
    for name in kustomization:
        if name in _MAKES_SECRETS - known:
            yield Violation(name, "makes Secrets of files", "an ExternalSecret for each")
        elif name not in known:
            yield Violation(name, "changes what stands in the files", "render it, or leave it out")
    for number, one in enumerate(sequence(kustomization.get("resources"))):
        if "://" in str(one) or str(one).startswith(("/", "..", "github.com/", "git@")):
            path = f"resources[{number}]"
            yield Violation(path, "is outside of this tree", "a file or a folder beside this one")


def outlives_a_mistake(kept: Object, asked: Asked) -> Iterator[Violation]:
    """An Owner's Secret goes with its ExternalSecret, and everything with its Namespace."""
    annotations = mapping(at(kept, "metadata", "annotations"))
    if not asked.protects or (kept.get("kind") == "ConfigMap" and not _is_memory(kept)):
        return
    if kept.get(PROTECT) is False:
        yield Violation("protect", "is not set: Pulumi may delete what holds data", "protect=True")
    if ":" in str(kept.get("kind")):
        return
    options = {one.strip() for one in str(annotations.get(_SYNC, "")).split(",")}
    if not {"Prune=false", "Delete=false"} <= options:
        path = f"metadata.annotations[{_SYNC}]"
        yield Violation(path, "lets Argo CD delete what holds data", "Prune=false,Delete=false")
    if annotations.get(_PRUNE) != "disabled":
        path = f"metadata.annotations[{_PRUNE}]"
        yield Violation(path, "lets Flux delete what holds data", "disabled")


def _is_memory(config_map: Object) -> bool:
    """A migration's record is to go with the migration."""
    is_record = at(config_map, "metadata", "labels", _COMPONENT) == "migration"
    return _LIVES in mapping(at(config_map, "metadata", "annotations")) and not is_record


def refuses(policy: Object, asked: Asked) -> Iterator[Violation]:
    """Of an admission policy, and of its binding."""
    if asked.is_only_told and at(policy, "metadata", "labels", _COMPONENT) == "admission":
        return
    if policy.get("kind") == "ValidatingAdmissionPolicy":
        # Fail is what Kubernetes takes where nothing is said.
        if at(policy, "spec", "failurePolicy") not in ("Fail", None):
            yield Violation("spec.failurePolicy", "lets through what it can't judge", "Fail")
    elif "Deny" not in sequence(at(policy, "spec", "validationActions")):
        yield Violation("spec.validationActions", "refuses nothing", "Deny among them")
