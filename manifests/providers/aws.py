"""AWS Secrets Manager: an IAM role, assumed with a ServiceAccount's token or by the operator."""

from manifests.naming import Manifest
from settings import AwsStore, Identity, Settings

AUDIENCE = "sts.amazonaws.com"
"""Of the tokens that AWS takes from the cluster's issuer."""
_AGENT = "http://169.254.170.23/v1/credentials"
"""Where EKS Pod Identity gives a pod's role its credentials."""
_AGENT_AUDIENCE = "pods.eks.amazonaws.com"
_DOMAINS = {"aws-cn": "amazonaws.com.cn"}


def role_arn(store: AwsStore, role: str) -> str:
    """The ARN of one of this environment's roles."""
    return f"arn:{store.partition}:iam::{store.account_id}:role/{role}"


def rotator_role(settings: Settings, store: str) -> str:
    """The role with which the rotator has Secrets Manager rotate a database's entry."""
    return settings.name_at_provider(store, "rotator")


def rotated_by_aws(settings: Settings, name: str, store: AwsStore) -> Manifest:
    """What the rotator's plan says of AWS for such an entry."""
    domain = f"{store.region}.{_DOMAINS.get(store.partition, 'amazonaws.com')}"
    is_irsa = store.identity == "irsa"
    return {
        "region": store.region,
        "role": role_arn(store, rotator_role(settings, name)) if is_irsa else None,
        "credentials": f"https://sts.{domain}" if is_irsa else _AGENT,
        "secrets_manager": f"https://secretsmanager.{domain}",
    }


def token_audience(store: AwsStore) -> str:
    """For whom the token of a pod is with which it has an identity in AWS."""
    return AUDIENCE if store.identity == "irsa" else _AGENT_AUDIENCE


def account_annotations(store: AwsStore, identity: Identity, role: str) -> dict[str, str]:
    """The role that the operator assumes with this account's token (IRSA)."""
    return {"eks.amazonaws.com/role-arn": role_arn(store, role)}


def provider_spec(store: AwsStore, account: str, role: str) -> Manifest:
    """The `provider` of a SecretStore that acts as `account`, whose annotation names the role; with
    Pod Identity as the operator itself, from where it assumes the role."""
    found = {"service": "SecretsManager", "region": store.region}
    if store.identity == "pod-identity":
        return {"aws": {**found, "role": role_arn(store, role)}}
    return {"aws": {**found, "auth": {"jwt": {"serviceAccountRef": {"name": account}}}}}
