"""Time zones by their IANA names, from the package `tzdata`: on every machine the same ones."""

from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from platform_secrets.settings.problems import did_you_mean


@cache
def _names() -> frozenset[str]:
    return frozenset((files("tzdata") / "zones").read_text(encoding="ascii").split())


def rules(name: str) -> bytes:
    """A zone's rules in the format that all systems keep them in, TZif."""
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def _time_zone(text: str) -> str:
    if text not in _names():
        hint = did_you_mean(text, _names())
        raise ValueError(f"must be a time zone such as Etc/UTC or Europe/Berlin{hint}")
    return text


_WORD = "[A-Z][A-Za-z0-9_+-]*"
TimeZone = Annotated[
    str,
    AfterValidator(_time_zone),
    WithJsonSchema({"type": "string", "pattern": f"^{_WORD}(/{_WORD})*$"}),
]
