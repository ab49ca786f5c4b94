"""Kinds of text that the settings of stores hold, each with its provider's own rule."""

import re
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from platform_secrets.settings.model import DAY_OR_MORE_PATTERN, Duration, text_of

_FIELD = re.compile(r"\{(platform|environment|bundle|key)\}")


def _pattern(rest: str) -> AfterValidator:
    """A pattern for the names of entries, with `rest` as the characters beside its fields."""

    def checked(text: str) -> str:
        fields, literal = _FIELD.findall(text), _FIELD.sub("", text)
        if not {"key", "bundle"} & {*fields} or len(fields) != len(set(fields)):
            message = "must hold {key} once, or {bundle} for a whole bundle's entry, and may hold"
            raise ValueError(f"{message} {{platform}} and {{environment}} once")
        if not re.fullmatch(rf"[{rest}]*", literal):
            raise ValueError(f"may hold only {_WORDS[rest]} beside its fields")
        return text

    return AfterValidator(checked)


def _pattern_schema(rest: str) -> WithJsonSchema:
    fields = r"\{(platform|environment|bundle|key)\}"
    pattern = rf"^(?=.*\{{(key|bundle)\}})([{rest}]|{fields})+$"
    return WithJsonSchema({"type": "string", "pattern": pattern})


_FLAT, _PATH = "A-Za-z0-9-", "A-Za-z0-9_./-"
_FREE = r"^\"'`\\{}\x00-\x1f"
_WORDS = {
    _FLAT: "letters, digits and hyphens",
    _PATH: "letters, digits, _ . - and /",
    _FREE: "characters other than quotes, backslashes and braces",
}


_PEM = r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n*"


def _pem_certificates(text: str) -> str:
    if "PRIVATE KEY" in text:
        raise ValueError("holds a private key: take it out, and make a new one where it was used")
    import ssl  # slow to import, and rarely needed

    try:
        if not re.fullmatch(rf"({_PEM})+", text):
            raise ValueError
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ValueError, ssl.SSLError):
        raise ValueError("must be one or more certificates in PEM, and nothing else") from None
    return text


PemCertificates = Annotated[
    str,
    AfterValidator(_pem_certificates),
    WithJsonSchema({"type": "string", "pattern": f"^({_PEM})+$"}),
]
StoreName = Annotated[
    str,
    text_of(
        r"(?!.*-(rotation|seed)$)[a-z]([-a-z0-9]*[a-z0-9])?",
        "a name of lower-case letters, digits and hyphens that does not end in -rotation or -seed",
        20,
    ),
]
EntryPattern = Annotated[str, _pattern(_FLAT), _pattern_schema(_FLAT)]
FreePattern = Annotated[str, _pattern(_FREE), _pattern_schema(_FREE)]
PathPattern = Annotated[str, _pattern(_PATH), _pattern_schema(_PATH)]
Uuid = Annotated[
    str,
    text_of(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in lower-case letters", 36),
]
KeyVaultName = Annotated[
    str,
    text_of(
        r"(?!.*--)[A-Za-z][A-Za-z0-9-]+[A-Za-z0-9]",
        "a key vault's name: 3 letters, digits and single hyphens or more, a letter first",
        24,
    ),
]
AwsRegion = Annotated[
    str, text_of(r"[a-z]{2}(-[a-z]+)+-[0-9]", "a region such as eu-central-1", 30)
]
ProjectId = Annotated[str, text_of(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", "a project id", 30)]
GcpRegion = Annotated[str, text_of(r"[a-z]+-[a-z]+[0-9]+", "a region such as europe-west3", 30)]
KmsKeyPattern = Annotated[
    str,
    text_of(
        r"projects/[a-z][-a-z0-9]+[a-z0-9]/locations/\{location\}"
        r"/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}",
        "projects/…/locations/{location}/keyRings/…/cryptoKeys/…, with {location} as it stands",
        255,
    ),
]


def _destroy_delay(duration: timedelta) -> timedelta:
    if not timedelta(days=1) <= duration <= timedelta(days=1000):
        raise ValueError("must be between 1d and 1000d")
    return duration


DestroyDelay = Annotated[
    Duration,
    AfterValidator(_destroy_delay),
    WithJsonSchema({"type": "string", "pattern": DAY_OR_MORE_PATTERN}),
]
PubSubTopic = Annotated[
    str,
    text_of(
        r"projects/[a-z][-a-z0-9]+[a-z0-9]/topics/(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}",
        "projects/…/topics/…",
        300,
    ),
]


def _day(text: str) -> str:
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a day such as 2027-01-31, quoted") from None
    return text


Day = Annotated[
    str,
    AfterValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
]
