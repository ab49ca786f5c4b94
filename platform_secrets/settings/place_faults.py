"""What is wrong with the places that a stack file names, and with what it leaves out."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from platform_secrets.settings.borrowed import borrowing_store_faults, left_out_faults
from platform_secrets.settings.catalogue import Catalogue
from platform_secrets.settings.entries import Kept, kept, named_entries, whole_entries
from platform_secrets.settings.environment import Environment
from platform_secrets.settings.key import Key
from platform_secrets.settings.places import BundlePlace, KeyPlace
from platform_secrets.settings.problems import did_you_mean, listed
from platform_secrets.settings.references import Fault
from platform_secrets.settings.resolved import Settings
from platform_secrets.settings.stores import Store

_NO_PLACE = BundlePlace()


def without_faults(env: Environment, catalogue: Catalogue) -> Iterator[Fault]:
    """What a stack leaves out and the catalogue does not have, or that would leave nothing."""
    bundles = catalogue.bundles
    for number, name in enumerate(env.without.bundles):
        if name not in bundles:
            yield ("without", "bundles", number), f"no such bundle{_known(name, bundles)}"
        elif name in env.bundles:
            yield ("bundles", name), "has no meaning: `without` leaves this bundle out"
    names = [f"{bundle}/{key}" for bundle, content in bundles.items() for key in content.keys]
    for number, name in enumerate(env.without.keys):
        path = ("without", "keys", number)
        bundle, _, key = name.partition("/")
        if name not in names:
            yield path, f"no such key, as bundle/key{_known(name, names)}"
        elif bundle in env.without.bundles:
            yield path, f"is there twice: `without` leaves out the whole bundle {bundle}"
        elif key in env.bundles.get(bundle, _NO_PLACE).keys:
            yield ("bundles", bundle, "keys", key), "has no meaning: `without` leaves this key out"
    left_out = {*env.without.keys}
    for name, content in bundles.items():
        keys = [key for key in content.keys if f"{name}/{key}" in left_out]
        if keys and len(keys) == len(content.keys):
            yield ("without", "keys"), f"leaves bundle {name} without keys: name it in `bundles`"
        elif keys and name not in env.without.bundles:
            for fault in content.without(keys).faults():
                yield (
                    ("without", "keys"),
                    f"of bundle {name} leaves what can't be a Secret: {fault}",
                )
    yield from left_out_faults(env, catalogue)
    if {*bundles} <= {*env.without.bundles}:
        yield ("without", "bundles"), "leaves nothing of the catalogue"


def place_faults(settings: Settings) -> Iterator[Fault]:
    """Places that can't be: by their provider's rules, by what is done with the key, or by who else
    is there. Only once every bundle's store is known."""
    yield from borrowing_store_faults(settings)
    for bundle, content in settings.catalogue.bundles.items():
        if content.whole_entry and not whole_entries(settings, bundle):
            yield ("bundles", bundle), "needs `entry`: the one that its Secret has whole"
        yield from _together_faults(settings, bundle)
    for bundle, place in settings.environment.bundles.items():
        content = settings.catalogue.bundles.get(bundle)
        if content is None:
            continue
        if not place.model_fields_set:
            yield ("bundles", bundle), "says nothing; name a store or an entry, or remove it"
        for name, key_place in place.keys.items():
            path = ("bundles", bundle, "keys", name)
            key = content.keys.get(name)
            if key is None:
                yield path, f"no such key in this bundle{_known(name, content.keys)}"
            elif name in (settings.database_key(bundle), settings.rotated_key(bundle)):
                yield path, "has no place: its store's `database` provides it"
            elif not key.same_as and not settings.store_of(bundle).outputs:
                yield from _key_faults(settings, bundle, name, key, key_place)
        for value in kept(settings, bundle):
            if value.name == value.key:
                yield from _writing_faults(settings, bundle, value, content.keys[value.key])
    for store, config in settings.environment.stores.items():
        if message := _pattern_fault(config):
            yield ("stores", store, "entry-pattern"), message
        else:
            yield from _entry_faults(settings, store)
        if config.is_others:
            yield from _others_faults(settings, store)


def _together_faults(settings: Settings, bundle: str) -> Iterator[Fault]:
    """What can't be, of values in entries that are read as one."""
    path, values = ("bundles", bundle), kept(settings, bundle)
    whole, place = whole_entries(settings, bundle), settings.bundle_place(bundle)
    together = [value for value in values if value.entry.before]
    if place.entries and not whole and not together:
        yield (*path, "entries"), "is where no key of this bundle is kept: remove it"
    for value in together:
        of_key, name = (*path, "keys", value.key), value.entry.property or ""
        if value.is_borrowed:
            if whole:
                message = f"{value.key} is the value of a key in several entries, which a bundle"
                yield path, f"{message} with `whole-entry` can't have: name those in its `entries`"
            continue
        if value.entry.version:
            yield (*of_key, "version"), "is one entry's: name that with the key's own `entry`"
        if not re.fullmatch(r"[-._A-Za-z0-9]+", name):
            message = "must be letters, digits, _, - and .: its entries are read whole"
            yield (*of_key, "property"), message
        if whole and name != value.name:
            message = "must be the key's name: with `whole-entry` the Secret has it under that"
            yield (*of_key, "property"), f"{message}; or name the key's own `entry`"


def _key_faults(
    settings: Settings, bundle: str, name: str, key: Key, place: KeyPlace
) -> Iterator[Fault]:
    path, store = ("bundles", bundle, "keys", name), settings.store_of(bundle)
    if not place.model_fields_set:
        yield path, "says nothing; name an entry or a property, or remove it"
    if place.version:
        if not re.fullmatch(store.version_rule.pattern, place.version):
            yield (*path, "version"), f"must be {store.version_rule.words}"
        if key.rotate:
            message = "keeps a key with `rotate` at one value: remove it, or the key's `rotate`"
            yield (*path, "version"), message
    if key.overlap and place.property and not re.fullmatch(r"[-_A-Za-z0-9]+", place.property):
        message = "must be letters, digits, _ and -: a key with `overlap` has properties beside it"
        yield (*path, "property"), message


def _writing_faults(settings: Settings, bundle: str, value: Kept, key: Key) -> Iterator[Fault]:
    """A generated key is written where it is kept."""
    if not key.is_generated or settings.store_of(bundle).is_others:
        return
    name = value.name
    named = settings.key_place(bundle, name).entry
    path = ("bundles", bundle, *(("keys", name) if named else ()), "entry")
    if value.entry.before:
        message = f"are read as one, so key {name} can't be `by: generate` in them"
        yield ("bundles", bundle, "entries"), f"{message}: give it an `entry` of its own"
    elif not value.may_be_written:
        yield (
            path,
            (
                f"was there already, so key {name} can't be `by: generate` in it: "
                "add `writes: allowed`, or have people change it (`by: hand`)"
            ),
        )
    elif value.entry.property and not settings.store_of(bundle).writes_properties:
        path = _path(settings, settings.store_name(bundle), bundle, value)
        yield path, f"Azure can't write one property of a secret, as key {name} needs it"


def _others_faults(settings: Settings, store: str) -> Iterator[Fault]:
    """A store that others declare is read, at places that somebody says."""
    config = settings.environment.stores[store]
    for bundle, content in settings.bundles_in(store).items():
        place = settings.bundle_place(bundle)
        path = ("bundles", bundle)
        unnamed = [
            name
            for name, key in content.keys.items()
            if not key.same_as and not named_entries(settings, bundle, name)
        ]
        if unnamed and not config.has_convention:
            of_keys = "" if len(unnamed) == len(content.keys) else f" for {listed(unnamed)}"
            message = f"needs `entry`{of_keys}, or store {store} `entry-pattern`: it is others'"
            yield path, f"{message}, and has no convention of this program's"
        for at, one in ((path, place), *(((*path, "keys", k), v) for k, v in place.keys.items())):
            if one.writes == "allowed":
                yield (*at, "writes"), f"store {store} is others': nothing here writes to it"
        for value in kept(settings, bundle):
            if value.name == value.key and content.keys[value.key].is_generated:
                yield (
                    _path(settings, store, bundle, value),
                    (
                        f"is in store {store}, which is others': nothing here writes to it, so key "
                        f"{value.name} can't be `by: generate`; have people change it (`by: hand`)"
                    ),
                )


def _pattern_fault(store: Store) -> str | None:
    pattern = store.entry_pattern
    if pattern and store.layout == "per-key" and "{key}" not in pattern:
        return "must hold {key} once: each key has an entry of its own"
    if pattern and store.layout == "bundle" and "{bundle}" not in pattern:
        return "must hold {bundle} once: an entry holds a whole bundle"
    if pattern and store.layout == "bundle" and "{key}" in pattern:
        return "can't hold {key}: an entry holds a whole bundle"
    return None


def _entry_faults(settings: Settings, store: str) -> Iterator[Fault]:
    """Names that the provider does not take, and values at one place."""
    config = settings.environment.stores[store]
    by_entry: dict[str, list[tuple[str, Kept]]] = defaultdict(list)
    for bundle in settings.bundles_in(store):
        for value in kept(settings, bundle):
            for entry in () if value.is_borrowed else value.entries:
                by_entry[entry].append((bundle, value))
    for entry, values in by_entry.items():
        bundle, value = values[0]
        is_read_only = all(value.is_adopted and not value.may_be_written for _, value in values)
        rules = [config.entry_rule]
        if config.read_only_rule and is_read_only:
            rules.append(config.read_only_rule)
        if not any(re.fullmatch(rule.pattern, entry) for rule in rules):
            path, words = (
                _path(settings, store, bundle, value),
                ", or ".join(r.words for r in rules),
            )
            yield path, f"makes the entry {entry}; {config.provider} allows {words}"
        yield from _double_faults(settings, store, values)


def _double_faults(
    settings: Settings, store: str, values: list[tuple[str, Kept]]
) -> Iterator[Fault]:
    """A place may be given twice only by keys that nobody writes: else a change of the one would
    reach the readers of the other unseen."""
    at: dict[str | None, list[tuple[str, Kept]]] = defaultdict(list)
    for bundle, value in values:
        at[value.entry.property].append((bundle, value))
    whole = at.pop(None, [])
    groups = [[*whole, *same] for same in at.values()] or [whole]
    for group in [one for one in groups if len(one) > 1]:
        written = [found for found in group if _is_written(settings, *found)]
        by_convention = [found for found in group if not found[1].is_placed]
        if written or len(by_convention) > 1:
            first, second = group[0], group[-1]
            blamed = second if second[1].is_placed else first
            other = first if blamed is second else second
            message = f"is also where {other[0]}/{other[1].name} is kept"
            yield (
                _path(settings, store, *blamed),
                f"{message}; two keys may share a place only where no rotation writes it",
            )


def _is_written(settings: Settings, bundle: str, value: Kept) -> bool:
    return settings.catalogue.bundles[bundle].keys[value.key].is_generated


def _path(settings: Settings, store: str, bundle: str, value: Kept) -> tuple[str, ...]:
    """Where the stack file says it."""
    place = settings.key_place(bundle, value.key)
    if place.entry or place.property:
        of_place = "entry" if place.entry else "property"
        return ("bundles", bundle, "keys", value.key, of_place)
    if named_entries(settings, bundle, value.key):
        return ("bundles", bundle, "entries" if value.entry.before else "entry")
    has_pattern = settings.environment.stores[store].entry_pattern is not None
    return ("stores", store, *(("entry-pattern",) if has_pattern else ()))


def _known(name: str, names: Iterable[str]) -> str:
    return did_you_mean(name, names) or f"; there are: {listed(names)}"
