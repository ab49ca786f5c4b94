"""Stores without entries: short-lived tokens, for which the operator asks at each refresh."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from platform_secrets.settings.any_store import AnyStore, Layout
from platform_secrets.settings.aws import AccountId, Partition
from platform_secrets.settings.gcp import GkeCluster
from platform_secrets.settings.model import DnsSubdomain, HttpsUrl, Model, text_of
from platform_secrets.settings.secret_kinds import FieldName
from platform_secrets.settings.store_texts import AwsRegion, ProjectId, Uuid

Number = Annotated[str, text_of(r"[0-9]+", "a number, quoted", 20)]
RegistryHost = Annotated[
    str,
    text_of(r"[a-z0-9]+(-[a-z0-9]+)?\.azurecr\.(io|us|cn)", "a host such as rook.azurecr.io", 80),
]
Scope = Annotated[
    str,
    text_of(r"repository:[A-Za-z0-9._/-]+:[a-z,_*]+", "such as repository:shop/web:pull", 300),
]
Repository = Annotated[str, text_of(r"[A-Za-z0-9._-]+", "a repository's name without owner", 100)]
Permission = Annotated[str, text_of(r"[a-z][a-z_]*", "a permission such as contents", 100)]


class TokenStore(AnyStore):
    """What all of them have."""

    may_leave_out_its_name: ClassVar[bool] = False  # a store of the same provider may, beside it
    layout: ClassVar[Layout] = "bundle"
    entry_pattern: ClassVar[str | None] = None


class EcrTokens(TokenStore):
    """Logins to the registries of an AWS account, through an IAM role that others declare."""

    outputs: ClassVar[tuple[str, ...]] = ("username", "password", "proxy_endpoint", "expires_at")
    lifetime: ClassVar[timedelta | None] = timedelta(hours=12)
    longest_identity_name: ClassVar[int | None] = 64  # an IAM role's

    provider: Literal["ecr-token"]
    """AWS Elastic Container Registry."""
    region: AwsRegion
    """Of the registry."""
    account_id: AccountId
    """The account that holds the role."""
    partition: Partition = "aws"
    """Which of Amazon's clouds."""
    identity: Literal["irsa", "pod-identity"] = "irsa"
    """Who assumes the role: the store's ServiceAccount, or the operator for all of its stores."""


class GcpTokens(TokenStore):
    """Access tokens of Google, for Artifact Registry and whatever else the identity may do."""

    outputs: ClassVar[tuple[str, ...]] = ("username", "password", "expiry")
    lifetime: ClassVar[timedelta | None] = timedelta(hours=1)
    longest_identity_name: ClassVar[int | None] = 30  # a service account's ID

    provider: Literal["gcp-token"]
    """Google Cloud."""
    project: ProjectId
    """The project that holds the service account."""
    cluster: GkeCluster
    access: Literal["service-account", "direct"] = "service-account"
    """Whose token it is: that of a Google service account that the cluster's account acts as, or of
    the cluster's account itself."""


class AcrTokens(TokenStore):
    """Logins to an Azure Container Registry, through a managed identity that others declare."""

    outputs: ClassVar[tuple[str, ...]] = ("username", "password")
    lifetime: ClassVar[timedelta | None] = timedelta(hours=1)

    provider: Literal["acr-token"]
    """Azure Container Registry."""
    registry: RegistryHost
    """Its host."""
    tenant_id: Uuid
    """The Entra tenant."""
    client_id: Uuid
    """The managed identity whose federated credential trusts the store's ServiceAccount."""
    cloud: Literal["PublicCloud", "USGovernmentCloud", "ChinaCloud"] = "PublicCloud"
    """Which of Azure's clouds."""
    scope: Scope | None = None
    """What the token may do, of one repository; all that the identity may, unless it is set."""


class SecretKey(Model):
    """A value in a Secret of the same namespace."""

    name: DnsSubdomain
    """The Secret, which a bundle of the catalogue makes."""
    key: FieldName
    """The name of the value in it."""


class GithubTokens(TokenStore):
    """Tokens of a GitHub App's installation."""

    outputs: ClassVar[tuple[str, ...]] = ("token",)
    lifetime: ClassVar[timedelta | None] = timedelta(hours=1)

    provider: Literal["github-token"]
    """GitHub, or a GitHub Enterprise server."""
    app_id: Number
    """The App's ID."""
    installation_id: Number
    """Of the App's installation in an organization."""
    private_key: SecretKey
    """Where the App's private key is."""
    permissions: Annotated[dict[Permission, Literal["read", "write", "admin"]], Field(min_length=1)]
    """What a token may do, such as {contents: read}: no more than the App may."""
    repositories: Annotated[list[Repository], Field(default_factory=list)]
    """The repositories that a token is for; all of the installation's if empty."""
    url: HttpsUrl = "https://api.github.com"
    """The API's address; of GitHub Enterprise https://<host>/api/v3."""
