"""The stores of a stack: one class for each provider, each with its provider's own fields."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from settings.model import DnsLabel, HttpsUrl, Model, text_of

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


_FIELD = re.compile(r"\{(platform|environment|key)\}")


def _entry_pattern(text: str) -> str:
    """Fits both clouds' rules for names, also with the longest platform, environment and key."""
    fields, literal = _FIELD.findall(text), _FIELD.sub("", text)
    if "key" not in fields or len(fields) != len(set(fields)):
        raise ValueError("must hold {key} once, and may hold {platform} and {environment} once")
    if not re.fullmatch(r"[A-Za-z0-9-]{0,16}", literal) or not re.match(r"[A-Za-z{]", text):
        message = (
            "may hold at most 16 letters, digits and hyphens beside its fields, a letter first"
        )
        raise ValueError(message)
    return text


def _pem_certificates(text: str) -> str:
    block = r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n*"
    if not re.fullmatch(rf"({block})+", text):
        raise ValueError("must be one or more certificates in PEM, and nothing else")
    return text


PemCertificates = Annotated[str, AfterValidator(_pem_certificates)]
StoreName = Annotated[
    str,
    text_of(
        r"(?!.*-(rotation|seed)$)[a-z]([-a-z0-9]*[a-z0-9])?",
        "a name of lower-case letters, digits and hyphens that does not end in -rotation or -seed",
        20,
    ),
]
EntryPattern = Annotated[str, AfterValidator(_entry_pattern)]
Uuid = Annotated[
    str,
    text_of(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in lower-case letters", 36),
]
PathSegments = Annotated[
    str, text_of(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", "a path without slashes at its ends", 200)
]


class ProviderHalf(Model):
    """What a stack declares on the provider's side of a store."""

    backend: Literal["declare", "existing"] = "existing"
    """Whether this stack declares the store's identities, their rights, and its entries."""
    shared: Literal["own", "existing"] = "existing"
    """With `backend: declare`: whether it also owns what environments share, such as Vault's
    engine, auth method and audit device, or AWS's trust in the cluster's issuer. Exactly one
    stack does."""


class VaultStore(ProviderHalf):
    """HashiCorp Vault, or OpenBao: a KV version 2 engine and an auth method of the cluster."""

    provider: Literal["vault"]
    layout: Layout = "bundle"
    server: HttpsUrl
    mount: PathSegments = "secret"
    namespace: PathSegments | None = None
    """Vault Enterprise's namespace."""
    auth_method: Literal["kubernetes", "jwt"] = "kubernetes"
    """`jwt` for a Vault that can't reach the cluster's TokenReview."""
    auth_mount: PathSegments = "kubernetes"
    audience: str = "vault"
    ca_certificate: PemCertificates | None = None
    """The authority of the server's certificate, where it is no public one: PEM, no secret."""
    max_versions: Annotated[int, Field(ge=2, le=1000)] = 10
    audit_file: Annotated[str, text_of(r"/[A-Za-z0-9._/-]+", "a path in Vault's pod", 200)] = (
        "/vault/audit/audit.log"
    )
    cluster_api_server: HttpsUrl = "https://kubernetes.default.svc"
    """Where Vault asks for a review of tokens; its own cluster unless it is set."""
    cluster_issuer: HttpsUrl | None = None
    """With `auth-method: jwt`: the cluster's issuer of ServiceAccount tokens."""

    @property
    def needs_issuer(self) -> bool:
        return self.shared == "own" and self.auth_method == "jwt"


class AwsStore(ProviderHalf):
    """AWS Secrets Manager, reached through IAM roles for service accounts."""

    provider: Literal["aws"]
    layout: Layout = "per-key"
    region: Annotated[
        str, text_of(r"[a-z]{2}(-[a-z]+)+-[0-9]", "a region such as eu-central-1", 30)
    ]
    account_id: Annotated[str, text_of(r"[0-9]{12}", "an account's twelve digits, quoted", 12)]
    partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws"
    oidc_issuer: HttpsUrl | None = None
    """With `backend: declare`: the cluster's issuer of ServiceAccount tokens, which the account
    trusts; on EKS https://oidc.eks.<region>.amazonaws.com/id/<ID>."""
    recovery_window_days: Annotated[int, Field(ge=0, le=30)] = 30
    """With `backend: declare`: how long a deleted entry can be brought back; 0 is not at all, and
    only for an environment with `protect: false`."""


class GkeCluster(Model):
    """The GKE cluster whose workload identities the project trusts."""

    project: Annotated[str, text_of(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", "a project id", 30)]
    location: Annotated[str, text_of(r"[a-z]+-[a-z]+[0-9](-[a-z])?", "a region or zone", 30)]
    name: DnsLabel


class GcpStore(Model):
    """GCP Secret Manager, reached through Workload Identity Federation for GKE."""

    provider: Literal["gcp"]
    layout: Layout = "per-key"
    project: Annotated[str, text_of(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", "a project id", 30)]
    cluster: GkeCluster
    entry_pattern: EntryPattern = "{platform}-{environment}-{key}"
    """The name of a key's entry; without {environment} where each has a project of its own."""


class ClientIds(Model):
    """The client IDs of the managed identities: Azure chooses them, so they can't be computed."""

    read: Uuid
    rotation: Uuid | None = None
    seed: Uuid | None = None


class AzureStore(Model):
    """Azure Key Vault, reached through Microsoft Entra Workload ID. It can't push a property."""

    provider: Literal["azure"]
    layout: Literal["per-key"] = "per-key"
    vault_name: Annotated[
        str,
        text_of(
            r"[A-Za-z](-?[A-Za-z0-9])+",
            "a key vault's name: 3 letters, digits and single hyphens or more",
            24,
        ),
    ]
    tenant_id: Uuid
    client_ids: ClientIds
    cloud: Literal["PublicCloud", "USGovernmentCloud", "ChinaCloud"] = "PublicCloud"
    entry_pattern: EntryPattern = "{platform}-{environment}-{key}"


Store = Annotated[
    VaultStore | AwsStore | GcpStore | AzureStore,
    Field(discriminator="provider"),
]
