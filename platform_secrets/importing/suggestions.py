"""What names let suppose of keys, as comments in a catalogue. No value is known here, so none
of it is said to be so."""

import re
from collections.abc import Mapping
from itertools import pairwise

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ADDRESSES = {"url", "uri", "dsn"}
_POSTGRES = {"postgres", "postgresql", "pg", "psql", "database", "db"}
_REDIS = {"redis", "valkey"}
_OTHER_DATABASES = {"mysql", "mariadb", "mongo", "mongodb", "sqlite", "mssql", "clickhouse"}
_CREDENTIALS = {"password", "passwd", "pass", "pw", "token", "secret"}
# Where a stack file has its stores' names.
_IN_STORES = 6
# Each with `key` after it.
_OF_KEYS = {"api", "access", "private", "secret", "signing", "encryption", "master"}


def with_suggestions(
    catalogue: str, of_manifests: Mapping[tuple[str, str], str], bundles_at: int = 2
) -> str:
    """The text of new bundles, indented so far, with a comment below each key of which manifests or
    its name tell something: a line of YAML that holds once its `#` is taken away. What manifests
    let suppose is given by bundle and key."""
    found: list[str] = []
    bundle, is_in_keys = "", False
    in_bundle = " " * (bundles_at + 2)
    for line in catalogue.splitlines(keepends=True):
        found.append(line)
        depth, name = len(line) - len(line.lstrip(" ")), line.strip().removesuffix(":").strip("'\"")
        if depth <= len(in_bundle):
            is_in_keys = line.rstrip() == f"{in_bundle}keys:"
            bundle = name if depth == bundles_at else bundle
        elif is_in_keys and depth == len(in_bundle) + 2:
            suggestion = of_manifests.get((bundle, name)) or _suggestion(name)
            # Above all else, so that what is added to the file comes after it.
            found += [f"{in_bundle}    # {suggestion}\n"] if suggestion else []
    return "".join(found)


def with_store_settings(stack: str, settings: Mapping[str, str]) -> str:
    """A new stack file's text, with what a store could say instead as comments behind it: given as
    lines of YAML, by the store's name."""
    found: list[str] = []
    is_in_stores, store = False, ""
    for line in [*stack.splitlines(keepends=True), ""]:
        depth = len(line) - len(line.lstrip(" "))
        if depth <= _IN_STORES and store:
            found += [f"{' ' * (_IN_STORES + 2)}# {one}\n" for one in settings[store].splitlines()]
            store = ""
        if depth < _IN_STORES:
            is_in_stores = line.strip() == "stores:"
        elif is_in_stores and depth == _IN_STORES:
            name = line.strip().removesuffix(":").strip("'\"")
            store = name if name in settings else ""
        found.append(line)
    return "".join(found)


def _suggestion(key: str) -> str | None:
    words = [one.lower() for one in _WORDS.findall(key)]
    known = {*words}
    if known & _ADDRESSES and known & _REDIS:
        return "format: redis-url"
    if known & _ADDRESSES and known & _POSTGRES and not known & _OTHER_DATABASES:
        return "format: postgres-url"
    is_key = any(word in _OF_KEYS and after == "key" for word, after in pairwise(words))
    if words and (words[-1] in _CREDENTIALS or is_key or {"apikey"} & known):
        return "rotate: {by: hand, max-age: 180d}"
    return None
