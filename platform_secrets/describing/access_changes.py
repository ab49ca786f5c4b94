"""Who can read more, less, or in another way in one of two environments than in the other."""

from collections.abc import Iterator
from dataclasses import dataclass

from platform_secrets.describing.described import Described, with_whole


@dataclass(frozen=True, order=True)
class AccessChange:
    """A reader that gains or loses a key, or comes to it in another way."""

    who: str
    key: str
    before: tuple[str, ...]
    """By what it could read it: account, Role and Secret."""
    after: tuple[str, ...]


def gained(base: Described, head: Described) -> Iterator[AccessChange]:
    """Who can read what it could not. A key that is new is no gain to whoever could read the value
    that it names before."""
    for who, keys in sorted(head.readable_keys.items()):
        before = base.readable_keys.get(who, set[str]())
        places = base.readable.get(who, frozenset())
        for key in sorted(keys - before):
            if key in base.places or not with_whole(head.places[key]) & places:
                yield AccessChange(who, key, (), _ways(head, who, key))


def lost(base: Described, head: Described) -> Iterator[AccessChange]:
    """Who can no longer read what it could."""
    for one in gained(head, base):
        yield AccessChange(one.who, one.key, one.after, ())


def moved(base: Described, head: Described) -> Iterator[AccessChange]:
    """Who can read what it could, in another way."""
    ways_of = base.accesses_of, head.accesses_of
    with_key = base.secrets_with, head.secrets_with
    for who, keys in sorted(head.readable_keys.items()):
        is_as_before = ways_of[0].get(who) == ways_of[1].get(who)
        for key in sorted(keys & base.readable_keys.get(who, set())):
            if is_as_before and with_key[0].get(key) == with_key[1].get(key):
                continue
            before, after = _ways(base, who, key), _ways(head, who, key)
            if before != after:
                yield AccessChange(who, key, before, after)


def _ways(described: Described, who: str, key: str) -> tuple[str, ...]:
    """Each account and Role, with the Secrets that it opens."""
    found: dict[str, list[str]] = {}
    for secret in described.secrets_with.get(key, ()):
        for by in described.accesses_of.get(who, {}).get(secret, ()):
            found.setdefault(by, []).append(secret)
    return tuple(f"{by}: {', '.join(secrets)}" for by, secrets in sorted(found.items()))
