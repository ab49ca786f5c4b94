"""What is wrong with bundles whose values are short-lived tokens."""

from collections.abc import Iterator
from datetime import timedelta

from platform_secrets.settings.catalogue import Bundle
from platform_secrets.settings.entries import token_output
from platform_secrets.settings.key import Key
from platform_secrets.settings.model import duration_text
from platform_secrets.settings.problems import did_you_mean, listed
from platform_secrets.settings.references import Fault
from platform_secrets.settings.resolved import Settings
from platform_secrets.settings.tokens import GithubTokens


def token_faults(settings: Settings, store: str) -> Iterator[Fault]:
    """A token is in no entry, of no rotation, and everybody's own."""
    config = settings.environment.stores[store]
    for bundle, content in settings.bundles_in(store).items():
        path, place = ("bundles", bundle), settings.bundle_place(bundle)
        if content.whole_entry:
            yield path, f"has a whole entry, and store {store} has none: its values are tokens"
        for at, one in ((path, place), *(((*path, "keys", k), v) for k, v in place.keys.items())):
            for word in sorted({"entry", "entries", "version"} & one.model_fields_set):
                yield (*at, word), f"store {store} has no entries: its values are tokens"
        for name, key in content.keys.items():
            if fault := _key_fault(key):
                yield path, f"{name} {fault}: it is a token of store {store}"
            output = token_output(settings, bundle, name)
            if output not in config.outputs:
                hint = did_you_mean(output, config.outputs)
                message = f"{name} is nothing that a token of store {store} has{hint}"
                yield path, f"{message}; it has: {listed(config.outputs)} (name it by `property`)"
        yield from _interval_faults(path, place.refresh_interval, config.lifetime)
    if isinstance(config, GithubTokens):
        yield from _private_key_faults(settings, store, config)


def _key_fault(key: Key) -> str | None:
    if key.same_as:
        return "can't have another key's value"
    if key.is_generated or key.is_of_database:
        return "can't be rotated; leave `rotate` out, or have it `by: hand`"
    return "can't be `stored-as: base64`" if key.stored_as == "base64" else None


def _interval_faults(
    path: tuple[str, ...], interval: timedelta | None, lifetime: timedelta | None
) -> Iterator[Fault]:
    # One sync may fail, and the next is still in time.
    if interval is not None and lifetime and not timedelta(0) < interval <= lifetime / 2:
        message = f"must be {duration_text(lifetime / 2)} at most, and not 0"
        yield (*path, "refresh-interval"), f"{message}: a token lasts {duration_text(lifetime)}"


def _private_key_faults(settings: Settings, store: str, config: GithubTokens) -> Iterator[Fault]:
    wanted = config.private_key
    for view in settings.by_namespace:
        own = view.bundles_in(store)
        others = [one for name, one in view.bundles.items() if name not in own]
        if own and not any(_holds(one, wanted.name, wanted.key) for one in others):
            message = f"no bundle in namespace {view.namespace} makes Secret {wanted.name}"
            yield ("stores", store, "private-key"), f"{message} with {wanted.key} in it"


def _holds(bundle: Bundle, secret: str, field: str) -> bool:
    return bundle.secret == secret and field in bundle.fields
