"""What the objects and entries of a key are called after: unique in the catalogue, and fit for
every provider, whatever the key's own name is."""

import re
from collections.abc import Iterable
from hashlib import sha256

# `lock` and `run` are what else the rotator's memory holds; the endings are those of derived keys.
_FIT = re.compile(r"(?!(lock|run)$)(?!.*-(next|previous)$)[a-z]([-a-z0-9]*[a-z0-9])?")
_LONGEST = 50


def key_ids(names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The id of each key, given as bundle and name. A name that is fit stays as it is where it is
    first; any other has its bundle's name before it, and a hash where that is not enough."""
    ids: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    others: list[tuple[str, str]] = []
    for key in names:
        if is_fit(key[1]) and key[1] not in taken:
            ids[key] = key[1]
            taken.add(key[1])
        else:
            others.append(key)
    for key in others:
        ids[key] = _long_id(*key, taken)
        taken.add(ids[key])
    return ids


def is_fit(name: str) -> bool:
    return len(name) <= _LONGEST and _FIT.fullmatch(name) is not None


def _long_id(bundle: str, name: str, taken: set[str]) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    found = re.sub(r"[^a-z0-9]+", "-", f"{bundle}-{words}".lower()).strip("-")
    if is_fit(found) and found not in taken:
        return found
    begin = found[: _LONGEST - 11].strip("-")
    digest = sha256(f"{bundle}/{name}".encode()).hexdigest()
    return next(
        f"{begin}-{digest[at : at + 10]}"
        for at in range(54)
        if f"{begin}-{digest[at : at + 10]}" not in taken
    )
