"""Why the operator could not do what an object asks for: what its events mean.

An event's own words are not passed on: a provider's answer may quote anything.
"""

import re
from dataclasses import dataclass

from platform_secrets.diagnosing.case import At, Case
from platform_secrets.manifests.external_secret import missing_value_text
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept, kept

_WORDS = (
    ("account-missing", r'ServiceAccounts? "[^"]*" not found'),
    (
        "token-refused",
        r"cannot find secrets bound to service account|serviceaccounts/token|"
        r"cannot request Kubernetes service account token",
    ),
    ("store-missing", r"could not get (Cluster)?SecretStore .*not found"),
    ("store-not-ready", r"SecretStore .* is not ready"),
    ("quota", r"exceeded quota"),
    ("secret-two-owners", r"owned by another|already owned|is not allowed to .*own"),
    ("secret-refused", r"admission webhook|ValidatingAdmissionPolicy|field is immutable"),
    ("operator-rights", r"is forbidden: User|cannot (get|create|update|patch|list) resource"),
    (
        "clock",
        r"RequestTimeTooSkewed|RequestExpired|ExpiredToken|Signature (expired|not yet current)|"
        r"token (used before|is not valid yet|not valid yet|expired)|not valid yet|"
        r"issued in the future|\(nbf\)|\(iat\)|not within its valid time range|"
        r"current time .* is before",
    ),
    ("store-certificate", r"x509:|tls: |certificate signed by unknown"),
    ("store-sealed", r"Vault is sealed|is sealed"),
    (
        "store-throttled",
        r"Throttl|TooManyRequests|ResourceExhausted|RESOURCE_EXHAUSTED|rate (limit|exceeded)|"
        r"Status(Code)?[:=] ?429|Code: 429|status: 429",
    ),
    (
        "store-unreachable",
        r"connection refused|no such host|i/o timeout|context deadline exceeded|"
        r"Client\.Timeout|no route to host|network is unreachable|connection reset|proxyconnect|"
        r"TLS handshake timeout|Bad Gateway|Service ?Unavailable|"
        r"code = (Unavailable|Internal|DeadlineExceeded)|"
        r"Internal(Server|Service)(Error|Failure)|Status(Code)?[:=] ?50[0234]|Code: 50[0234]|"
        r"status: 50[0234]|: EOF|"
        # A proxy on the way does not let the operator out.
        r'"https?://[^" ]*": (Forbidden|Proxy Authentication Required)',
    ),
    (
        "store-network-refused",
        r"ForbiddenByFirewall|Client address is not authorized|no VPC endpoint policy allows|"
        r"prohibited by organization's policy",
    ),
    (
        "store-kms-key",
        r"access to KMS|DecryptionFailure|KMS\w*Exception|kms:|cloudkms|cryptoKey|KMS key",
    ),
    ("store-role", r"invalid role name|role .* (could not be|not) found|NoSuchEntity"),
    (
        "store-login",
        r"InvalidIdentityToken|AssumeRole|AADSTS|AKV100|invalid_grant|iam\.serviceAccounts|"
        r"identitybindingtoken|idbindtoken|gcp access token|Status(Code)?[:=] ?401|Code: 401|"
        r"unable to log in|auth/[^ ]*/login|Unauthenticated|UnrecognizedClient|"
        r"SignatureDoesNotMatch",
    ),
    (
        "store-path",
        r"no handler for route|unsupported path|Invalid path|mount.*not found|"
        r"has not been used in project|Project .*(not found|has been deleted)",
    ),
    (
        "entry-disabled",
        r"marked for deletion|in (DISABLED|DESTROYED) state|on a disabled secret|SecretDisabled",
    ),
    (
        "store-rights",
        r"permission denied|AccessDenied|PermissionDenied|Forbidden|does not have secrets get|"
        r"is not authorized|Status(Code)?[:=] ?403|Code: 403",
    ),
    (
        "entry-missing",
        r"Secret does not exist|ResourceNotFound|SecretNotFound|code = NotFound|"
        r"can't find the specified secret|Status(Code)?[:=] ?404",
    ),
    (
        "key-missing",
        r"cannot find secret data for key|(property|key) .* does not exist in (secret|key)",
    ),
    ("entry-not-json", r"unmarshal"),
)
_KNOWN = [(check, re.compile(pattern, re.IGNORECASE)) for check, pattern in _WORDS]
_AT_LOGIN = re.compile(r"auth/[^ ]*/login|unable to log in|AssumeRole", re.IGNORECASE)
_PART = re.compile(r"spec\.(data|dataFrom)\[(\d+)\]")


@dataclass(frozen=True)
class Cause:
    """Why something failed."""

    check: str
    """The check's id; empty where the events do not tell."""
    entry: str = ""
    """The entry of the store that it is about, where it is about one."""
    key: str = ""
    """As bundle/key, where it is about one."""


def cause(case: Case, place: At, bundle: str = "") -> Cause:
    """What the newest event of an object that failed says; of an ExternalSecret with its bundle."""
    for event in case.events.get(place, []):
        found = _cause(case, place, bundle, str(event.get("message") or ""))
        if found.check:
            return found
    return Cause("")


def _cause(case: Case, place: At, bundle: str, text: str) -> Cause:
    if value := _missing_value(case.settings, bundle, text):
        return Cause("key-missing", value.entry.key, f"{bundle}/{value.key}")
    entry = _entry(case, place, text)
    # Its name may be any word.
    words = text.replace(entry, "") if entry else text
    for check, pattern in _KNOWN:
        if pattern.search(words):
            if check in ("store-rights", "store-path") and (not entry or _AT_LOGIN.search(words)):
                check = "store-login"
            return Cause(check, entry, _key_of(case.settings, bundle, entry))
    return Cause("")


def _missing_value(settings: Settings, bundle: str, text: str) -> Kept | None:
    """The value of which the sync itself says that it is not there."""
    for value in kept(settings, bundle) if bundle else ():
        if re.search(rf"(?<![\w/-]){re.escape(missing_value_text(value))}(?![\w-])", text):
            return value
    return None


def _entry(case: Case, place: At, text: str) -> str:
    """The entry that was read when it failed: the operator names the line of the ExternalSecret."""
    spec = (case.live(place) or {}).get("spec", {})
    match = _PART.search(text)
    lines = spec.get(match[1]) or [] if match else []
    if not match or int(match[2]) >= len(lines):
        return ""
    line = lines[int(match[2])]
    reference = line.get("remoteRef") or line.get("extract") or {}
    return str(reference.get("key", ""))


def _key_of(settings: Settings, bundle: str, entry: str) -> str:
    """The one key that an entry is about; empty where it holds several."""
    values = kept(settings, bundle) if bundle else []
    keys = {value.key for value in values if entry in value.entries}
    return f"{bundle}/{keys.pop()}" if len(keys) == 1 else ""
