"""The stores of a stack: one class for each provider, each with its provider's own fields."""

from typing import Annotated, Literal

from pydantic import Field

from settings.aws import Alarm, EksClusterName, RoleName, RotatedDatabase
from settings.azure import (
    AzureRegion,
    ClientIds,
    Ipv4Cidr,
    ResourceGroup,
    SubnetId,
    WorkspaceId,
)
from settings.databases import PostgresDatabase
from settings.gcp import GkeCluster, Reminders
from settings.model import HttpsUrl, Model, PathSegments, Text, text_of
from settings.store_texts import (
    AwsRegion,
    DestroyDelay,
    EntryPattern,
    GcpRegion,
    KeyVaultName,
    KmsKeyPattern,
    PathPattern,
    PemCertificates,
    ProjectId,
    Uuid,
)

Identity = Literal["read", "rotation", "seed"]
"""What an identity may do: read an environment's entries, write the generated ones, or all."""

SECRET_STORE_SUFFIXES: dict[Identity, str] = {
    "read": "store",
    "rotation": "rotation-store",
    "seed": "seed-store",
}
"""What the SecretStore and the ServiceAccount of an identity are called after their store."""

Layout = Literal["bundle", "per-key"]
"""One entry for a bundle, its keys as properties; or one entry for each key."""


class ProviderHalf(Model):
    """What a stack declares on the provider's side of a store."""

    backend: Literal["declare", "existing"] = "existing"
    """Whether this stack declares the store's identities, their rights, and its entries."""
    shared: Literal["own", "existing"] = "existing"
    """With `backend: declare`: whether it also owns what environments share, such as Vault's
    engine, auth method and audit device. Exactly one stack does."""


class VaultStore(ProviderHalf):
    """HashiCorp Vault, or OpenBao: a KV version 2 engine and an auth method of the cluster."""

    provider: Literal["vault"]
    """HashiCorp Vault, or OpenBao."""
    layout: Layout = "bundle"
    """An entry for each bundle, or one for each key."""
    entry_pattern: PathPattern | None = None
    """The name of an entry, of {platform}, {environment} and {bundle}, and in layout `per-key` of
    {key}; unless it is set {platform}/{environment}/{bundle} or {platform}/{environment}/{key},
    and {platform}/{environment} for the bundle `shared`."""
    server: HttpsUrl
    """Its address, as the operator reaches it."""
    mount: PathSegments = "secret"
    """Where the KV engine is mounted."""
    namespace: PathSegments | None = None
    """Vault Enterprise's namespace."""
    auth_method: Literal["kubernetes", "jwt"] = "kubernetes"
    """`jwt` for a Vault that can't reach the cluster's TokenReview."""
    auth_mount: PathSegments = "kubernetes"
    """Where the cluster's auth method is mounted."""
    auth: Literal["own", "existing"] | None = None
    """With `backend: declare`: whether this stack owns the cluster's auth method; as `shared`
    unless it is set. `own` beside `shared: existing` is for a cluster that no other stack uses."""
    audience: Text = "vault"
    """For whom the ServiceAccounts' tokens are made out."""
    ca_certificate: PemCertificates | None = None
    """The authority of the server's certificate, where it is no public one: PEM, no secret."""
    max_versions: Annotated[int, Field(ge=2, le=1000)] = 10
    """With `shared: own`: how many versions of an entry are kept."""
    audit: Literal["declare", "existing"] = "declare"
    """With `shared: own`: `existing` where the server's own configuration has the audit device,
    as OpenBao wants it."""
    audit_file: Annotated[str, text_of(r"/[A-Za-z0-9._/-]+", "a path in Vault's pod", 200)] = (
        "/vault/audit/audit.log"
    )
    """With `shared: own`: where the audit device writes."""
    cluster_api_server: HttpsUrl = "https://kubernetes.default.svc"
    """Where Vault asks for a review of tokens; its own cluster unless it is set."""
    cluster_issuer: HttpsUrl | None = None
    """With `auth-method: jwt`: the cluster's issuer of ServiceAccount tokens."""
    cluster_ca_certificate: PemCertificates | None = None
    """With the auth method of this stack's own: the authority of the certificates of
    `cluster-issuer` or `cluster-api-server`, where it is no public one and not that of Vault's own
    cluster: PEM, no secret."""
    database: PostgresDatabase | None = None
    """Has the engine own the catalogue's key with `by: database`; a plain entry otherwise."""

    @property
    def owns_auth(self) -> bool:
        return (self.auth or self.shared) == "own"

    @property
    def needs_issuer(self) -> bool:
        return self.owns_auth and self.auth_method == "jwt"


class AwsStore(ProviderHalf):
    """AWS Secrets Manager, reached through IAM roles."""

    provider: Literal["aws"]
    """AWS Secrets Manager."""
    layout: Layout = "per-key"
    """An entry for each key, or one for a bundle."""
    entry_pattern: PathPattern | None = None
    """The name of an entry, of {platform}, {environment} and {bundle}, and in layout `per-key` of
    {key}; unless it is set {platform}/{environment}/{key} or {platform}/{environment}/{bundle},
    and {platform}/{environment} for the bundle `shared`."""
    region: AwsRegion
    """Of the entries."""
    account_id: Annotated[str, text_of(r"[0-9]{12}", "an account's twelve digits, quoted", 12)]
    """The account that holds them."""
    partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws"
    """Which of Amazon's clouds."""
    identity: Literal["irsa", "pod-identity"] = "irsa"
    """Who assumes the roles: each store's ServiceAccount, or the operator for all of its stores."""
    oidc_issuer: HttpsUrl | None = None
    """With `backend: declare`: the cluster's issuer of ServiceAccount tokens, which the account
    trusts; on EKS https://oidc.eks.<region>.amazonaws.com/id/<ID>."""
    operator_role: RoleName | None = None
    """With `identity: pod-identity` and `backend: declare`: the role of the operator's own pods."""
    eks_cluster: EksClusterName | None = None
    """With `shared: own` or `database` too: the cluster, in the store's region, whose operator or
    rotator gets its role."""
    recovery_window_days: Annotated[int, Field(ge=0, le=30)] = 30
    """With `backend: declare`: how long a deleted entry can be brought back; 0 is not at all, and
    only for an environment with `protect: false`."""
    replica_regions: list[AwsRegion] = []
    """With `backend: declare`: further regions that hold a copy of each entry, each with a key of
    its own; readers may read there too."""
    database: RotatedDatabase | None = None
    """Has Secrets Manager rotate the catalogue's key with `by: database`; a plain entry otherwise.
    """
    alarm: Alarm | None = None
    """With `backend: declare`: who hears of denied calls and unusual reads."""

    @property
    def missing(self) -> list[str]:
        """The settings that `backend: declare` needs and that are not set."""
        if self.backend != "declare":
            return []
        needed = {"oidc-issuer": self.oidc_issuer}
        if self.identity == "pod-identity":
            needed = {"operator-role": self.operator_role}
            if self.shared == "own" or self.database:
                needed["eks-cluster"] = self.eks_cluster
        if self.database:
            needed["database.rotation-lambda-arn"] = self.database.rotation_lambda_arn
        return [name for name, value in needed.items() if value is None]


class GcpStore(ProviderHalf):
    """GCP Secret Manager, reached through Workload Identity Federation for GKE."""

    provider: Literal["gcp"]
    """GCP Secret Manager."""
    layout: Layout = "per-key"
    """An entry for each key, or one for a bundle."""
    project: ProjectId
    """The project that holds the entries."""
    cluster: GkeCluster
    entry_pattern: EntryPattern | None = None
    """The name of an entry; without {environment} where each has a project of its own. Unless it is
    set {platform}-{environment}-{key}, and -{bundle} in layout `bundle`."""
    access: Literal["service-account", "direct"] = "service-account"
    """Who holds the rights: Google service accounts that the cluster's accounts act as, or the
    cluster's accounts themselves."""
    locations: Annotated[list[GcpRegion], Field(default_factory=list)]
    """The regions that hold the values; Google chooses them if empty. It can't change later."""
    kms_key: KmsKeyPattern | None = None
    """A key of your own for the values; `{location}` becomes each region, or `global`."""
    version_destroy_delay: DestroyDelay | None = None
    """How long a version that somebody destroys can still be had back."""
    reminders: Reminders | None = None
    """With `backend: declare`: messages that a key which people change by hand is due."""


class AzureStore(ProviderHalf):
    """Azure Key Vault, reached through Microsoft Entra Workload ID. It can't push a property."""

    provider: Literal["azure"]
    """Azure Key Vault."""
    layout: Literal["per-key"] = "per-key"
    """An entry for each key."""
    vault_name: KeyVaultName
    """The key vault; its name is unique in all of Azure."""
    tenant_id: Uuid
    """Of the vault and the identities."""
    client_ids: ClientIds
    cloud: Literal["PublicCloud", "USGovernmentCloud", "ChinaCloud"] = "PublicCloud"
    """Which of Azure's clouds."""
    entry_pattern: EntryPattern | None = None
    """The name of a key's secret; {platform}-{environment}-{key} unless it is set."""
    subscription_id: Uuid | None = None
    """With `backend: declare`: where the vault and the identities are made."""
    resource_group: ResourceGroup | None = None
    """With `backend: declare`: an existing resource group."""
    location: AzureRegion | None = None
    """With `backend: declare`: where vault and identities are, such as westeurope."""
    oidc_issuer: HttpsUrl | None = None
    """With `backend: declare`: the cluster's issuer of ServiceAccount tokens, exactly as its tokens
    name it, a slash at the end included."""
    allowed_cidrs: list[Ipv4Cidr] = []
    """Public networks that reach the vault; without any, and without subnets, only a private
    endpoint does."""
    allowed_subnets: list[SubnetId] = []
    """Subnets, with the service endpoint of Key Vault, that reach the vault."""
    log_analytics_workspace: WorkspaceId | None = None
    """Where the vault's audit log goes; nowhere without it."""
    soft_delete_days: Annotated[int, Field(ge=7, le=90)] = 90
    """How long a deleted secret or vault can be recovered. Azure never lets it be changed."""

    @property
    def missing(self) -> list[str]:
        """The settings that `backend: declare` needs and that are not set."""
        needed = ("subscription-id", "resource-group", "location", "oidc-issuer")
        if self.backend != "declare":
            return []
        return [name for name in needed if getattr(self, name.replace("-", "_")) is None]


Store = Annotated[
    VaultStore | AwsStore | GcpStore | AzureStore,
    Field(discriminator="provider"),
]
