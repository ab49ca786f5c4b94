"""What AWS, Google and Azure refuse, in their own words: what an operator's read is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from grpc import StatusCode as Code

from platform_secrets.settings import Document, Settings, load
from tests.e2e.aws import REGION, REPLICA_REGION
from tests.e2e.aws_gate import ASSUME, READ, entry_error, sts_error
from tests.e2e.azure_server import entra_error, vault_error
from tests.e2e.stores import AZURE_TENANT, AZURE_VAULT, GCP_PROJECT, Stores

ACCOUNT = "123456789012"
BUNDLE, KEY = "backend", "smtp-password"
LOG_IN, READ_ENTRY = "log in", "read"
CALLS = {
    "aws": {LOG_IN: ASSUME, READ_ENTRY: READ},
    "gcp": {LOG_IN: "GenerateAccessToken", READ_ENTRY: "AccessSecretVersion"},
    "azure": {LOG_IN: "token", READ_ENTRY: "GET"},
}
"""What the operator asks of each, as the servers' `refusals` name it."""


@dataclass(frozen=True)
class ProviderFault:
    """What happens to an environment of one bundle, and the doctor's check: empty for nothing.

    `refuses` is by step what the provider answers; `changes` are those of the store's settings.
    """

    provider: str
    name: str
    check: str
    refuses: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    loses_entry: bool = False
    is_filled: bool = True
    """Whether it ever had its values."""
    is_slow: bool = False
    """Whether the operator tries again for a minute or more before it tells."""

    @property
    def id(self) -> str:
        return f"{self.provider}-{self.name.replace(' ', '-').lower()}"

    def settings(self, cluster_uid: str, changes: Mapping[str, Any] | None = None) -> Settings:
        """Its environment, with changes of the store or as it was before the fault."""
        catalogue = {
            "platform": "refused",
            "bundles": {BUNDLE: {"secret": BUNDLE, "keys": {KEY: {"description": "a password"}}}},
            "services": {},
        }
        stack = {
            "environment": f"{self.provider}-{PROVIDER_FAULTS.index(self)}",
            "operator": "existing",
            "namespace-name": f"refused-{self.id}",
            "stores": {self.provider: {**_store(self.provider, self.id), **(changes or {})}},
            "cluster": {"uid": cluster_uid},
        }
        [found] = load([Document("stack", stack)], Document("catalogue", catalogue))
        return found

    def happen(self, stores: Stores, namespace: str, entry: str) -> None:
        """The provider refuses from now on."""
        refusals: dict[str, Any] = {
            "aws": stores.aws_gate.refusals,
            "gcp": stores.gcp.identity.refusals,
            "azure": stores.azure.refusals,
        }
        for step, answer in self.refuses.items():
            refusals[self.provider][CALLS[self.provider][step], namespace] = answer
        if self.loses_entry and self.provider == "aws":
            client = stores.aws.client("secretsmanager")
            client.delete_secret(SecretId=entry, ForceDeleteWithoutRecovery=True)
        elif self.loses_entry:
            (stores.gcp if self.provider == "gcp" else stores.azure).remove(entry)


def _store(provider: str, name: str) -> dict[str, Any]:
    if provider == "aws":
        return {"provider": "aws", "region": REGION, "account-id": ACCOUNT}
    if provider == "gcp":
        cluster = {"project": GCP_PROJECT, "location": "europe-west3", "name": GCP_PROJECT}
        return {"provider": "gcp", "project": GCP_PROJECT, "cluster": cluster}
    ids = {"read": str(uuid5(NAMESPACE_DNS, name))}
    store = {"provider": "azure", "vault-name": AZURE_VAULT, "tenant-id": AZURE_TENANT}
    return {**store, "client-ids": ids}


_ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/read/external-secrets"
_ENTRY = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:smtp-password"
_GCP_ENTRY = f"projects/{GCP_PROJECT}/secrets/smtp-password"
AWS = [
    ProviderFault("aws", "well", ""),
    ProviderFault("aws", "store still empty", "", is_filled=False),
    ProviderFault("aws", "entry missing", "entry-missing", loses_entry=True),
    ProviderFault("aws", "another region", "entry-missing", changes={"region": REPLICA_REGION}),
    ProviderFault(
        "aws",
        "entry marked for deletion",
        "entry-disabled",
        {
            READ_ENTRY: entry_error(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for "
                "deletion.",
            )
        },
    ),
    ProviderFault(
        "aws",
        "entry access denied",
        "store-rights",
        {
            READ_ENTRY: entry_error(
                "AccessDeniedException",
                f"User: {_ROLE} is not authorized to perform: secretsmanager:GetSecretValue on "
                f"resource: {_ENTRY} because no identity-based policy allows the "
                "secretsmanager:GetSecretValue action",
            )
        },
    ),
    ProviderFault(
        "aws",
        "network refused",
        "store-network-refused",
        {
            READ_ENTRY: entry_error(
                "AccessDeniedException",
                f"User: {_ROLE} is not authorized to perform: secretsmanager:GetSecretValue on "
                f"resource: {_ENTRY} because no VPC endpoint policy allows the "
                "secretsmanager:GetSecretValue action",
            )
        },
    ),
    ProviderFault(
        "aws",
        "KMS key denied",
        "store-kms-key",
        {READ_ENTRY: entry_error("AccessDeniedException", "Access to KMS is not allowed")},
    ),
    ProviderFault(
        "aws",
        "KMS key disabled",
        "store-kms-key",
        {
            READ_ENTRY: entry_error(
                "DecryptionFailure",
                "Secrets Manager can't decrypt the protected secret text using the provided KMS "
                "key.",
            )
        },
    ),
    ProviderFault(
        "aws",
        "throttled",
        "store-throttled",
        {READ_ENTRY: entry_error("ThrottlingException", "Rate exceeded")},
    ),
    ProviderFault(
        "aws",
        "store down",
        "store-unreachable",
        {
            READ_ENTRY: entry_error(
                "InternalServiceError", "An error occurred on the server side.", 500
            )
        },
    ),
    ProviderFault(
        "aws",
        "clock",
        "clock",
        {
            READ_ENTRY: entry_error(
                "InvalidSignatureException",
                "Signature expired: 20261127T030000Z is now earlier than 20261127T034500Z "
                "(20261127T035000Z - 5 min.)",
            )
        },
    ),
    ProviderFault(
        "aws",
        "role not trusted",
        "store-login",
        {
            LOG_IN: sts_error(
                403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"
            )
        },
    ),
    ProviderFault(
        "aws",
        "issuer unknown",
        "store-login",
        {
            LOG_IN: sts_error(
                400,
                "InvalidIdentityToken",
                "No OpenIDConnect provider found in your account for "
                "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE0123456789ABCDEF",
            )
        },
    ),
    ProviderFault(
        "aws",
        "token expired",
        "clock",
        {
            LOG_IN: sts_error(
                400,
                "ExpiredTokenException",
                "Token expired: current date/time 1795747800 must be before the expiration "
                "date/time 1795744200",
            )
        },
    ),
]
GCP = [
    ProviderFault("gcp", "well", ""),
    ProviderFault("gcp", "entry missing", "entry-missing", loses_entry=True),
    ProviderFault("gcp", "another project", "store-login", changes={"project": "veza-staging"}),
    ProviderFault(
        "gcp",
        "version disabled",
        "entry-disabled",
        {
            READ_ENTRY: (
                Code.FAILED_PRECONDITION,
                f"Secret Version [{_GCP_ENTRY}/versions/1] is in DISABLED state.",
            )
        },
    ),
    ProviderFault(
        "gcp",
        "entry access denied",
        "store-rights",
        {
            READ_ENTRY: (
                Code.PERMISSION_DENIED,
                "Permission 'secretmanager.versions.access' denied for resource "
                f"'{_GCP_ENTRY}/versions/latest' (or it may not exist).",
            )
        },
    ),
    ProviderFault(
        "gcp",
        "API switched off",
        "store-path",
        {
            READ_ENTRY: (
                Code.PERMISSION_DENIED,
                "Secret Manager API has not been used in project 123456789012 before or it is "
                "disabled. Enable it by visiting https://console.developers.google.com/apis/api/"
                "secretmanager.googleapis.com/overview?project=123456789012 then retry.",
            )
        },
    ),
    ProviderFault(
        "gcp",
        "network refused",
        "store-network-refused",
        {
            READ_ENTRY: (
                Code.PERMISSION_DENIED,
                "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier"
                ": AbCdEf",
            )
        },
    ),
    ProviderFault(
        "gcp",
        "KMS key denied",
        "store-kms-key",
        {
            READ_ENTRY: (
                Code.PERMISSION_DENIED,
                "Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied on resource "
                f"'projects/{GCP_PROJECT}/locations/europe-west3/keyRings/r/cryptoKeys/k' (or it "
                "may not exist).",
            )
        },
    ),
    ProviderFault(
        "gcp",
        "store down",
        "store-unreachable",
        {READ_ENTRY: (Code.INTERNAL, "Internal error encountered.")},
    ),
    ProviderFault(
        "gcp",
        "may not impersonate",
        "store-login",
        {
            LOG_IN: (
                Code.PERMISSION_DENIED,
                "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not "
                "exist).",
            )
        },
    ),
    ProviderFault(
        "gcp",
        "service account deleted",
        "store-login",
        {LOG_IN: (Code.NOT_FOUND, "Unknown service account")},
    ),
    ProviderFault(
        "gcp",
        "throttled",
        "store-unreachable",
        {
            READ_ENTRY: (
                Code.RESOURCE_EXHAUSTED,
                "Quota exceeded for quota metric 'Access requests' and limit 'Access requests per "
                "minute' of service 'secretmanager.googleapis.com'.",
            )
        },
        is_slow=True,
    ),
]
AZURE = [
    ProviderFault("azure", "well", ""),
    ProviderFault("azure", "entry missing", "entry-missing", loses_entry=True),
    ProviderFault(
        "azure",
        "entry disabled",
        "entry-disabled",
        {
            READ_ENTRY: vault_error(
                403,
                "Forbidden",
                "Operation get is not allowed on a disabled secret.",
                inner="SecretDisabled",
            )
        },
    ),
    ProviderFault(
        "azure",
        "entry access denied",
        "store-rights",
        {
            READ_ENTRY: vault_error(
                403,
                "Forbidden",
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, "
                "deny assignments or role definitions were changed recently, please observe "
                "propagation time.\r\nCaller: appid=00000000-0000-4000-8000-000000000001\r\n"
                "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n"
                "Assignment: (not found)",
                inner="ForbiddenByRbac",
            )
        },
    ),
    ProviderFault(
        "azure",
        "network refused",
        "store-network-refused",
        {
            READ_ENTRY: vault_error(
                403,
                "Forbidden",
                "Client address is not authorized and caller is not a trusted service.\r\n"
                "Client address: 203.0.113.7\r\nCaller: appid=00000000-0000-4000-8000-000000000001",
                inner="ForbiddenByFirewall",
            )
        },
    ),
    ProviderFault(
        "azure",
        "throttled",
        "store-throttled",
        {
            READ_ENTRY: vault_error(
                429,
                "Throttled",
                "Request was not processed because too many requests were received. Reason: "
                "VaultRequestTypeLimitReached",
                {"Retry-After": "1"},
            )
        },
    ),
    ProviderFault(
        "azure",
        "issuer of another tenant",
        "store-login",
        {
            READ_ENTRY: vault_error(
                401, "Unauthorized", "AKV10032: Invalid issuer. Expected one of https://sts…"
            )
        },
    ),
    ProviderFault(
        "azure",
        "identity not bound",
        "store-login",
        {
            LOG_IN: entra_error(
                401,
                "invalid_client",
                "AADSTS700213: No matching federated identity record found for presented assertion "
                "subject 'system:serviceaccount:elsewhere:azure-store'.",
            )
        },
    ),
    ProviderFault(
        "azure",
        "identity deleted",
        "store-login",
        {
            LOG_IN: entra_error(
                400,
                "unauthorized_client",
                "AADSTS700016: Application with identifier '00000000-0000-4000-8000-000000000001' "
                "was not found in the directory 'veza'.",
            )
        },
    ),
    ProviderFault(
        "azure",
        "clock",
        "clock",
        {
            LOG_IN: entra_error(
                401,
                "invalid_client",
                "AADSTS700024: Client assertion is not within its valid time range. Current time: "
                "2026-11-27T03:50:00Z, assertion valid from 2026-11-27T02:00:00Z, expiry time of "
                "assertion 2026-11-27T03:00:00Z.",
            )
        },
    ),
]
PROVIDER_FAULTS = sorted([*AWS, *AZURE, *GCP], key=lambda one: one.is_slow)
