"""Stamps: labels and annotations that a cluster's own policies add to what the rotator writes.

Admission sees an object after such a policy, and can't tell what was in the request. So a stamp is
what nobody acts on: what it says must not matter to the operator, to GitOps or to a tool that
deletes by label, whoever wrote it.
"""

from platform_secrets.manifests.naming import PROJECT
from platform_secrets.manifests.rotation.cel import Cel, cel

_DOMAINS_ACTED_ON = (
    "external-secrets.io",
    "kubernetes.io",
    "k8s.io",
    "argoproj.io",
    "fluxcd.io",
    "helm.sh",
    "pulumi.com",
    "cleanup.kyverno.io",
    "generate.kyverno.io",
    "rio.cattle.io",
    "k14s.io",
    "gke.io",
    "crossplane.io",
)
"""Whose tools prune, adopt, leave alone or delete an object that is marked so."""
# The operator's metrics take a label such as `name` for their own of that name.
_ACTED_ON = (
    f"^(name|namespace)$|^app.kubernetes.io.|^({PROJECT}|janitor)/|"
    f"^([^/]*[.])?({'|'.join(each.replace('.', '[.]') for each in _DOMAINS_ACTED_ON)})/"
)
_AT_MOST = 32
_LONGEST = 2048
STAMP = f"!name.matches({cel(_ACTED_ON)})"
"""Whether `name` is that of a stamp on what this program declares."""
PRIVATE_STAMP = '!name.contains("/")'
"""The same on a workload, where any tool may look for its prefix: others are people's own."""


def only_stamps(new: str, old: str, own: list[str] | Cel, is_stamp: str = STAMP) -> str:
    """Whether labels or annotations differ from `old` ones by stamps alone, `own` ones apart."""
    is_own = f"name in {cel(own)} || " if own else ""
    is_same = f"name in {old} && {new}[name] == {old}[name]"
    is_short = f"{new}[name].size() <= {_LONGEST}"
    return (
        f"{new}.all(name, {is_own}{is_same} || {is_stamp} && {is_short}) && "
        f"{old}.all(name, {is_own}name in {new}) && "
        f"({new}.size() <= {_AT_MOST} || {new}.size() <= {old}.size())"
    )
