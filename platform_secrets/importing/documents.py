"""The catalogue and the stack file that say what was found, as plain mappings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from platform_secrets.importing.bundles import Bundle
from platform_secrets.importing.existing import Existing, with_added
from platform_secrets.importing.found import NotTakenError, WantedSecret, mapping, sequence
from platform_secrets.importing.names import beside, bundle_names, service_names, store_names
from platform_secrets.importing.readers import Reader

_SHORTEST = 60
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True)
class Target:
    """What the environment is called."""

    platform: str
    environment: str
    namespace: str


@dataclass(frozen=True)
class Documents:
    """What the two files say, what of it is new, and which Secret each bundle and which reader each
    new service is."""

    catalogue: dict[str, Any]
    stack: dict[str, Any]
    new_in_catalogue: dict[str, Any]
    new_in_stack: dict[str, Any]
    bundles: Mapping[str, WantedSecret]
    services: Mapping[str, Reader]
    refused: Sequence[tuple[WantedSecret, NotTakenError]] = field(default_factory=list)
    missing_reads: Sequence[tuple[Reader, str, list[str]]] = field(default_factory=list)
    """What a service that is there does not say it reads."""


@dataclass(frozen=True)
class _Made:
    name: str
    wanted: WantedSecret
    bundle: Bundle
    is_there: bool


def documents(
    wanted: Sequence[WantedSecret],
    readers: Sequence[Reader],
    target: Target,
    existing: Existing,
) -> Documents:
    """Each Secret as a bundle, each reader as a service, each store as one of others."""
    refused: list[tuple[WantedSecret, NotTakenError]] = []
    bundles: list[tuple[WantedSecret, Bundle]] = []
    for one in wanted:
        try:
            bundles.append((one, Bundle(one)))
        except NotTakenError as error:
            refused.append((one, error))
    there = existing.bundle_names([one for one, _ in bundles])
    new = bundle_names(one.place for one, _ in bundles if one.place not in there)
    names = there | beside(new, mapping(existing.catalogue.get("bundles")))
    made = [_Made(names[one.place], one, each, one.place in there) for one, each in bundles]
    catalogue: dict[str, Any] = {} if existing.catalogue else {"platform": target.platform}
    catalogue["bundles"] = {
        one.name: content for one in made if (content := _content(one, existing))
    }
    services, missing_reads = _services(readers, names, existing)
    if services:
        catalogue["services"] = {name: content for name, (_, content) in services.items()}
    if existing.catalogue and not catalogue["bundles"]:
        del catalogue["bundles"]
    stack = _stack(made, target, existing)
    return Documents(
        with_added(existing.catalogue, catalogue),
        with_added(existing.stack, stack),
        catalogue,
        stack,
        {one.name: one.wanted for one in made},
        {name: reader for name, (reader, _) in services.items()},
        refused,
        missing_reads,
    )


def _content(one: _Made, existing: Existing) -> dict[str, Any]:
    content = one.bundle.content()
    if not one.is_there:
        return content
    keys = {name: content["keys"][name] for name in _new_keys(one, existing)}
    return {"keys": keys} if keys else {}


def _new_keys(one: _Made, existing: Existing) -> list[str]:
    """The keys that a bundle which is there lacks. One in a store needs its place, which a plain
    Secret does not tell."""
    is_kept = one.name not in existing.left_out and not existing.is_basic
    if one.wanted.is_plain == is_kept:
        return []
    keys = one.bundle.content().get("keys", {})
    known = existing.fields(one.name)
    return [name for name, key in keys.items() if name not in known and "hidden" not in key]


def _stack(made: list[_Made], target: Target, existing: Existing) -> dict[str, Any]:
    new = [one for one in made if not one.is_there]
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
        is_default = store == default_store
        place = one.bundle.place(None if is_default else store, None if each == interval else each)
        places |= {one.name: place} if place else {}
    for one in made:
        keys = _new_keys(one, existing) if one.is_there and not one.wanted.is_plain else []
        if keys:
            places[one.name] = {"keys": one.bundle.whole_places(keys)}
    namespaces: dict[str, list[str]] = {}
    for one in new:
        if one.wanted.namespace != own:
            namespaces.setdefault(one.wanted.namespace, []).append(one.name)
    known_spaces = mapping(existing.stack.get("namespaces"))
    has_default = "default-store" in existing.stack or len(known) < 2 or not new_stores
    stack: dict[str, Any] = {
        "namespaces": {
            name: ({} if name in known_spaces else {"namespace": "existing"}) | {"bundles": content}
            for name, content in sorted(namespaces.items())
        },
        "without": {"bundles": left_out} if left_out else None,
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


def _default_store(existing: Existing) -> str | None:
    stores = [*mapping(existing.stack.get("stores"))]
    return existing.stack.get("default-store") or (stores[0] if len(stores) == 1 else None)


def _services(
    readers: Sequence[Reader], names: Mapping[tuple[str, str], str], existing: Existing
) -> tuple[dict[str, tuple[Reader, dict[str, Any]]], list[tuple[Reader, str, list[str]]]]:
    """Each new reader of what is imported, once; and what those that are there do not name."""
    read: dict[tuple[str, str, str], tuple[Reader, list[str]]] = {}
    missing: list[tuple[Reader, str, list[str]]] = []
    known = mapping(existing.catalogue.get("services"))
    for one in readers:
        places = {(one.namespace, secret) for secret in one.secrets}
        found = sorted(names[place] for place in places if place in names)
        name = existing.service_name(one.namespace, f"{one.kind}/{one.name}")
        if name is None:
            if found:
                read.setdefault((one.namespace, one.kind, one.name), (one, found))
        elif lacking := [each for each in found if each not in sequence(known[name]["reads"])]:
            missing.append((one, name, lacking))
    called = beside(service_names(read), known)
    services: dict[str, tuple[Reader, dict[str, Any]]] = {
        called[place]: (
            one,
            {"workload": f"{one.kind}/{one.name}", "service-account": "none", "reads": found},
        )
        for place, (one, found) in read.items()
    }
    return services, missing


def _commonest(names: Sequence[Any]) -> Any:
    return Counter(sorted(names, key=str)).most_common(1)[0][0] if names else None


def _interval(seconds: float) -> str | int:
    """In the largest unit that is exact; at least the shortest that a stack file takes."""
    if not seconds:
        return 0
    whole = max(_SHORTEST, round(seconds))
    size, unit = next(one for one in _UNITS if whole % one[0] == 0)
    return f"{whole // size}{unit}"
