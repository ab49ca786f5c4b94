"""AWS Secrets Manager: an IAM role, assumed with a ServiceAccount's token or by the operator."""

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.provider import Provider, metadata_of_push
from platform_secrets.rotator.contract import POD_IDENTITY_AUDIENCE, STS_AUDIENCE
from platform_secrets.settings import AwsStore, EcrTokens, Identity, ParameterStore, Settings

_AGENT = "http://169.254.170.23/v1/credentials"
"""Where EKS Pod Identity gives a pod's role its credentials."""
_DOMAINS = {"aws-cn": "amazonaws.com.cn"}


def role_arn(store: AwsStore | ParameterStore | EcrTokens, role: str) -> str:
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
    return STS_AUDIENCE if store.identity == "irsa" else POD_IDENTITY_AUDIENCE


def rotating_store(settings: Settings, name: str) -> AwsStore:
    """A store in which Secrets Manager rotates a database's entry."""
    store = settings.environment.stores[name]
    if not isinstance(store, AwsStore):
        raise LookupError(f"{name} is no store of AWS")
    return store


class WithRole(Provider):
    """Where an IAM role is assumed: with IRSA by the ServiceAccount whose annotation names it, with
    Pod Identity by the operator itself."""

    def __init__(self, store: AwsStore | ParameterStore | EcrTokens) -> None:
        self._store = store

    @property
    def is_reached_by_pod_identity(self) -> bool:
        return self._store.identity == "pod-identity"

    def account_annotations(
        self, identity: Identity, name: str, namespace: str
    ) -> dict[str, str] | None:
        """The role that the operator assumes with this account's token (IRSA)."""
        if self.is_reached_by_pod_identity:
            return None
        return {"eks.amazonaws.com/role-arn": role_arn(self._store, name)}

    def spec(self, account: str, name: str) -> Manifest:
        region = {"region": self._store.region}
        if self.is_reached_by_pod_identity:
            return {**region, "role": role_arn(self._store, name)}
        return {**region, "auth": {"jwt": {"serviceAccountRef": {"name": account}}}}


class Aws(WithRole):
    """A store in AWS Secrets Manager."""

    _service = "SecretsManager"

    @property
    def version_before(self) -> str | None:
        return "AWSPREVIOUS"

    @property
    def address(self) -> tuple[object, ...]:
        return ("aws", self._store.account_id, self._store.region)

    @property
    def misses_values(self) -> bool:
        return self._store.layout == "per-key"

    @property
    def push_metadata(self) -> Manifest | None:
        """The operator writes AWS values as bytes unless it is told otherwise."""
        return metadata_of_push({"secretPushFormat": "string"})

    def spec(self, account: str, name: str) -> Manifest:
        return {"aws": {"service": self._service, **super().spec(account, name)}}
