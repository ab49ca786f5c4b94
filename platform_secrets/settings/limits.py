"""What is bounded by others: each limit is told with the number at which it is reached.

What is only long is split instead: the rotator's plan, its Roles, what admission knows of its keys.
"""

from collections import Counter
from collections.abc import Iterator

from platform_secrets.settings.entries import kept, whole_entries
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
                name = len(value.entry.property or "")
                length = _length(settings, bundle, value.key)
                sizes[value.entry.key] += name + length + _AROUND_A_VALUE
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
    if (most := config.largest_policy) and config.declares_backend:
        size = _AROUND_A_POLICY + sum(len(entry) + _AROUND_AN_ENTRY for entry in sizes)
        if size > most:
            fitting = len(sizes) * (most - _AROUND_A_POLICY) // (size - _AROUND_A_POLICY)
            yield (
                path,
                f"a role's policy would name {len(sizes):,} entries; {config.provider} takes "
                f"{most:,} characters, some {fitting:,} such entries: use `layout: bundle`, or "
                "several stores",
            )


def _length(settings: Settings, bundle: str, key: str) -> int:
    """What a value has at least."""
    known = settings.catalogue.bundles[bundle].keys[key]
    return known.generated_length if known.is_generated else known.min_length
