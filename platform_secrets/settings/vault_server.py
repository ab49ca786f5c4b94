"""Vault or OpenBao on the stack's own cluster, installed by this stack for all who use it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from platform_secrets.settings.charts import ChartRepository, ChartVersion
from platform_secrets.settings.model import DnsSubdomain, Line, Model, Namespace, text_of
from platform_secrets.settings.store_texts import AwsRegion, KeyVaultName, ProjectId, Uuid

KeyName = Annotated[str, text_of(r"[A-Za-z0-9_-]+", "a key's name", 127)]
Quantity = Annotated[str, text_of(r"[1-9][0-9]{0,4}[MGT]i", "a size such as 10Gi", 8)]


class AwsKmsSeal(Model):
    """A key of AWS KMS, used as an IAM role that the servers' ServiceAccount acts as (IRSA)."""

    provider: Literal["aws"]
    """AWS KMS."""
    region: AwsRegion
    """Of the key."""
    key: Annotated[
        str, text_of(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+", "a key's ARN", 200)
    ]
    """The key's ARN."""
    role: Annotated[
        str,
        text_of(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+", "a role's ARN", 600),
    ]
    """The ARN of the role that may use it."""


class GcpKmsSeal(Model):
    """A key of Google Cloud KMS, used through Workload Identity Federation for GKE."""

    provider: Literal["gcp"]
    """Google Cloud KMS."""
    project: ProjectId
    """Of the key."""
    location: Annotated[str, text_of(r"[a-z]+(-[a-z]+[0-9]+)?", "a region, or global", 30)]
    """Of the key ring."""
    key_ring: KeyName
    """The key ring's name."""
    key: KeyName
    """The key's name."""
    service_account: (
        Annotated[
            str,
            text_of(
                r"[a-z0-9-]+@[a-z0-9-]+\.iam\.gserviceaccount\.com",
                "a service account's e-mail",
                100,
            ),
        ]
        | None
    ) = None
    """Whom the servers' ServiceAccount acts as; the right is its own unless this is set."""


class AzureKeyVaultSeal(Model):
    """A key in an Azure key vault, used through Microsoft Entra Workload ID."""

    provider: Literal["azure"]
    """Azure Key Vault."""
    tenant_id: Uuid
    """Of the vault and the identity."""
    client_id: Uuid
    """Of the managed identity that trusts the servers' ServiceAccount."""
    vault_name: KeyVaultName
    """The vault that holds the key."""
    key: KeyName
    """The key's name."""


Seal = Annotated[AwsKmsSeal | GcpKmsSeal | AzureKeyVaultSeal, Field(discriminator="provider")]


class ServerChart(Model):
    """Where the chart comes from, and what to change of its values."""

    version: ChartVersion | None = None
    """The one that this program was written for unless it is set."""
    repository: ChartRepository | None = None
    """The product's own unless it is set."""
    path: Line | None = None
    """A chart's folder or archive on disk instead; under Pulumi only."""
    values: dict[str, Any] = {}
    """Laid over the values that this program sets."""


class VaultServer(Model):
    """Three servers with integrated storage and TLS. Initialising them is left to people."""

    product: Literal["vault", "openbao"] = "vault"
    """Which of the two is installed."""
    namespace: Namespace = "vault-system"
    """Where; nothing else runs there."""
    chart: ServerChart = ServerChart()
    certificate: DnsSubdomain = "vault-tls"
    """A Secret with tls.crt, tls.key and ca.crt in that namespace, such as cert-manager makes; for
    the name vault.<namespace>.svc."""
    seal: Seal | None = None
    """A key that unseals the servers; without one, people do after every start of a server. OpenBao
    2.7 and later have such keys as plugins only, which this program does not set up."""
    storage_class: DnsSubdomain | None = None
    """An encrypted one, for data and audit log; the cluster's default unless it is set."""
    data_size: Quantity = "10Gi"
    """Of each server's disk for data."""
    audit_size: Quantity = "10Gi"
    """Of each server's disk for its audit log."""

    @property
    def host(self) -> str:
        """The servers' name in the cluster."""
        return f"vault.{self.namespace}.svc"
