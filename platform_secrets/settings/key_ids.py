"""What the objects and entries of a key are called after: unique in the catalogue, and fit for
every provider, whatever the key's own name is."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Literal

# `lock` and `run` are what else the rotator's memory holds; the endings are those of derived keys.
_FIT = re.compile(r"(?!(lock|run)$)(?!.*-(next|previous)$)[a-z]([-a-z0-9]*[a-z0-9])?")
_LONGEST = 50
_UPPER = re.compile(r"[A-Z0-9_]*[A-Z][A-Z0-9_]*")
_CAMEL = re.compile(r"[a-z0-9]+([A-Z][A-Za-z0-9]*)")

Derived = Literal["", "-next", "-previous"]
"""What is put after a key's id for a value that its rotation derives; nothing for its own."""
DERIVED: tuple[Derived, Derived] = ("-next", "-previous")


def key_ids(names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The id of each key, given as bundle and name: the name where it is fit and no other bundle
    has it, else the bundle's name before it, with a hash where two keys would be called alike.

    Order decides nothing: else a key that is added could take over the entry of another.
    """
    keys = list(names)
    bundles_of = Counter(name for _, name in keys)
    wished = {
        (bundle, name): name if _is_fit(name) and bundles_of[name] == 1 else _slug(bundle, name)
        for bundle, name in keys
    }
    keys_of = Counter(wished.values())
    return {
        key: id if _is_fit(id) and keys_of[id] == 1 else _hashed(id, key)
        for key, id in wished.items()
    }


@cache
def derived_name(name: str, derived: Derived) -> str:
    """What a derived value is called in a Secret: in the style of the key's own name.

    JWT_SECRET_NEXT, jwt_secret_next, jwtSecretNext; else jwt-secret-next.
    """
    if not derived:
        return name
    word = derived.removeprefix("-")
    if _UPPER.fullmatch(name):
        return f"{name}_{word.upper()}"
    if "_" in name and "-" not in name and "." not in name:
        return f"{name}_{word}"
    if _CAMEL.fullmatch(name):
        return f"{name}{word.capitalize()}"
    return f"{name}{derived}"


def _is_fit(name: str) -> bool:
    return len(name) <= _LONGEST and _FIT.fullmatch(name) is not None


def _slug(bundle: str, name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", f"{bundle}-{words}".lower()).strip("-")


def _hashed(slug: str, key: tuple[str, str]) -> str:
    digest = sha256("/".join(key).encode()).hexdigest()
    return f"{slug[: _LONGEST - 11].strip('-')}-{digest[:10]}"
