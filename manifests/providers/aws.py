"""AWS Secrets Manager: an IAM role, assumed with a ServiceAccount's token or by the operator."""

from manifests.naming import Manifest
from settings import AwsStore, Identity


def role_arn(store: AwsStore, role: str) -> str:
    """The ARN of one of this environment's roles."""
    return f"arn:{store.partition}:iam::{store.account_id}:role/{role}"


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
