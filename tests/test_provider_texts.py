"""What the real operator 0.20.4 has said of AWS, Google and Azure, and what the doctor makes of it.

The texts are those of tests/e2e/operations/test_provider_faults.py, as they came.
"""

from typing import Any

import pytest

from platform_secrets.settings import Document, catalogue_document, load, stack_document
from tests.healthy_environment import Environment
from tests.platform import CATALOGUE_FILE, STACK_FILES

READ = "error processing spec.data[0] (key: {entry}), err: "
AWS = "operation error Secrets Manager: GetSecretValue, {}https response error StatusCode: "
ONCE, TRIED = AWS.format(""), AWS.format("exceeded maximum number of attempts, 3, ")
STS = (
    "failed to refresh cached credentials, failed to retrieve credentials, operation error STS: "
    "AssumeRoleWithWebIdentity, https response error StatusCode: "
)
DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/read/external-secrets is not authorized to "
    "perform: secretsmanager:GetSecretValue on resource: {entry} because no "
)
GCP = "unable to access Secret from SecretManager Client: "
GRPC = GCP + "rpc error: code = "
GCP_LOGIN = "failed to create GCP secretmanager client: unable to generate gcp access token: "
GCP_LOGIN += "rpc error: code = "
AZURE = (
    "keyvault.BaseClient#GetSecret: Failure responding to request: StatusCode={0} -- Original "
    "Error: autorest/azure: Service returned an error. Status={0} Code="
)
ENTRA = (
    "http call(https://login.microsoftonline.com/tenant/oauth2/v2.0/token)(POST) error: reply "
    'status code was {}:\n{{"error": "invalid_client", "error_description": "'
)
READS = [
    ("aws", "entry-missing", "Secret does not exist"),
    (
        "aws",
        "entry-disabled",
        f"{ONCE}400, RequestID: , InvalidRequestException: You can't perform this operation on the "
        "secret because it was marked for deletion.",
    ),
    (
        "aws",
        "store-rights",
        f"{ONCE}400, RequestID: , api error AccessDeniedException: {DENIED}identity-based policy "
        "allows the secretsmanager:GetSecretValue action",
    ),
    (
        "aws",
        "store-network-refused",
        f"{ONCE}400, RequestID: , api error AccessDeniedException: {DENIED}VPC endpoint policy "
        "allows the secretsmanager:GetSecretValue action",
    ),
    (
        "aws",
        "store-kms-key",
        f"{ONCE}400, RequestID: , api error AccessDeniedException: Access to KMS is not allowed",
    ),
    (
        "aws",
        "store-kms-key",
        f"{ONCE}400, RequestID: , DecryptionFailure: Secrets Manager can't decrypt the protected "
        "secret text using the provided KMS key.",
    ),
    (
        "aws",
        "store-throttled",
        f"{TRIED}400, RequestID: , api error ThrottlingException: Rate exceeded",
    ),
    (
        "aws",
        "store-unreachable",
        f"{TRIED}500, RequestID: , InternalServiceError: An error occurred on the server side.",
    ),
    (
        "aws",
        "clock",
        f"{ONCE}400, RequestID: , api error InvalidSignatureException: Signature expired: "
        "20261127T030000Z is now earlier than 20261127T034500Z (20261127T035000Z - 5 min.)",
    ),
    ("gcp", "entry-missing", f"{GCP}Secret does not exist"),
    (
        "gcp",
        "entry-disabled",
        f"{GRPC}FailedPrecondition desc = Secret Version [projects/p/secrets/{{entry}}/versions/1] "
        "is in DISABLED state.",
    ),
    (
        "gcp",
        "store-rights",
        f"{GRPC}PermissionDenied desc = Permission 'secretmanager.versions.access' denied for "
        "resource 'projects/p/secrets/{entry}/versions/latest' (or it may not exist).",
    ),
    (
        "gcp",
        "store-path",
        f"{GRPC}PermissionDenied desc = Secret Manager API has not been used in project "
        "123456789012 before or it is disabled. Enable it by visiting "
        "https://console.developers.google.com/apis/api/overview?project=123456789012 then retry.",
    ),
    (
        "gcp",
        "store-network-refused",
        f"{GRPC}PermissionDenied desc = Request is prohibited by organization's policy. "
        "vpcServiceControlsUniqueIdentifier: AbCdEf",
    ),
    (
        "gcp",
        "store-kms-key",
        f"{GRPC}PermissionDenied desc = Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' "
        "denied on resource 'projects/p/locations/l/keyRings/r/cryptoKeys/k' (or it may not "
        "exist).",
    ),
    ("gcp", "store-unreachable", f"{GRPC}Internal desc = Internal error encountered."),
    ("gcp", "store-unreachable", f"{GCP}context deadline exceeded"),
    ("azure", "entry-missing", "Secret does not exist"),
    (
        "azure",
        "entry-disabled",
        AZURE.format(403) + '"Forbidden" Message="Operation get is not allowed on a disabled '
        'secret." InnerError={{"code":"SecretDisabled"}}',
    ),
    (
        "azure",
        "store-rights",
        AZURE.format(403) + '"Forbidden" Message="Caller is not authorized to perform action on '
        "resource.\\r\\nAction: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\\r\\n"
        'Assignment: (not found)" InnerError={{"code":"ForbiddenByRbac"}}',
    ),
    (
        "azure",
        "store-network-refused",
        AZURE.format(403) + '"Forbidden" Message="Client address is not authorized and caller is '
        'not a trusted service.\\r\\nClient address: 203.0.113.7" '
        'InnerError={{"code":"ForbiddenByFirewall"}}',
    ),
    (
        "azure",
        "store-throttled",
        AZURE.format(429) + '"Throttled" Message="Request was not processed because too many '
        'requests were received. Reason: VaultRequestTypeLimitReached"',
    ),
    (
        "azure",
        "store-login",
        AZURE.format(401) + '"Unauthorized" Message="AKV10032: Invalid issuer."',
    ),
]
"""Of an ExternalSecret, by provider and check."""
LOGINS = [
    (
        "aws",
        "store-login",
        f"{STS}403, RequestID: , api error AccessDenied: Not authorized to perform "
        "sts:AssumeRoleWithWebIdentity",
    ),
    (
        "aws",
        "store-login",
        f"{STS}400, RequestID: , InvalidIdentityToken: No OpenIDConnect provider found in your "
        "account for https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE0123456789ABCDEF",
    ),
    (
        "aws",
        "clock",
        f"{STS}400, RequestID: , ExpiredTokenException: Token expired: current date/time "
        "1795747800 must be before the expiration date/time 1795744200",
    ),
    (
        "gcp",
        "store-login",
        f"{GCP_LOGIN}PermissionDenied desc = Permission 'iam.serviceAccounts.getAccessToken' "
        "denied on resource (or it may not exist).",
    ),
    ("gcp", "store-login", f"{GCP_LOGIN}NotFound desc = Unknown service account"),
    (
        "azure",
        "store-login",
        ENTRA.format(401) + "AADSTS700213: No matching federated identity record found for "
        "presented assertion subject 'system:serviceaccount:elsewhere:azure-store'.",
    ),
    (
        "azure",
        "store-login",
        ENTRA.format(400) + "AADSTS700016: Application with identifier 'id' was not found in the "
        "directory 'd'.",
    ),
    (
        "azure",
        "clock",
        ENTRA.format(401) + "AADSTS700024: Client assertion is not within its valid time range. "
        "Current time: 2026-11-27T03:50:00Z, expiry time of assertion 2026-11-27T03:00:00Z.",
    ),
]
"""Of a SecretStore."""


def environment_of(provider, **store):
    """An example's, in which all is well, with changes of its store."""
    document = stack_document(STACK_FILES[f"production-{provider}"])
    content: Any = document.content
    stores = {provider: {**content["stores"][provider], **store}}
    changed = Document(document.file, {**content, "stores": stores})
    [settings] = load([changed], catalogue_document(CATALOGUE_FILE))
    return Environment(settings)


def checks_of(environment):
    return {one.check for one in environment.diagnosed().faults}


def refused(environment, text):
    """Has the environment's first ExternalSecret fail with the operator's words."""
    one = environment.of("ExternalSecret")[0]
    entry = one["spec"]["data"][0]["remoteRef"]["key"]
    name = one["metadata"]["name"]
    environment.fail("ExternalSecret", name, (READ + text).format(entry=entry))
    return checks_of(environment)


@pytest.mark.parametrize(("provider", "check", "text"), READS)
def test_what_is_said_of_a_read_is_told_by_its_kind(provider, check, text):
    assert refused(environment_of(provider), text) == {check}


@pytest.mark.parametrize(("provider", "check", "text"), LOGINS)
def test_what_is_said_of_a_login_is_told_by_its_kind(provider, check, text):
    environment = environment_of(provider)
    environment.fail("SecretStore", f"{provider}-store", text)
    assert checks_of(environment) == {check}


@pytest.mark.parametrize("provider", ["aws", "gcp", "azure"])
def test_a_well_environment_of_each_provider_has_no_fault(provider):
    assert checks_of(environment_of(provider)) == set()


def test_a_word_in_an_entrys_name_is_no_cause():
    pattern = "Throttling/{platform}/{environment}/{key}"
    environment = environment_of("aws", **{"entry-pattern": pattern})
    denied = f"{ONCE}400, RequestID: , api error AccessDeniedException: {DENIED}policy allows it"
    assert refused(environment, denied) == {"store-rights"}


def test_a_proxy_that_lets_nobody_out_is_no_right_that_is_missing():
    text = 'Get "https://veza.vault.azure.net/secrets/{entry}/?api-version=7.0": Forbidden'
    assert refused(environment_of("azure"), text) == {"store-unreachable"}


def test_a_store_of_which_no_entry_is_found_may_be_the_wrong_one():
    environment = environment_of("aws")
    for one in environment.of("ExternalSecret"):
        entry = one["spec"]["data"][0]["remoteRef"]["key"]
        text = READ.format(entry=entry) + "Secret does not exist"
        environment.fail("ExternalSecret", one["metadata"]["name"], text)
    found = environment.diagnosed().faults
    assert {one.check for one in found} == {"entry-missing"}
    assert all("leads store aws to where its entries are" in one.step for one in found)
