"""Which bundles can't be migrated, and why."""

from collections.abc import Iterator

from platform_secrets.settings.entries import kept
from platform_secrets.settings.problems import did_you_mean, listed
from platform_secrets.settings.references import Fault
from platform_secrets.settings.resolved import Settings


def migration_faults(settings: Settings) -> Iterator[Fault]:
    """Only once every bundle's store is known."""
    env, bundles = settings.environment, settings.catalogue.bundles
    for number, bundle in enumerate(env.migrating):
        path = ("migrating", number)
        if bundle not in bundles:
            hint = did_you_mean(bundle, bundles)
            yield path, f"no such bundle in the catalogue{hint}; it has: {listed(bundles)}"
        elif bundle in env.migrating[:number]:
            yield path, "is there already"
        elif hindrance := _hindrance(settings, bundle):
            yield path, hindrance
    if env.migrating and env.seeding is None:
        yield ("migrating",), "needs `seeding`: nobody else may write the entries"


def _hindrance(settings: Settings, bundle: str) -> str | None:
    content, store = settings.catalogue.bundles[bundle], settings.store_of(bundle)
    if store.is_others or store.outputs:
        return "its store is never written from here"
    if content.whole_entry:
        return "its Secret has whatever its entry holds: write the entry, and compare by hand"
    if provided := settings.database_key(bundle) or settings.rotated_key(bundle):
        return f"{provided} comes from a database engine, which knows no value from before"
    if not any(one.may_be_written and one.key in content.shown for one in kept(settings, bundle)):
        return "none of its keys is both in the Secret and in an entry that may be written"
    return None
