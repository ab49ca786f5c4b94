"""Nobody becomes a ServiceAccount by a Secret: Kubernetes fills one of type
`kubernetes.io/service-account-token` with a token of any account that it names.

RBAC knows no type of a Secret, so admission refuses it to those who may write Secrets for other
reasons.
"""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.cel import cel
from platform_secrets.settings import Settings

_TYPE = "kubernetes.io/service-account-token"


def account_token_manifests(
    settings: Settings, name: str, component: str, groups: list[str], *, namespace: str | None
) -> list[Manifest]:
    """The refusal to these groups, and its binding; of the whole cluster without a namespace."""
    is_one_of_them = f"request.userInfo.groups.exists(group, group in {cel(groups)})"
    metadata = {"name": name, "labels": naming.labels(settings, component)}
    refusal = f"nobody gets another account's token by a Secret of type {_TYPE}"
    policy = naming.admission_policy(
        metadata,
        {"secrets": ""},
        ["CREATE", "UPDATE"],
        {"who": is_one_of_them},
        {refusal: f"!has(object.type) || object.type != {cel(_TYPE)}"},
        namespaces=[namespace] if namespace else (),
    )
    return [policy, naming.admission_binding(metadata)]
