"""Where each value is kept: by its store's convention, or where the stack file says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from platform_secrets.settings.key_ids import DERIVED, Derived, derived_name
from platform_secrets.settings.resolved import Settings
from platform_secrets.settings.stores import Store


@dataclass(frozen=True)
class Entry:
    """Where a store keeps a value: `property` is None where the entry is the value itself, and
    `version` where the newest is read."""

    key: str
    property: str | None
    version: str | None = None


@dataclass(frozen=True)
class Kept:
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


def kept(settings: Settings, bundle: str) -> list[Kept]:
    """Every value of a bundle that is in an entry of its own, or in one of the bundle's.

    Not the key that a database engine provides, whose value is in no entry; nor the one that
    Secrets Manager rotates: nobody here writes its entry.
    """
    if bundle not in settings.kept:
        settings.kept[bundle] = [*_kept(settings, bundle)]
    return settings.kept[bundle]


def _kept(settings: Settings, bundle: str) -> Iterator[Kept]:
    store = settings.store_of(bundle)
    of_database = (settings.database_key(bundle), settings.rotated_key(bundle))
    for name, key in settings.catalogue.bundles[bundle].keys.items():
        if name in of_database:
            continue
        named, is_others = adopted_entry(settings, bundle, name), store.is_others
        is_borrowed, is_writable = key.same_as is not None, may_be_written(settings, bundle, name)
        all_derived: tuple[Derived, ...] = ("", *(DERIVED if key.overlap else ()))
        own, *others = _entries(settings, bundle, name, all_derived)
        for derived, found in zip(all_derived, (own, *others), strict=True):
            yield Kept(
                name=derived_name(name, derived),
                id=f"{key.id}{derived}",
                key=name,
                entry=found,
                is_alone=store.layout == "per-key",
                is_placed=named is not None or is_others or is_borrowed,
                is_adopted=found.key == named or is_others,
                may_be_written=is_writable,
                is_borrowed=is_borrowed,
                way=_way(settings, bundle, name),
                is_apart=found.key != own.key,
            )


def _way(settings: Settings, bundle: str, key: str) -> Literal["fewest", "extract", "reference"]:
    if not settings.store_of(bundle).is_others:
        return "fewest"
    if settings.key_place(bundle, key).entry:
        return "reference"
    return "extract" if settings.bundle_place(bundle).entry else "fewest"


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
    named, id = adopted_entry(settings, bundle, key), known.id if known else key
    for derived in all_derived:
        name = derived_name(key, derived)
        if place.property:
            kept = named or _by_convention(settings, bundle, id)
            yield Entry(kept, derived_name(place.property, derived), place.version)
        elif named and (place.entry is None or store.has_named_properties):
            yield Entry(named, name, place.version)
        elif named:
            yield Entry(f"{named}{derived}", store.single_property, place.version)
        else:
            value = name if store.layout == "bundle" else store.single_property
            yield Entry(_by_convention(settings, bundle, f"{id}{derived}"), value, place.version)


def adopted_entry(settings: Settings, bundle: str, key: str) -> str | None:
    """The entry that the stack file names for a key; None where the convention holds."""
    known = settings.catalogue.bundles[bundle].keys.get(key)
    if known and known.same_as:
        return adopted_entry(settings, *known.lender)
    return settings.key_place(bundle, key).entry or settings.bundle_place(bundle).entry


def may_be_written(settings: Settings, bundle: str, key: str) -> bool:
    """Whether rotation and seeding may write a key's entry: none of a store of others, and none
    that was there already, unless the stack file allows it."""
    if settings.store_of(bundle).is_others:
        return False
    known = settings.catalogue.bundles[bundle].keys.get(key)
    if known and known.same_as:
        return False
    places = settings.key_place(bundle, key), settings.bundle_place(bundle)
    naming = next((place for place in places if place.entry), None)
    return naming is None or naming.writes == "allowed"


def whole_entry(settings: Settings, bundle: str) -> str | None:
    """The entry that is in the bundle's Secret with everything that it holds; None without one."""
    if not settings.catalogue.bundles[bundle].whole_entry:
        return None
    named = settings.bundle_place(bundle).entry
    is_by_convention = named is None and settings.store_of(bundle).layout == "bundle"
    return bundle_entry(settings, bundle) if is_by_convention else named


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
