"""What is new in the stack files: of the environment itself, and of the others of its catalogue."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from platform_secrets.importing.existing import Existing
from platform_secrets.importing.found import mapping
from platform_secrets.importing.made import Made
from platform_secrets.importing.names import beside, store_names

_SHORTEST = 60
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True)
class Target:
    """What the environment is called."""

    platform: str
    environment: str
    namespace: str


def new_in_stack(made: Sequence[Made], target: Target, existing: Existing) -> dict[str, Any]:
    """What the environment's own stack file does not say yet."""
    new = [one for one in made if one.is_placed_anew]
    external = [one for one in new if not one.wanted.is_plain]
    stores = {one.wanted.store for one in external} - {*existing.stores}
    new_stores = beside(store_names(sorted(stores)), mapping(existing.stack.get("stores")))
    known = {**existing.stores, **new_stores}
    has_stores = bool(external) or bool(existing.stores)
    left_out = [one.name for one in new if one.wanted.is_plain and has_stores]
    kept = [one for one in new if one.name not in left_out]
    # What Kubernetes keeps for itself can't be an environment's own.
    spaces = [one.wanted.namespace for one in kept]
    own = _commonest([one for one in spaces if not one.startswith("kube-")]) or target.namespace
    own = existing.own_namespace or own
    default_store = _commonest([known[one.wanted.store] for one in external])
    interval = _commonest(
        [_interval(one.wanted.interval) for one in external if one.wanted.interval]
    )
    if existing.stack:
        default_store = _default_store(existing)
        interval = existing.stack.get("refresh-interval", "1h")
    places: dict[str, Any] = {}
    for one in external:
        each, store = _interval(one.wanted.interval), known[one.wanted.store]
        place = one.bundle.place(
            None if store == default_store else store,
            None if each == interval else each,
            one.places,
        )
        places |= {one.name: place} if place else {}
    for one in made:
        keys = one.new_keys if one.state == "stored" else []
        if keys:
            places[one.name] = {"keys": one.bundle.whole_places(keys)}
    namespaces: dict[str, list[str]] = {}
    for one in new:
        if one.wanted.namespace != own:
            namespaces.setdefault(one.wanted.namespace, []).append(one.name)
    known_spaces = mapping(existing.stack.get("namespaces"))
    has_default = "default-store" in existing.stack or len(known) < 2 or not new_stores
    missing = [f"{one.name}/{key}" for one in kept for key in one.missing_keys]
    without = {"bundles": [*left_out, *absent_bundles(made, existing)], "keys": missing}
    stack: dict[str, Any] = {
        "namespaces": {
            name: ({} if name in known_spaces else {"namespace": "existing"}) | {"bundles": content}
            for name, content in sorted(namespaces.items())
        },
        "without": {name: content for name, content in without.items() if content},
        "default-store": None if has_default else default_store,
        "stores": {
            name: {"provider": "existing", "kind": kind, "name": called}
            for (kind, called), name in new_stores.items()
        },
        "bundles": places,
    }
    if not existing.stack:
        environment: dict[str, Any] = {
            "environment": target.environment,
            "namespace": "existing",
            "namespace-name": own,
            "secrets": None if external else "basic",
            "operator": "existing" if external else None,
            "refresh-interval": (interval or "1h") if external else None,
        }
        stack = {**environment, **stack}
    return {name: content for name, content in stack.items() if content}


def absent_bundles(made: Sequence[Made], existing: Existing) -> list[str]:
    """The catalogue's bundles that a new environment does not have."""
    if existing.stack:
        return []
    there = {one.name for one in made}
    return [name for name in mapping(existing.catalogue.get("bundles")) if name not in there]


def new_in_others(made: Sequence[Made], existing: Existing) -> dict[str, dict[str, Any]]:
    """What the stack files of other environments leave out, by file: what is new in the
    catalogue."""
    found: dict[str, dict[str, Any]] = {}
    bundles = [one.name for one in made if one.is_new]
    for other in existing.others:
        keys = [
            f"{one.name}/{key}"
            for one in made
            if not one.is_new and one.name not in other.left_out
            for key in one.new_keys
        ]
        without = {"bundles": bundles, "keys": keys}
        if bundles or keys:
            new = {name: content for name, content in without.items() if content}
            found[other.file] = {"without": new}
    return found


def _default_store(existing: Existing) -> str | None:
    stores = [*mapping(existing.stack.get("stores"))]
    return existing.stack.get("default-store") or (stores[0] if len(stores) == 1 else None)


def _commonest(names: Sequence[Any]) -> Any:
    return Counter(sorted(names, key=str)).most_common(1)[0][0] if names else None


def _interval(seconds: float) -> str | int:
    """In the largest unit that is exact; at least the shortest that a stack file takes."""
    if not seconds:
        return 0
    whole = max(_SHORTEST, round(seconds))
    size, unit = next(one for one in _UNITS if whole % one[0] == 0)
    return f"{whole // size}{unit}"
