"""Admission of what nobody has declared, whoever writes it: as objects, as far as the stack file
asks for it.

What may be written follows from the objects that are declared, by the functions that make them.
Where that is a long list it stands in a ClusterRole which nobody is given: RBAC lets nobody write a
right there that he does not have (docs/decisions/0024).
"""

from collections.abc import Iterator

from platform_secrets.manifests import naming
from platform_secrets.manifests.admission.external_secrets import (
    external_secret_policy,
    push_policy,
)
from platform_secrets.manifests.admission.policy import Policy
from platform_secrets.manifests.admission.stores import store_policy
from platform_secrets.manifests.admission.workloads import workload_policy
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.store_admission import is_operator
from platform_secrets.settings import Settings

COMPONENT = "admission"
_POLICIES = {
    "stores": store_policy,
    "external-secrets": external_secret_policy,
    "push-secrets": push_policy,
    "workloads": workload_policy,
}
# The update that declares something also says so here, before; a preview of it has not yet.
_WRITES = {"is-written": "!request.?dryRun.orValue(false)"}


def namespace_bounds(settings: Settings, view: Settings) -> list[Manifest]:
    """The bounds in one of the environment's namespaces: ClusterRoles, policies, bindings."""
    action = settings.environment.admission
    if action is None:
        return []
    found = [
        one
        for name, policy in _POLICIES.items()
        for one in _manifests(view, name, policy(settings, view), action)
    ]
    return sorted(found, key=lambda one: _ORDER.index(one["kind"]))


_ORDER = ("ClusterRole", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def _not_the_operator(view: Settings) -> dict[str, str]:
    """It puts finalizers on what is there, and writes the spec of it in its own spelling."""
    return {"other": f'!(request.operation == "UPDATE" && {is_operator(view)})'}


def _manifests(view: Settings, name: str, policy: Policy, action: str) -> Iterator[Manifest]:
    metadata = {
        "name": f"{view.namespace}-{COMPONENT}-{name}",
        "labels": naming.labels(view, COMPONENT),
    }
    is_about_a_role = policy.rules is not None
    if is_about_a_role:
        # One in the namespace would go before the rest of that when it is deleted, and everything
        # that still has a finalizer would stay for good.
        yield {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": metadata,
            "rules": policy.rules,
        }
    yield naming.admission_policy(
        metadata,
        policy.resources,
        ["CREATE", "UPDATE"],
        {**_WRITES, **_not_the_operator(view), **policy.conditions},
        policy.refusals,
        namespaces=[view.namespace],
        variables=policy.variables,
        details=policy.details,
        is_about_a_role=is_about_a_role,
        # What only looks on stops nothing, whatever happens to it.
        fails_closed=action == "deny",
    )
    yield naming.admission_binding(
        metadata, action=action.capitalize(), is_about_a_role=is_about_a_role
    )
