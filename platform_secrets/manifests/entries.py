"""Which entries of a store who reads, writes and makes, and what they must hold."""

from datetime import timedelta

from platform_secrets.settings import Identity, Settings
from platform_secrets.settings.entries import Entry, entry, kept, whole_entries


def bundle_entries(settings: Settings, bundle: str) -> dict[str, Entry]:
    """Every key of a bundle, derived ones too, with its entry: what is read and checked."""
    return {value.name: value.entry for value in kept(settings, bundle)}


def rotated_entry(settings: Settings, bundle: str, key: str) -> str:
    """The entry of a key that Secrets Manager rotates: its own, in either layout."""
    if settings.store_of(bundle).layout == "per-key":
        return entry(settings, bundle, key).key
    id = settings.catalogue.bundles[bundle].keys[key].id
    return f"{settings.catalogue.platform}/{settings.environment.environment}/{id}"


def identity_entries(settings: Settings, store: str, identity: Identity) -> dict[str, str]:
    """The entries of a store that an identity is for, each under its bundle's or its key's name,
    that of a place which the stack file names under bundle/key: that is the same in every
    environment, which the entry's own is not."""
    is_whole = settings.environment.stores[store].layout == "bundle"
    found: dict[str, str] = {}
    placed: dict[str, str] = {}
    for bundle, content in settings.bundles_in(store).items():
        for value in kept(settings, bundle):
            if identity == "rotation" and not content.keys[value.key].is_generated:
                continue
            if identity == "seed" and not value.may_be_written:
                continue
            if value.is_placed:
                _place(placed, value.entries, f"{bundle}/{value.name}")
            else:
                found[bundle if is_whole else value.id] = value.entry.key
        whole = whole_entries(settings, bundle) if identity == "read" else ()
        if whole and settings.bundle_place(bundle).named:
            _place(placed, whole, f"{bundle}/")
        elif whole:
            [found[bundle]] = whole
        rotated = settings.rotated_key(bundle)
        if rotated and identity == "read":
            id = settings.catalogue.bundles[bundle].keys[rotated].id
            found[id] = rotated_entry(settings, bundle, rotated)
    by_convention = {*found.values()}
    return found | {name: entry for entry, name in placed.items() if entry not in by_convention}


def _place(placed: dict[str, str], entries: tuple[str, ...], name: str) -> None:
    """Each entry under the name; those before the last one under the name and a number."""
    for number, one in enumerate(entries, 1):
        placed.setdefault(one, name if number == len(entries) else f"{name}/{number}")


def adopted_entries(settings: Settings, store: str) -> set[str]:
    """The entries of a store that were there already: no stack makes or destroys them."""
    values = [value for bundle in settings.bundles_in(store) for value in kept(settings, bundle)]
    own = {value.entry.key for value in values if not value.is_adopted}
    whole = {
        entry
        for bundle in settings.bundles_in(store)
        if settings.bundle_place(bundle).named
        for entry in whole_entries(settings, bundle)
    }
    return ({entry for value in values for entry in value.entries} | whole) - own


def overlap_entries(settings: Settings, store: str) -> set[str]:
    """The entries of a store that hold nothing but a derived key's value."""
    return {
        value.entry.key
        for bundle in settings.bundles_in(store)
        for value in kept(settings, bundle)
        if value.is_apart
    }


def made_entries(settings: Settings, store: str) -> dict[str, str]:
    """The entries of a store that a stack makes where it declares that store's provider half."""
    adopted = adopted_entries(settings, store)
    read = identity_entries(settings, store, "read")
    return {name: entry for name, entry in read.items() if entry not in adopted}


def written_entries(settings: Settings, store: str) -> dict[str, str]:
    """Those that the operator may write, as rotation or as seed; it refuses entries without its
    mark."""
    found: dict[str, str] = {}
    for identity in settings.identities(store):
        if identity != "read":
            found |= identity_entries(settings, store, identity)
    return found


def expected_entries(settings: Settings) -> dict[str, dict[str, list[str]]]:
    """What the stores must hold: by store and entry, what is read from it: the keys, or the
    properties that the stack file names for them."""
    found: dict[str, dict[str, list[str]]] = {name: {} for name in settings.environment.stores}
    for bundle in settings.catalogue.bundles if settings.environment.stores else ():
        of_store = found[settings.store_name(bundle)]
        for one in whole_entries(settings, bundle):
            of_store.setdefault(one, [])
        for value in [one for one in kept(settings, bundle) if not one.is_borrowed]:
            if value.entry.before:  # nobody says which of them has it
                of_store.update({one: of_store.get(one, []) for one in value.entries})
                continue
            is_named = settings.key_place(bundle, value.key).property
            content = (is_named and value.entry.property) or value.name
            of_store.setdefault(value.entry.key, []).append(content)
        if rotated := settings.rotated_key(bundle):
            of_store[rotated_entry(settings, bundle, rotated)] = [rotated]
    return found


def has_overlap_secret(settings: Settings, bundle: str) -> bool:
    """Whether derived keys need a Secret of their own."""
    return any(value.is_apart for value in kept(settings, bundle))


def refresh_period(settings: Settings, bundle: str) -> timedelta:
    """How often the operator reads a bundle on average; never by itself with 0. Of a token a third
    of its lifetime, unless the bundle says otherwise: so one refresh may fail."""
    own = settings.bundle_place(bundle).refresh_interval
    lifetime = settings.store_of(bundle).lifetime
    usual = lifetime / 3 if lifetime else settings.environment.refresh_interval
    return usual if own is None else own
