"""The layers of an environment in the order in which they rest on each other, and their checks: the
one table."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from platform_secrets.diagnosing import (
    accounts,
    clocks,
    external_secrets,
    ground,
    live_rights,
    operator_pods,
    rotations,
    stores,
    webhooks,
    workloads,
)
from platform_secrets.diagnosing.case import At, Case, Finding


@dataclass(frozen=True)
class Layer:
    """One layer: what is looked at, and what may be found. The first layer is the lowest."""

    name: str
    kinds: tuple[str, ...]
    """The kinds of objects that tell about it."""
    find: Callable[[Case], Iterable[Finding]]
    checks: tuple[str, ...]
    """The ids of its checks, each a heading of docs/troubleshooting.md."""


_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Rollout", "CronJob", "Job")
_SELDOM = {*_WORKLOADS[1:], "ClusterSecretStore", "ConfigMap"}
"""The kinds that are looked at only where an environment has to do with them."""
NOT_REACHED = "cluster-not-reached"


def _stores(case: Case) -> Iterator[Finding]:
    found = [*stores.store_findings(case)]
    yield from found
    at_fault = {one.at for one in found}
    for one in external_secrets.told_by_external_secrets(case):
        if one.at not in at_fault:
            yield one


LAYERS = (
    Layer("rights", (), ground.rights_findings, ("not-looked-at",)),
    Layer(
        "cluster",
        ("Namespace", "ResourceQuota"),
        ground.cluster_findings,
        (
            *(NOT_REACHED, "namespace-missing", "namespace-ends"),
            *("quota-full", "clock-skew"),
        ),
    ),
    Layer(
        "crd",
        ("CustomResourceDefinition",),
        ground.crd_findings,
        ("crd-missing", "crd-not-served", "crd-old-version"),
    ),
    Layer(
        "operator",
        ("Deployment", "Pod", "Lease"),
        operator_pods.operator_findings,
        (
            *("operator-missing", "operator-paused", "operator-not-running"),
            *("operator-elsewhere", "operator-no-leader", "operator-log", "operator-behind"),
        ),
    ),
    Layer(
        "webhook",
        ("ValidatingWebhookConfiguration", "Service", "EndpointSlice"),
        webhooks.webhook_findings,
        ("webhook-no-authority", "webhook-certificate", "webhook-unreachable"),
    ),
    Layer(
        "account",
        ("ServiceAccount", "Role", "RoleBinding"),
        accounts.account_findings,
        ("account-missing", "account-changed", "token-right-missing"),
    ),
    Layer(
        "network",
        ("NetworkPolicy",),
        accounts.network_findings,
        ("network-blocked", "network-policy-missing", "network-policy-changed"),
    ),
    Layer(
        "store",
        ("SecretStore", "ClusterSecretStore", "Event"),
        _stores,
        (
            *("store-missing", "store-changed", "store-not-looked-at", "store-no-token"),
            *sorted(stores.OF_STORES),
            "store-not-ready",
        ),
    ),
    Layer(
        "entry",
        ("ExternalSecret", "Event"),
        external_secrets.entry_findings,
        (
            *("values-not-put-in", "entry-missing", "entry-disabled", "entry-emptied"),
            *("entry-not-json", "key-missing"),
        ),
    ),
    Layer(
        "external-secret",
        ("ExternalSecret",),
        external_secrets.external_secret_findings,
        (
            *("external-secret-missing", "external-secret-not-looked-at", "secret-two-owners"),
            *("quota", "secret-refused", "operator-rights", "external-secret-not-synced"),
            *("migration-not-done", "external-secret-not-current", "external-secret-changed"),
        ),
    ),
    Layer(
        "secret",
        ("Secret",),
        workloads.secret_findings,
        ("secret-missing", "secret-lacks-keys", "secret-type"),
    ),
    Layer(
        "workload",
        ("Pod", "ReplicaSet", *_WORKLOADS),
        workloads.workload_findings,
        (
            *("workload-missing", "workload-no-reference", "workload-wrong-key"),
            *("pod-not-started", "pod-stale"),
        ),
    ),
    Layer(
        "rbac",
        ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"),
        live_rights.rbac_findings,
        (
            *("reader-account-missing", "reader-right-missing", "reader-right-changed"),
            "reader-not-declared",
        ),
    ),
    Layer(
        "rotation",
        ("CronJob", "Job", "ConfigMap"),
        rotations.rotation_findings,
        (
            *("rotation-part-missing", "rotation-no-job", "rotation-suspended", "rotation-failed"),
            *("rotation-no-memory", "rotation-not-run", "rotation-refused"),
            *("rotation-taken-back", "key-overdue"),
        ),
    ),
)
LAYER_OF = {check: layer.name for layer in LAYERS for check in layer.checks}
STOP_EVERYTHING = frozenset(
    {
        *("namespace-missing", "crd-missing", "crd-not-served"),
        *("operator-missing", "operator-paused", "operator-not-running"),
        *("operator-elsewhere", "operator-no-leader", "operator-behind", "network-blocked"),
    }
)
"""The checks after which what rests on the operator can't be well."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found, from the lowest layer up."""

    findings: list[Finding]
    """What is at fault by itself, and what somebody should know."""
    following: dict[Finding, list[Finding]] = field(default_factory=dict)
    """What follows from one of these."""
    unread: dict[str, list[str]] = field(default_factory=dict)
    """Of each layer the kinds that could not be looked at, and why."""

    @property
    def faults(self) -> list[Finding]:
        """The findings that say that something is wrong; the first is at the root."""
        return [one for one in self.findings if one.is_fault]


def without_cluster(why: str, context: str) -> Diagnosis:
    """What is to be said where the cluster does not answer, or is another one."""
    step = "see where your kubeconfig leads: `kubectl get namespace kube-system`"
    finding = Finding(NOT_REACHED, At("Cluster", "", context), why, step)
    unread = {layer.name: ["the cluster was not reached"] for layer in LAYERS}
    return Diagnosis([finding], unread=unread)


def diagnosis(case: Case) -> Diagnosis:
    """Walks the layers."""
    found = Diagnosis([])
    for layer in LAYERS:
        if unread := [*_unread(case, layer)]:
            found.unread[layer.name] = unread
        earlier = [*found.findings]
        for one in layer.find(case):
            if one.check not in layer.checks:
                raise LookupError(f"{one.check} is no check of {layer.name}")
            if root := _root(case, one, earlier):
                found.following.setdefault(root, []).append(one)
            else:
                found.findings.append(one)
    return found


def _unread(case: Case, layer: Layer) -> Iterator[str]:
    """The kinds of a layer that could not be looked at, by why."""
    namespaces = [view.namespace for view in case.settings.by_namespace]
    namespaces.append(case.settings.environment.operator_namespace)
    kinds: dict[str, list[str]] = {}
    for kind in layer.kinds:
        if kind in _SELDOM and kind not in case.used_kinds:
            continue
        for why in {case.snapshot.why_unread(kind, namespace) for namespace in namespaces}:
            if why and why != ground.NOT_INSTALLED:
                kinds.setdefault(why, []).append(kind)
    for why, some in kinds.items():
        yield f"{', '.join(some)}: {why}"


def _root(case: Case, finding: Finding, earlier: list[Finding]) -> Finding | None:
    """The finding of a lower layer from which this one follows."""
    if not earlier:
        return None
    for one in earlier:
        if one.check in STOP_EVERYTHING:
            return one
        if one.check == "clock-skew" and finding.check in clocks.TOLD_BY_CLOCKS:
            return one
    rests_on = {*_rests_on(case, finding.at)}
    return next((one for one in earlier if one.at in rests_on), None)


def _rests_on(case: Case, place: At) -> Iterator[At]:
    """An object, and all that it needs."""
    yield place
    for one in _needs(case, place):
        yield from _rests_on(case, one)


def _needs(case: Case, place: At) -> Iterator[At]:
    namespace, name = place.namespace, place.name
    match place.kind:
        case "SecretStore":
            yield At("ServiceAccount", namespace, name)
            yield At("Role", namespace, f"{name}-token")
            yield At("RoleBinding", namespace, f"{name}-token")
        case "ExternalSecret" if place in case.bundle_of:
            yield external_secrets.store_of(case, place)
        case "Secret":
            yield At("ExternalSecret", namespace, name)
        case "Deployment" | "StatefulSet" | "DaemonSet" | "Rollout" | "CronJob" | "Job":
            for bundle in case.readers.get(place, ()):
                yield At("Secret", namespace, case.settings.catalogue.bundles[bundle].secret)
        case _:
            pass
