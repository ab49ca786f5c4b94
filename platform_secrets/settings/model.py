"""What all settings classes share: strictness, spelling, and the kinds of text they hold."""

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import core_schema


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
    )


@dataclass(frozen=True)
class _TextOf:
    """A check for pydantic, and the same for editors."""

    pattern: str
    rule: str
    at_most: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        compiled = re.compile(self.pattern)

        def checked(text: str) -> str:
            if len(text) > self.at_most or not compiled.fullmatch(text):
                raise ValueError(f"must be {self.rule}, at most {self.at_most} characters")
            return text

        return core_schema.no_info_after_validator_function(checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        bounds = {"pattern": f"^({self.pattern})$", "maxLength": self.at_most}
        return {**handler(schema), **bounds}


def text_of(pattern: str, rule: str, at_most: int = 63) -> _TextOf:
    """A check that the whole text matches `pattern`; `rule` says it to people."""
    return _TextOf(pattern, rule, at_most)


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


def duration_text(duration: timedelta) -> str:
    """A duration as people write it, in the largest unit that is exact."""
    seconds = int(duration.total_seconds())
    unit = next(unit for unit, size in reversed(_UNITS.items()) if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


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
HOST_AND_PORT = rf"[A-Za-z0-9][A-Za-z0-9.-]*(:({_PORT}))?"

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
# Kubernetes keeps the names that begin so for itself.
Namespace = Annotated[
    str,
    text_of(rf"(?!kube-){_LABEL}", "a namespace: a DNS label that does not begin with kube-"),
]
DnsSubdomain = Annotated[
    str,
    text_of(SUBDOMAIN, "a Kubernetes name: lower-case letters, digits, - and .", 253),
]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"}),
]


def _a_minute_or_more(duration: timedelta) -> timedelta:
    if duration < timedelta(minutes=1):
        raise ValueError("must be 1m or longer")
    return duration


DAY_OR_MORE_PATTERN = (
    "^([1-9][0-9]{0,8}d|(2[4-9]|[3-9][0-9]|[1-9][0-9]{2,8})h|[1-9][0-9]{3,8}m|[1-9][0-9]{4,8}s)$"
)
MinuteOrMore = Annotated[
    Duration,
    AfterValidator(_a_minute_or_more),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^([1-9][0-9]{0,8}[mhd]|([6-9][0-9]|[1-9][0-9]{2,8})s)$",
        }
    ),
]


def _zero_or_more(value: object) -> timedelta:
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    return _a_minute_or_more(_duration(value))


RefreshInterval = Annotated[
    timedelta,
    BeforeValidator(_zero_or_more),
    WithJsonSchema(
        {
            "type": ["string", "integer"],
            "pattern": "^([1-9][0-9]{0,8}[mhd]|([6-9][0-9]|[1-9][0-9]{2,8})s)$",
            "maximum": 0,
            "minimum": 0,
        }
    ),
]
Cidr = Annotated[
    str,
    AfterValidator(_cidr),
    WithJsonSchema({"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$"}),
]
HttpsUrl = Annotated[
    str,
    text_of(
        rf"https://{HOST_AND_PORT}(/[A-Za-z0-9._~/-]*)?",
        "an https:// address without user, query or fragment",
        2048,
    ),
]
PathSegments = Annotated[
    str,
    text_of(
        r"(?!(.*/)?\.{1,2}(/|$))[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*",
        "a path without slashes at its ends, . and ..",
        200,
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Line = Annotated[str, text_of(r"[^\r\n]+", "one line, not empty", 1000)]
