"""Where each value is kept: by its store's convention, or where the stack file says."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from platform_secrets.settings.key_ids import DERIVED, Derived, derived_name
from platform_secrets.settings.resolved import Settings
from platform_secrets.settings.stores import Store


class Entry(NamedTuple):
    """Where a store keeps a value: `property` is None where the entry is the value itself, and
    `version` where the newest is read."""

    key: str
    property: str | None
    version: str | None = None
    before: tuple[str, ...] = ()
    """Entries that are read with it. The value is `key`'s where that has it, else the last one's of
    these that has it."""


class Kept(NamedTuple):
    """A key's value, or one that is derived from it, and where it is kept."""

    name: str
    """In the Secret."""
    id: str
    key: str
    entry: Entry
    is_alone: bool
    """Whether an entry of this kind holds one value, not those of a bundle."""
    is_placed: bool
    """Whether the stack file names the entry, or that beside which this one is; or the store is
    others', and has no entries but those that are there."""
    is_adopted: bool
    """Whether the entry was there already: no stack makes or destroys it."""
    may_be_written: bool
    is_borrowed: bool
    """Whether it is another bundle's key's, where it is counted."""
    way: Literal["fewest", "extract", "reference"]
    """How it is read: with the fewest reads or, of a store of others, as the stack file says it.
    Not every provider of theirs knows both ways: a bundle's `entry` is read whole, a key's own by
    a reference."""
    is_apart: bool
    """Whether it is derived, and not in the entry of the key's own value: a missing entry fails the
    whole sync, and such ones must never stop the bundle's own."""

    @property
    def entries(self) -> tuple[str, ...]:
        """Every entry that is read for it, in order."""
        return (*self.entry.before, self.entry.key)


def kept(settings: Settings, bundle: str) -> list[Kept]:
    """Every value of a bundle that is in an entry of its own, or in one of the bundle's.

    Not a token; nor the key that a database engine provides, whose value is in no entry; nor the
    one that Secrets Manager rotates: nobody here writes its entry.
    """
    if bundle not in settings.kept:
        settings.kept[bundle] = [*_kept(settings, bundle)]
    return settings.kept[bundle]


def _kept(settings: Settings, bundle: str) -> Iterator[Kept]:
    store = settings.store_of(bundle)
    if store.outputs:
        return
    of_database = (settings.database_key(bundle), settings.rotated_key(bundle))
    for name, key in settings.catalogue.bundles[bundle].keys.items():
        if name in of_database:
            continue
        named, is_others = named_entries(settings, bundle, name), store.is_others
        is_borrowed, is_writable = key.same_as is not None, may_be_written(settings, bundle, name)
        all_derived: tuple[Derived, ...] = ("", *(DERIVED if key.overlap else ()))
        own, *others = _entries(settings, bundle, name, all_derived)
        way = _way(settings, bundle, name)
        for derived, found in zip(all_derived, (own, *others), strict=True):
            yield Kept(
                name=derived_name(name, derived),
                id=f"{key.id}{derived}",
                key=name,
                entry=found,
                is_alone=store.layout == "per-key",
                is_placed=bool(named) or is_others or is_borrowed,
                is_adopted=(*found.before, found.key) == named or is_others,
                may_be_written=is_writable,
                is_borrowed=is_borrowed,
                way=way,
                is_apart=found.key != own.key,
            )


def _way(settings: Settings, bundle: str, key: str) -> Literal["fewest", "extract", "reference"]:
    if not settings.store_of(bundle).is_others:
        return "fewest"
    if settings.key_place(bundle, key).entry:
        return "reference"
    return "extract" if settings.bundle_place(bundle).named else "fewest"


def entry(settings: Settings, bundle: str, key: str, derived: Derived = "") -> Entry:
    """Where `key` is kept, or the value derived from it; an undeclared key, where it would be."""
    [found] = _entries(settings, bundle, key, (derived,))
    return found


def _entries(
    settings: Settings, bundle: str, key: str, all_derived: tuple[Derived, ...]
) -> Iterator[Entry]:
    known = settings.catalogue.bundles[bundle].keys.get(key)
    if known and known.same_as:
        yield from _entries(settings, *known.lender, all_derived)
        return
    store, place = settings.store_of(bundle), settings.key_place(bundle, key)
    named, id = named_entries(settings, bundle, key), known.id if known else key
    before, last = named[:-1], named[-1] if named else None
    is_together = store.layout == "bundle" and not last
    together = bundle_entry(settings, bundle) if is_together else None
    for derived in all_derived:
        name = derived_name(key, derived)
        if place.property:
            kept = last or _by_convention(settings, bundle, id)
            yield Entry(kept, derived_name(place.property, derived), place.version, before)
        elif last and (place.entry is None or store.has_named_properties):
            yield Entry(last, name, place.version, before)
        elif last:
            yield Entry(f"{last}{derived}", store.single_property, place.version)
        elif together:
            yield Entry(together, name, place.version)
        else:
            kept = _by_convention(settings, bundle, f"{id}{derived}")
            yield Entry(kept, store.single_property, place.version)


def token_output(settings: Settings, bundle: str, key: str) -> str:
    """What of a token a key's value is, in a store of tokens."""
    return settings.key_place(bundle, key).property or key


def named_entries(settings: Settings, bundle: str, key: str) -> tuple[str, ...]:
    """The entries that the stack file names for a key; none where the convention holds."""
    known = settings.catalogue.bundles[bundle].keys.get(key)
    if known and known.same_as:
        return named_entries(settings, *known.lender)
    return settings.key_place(bundle, key).named or settings.bundle_place(bundle).named


def may_be_written(settings: Settings, bundle: str, key: str) -> bool:
    """Whether rotation and seeding may write a key's entry: none of a store of others, and none
    that was there already, unless the stack file allows it."""
    if settings.store_of(bundle).is_others:
        return False
    known = settings.catalogue.bundles[bundle].keys.get(key)
    if known and known.same_as:
        return False
    places = settings.key_place(bundle, key), settings.bundle_place(bundle)
    naming = next((place for place in places if place.named), None)
    return naming is None or naming.writes == "allowed"


def whole_entries(settings: Settings, bundle: str) -> tuple[str, ...]:
    """The entries that are in the bundle's Secret with everything that they hold."""
    if not settings.catalogue.bundles[bundle].whole_entry:
        return ()
    named = settings.bundle_place(bundle).named
    is_by_convention = not named and settings.store_of(bundle).layout == "bundle"
    return (bundle_entry(settings, bundle),) if is_by_convention else named


def bundle_entry(settings: Settings, bundle: str) -> str:
    """The entry that holds a whole bundle in layout `bundle`. Without a pattern the bundle `shared`
    is Vault's and AWS' environment's own."""
    store = settings.store_of(bundle)
    pattern = store.entry_pattern
    if pattern is None and bundle == "shared" and store.separator == "/":
        pattern = "{platform}/{environment}"
    return _by_pattern(settings, store, pattern, bundle, "")


def _by_convention(settings: Settings, bundle: str, key: str) -> str:
    store = settings.store_of(bundle)
    if store.layout == "bundle":
        return bundle_entry(settings, bundle)
    return _by_pattern(settings, store, store.entry_pattern, bundle, key)


def _by_pattern(
    settings: Settings, store: Store, pattern: str | None, bundle: str, key: str
) -> str:
    """Without a pattern it ends with the key, or with the bundle where there is none."""
    fields = ("{platform}", "{environment}", "{key}" if key else "{bundle}")
    return (pattern or store.root + store.separator.join(fields)).format(
        platform=settings.catalogue.platform,
        environment=settings.environment.environment,
        bundle=bundle,
        key=key,
    )
