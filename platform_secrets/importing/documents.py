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
    """What is written, and which Secret each bundle is."""

    catalogue: dict[str, Any]
    stack: dict[str, Any]
    bundles: Mapping[str, WantedSecret]
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
    stores = store_names(sorted({one.store for one, _ in made}))
    default_store = _commonest([stores[one.store] for one, _ in made])
    interval = _commonest([_interval(one.interval) for one, _ in made if one.interval])
    own = _commonest([one.namespace for one, _ in made]) or target.namespace
    bundles: dict[str, Any] = {}
    places: dict[str, Any] = {}
    namespaces: dict[str, list[str]] = {}
    for one, bundle in made:
        name, each = names[one.place], _interval(one.interval)
        bundles[name] = bundle.content()
        store = stores[one.store]
        is_default = store == default_store
        place = bundle.place(None if is_default else store, None if each == interval else each)
        places |= {name: place} if place else {}
        if one.namespace != own:
            namespaces.setdefault(one.namespace, []).append(name)
    stack: dict[str, Any] = {
        "environment": target.environment,
        "namespace": "existing",
        "namespace-name": own,
        "operator": "existing",
        "refresh-interval": interval or "1h",
        "namespaces": {
            name: {"namespace": "existing", "bundles": content}
            for name, content in sorted(namespaces.items())
        },
        "default-store": default_store if len(stores) > 1 else None,
        "stores": {
            name: {"provider": "existing", "kind": kind, "name": called}
            for (kind, called), name in stores.items()
        },
        "bundles": places,
    }
    catalogue = {"platform": target.platform, "bundles": bundles}
    if services := _services(readers, names):
        catalogue["services"] = services
    stack = {name: content for name, content in stack.items() if content}
    return Documents(catalogue, stack, {names[one.place]: one for one, _ in made}, refused)


def _services(
    readers: Sequence[Reader], names: Mapping[tuple[str, str], str]
) -> dict[str, dict[str, Any]]:
    read = {
        one: sorted(
            {
                names[one.namespace, secret]
                for secret in one.secrets
                if (one.namespace, secret) in names
            }
        )
        for one in readers
    }
    known = [one for one in readers if read[one]]
    called = service_names((one.namespace, one.kind, one.name) for one in known)
    return {
        called[one.namespace, one.kind, one.name]: {
            "workload": f"{one.kind}/{one.name}",
            "service-account": "none",
            "reads": read[one],
        }
        for one in known
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
