"""What all settings classes share: strictness, spelling, and the kinds of text they hold."""

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Model(BaseModel):
    """Frozen and strict; keys are written in kebab-case; an error never shows an input."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=_kebab,
        populate_by_name=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


def text_of(pattern: str, rule: str, at_most: int = 63) -> AfterValidator:
    """A check that the whole text matches `pattern`; `rule` says it to people."""
    compiled = re.compile(pattern)

    def checked(text: str) -> str:
        if len(text) > at_most or not compiled.fullmatch(text):
            raise ValueError(f"must be {rule}, at most {at_most} characters")
        return text

    return AfterValidator(checked)


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_LONGEST = timedelta(days=3650)


def _duration(value: object) -> timedelta:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError("must be a duration: a whole number and s, m, h or d, such as 90d")
    duration = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if duration > _LONGEST:
        raise ValueError("must be a duration of at most ten years (3650d)")
    return duration


def _cidr(text: str) -> str:
    try:
        if not re.fullmatch(r"[0-9a-fA-F.:]+/[0-9]{1,3}", text):
            raise ValueError
        ip_network(text)
    except ValueError:
        message = (
            "must be a network such as 10.0.0.0/8, without bits set beyond its length; an address"
        )
        message += " is one too, with /32 or /128"
        raise ValueError(message) from None
    return text


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_PORT = r"6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}"
HOST_AND_PORT = rf"[A-Za-z0-9.-]+(:({_PORT}))?"

DnsLabel = Annotated[
    str, text_of(_LABEL, "a DNS label: lower-case letters, digits and hyphens, no hyphen at an end")
]
ServiceName = Annotated[
    str,
    text_of(
        r"[a-z]([-a-z0-9]*[a-z0-9])?",
        "a name: a lower-case letter, then letters, digits and hyphens",
        40,
    ),
]
DnsSubdomain = Annotated[
    str,
    text_of(SUBDOMAIN, "a Kubernetes name: lower-case letters, digits, - and .", 253),
]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    Field(json_schema_extra={"type": "string", "pattern": f"^{_DURATION.pattern}$"}),
]
Cidr = Annotated[str, AfterValidator(_cidr)]
HttpsUrl = Annotated[
    str,
    text_of(
        rf"https://{HOST_AND_PORT}(/[A-Za-z0-9._~/-]*)?",
        "an https:// address without user, query or fragment",
        2048,
    ),
]
PathSegments = Annotated[
    str, text_of(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", "a path without slashes at its ends", 200)
]
Port = Annotated[int, Field(ge=1, le=65535)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
