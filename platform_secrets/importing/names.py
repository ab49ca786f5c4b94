"""Names for what has none in manifests: bundles, stores and parts of texts."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import sha256
from typing import TypeVar

_Place = TypeVar("_Place", bound=tuple[str, ...])
_LONGEST_BUNDLE, _LONGEST_STORE = 40, 20
# What this program puts after a store's name for its identities.
_RESERVED = ("-rotation", "-seed")


def bundle_names(
    places: Iterable[tuple[str, str]], taken: Collection[str], environment: str
) -> dict[tuple[str, str], str]:
    """A name for each Secret, given as namespace and name, beside those that are taken: its own,
    with its namespace's before it where several have that. A bundle is of all environments, so
    this one's name is not in it."""
    known = [*places]
    short: dict[str, int] = {}
    for _, secret in known:
        short[_slug(secret)] = short.get(_slug(secret), 0) + 1

    def wished(place: tuple[str, str]) -> str:
        name = _slug(place[1])
        is_free = short[name] == 1 and name not in taken
        return name if is_free else _slug(f"{plain_namespace(place[0], environment)}-{place[1]}")

    return beside(_unique(known, wished, _LONGEST_BUNDLE), taken)


def store_names(references: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """A name for each store, given as kind and name."""

    def wished(reference: tuple[str, str]) -> str:
        name = _slug(reference[1])
        return f"{name}-store" if name.endswith(_RESERVED) else name

    return _unique([*references], wished, _LONGEST_STORE)


def service_names(
    workloads: Iterable[tuple[str, str, str]], taken: Collection[str], environment: str
) -> dict[tuple[str, str, str], str]:
    """The same for each workload, given as namespace, kind and name."""
    known = [*workloads]
    count: dict[str, int] = {}
    for _, _, name in known:
        count[_slug(name)] = count.get(_slug(name), 0) + 1

    def wished(one: tuple[str, str, str]) -> str:
        namespace, kind, name = one
        is_free = count[_slug(name)] == 1 and _slug(name) not in taken
        plain = plain_namespace(namespace, environment)
        return _slug(name) if is_free else _slug(f"{plain}-{name}-{kind}")

    return beside(_unique(known, wished, _LONGEST_BUNDLE), taken)


def beside(names: Mapping[_Place, str], taken: Iterable[str]) -> dict[_Place, str]:
    """The same names, each made another one where it is taken."""
    known = {*taken}
    return {
        one: name if name not in known else _hashed(name, one, _LONGEST_STORE)
        for one, name in names.items()
    }


def plain_namespace(namespace: str, environment: str) -> str:
    """A namespace's name without the environment's, also where that is short (`prod`)."""
    parts = namespace.split("-")
    left = [one for one in parts if len(one) < 3 or not environment.startswith(one)]
    return "-".join(left) or namespace


def part_name(wished: str, taken: Iterable[str]) -> str:
    """A name for a key that is in no Secret itself."""
    name = re.sub(r"[^-._a-zA-Z0-9]", "-", wished).strip(".") or "part"
    name = re.sub(r"-(next|previous)$", r"-\1-part", name)
    name = f"{name}-part" if name in ("lock", "run") else name
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _slug(text: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).lower()
    found = re.sub(r"[^a-z0-9]+", "-", words).strip("-")
    return found if found[:1].isalpha() else f"n-{found}".strip("-")


def _unique(
    known: Iterable[_Place], wished: Callable[[_Place], str], longest: int
) -> dict[_Place, str]:
    names = {one: wished(one) for one in known}
    count: dict[str, int] = {}
    for name in names.values():
        count[name] = count.get(name, 0) + 1
    return {
        one: name if len(name) <= longest and count[name] == 1 else _hashed(name, one, longest)
        for one, name in names.items()
    }


def _hashed(name: str, one: tuple[str, ...], longest: int) -> str:
    digest = sha256("/".join(one).encode()).hexdigest()[:6]
    return f"{name[: longest - 7].strip('-')}-{digest}"
