"""Resources at providers for test_policy.py: good ones, and single fields that break a rule."""

import json
from typing import Any

ACCOUNT = "system:serviceaccount:shop:vault-store"
ISSUER = "oidc.example.com/id/1"


def iam(**statement: Any) -> str:
    """A policy with one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def trust(principal: Any, claims: dict[str, str], operator: str = "StringEquals") -> str:
    return iam(Principal=principal, Action="sts:AssumeRole", Condition={operator: claims})


def path(path: str, capability: str = "read") -> str:
    return f'# never "*"\npath "{path}" {{\n  capabilities = ["{capability}"]\n}}\n'


FEDERATED = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"}
POD = {"Service": "pods.eks.amazonaws.com"}
ENTRY = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-??????"
READ = {"Action": ["secretsmanager:GetSecretValue"], "Resource": [ENTRY]}
ENTRY_TAKEN_AS_ONE = f"{ENTRY.removesuffix('??????')}*"
VAULT_ROLE = "vault:kubernetes/authBackendRole:AuthBackendRole"
JWT_ROLE = "vault:jwt/authBackendRole:AuthBackendRole"
AWS_ROLE = "aws:iam/role:Role"
AWS_RIGHTS = "aws:iam/rolePolicy:RolePolicy"
AWS_KEY = "aws:kms/key:Key"
AWS_ENTRY = "aws:secretsmanager/secret:Secret"
PARAMETER = "aws:ssm/parameter:Parameter"
GCP_RIGHT = "gcp:projects/iAMMember:IAMMember"
GCP_ENTRY_RIGHT = "gcp:secretmanager/secretIamMember:SecretIamMember"
GCP_WORKLOAD = "gcp:serviceaccount/iAMMember:IAMMember"
AZURE_ROLE = "azure-native:authorization:RoleDefinition"
AZURE_TRUST = "azure-native:managedidentity:FederatedIdentityCredential"
KEY_VAULT = "azure-native:keyvault:Vault"
VAULT_POLICY = "vault:index/policy:Policy"
ENDPOINT = "vault:generic/endpoint:Endpoint"
PROVIDER = "pulumi:providers:vault"
METHOD = "vault:kubernetes/authBackendConfig:AuthBackendConfig"

GOOD_RESOURCES: dict[str, dict[str, Any]] = {
    VAULT_POLICY: {"policy": path("secret/data/shop")},
    VAULT_ROLE: {
        "boundServiceAccountNames": ["vault-store"],
        "boundServiceAccountNamespaces": ["shop"],
    },
    JWT_ROLE: {"boundClaims": {"sub": ACCOUNT}, "boundClaimsType": "string"},
    METHOD: {"kubernetesHost": "https://10.0.0.1:6443"},
    ENDPOINT: {"path": "secret/metadata/shop"},
    PROVIDER: {"address": "https://vault.example.com", "skipTlsVerify": "false"},
    AWS_ROLE: {"assumeRolePolicy": trust(FEDERATED, {f"{ISSUER}:sub": ACCOUNT})},
    AWS_RIGHTS: {"policy": iam(**READ)},
    AWS_KEY: {"policy": iam(Action="kms:Decrypt", Resource="*"), "pulumi:protect": True},
    AWS_ENTRY: {"recoveryWindowInDays": 30, "pulumi:protect": True},
    PARAMETER: {"type": "String", "value": "eu-central-1"},
    GCP_RIGHT: {"role": "roles/logging.viewer"},
    GCP_ENTRY_RIGHT: {"role": "roles/secretmanager.secretAccessor", "member": "principal://a/b"},
    GCP_WORKLOAD: {"member": "serviceAccount:shop.svc.id.goog[shop/gcp-store]"},
    AZURE_ROLE: {
        "permissions": [
            {"actions": [], "dataActions": ["Microsoft.KeyVault/vaults/secrets/getSecret/action"]}
        ]
    },
    AZURE_TRUST: {"subject": ACCOUNT},
    KEY_VAULT: {
        "properties": {"enableSoftDelete": True, "enablePurgeProtection": True},
        "pulumi:protect": True,
    },
}
LIKE = {
    "aws:iam/policy:Policy": AWS_RIGHTS,
    "aws:secretsmanager/secretPolicy:SecretPolicy": AWS_RIGHTS,
    "gcp:projects/iAMBinding:IAMBinding": GCP_RIGHT,
    "vault:index/mount:Mount": AWS_ENTRY,
    "gcp:secretmanager/secret:Secret": AWS_ENTRY,
    "vault:jwt/authBackend:AuthBackend": METHOD,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": METHOD,
    **{f"pulumi:providers:{one}": PROVIDER for one in ("kubernetes", "aws", "gcp", "azure-native")},
}
"""Kinds that are judged as another one is."""
GOOD_RESOURCES |= {kind: {**GOOD_RESOURCES[other]} for kind, other in LIKE.items()}
for kind, resource in GOOD_RESOURCES.items():
    resource["kind"] = kind
CLAIMS = {
    f"aws:RequestTag/{name}": content
    for name, content in (("kubernetes-namespace", "shop"), ("eks-cluster-arn", "arn:aws:eks"))
}
BROKEN_RESOURCES: list[tuple[str, str, str, Any]] = [
    ("exact-rights", VAULT_POLICY, "policy", path("secret/data/*")),
    ("exact-rights", VAULT_POLICY, "policy", path("secret/+/shop")),
    ("exact-rights", VAULT_POLICY, "policy", path("sys/raw", "sudo")),
    ("exact-rights", AWS_RIGHTS, "policy", iam(**READ | {"Action": "secretsmanager:*"})),
    ("exact-rights", AWS_RIGHTS, "policy", iam(**READ | {"Resource": [ENTRY, "*"]})),
    ("exact-rights", AWS_RIGHTS, "policy", iam(**READ | {"Resource": ENTRY_TAKEN_AS_ONE})),
    ("exact-rights", AWS_RIGHTS, "policy", iam(NotAction="iam:*", Resource=ENTRY)),
    ("exact-rights", AWS_RIGHTS, "policy", iam(Action="kms:Decrypt", NotResource=ENTRY)),
    ("exact-rights", AWS_KEY, "policy", iam(Action="kms:*", Resource="*")),
    ("exact-rights", GCP_RIGHT, "role", "roles/secretmanager.secretAccessor"),
    ("exact-rights", GCP_RIGHT, "role", "roles/editor"),
    ("exact-rights", AZURE_ROLE, "permissions.0.dataActions", ["Microsoft.KeyVault/vaults/*"]),
    ("exact-rights", AZURE_ROLE, "permissions.0.actions", ["*"]),
    ("one-account", VAULT_ROLE, "boundServiceAccountNames", ["*"]),
    ("one-account", VAULT_ROLE, "boundServiceAccountNamespaces", ["shop-*"]),
    ("one-account", VAULT_ROLE, "boundServiceAccountNamespaces", []),
    ("one-account", JWT_ROLE, "boundClaims", {"namespace": "shop"}),
    ("one-account", JWT_ROLE, "boundClaimsType", "glob"),
    ("one-account", AWS_ROLE, "assumeRolePolicy", trust("*", {})),
    ("one-account", AWS_ROLE, "assumeRolePolicy", trust({"AWS": "arn:aws:iam::1:root"}, {})),
    ("one-account", AWS_ROLE, "assumeRolePolicy", trust(FEDERATED, {f"{ISSUER}:aud": "sts"})),
    (
        "one-account",
        AWS_ROLE,
        "assumeRolePolicy",
        trust(FEDERATED, {f"{ISSUER}:sub": "system:serviceaccount:shop:*"}, "StringLike"),
    ),
    ("one-account", AWS_ROLE, "assumeRolePolicy", trust(POD, CLAIMS)),
    ("one-account", GCP_ENTRY_RIGHT, "member", "allAuthenticatedUsers"),
    ("one-account", GCP_WORKLOAD, "member", "principalSet://iam.googleapis.com/a/*"),
    ("one-account", AZURE_TRUST, "subject", "system:serviceaccount:shop:*"),
    ("no-stored-value", ENDPOINT, "path", "secret/data/shop"),
    ("no-stored-value", PARAMETER, "type", "SecureString"),
    ("no-stored-value", PARAMETER, "kind", "vault:kv/secretV2:SecretV2"),
    ("no-stored-value", PARAMETER, "kind", "vault:kv/secret:Secret"),
    ("no-stored-value", PARAMETER, "kind", "vault:generic/secret:Secret"),
    ("no-stored-value", PARAMETER, "kind", "aws:secretsmanager/secretVersion:SecretVersion"),
    ("no-stored-value", PARAMETER, "kind", "gcp:secretmanager/secretVersion:SecretVersion"),
    ("no-stored-value", PARAMETER, "kind", "azure-native:keyvault:Secret"),
    ("asked-over-tls", PROVIDER, "address", "http://vault.example.com"),
    ("asked-over-tls", PROVIDER, "skipTlsVerify", "true"),
    ("asked-over-tls", METHOD, "kubernetesHost", "http://10.0.0.1:8080"),
    ("brought-back", AWS_ENTRY, "recoveryWindowInDays", 0),
    ("brought-back", KEY_VAULT, "properties.enableSoftDelete", False),
    ("brought-back", KEY_VAULT, "properties.enablePurgeProtection", False),
    ("protected", KEY_VAULT, "pulumi:protect", False),
    ("protected", AWS_ENTRY, "pulumi:protect", False),
]
BROKEN_RESOURCES += [
    (rule, kind, place, content)
    for kind, other in LIKE.items()
    for rule, name, place, content in BROKEN_RESOURCES
    if name == other and rule != "brought-back"
]
