"""The catalogue and the stack file that say what was found, as plain mappings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from platform_secrets.importing.bundles import Bundle
from platform_secrets.importing.found import NotTakenError, WantedSecret
from platform_secrets.importing.names import bundle_names, service_names, store_names
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
    """What is written, and which Secret each bundle and which reader each service is."""

    catalogue: dict[str, Any]
    stack: dict[str, Any]
    bundles: Mapping[str, WantedSecret]
    services: Mapping[str, Reader]
    refused: Sequence[tuple[WantedSecret, NotTakenError]] = field(default_factory=list)


def documents(
    wanted: Sequence[WantedSecret], readers: Sequence[Reader], target: Target
) -> Documents:
    """Each Secret as a bundle, each reader as a service, each store as one of others."""
    refused: list[tuple[WantedSecret, NotTakenError]] = []
    made: list[tuple[WantedSecret, Bundle]] = []
    for one in wanted:
        try:
            made.append((one, Bundle(one)))
        except NotTakenError as error:
            refused.append((one, error))
    names = bundle_names(one.place for one, _ in made)
    bundles = {names[one.place]: bundle.content() for one, bundle in made}
    catalogue = {"platform": target.platform, "bundles": bundles}
    services = _services(readers, names)
    if services:
        catalogue["services"] = {name: content for name, (_, content) in services.items()}
    return Documents(
        catalogue,
        _stack([(names[one.place], one, bundle) for one, bundle in made], target),
        {names[one.place]: one for one, _ in made},
        {name: reader for name, (reader, _) in services.items()},
        refused,
    )


def _stack(made: list[tuple[str, WantedSecret, Bundle]], target: Target) -> dict[str, Any]:
    external = [(name, one, bundle) for name, one, bundle in made if not one.is_plain]
    stores = store_names(sorted({one.store for _, one, _ in external}))
    default_store = _commonest([stores[one.store] for _, one, _ in external])
    interval = _commonest([_interval(one.interval) for _, one, _ in external if one.interval])
    # What Kubernetes keeps for itself can't be an environment's own.
    spaces = [one.namespace for _, one, _ in external or made]
    own = _commonest([one for one in spaces if not one.startswith("kube-")]) or target.namespace
    left_out = [name for name, one, _ in made if one.is_plain and external]
    places: dict[str, Any] = {}
    namespaces: dict[str, list[str]] = {}
    for name, one, bundle in external:
        each, store = _interval(one.interval), stores[one.store]
        is_default = store == default_store
        place = bundle.place(None if is_default else store, None if each == interval else each)
        places |= {name: place} if place else {}
    for name, one, _ in made:
        if one.namespace != own and name not in left_out:
            namespaces.setdefault(one.namespace, []).append(name)
    stack: dict[str, Any] = {
        "environment": target.environment,
        "namespace": "existing",
        "namespace-name": own,
        "secrets": None if external else "basic",
        "operator": "existing" if external else None,
        "refresh-interval": (interval or "1h") if external else None,
        "namespaces": {
            name: {"namespace": "existing", "bundles": content}
            for name, content in sorted(namespaces.items())
        },
        "without": {"bundles": left_out} if left_out else None,
        "default-store": default_store if len(stores) > 1 else None,
        "stores": {
            name: {"provider": "existing", "kind": kind, "name": called}
            for (kind, called), name in stores.items()
        },
        "bundles": places,
    }
    return {name: content for name, content in stack.items() if content}


def _services(
    readers: Sequence[Reader], names: Mapping[tuple[str, str], str]
) -> dict[str, tuple[Reader, dict[str, Any]]]:
    """Each reader of what is imported, once."""
    read: dict[tuple[str, str, str], tuple[Reader, list[str]]] = {}
    for one in readers:
        places = {(one.namespace, secret) for secret in one.secrets}
        found = sorted(names[place] for place in places if place in names)
        if found:
            read.setdefault((one.namespace, one.kind, one.name), (one, found))
    called = service_names(read)
    return {
        called[place]: (
            one,
            {"workload": f"{one.kind}/{one.name}", "service-account": "none", "reads": found},
        )
        for place, (one, found) in read.items()
    }


def _commonest(names: Sequence[Any]) -> Any:
    return Counter(sorted(names, key=str)).most_common(1)[0][0] if names else None


def _interval(seconds: float) -> str | int:
    """In the largest unit that is exact; at least the shortest that a stack file takes."""
    if not seconds:
        return 0
    whole = max(_SHORTEST, round(seconds))
    size, unit = next(one for one in _UNITS if whole % one[0] == 0)
    return f"{whole // size}{unit}"
