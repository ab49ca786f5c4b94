"""Everybody who can read some keys of an environment: in the cluster, at the provider, people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from platform_secrets.describing.access import Access
from platform_secrets.describing.described import Described
from platform_secrets.settings import Settings

SERVICES, PEOPLE, ROTATION, OPERATOR = "services", "people", "rotation", "operator"


@dataclass(frozen=True)
class Reader:
    """One who can read, in one way."""

    kind: str
    """One of the above; or the store with its provider, where it is an identity there."""
    name: str
    by: str
    """The account, with the Role in the cluster."""
    what: list[str]
    """Secrets; or entries, each with what may be done there."""
    keys: list[str]
    """What it can read so of what was asked for."""


def readers(settings: Settings, one: Described, keys: Sequence[str]) -> Iterator[Reader]:
    """Who can read any of these keys, as bundle/key, by what the environment declares."""
    yield from _in_the_cluster(one, keys)
    if settings.environment.secrets == "basic":
        name = "whoever has secrets.env, or decrypts the stack's state"
        yield Reader(PEOPLE, name, "has the values themselves", [], [*keys])
    if one.operator:
        is_of_the_cluster = settings.environment.operator_scope == "cluster"
        by = f"{'ClusterRole' if is_of_the_cluster else 'Role'} of its chart"
        everything = ["every Secret", "every entry that a SecretStore reads"]
        if not is_of_the_cluster:
            everything = [f"{one} in {settings.namespace}" for one in everything]
        yield Reader(OPERATOR, f"ServiceAccount {one.operator}", by, everything, [*keys])
    for identity in one.identities:
        found = [key for key in keys if any(map(identity.reads, one.places[key]))]
        entries = {place[1]: None for key in found for place in sorted(one.places[key], key=repr)}
        what = [f"{identity.rights[name]} {name}" for name in entries if name in identity.rights]
        if found:
            store = f"store {identity.store} ({identity.provider})"
            yield Reader(store, identity.name, f"ServiceAccount {identity.account}", what, found)
    of_others: dict[str, list[str]] = {}
    for key in keys if one.operator else ():
        name = settings.store_name(key.partition("/")[0])
        if settings.environment.stores[name].is_others:
            of_others.setdefault(name, []).append(key)
    for name, found in of_others.items():
        who = "whomever its owner lets: others declare it"
        yield Reader(f"store {name}", who, "not known here", [], found)


def _in_the_cluster(one: Described, keys: Sequence[str]) -> Iterator[Reader]:
    places = {key: place for place, key in enumerate(keys)}
    keys_in: dict[str, list[str]] = {}
    for key in keys:
        for secret in one.secrets_with[key]:
            keys_in.setdefault(secret, []).append(key)
    ways: dict[tuple[int, str, str], list[str]] = {}
    for access in sorted({*one.accesses}):
        if access.secret in keys_in:
            ways.setdefault((_rank(access), access.who, access.by), []).append(access.secret)
    for (rank, name, by), secrets in sorted(ways.items()):
        found = {key for secret in secrets for key in keys_in[secret]}
        kind = (SERVICES, PEOPLE, ROTATION)[rank]
        yield Reader(kind, name, by, secrets, sorted(found, key=places.__getitem__))


def _rank(access: Access) -> int:
    """The place of a reader's kind. An account under which no workload runs is of the rotation: the
    operator looks as it for a new value in another namespace."""
    return {"Group": 1, "User": 1, "ServiceAccount": 2}.get(access.who.partition(" ")[0], 0)
