"""What is bounded by others: each limit is told with the number at which it is reached.

What is only long is split instead: the rotator's plan, its Roles, what admission knows of its keys.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from platform_secrets.settings.entries import Entry, kept, whole_entries
from platform_secrets.settings.references import Fault
from platform_secrets.settings.resolved import Settings

# etcd takes 1.5 MiB; the verdict of a run and reasons of failures are in the memory too.
_MEMORY_BYTES = 1_400_000
# Of one key: its date and id, and what Kubernetes itself notes of each entry. Its name is in both.
_REMEMBERED_BYTES = 76
_SECRET_BYTES = 1_048_576
# Of one value in JSON, and of one entry's name in a policy of IAM's.
_AROUND_A_VALUE = 6
_AROUND_AN_ENTRY = 70
_AROUND_A_POLICY = 800


def limit_faults(settings: Settings) -> Iterator[Fault]:
    """What can't be had in this size. Only for `secrets: external`."""
    if settings.has_rotation:
        yield from _memory_faults(settings)
    for bundle, content in settings.catalogue.bundles.items():
        size = sum(_length(settings, bundle, value.key) for value in kept(settings, bundle))
        if size > _SECRET_BYTES:
            yield (
                (),
                f"Secret {content.secret} would have {size:,} bytes at least; Kubernetes takes "
                f"{_SECRET_BYTES:,}: split bundle {bundle} in the catalogue",
            )
    for store in settings.environment.stores:
        yield from _store_faults(settings, store)


def size_faults(settings: Settings, values: Mapping[str, str]) -> Iterator[str]:
    """Which of these values, by their keys' ids, are too large together."""
    for bundle, content in settings.catalogue.bundles.items():
        found = {
            value.entry: values[content.keys[value.key].id]
            for value in kept(settings, bundle)
            if content.keys[value.key].id in values
            and not value.is_borrowed
            and value.name == value.key
        }
        if (size := sum(len(text.encode()) for text in found.values())) > _SECRET_BYTES:
            yield (
                f"bundle {bundle} has {size:,} bytes here; a Secret takes {_SECRET_BYTES:,}: split "
                "it in the catalogue"
            )
        most = settings.store_of(bundle).largest_entry
        for entry, size in _entry_sizes(found).items():
            if most and size > most:
                provider = settings.store_of(bundle).provider
                yield f"entry {entry} would hold {size:,} bytes; {provider} takes {most:,}"


def _entry_sizes(values: Mapping[Entry, str]) -> dict[str, int]:
    """How many bytes each entry has at least, by its name: others may hold more than these."""
    texts: dict[str, str] = {}
    objects: dict[str, dict[str, str]] = {}
    for entry, text in values.items():
        if entry.property:
            objects.setdefault(entry.key, {})[entry.property] = text
        else:
            texts[entry.key] = text
    for key, content in objects.items():
        texts[key] = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return {key: len(text.encode()) for key, text in texts.items()}


def _memory_faults(settings: Settings) -> Iterator[Fault]:
    ids = [key.id for key in settings.keys.values() if key.key.rotate]
    size = sum(_REMEMBERED_BYTES + 2 * len(id) for id in ids)
    if size > _MEMORY_BYTES:
        most = len(ids) * _MEMORY_BYTES // size
        yield (
            (),
            f"{len(ids):,} keys have `rotate`; the rotator's memory, one ConfigMap, has room for "
            f"{most:,} with such names: give some an environment of their own, or shorter names",
        )


def _store_faults(settings: Settings, store: str) -> Iterator[Fault]:
    config, path = settings.environment.stores[store], ("stores", store)
    sizes, values = Counter[str](), Counter[str]()
    for bundle in settings.bundles_in(store):
        sizes.update(dict.fromkeys(whole_entries(settings, bundle), 0))
        for value in kept(settings, bundle):
            if value.entry.before:
                sizes.update(dict.fromkeys(value.entries, 0))
            elif not value.is_borrowed:
                name = value.entry.property
                around = len(name) + _AROUND_A_VALUE if name else 0
                sizes[value.entry.key] += around + _length(settings, bundle, value.key)
                values[value.entry.key] += 1
    if (most := config.largest_entry) and sizes:
        [(entry, size)] = sizes.most_common(1)
        if size > most:
            fitting = values[entry] * most // size
            yield (
                path,
                f"entry {entry} would hold {values[entry]:,} values of {size:,} bytes at least; "
                f"{config.provider} takes {most:,}, some {fitting:,} such values: split its "
                "bundle, or use `layout: per-key`",
            )
    if config.declares_backend:
        yield from _policy_faults(settings, store)
        yield from _rights_faults(settings, store)


def _policy_faults(settings: Settings, store: str) -> Iterator[Fault]:
    """Each namespace has a role of its own, whose policy names what is read there."""
    config = settings.environment.stores[store]
    for view in settings.by_namespace if config.largest_policy else ():
        most, entries = config.largest_policy or 0, _read_entries(view, store)
        size = _AROUND_A_POLICY + sum(len(entry) + _AROUND_AN_ENTRY for entry in entries)
        if size > most:
            fitting = len(entries) * (most - _AROUND_A_POLICY) // (size - _AROUND_A_POLICY)
            yield (
                ("stores", store),
                f"a role's policy would name {len(entries):,} entries; {config.provider} takes "
                f"{most:,} characters, some {fitting:,} such entries: use `layout: bundle`, or "
                "several stores",
            )


def _rights_faults(settings: Settings, store: str) -> Iterator[Fault]:
    """Whoever writes has a right on each entry, and readers too where namespaces share the store,
    which otherwise have one on all of it."""
    most = settings.environment.stores[store].most_rights
    if most is None:
        return
    views = [view for view in settings.by_namespace if view.identities(store)]
    is_by_entry = len(views) > 1 or any(
        value.is_adopted
        for bundle in settings.bundles_in(store)
        for value in kept(settings, bundle)
    )
    count = 0
    for view in views:
        entries = _read_entries(view, store)
        written = {
            value.entry.key
            for bundle, content in view.bundles_in(store).items()
            for value in kept(view, bundle)
            if content.keys[value.key].is_generated and not value.is_borrowed
        }
        for identity in view.identities(store):
            if identity == "rotation":
                count += len(written)
            else:
                count += len(entries) if is_by_entry else 1
    if count > most:
        yield (
            ("stores", store),
            f"its identities would have {count:,} role assignments; a subscription has room for "
            f"{most:,}, with all others in it: put bundles into stores of other subscriptions"
            + (", or have fewer namespaces" if is_by_entry else ""),
        )


def _read_entries(view: Settings, store: str) -> set[str]:
    """The entries that the readers of a namespace may read."""
    found: set[str] = set()
    for bundle in view.bundles_in(store):
        found.update(whole_entries(view, bundle))
        for value in kept(view, bundle):
            found.update(value.entries)
    return found


def _length(settings: Settings, bundle: str, key: str) -> int:
    """What a value has at least."""
    known = settings.catalogue.bundles[bundle].keys[key]
    return known.generated_length if known.is_generated else known.min_length
