"""All rules, each with the name by which people speak of it (docs/policy.md)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from platform_secrets.policy import external_secrets, objects, pods, providers, rbac, stores
from platform_secrets.policy.judged import Asked, Object, Violation

_ROLES = ("Role", "ClusterRole")
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")
_STORES = ("SecretStore", "ClusterSecretStore", "VaultDynamicSecret")
_WORKLOADS = ("CronJob", "Job", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")
_ADMISSION = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
_HOLD_DATA = ("ExternalSecret", "Namespace", "ConfigMap", *providers.HOLD_DATA)
_OF_OPERATOR = ("ExternalSecret",)


@dataclass(frozen=True)
class Rule:
    """One thing that must never happen, looked for in objects of some kinds. The kind of what is at
    a provider is its type in Pulumi."""

    id: str
    kinds: tuple[str, ...]
    judge: Callable[[Object, Asked], Iterator[Violation]]


RULES = (
    Rule("no-value", ("Secret",), objects.holds_no_value),
    Rule("as-it-stands", ("Kustomization",), objects.is_applied_as_it_stands),
    Rule("protected", _HOLD_DATA, objects.outlives_a_mistake),
    Rule("admission-refuses", _ADMISSION, objects.refuses),
    Rule("no-wildcard", _ROLES, rbac.without_wildcard),
    Rule("named-secrets", _ROLES, rbac.names_its_secrets),
    Rule("no-escalation", _ROLES, rbac.gives_nobody_more),
    Rule("narrow-binding", _BINDINGS, rbac.binds_the_few),
    Rule("keyless-store", _STORES, stores.logs_in_without_a_key),
    Rule("verified-tls", _STORES, stores.is_asked_over_verified_tls),
    Rule("retained-secret", _OF_OPERATOR, external_secrets.keeps_its_secret),
    Rule("guarded-template", _OF_OPERATOR, external_secrets.fails_without_a_value),
    Rule("refreshed", _OF_OPERATOR, external_secrets.is_refreshed_in_time),
    Rule("named-entries", _OF_OPERATOR, external_secrets.names_what_it_reads),
    Rule(
        "no-standing-push",
        ("PushSecret", "ClusterPushSecret"),
        external_secrets.is_no_standing_push,
    ),
    Rule("hardened-pod", _WORKLOADS, pods.is_hardened),
    Rule("bounded-pod", _WORKLOADS, pods.has_bounds),
    Rule("token-on-purpose", _WORKLOADS, pods.mounts_a_token_only_where_it_says_so),
    Rule("no-token-by-itself", ("ServiceAccount",), pods.mounts_no_token_by_itself),
    Rule("one-image", _WORKLOADS, pods.names_one_image),
)
RESOURCE_RULES = (
    Rule("exact-rights", (*providers.RIGHTS,), providers.allows_what_it_names),
    Rule("one-account", (*providers.TRUST,), providers.lets_in_whom_it_names),
    Rule("no-stored-value", providers.VALUES, providers.holds_no_value),
    Rule("asked-over-tls", providers.ASKED, providers.is_asked_over_verified_tls),
    Rule("brought-back", providers.HOLD_DATA, providers.can_be_brought_back),
)
"""Those about what is at providers, which Pulumi alone declares."""


def violations(judged: Object, asked: Asked) -> Iterator[tuple[Rule, Violation]]:
    """What of an object no rule allows."""
    for rule in (*RULES, *RESOURCE_RULES):
        if judged.get("kind") in rule.kinds:
            for violation in rule.judge(judged, asked):
                yield rule, violation
