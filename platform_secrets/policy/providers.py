"""What is declared at providers: rights, who has them, values, deletion. The kind of a resource is
its type in Pulumi, and its fields are in Pulumi's spelling."""

import json
import re
from collections.abc import Callable, Iterator

from platform_secrets.policy.judged import Asked, Object, Violation, at, fields, mapping, sequence

_COMMENT = re.compile(r"^\s*(#|//).*$", re.MULTILINE)
_QUOTED = re.compile(r'"([^"]*)"')
_GLOB = re.compile(r"\*|(^|/)\+(/|$)")
_EACH_SECRET = re.compile(r"roles/(owner|editor|secretmanager\.\w+)")
_CROWDS = ("allUsers", "allAuthenticatedUsers", "domain:", "principalSet:")
_POD_IDENTITY = "pods.eks.amazonaws.com"
_OF_POD = "aws:RequestTag/kubernetes-service-account"
_SWITCHES_OFF = re.compile(r"insecure|skip.*(verify|verification|tls)", re.IGNORECASE)
_OFF = (False, None, "", "false")
_PARAMETER = "aws:ssm/parameter:Parameter"
_ENDPOINT = "vault:generic/endpoint:Endpoint"
_ONE_ACCOUNT = "name the ServiceAccount and its namespace"


def _exact_paths(policy: Object) -> Iterator[Violation]:
    """Of a text in Vault's language, or the same in JSON."""
    text = policy.get("policy")
    for quoted in _QUOTED.findall(_COMMENT.sub("", text) if isinstance(text, str) else ""):
        if _GLOB.search(quoted):
            yield Violation("policy", f"has the glob {quoted}", "name each path")
        if quoted == "sudo":
            yield Violation("policy", "gives sudo", "leave it out")


def _exact_statements(policy: Object) -> Iterator[Violation]:
    yield from _exact(policy, ("Action", "Resource"))


def _exact_actions_of_a_key(key: Object) -> Iterator[Violation]:
    """In a key's own policy the resource `*` is that key."""
    yield from _exact(key, ("Action",))


def _exact(resource: Object, names: tuple[str, ...]) -> Iterator[Violation]:
    for path, statement in _allowing(resource, "policy"):
        for name in ("NotAction", "NotResource"):
            if name in statement:
                yield Violation(f"{path}.{name}", "allows all the others", "name what is allowed")
        for name in names:
            if any("*" in text for text in _texts(statement.get(name))):
                yield Violation(f"{path}.{name}", "has a `*`", "name each one")


def _no_right_on_each_secret(member: Object) -> Iterator[Violation]:
    if _EACH_SECRET.fullmatch(str(member.get("role"))):
        found = "is a right on every secret of the project"
        yield Violation("role", found, "a `SecretIamMember` for each")


def _exact_actions(role: Object) -> Iterator[Violation]:
    for path, name, content in fields(role.get("permissions"), "permissions"):
        is_allowed = name in ("actions", "dataActions")
        if is_allowed and any("*" in str(one) for one in sequence(content)):
            yield Violation(path, "has a `*`", "name each action")


def _accounts_by_name(role: Object) -> Iterator[Violation]:
    for name in ("boundServiceAccountNames", "boundServiceAccountNamespaces"):
        texts = [str(one) for one in sequence(role.get(name))]
        if not texts or any("*" in one for one in texts):
            yield Violation(name, "lets in whom nobody named", _ONE_ACCOUNT)


def _one_subject(role: Object) -> Iterator[Violation]:
    claims = role.get("boundClaims") if role.get("boundClaimsType") != "glob" else None
    if not role.get("boundSubject") and not at(claims, "sub"):
        yield Violation("boundSubject", "is missing: every account's token will do", _ONE_ACCOUNT)


def _trusts_one(role: Object) -> Iterator[Violation]:
    for path, statement in _allowing(role, "assumeRolePolicy"):
        principals = mapping(statement.get("Principal"))
        named = [text for one in principals.values() for text in _texts(one)]
        for text in named or _texts(statement.get("Principal")):
            if text == "*" or text.endswith(":root"):
                yield Violation(f"{path}.Principal", f"is {text}, so a crowd", "name the role")
        equal = mapping(at(statement, "Condition", "StringEquals"))
        if "Federated" in principals and not any(name.endswith(":sub") for name in equal):
            found = "is without a `:sub`: every account's token will do"
            yield Violation(f"{path}.Condition.StringEquals", found, _ONE_ACCOUNT)
        if _POD_IDENTITY in named and _OF_POD not in equal:
            found = f"is without {_OF_POD}: every pod of every cluster will do"
            yield Violation(f"{path}.Condition.StringEquals", found, _ONE_ACCOUNT)


def _no_crowd(member: Object) -> Iterator[Violation]:
    if str(member.get("member")).startswith(_CROWDS):
        yield Violation("member", "is a crowd", "name the account")


def _exact_subject(credential: Object) -> Iterator[Violation]:
    if not credential.get("subject") or "*" in str(credential.get("subject")):
        yield Violation("subject", "is not one account", _ONE_ACCOUNT)


RIGHTS: dict[str, Callable[[Object], Iterator[Violation]]] = {
    "vault:index/policy:Policy": _exact_paths,
    "aws:iam/rolePolicy:RolePolicy": _exact_statements,
    "aws:iam/policy:Policy": _exact_statements,
    "aws:secretsmanager/secretPolicy:SecretPolicy": _exact_statements,
    "aws:kms/key:Key": _exact_actions_of_a_key,
    "gcp:projects/iAMMember:IAMMember": _no_right_on_each_secret,
    "gcp:projects/iAMBinding:IAMBinding": _no_right_on_each_secret,
    "azure-native:authorization:RoleDefinition": _exact_actions,
}
TRUST: dict[str, Callable[[Object], Iterator[Violation]]] = {
    "vault:kubernetes/authBackendRole:AuthBackendRole": _accounts_by_name,
    "vault:jwt/authBackendRole:AuthBackendRole": _one_subject,
    "aws:iam/role:Role": _trusts_one,
    "gcp:serviceaccount/iAMMember:IAMMember": _no_crowd,
    "gcp:secretmanager/secretIamMember:SecretIamMember": _no_crowd,
    "azure-native:managedidentity:FederatedIdentityCredential": _exact_subject,
}
VALUES = (
    "vault:kv/secret:Secret",
    "vault:kv/secretV2:SecretV2",
    "vault:generic/secret:Secret",
    _ENDPOINT,
    "aws:secretsmanager/secretVersion:SecretVersion",
    _PARAMETER,
    "gcp:secretmanager/secretVersion:SecretVersion",
    "azure-native:keyvault:Secret",
)
ASKED = (
    *(f"pulumi:providers:{name}" for name in ("vault", "kubernetes", "aws", "gcp", "azure-native")),
    "vault:kubernetes/authBackendConfig:AuthBackendConfig",
    "vault:jwt/authBackend:AuthBackend",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
)
HOLD_DATA = (
    "vault:index/mount:Mount",
    "aws:secretsmanager/secret:Secret",
    "aws:kms/key:Key",
    "gcp:secretmanager/secret:Secret",
    "azure-native:keyvault:Vault",
)


def allows_what_it_names(resource: Object, _: Asked) -> Iterator[Violation]:
    yield from RIGHTS[str(resource.get("kind"))](resource)


def lets_in_whom_it_names(resource: Object, _: Asked) -> Iterator[Violation]:
    yield from TRUST[str(resource.get("kind"))](resource)


def holds_no_value(resource: Object, _: Asked) -> Iterator[Violation]:
    kind, path = resource.get("kind"), str(resource.get("path"))
    if kind == _PARAMETER and resource.get("type") != "SecureString":
        return
    if kind == _ENDPOINT and "data" not in path.split("/"):
        return
    found = "has Pulumi know a value, and keep it in the state"
    yield Violation("kind", found, "an entry without one; `secretsctl put-commands` fills it")


def is_asked_over_verified_tls(resource: Object, _: Asked) -> Iterator[Violation]:
    for path, name, content in fields(resource, ""):
        if isinstance(content, str) and content.lower().startswith("http://"):
            yield Violation(path.removeprefix("."), "is without TLS", "https://")
        if _SWITCHES_OFF.search(name) and content not in _OFF:
            yield Violation(path.removeprefix("."), "turns TLS's verification off", "leave it out")


def can_be_brought_back(resource: Object, asked: Asked) -> Iterator[Violation]:
    if not asked.protects:
        return
    if resource.get("recoveryWindowInDays") == 0:
        found = "deletes every version of a value at once"
        yield Violation("recoveryWindowInDays", found, "7 to 30")
    if resource.get("kind") == "azure-native:keyvault:Vault":
        for name in ("enableSoftDelete", "enablePurgeProtection"):
            if at(resource, "properties", name) is not True:
                yield Violation(f"properties.{name}", "lets a deletion be for good", "true")


def _allowing(resource: Object, name: str) -> Iterator[tuple[str, Object]]:
    """What a policy of IAM's allows; it is a text in JSON."""
    text = resource.get(name)
    try:
        document = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        document = None
    statements = mapping(document).get("Statement")
    for number, one in enumerate(statements if isinstance(statements, list) else [statements]):
        if mapping(one).get("Effect") == "Allow":
            yield f"{name}.Statement[{number}]", mapping(one)


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
