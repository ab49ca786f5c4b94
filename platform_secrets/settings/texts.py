"""Texts of a Secret: literal text and `${KEY}` in between, and what such a text may not hold."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, get_args
from urllib.parse import quote

from pydantic import AfterValidator

Filter = Literal["", "url", "json", "base64"]
_FILTERS = get_args(Filter)[1:]
_TOKEN = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")
_PART = re.compile(r"([-._a-zA-Z0-9]+)(?:\|([a-z0-9]+))?")
_LONGEST_BYTES = 64 * 1024

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Certificates, public keys in PEM and of OpenSSH, and an image's digest: long, and no secret.
_PUBLIC = re.compile(
    r"-----BEGIN ([A-Z ]*(?:CERTIFICATE|PUBLIC KEY(?: BLOCK)?))-----[^-]*-----END \1-----"
    r"|\b(?:ssh-|ecdsa-sha2-|sk-)[-a-z0-9@.]+ AAAA[A-Za-z0-9+/]+={0,2}|@sha256:[0-9a-f]{64}\b"
)
_RUN = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_KNOWN_VALUES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\b[sr]k_live_[A-Za-z0-9]{10,}|\bxox[abpr]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{10,}\.eyJ"
)
# A NUL stands for each part.
_PASSWORD_IN_URL = re.compile(r"://[^\s/:@\0]*:[^\s/@\0]+@")


@dataclass(frozen=True)
class Part:
    """The place of a key's value in a text."""

    key: str
    filter: Filter = ""


def parts_of(text: str) -> Iterator[str | Part]:
    """Literal text and parts, in their order. Raises ValueError where a `${` begins no part."""
    literal, end = "", 0
    for match in _TOKEN.finditer(text):
        literal += text[end : match.start()]
        end = match.end()
        if match[0] == "$${":
            literal += "${"
            continue
        part = _PART.fullmatch(match[1] or "")
        if not part or part[2] not in (None, *_FILTERS):
            filters = ", ".join(f"${{KEY|{name}}}" for name in _FILTERS)
            raise ValueError(f"may hold ${{KEY}}, {filters}; a literal ${{ is written $${{")
        if literal:
            yield literal
        yield Part(part[1], next((name for name in get_args(Filter) if name == part[2]), ""))
        literal = ""
    if literal := literal + text[end:]:
        yield literal


def _checked(text: str) -> str:
    if len(text.encode()) > _LONGEST_BYTES:
        raise ValueError("must have at most 64 KiB")
    parts = [*parts_of(text)]
    if '"${' in text and re.search(r'"\$\{[-._a-zA-Z0-9]+\|json\}', text):
        raise ValueError("`|json` writes its own quotes: put none around it")
    if _holds_a_value("".join("\0" if isinstance(one, Part) else one for one in parts)):
        raise ValueError("holds what looks like a secret value: keep it in a store, as a key")
    return text


def _holds_a_value(text: str) -> bool:
    if _KNOWN_VALUES.search(text) or _PASSWORD_IN_URL.search(text):
        return True
    left = _UUID.sub("", _PUBLIC.sub("", text))
    return any(_is_random(run) for run in _RUN.findall(left))


def _is_random(run: str) -> bool:
    """Whether letters and digits alternate as in no word, name or path."""
    kinds = [
        "0" if one.isdigit() else "A" if one.isupper() else "a" for one in run if one.isalnum()
    ]
    changes = sum(before != after for before, after in pairwise(kinds))
    return "0" in kinds and changes > 0.3 * len(kinds)


TextContent = Annotated[str, AfterValidator(_checked)]


def filled(text: str, values: Mapping[str, bytes]) -> bytes:
    """The text with these values in place of its parts, as the operator's template makes it."""
    found = [
        one.encode() if isinstance(one, str) else _filtered(values[one.key], one.filter)
        for one in parts_of(text)
    ]
    return b"".join(found)


def _filtered(value: bytes, name: Filter) -> bytes:
    match name:
        case "url":
            return quote(value, safe="-_.~").encode()
        case "json":
            return _json(value.decode(errors="replace")).encode()
        case "base64":
            return base64.b64encode(value)
        case _:
            return value


def _json(text: str) -> str:
    """As Go writes it: two separators of lines are escaped, and everything else beyond ASCII is
    not."""
    found = json.dumps(text, ensure_ascii=False)
    return found.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
