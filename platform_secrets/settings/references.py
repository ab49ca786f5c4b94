"""Which names must be known or unique. These checks read plain content, not checked classes, so
that a wrong value elsewhere in a file hides none of their faults."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from platform_secrets.settings.problems import Path, did_you_mean, listed, looks_like_a_name

Fault = tuple[Path, str]


def catalogue_faults(content: object, stacks: Sequence[object] = ()) -> Iterator[Fault]:
    """References within a catalogue, and doubles in one of these stacks, which say what is in which
    namespace."""
    bundles = {name: _mapping(value) for name, value in _mapping(content, "bundles").items()}
    services = {name: _mapping(value) for name, value in _mapping(content, "services").items()}
    doubles = {name for stack in stacks for name in _of_one_name(bundles, stack)}
    for name in [one for one in bundles if one in doubles]:
        yield ("bundles", name, "secret"), "two bundles make a Secret of this name"
    for name, service in services.items():
        reads = [read for read in _list(service, "reads") if isinstance(read, str)]
        for place, read in enumerate(reads):
            path = ("services", name, "reads", place)
            if bundles and read not in bundles:
                holding = [one for one in bundles if read in _mapping(bundles[one], "keys")]
                of_key = f"; it is a key of bundle {listed(holding[:1])}" if holding else ""
                hint = of_key or did_you_mean(read, bundles)
                yield path, f"no such bundle{hint}; there are: {listed(bundles)}"
            elif read in reads[:place]:
                yield path, "is there twice"
    together = [of_one for stack in stacks for of_one in _side_by_side(services, stack)]
    yield from dict.fromkeys(fault for of_one in together for fault in _workload_faults(of_one))
    yield from dict.fromkeys(fault for of_one in together for fault in _account_faults(of_one))


def _of_one_name(bundles: Mapping[str, Mapping[str, Any]], stack: object) -> Iterator[str]:
    """The bundles whose Secrets would be one: of one name, in one namespace."""
    found: dict[tuple[str | None, str], list[str]] = {}
    namespaces, left_out = _namespaces(stack), _left_out(stack)
    for name, bundle in bundles.items():
        if (secret := _text(bundle, "secret")) and name not in left_out:
            found.setdefault((namespaces.get(name), secret), []).append(name)
    for names in found.values():
        yield from names if len(names) > 1 else ()


def _side_by_side(
    services: Mapping[str, Mapping[str, Any]], stack: object
) -> list[dict[str, Mapping[str, Any]]]:
    """The services of each namespace: a service is where the bundles are that it reads. One of
    which a stack leaves out all of these may be in another environment alone."""
    namespaces, left_out = _namespaces(stack), _left_out(stack)
    found: dict[str | None, dict[str, Mapping[str, Any]]] = {}
    for name, service in services.items():
        reads = [one for one in _list(service, "reads") if isinstance(one, str)]
        first = next((one for one in reads if one not in left_out), "")
        if first or not reads:
            found.setdefault(namespaces.get(first), {})[name] = service
    return [*found.values()]


def _namespaces(stack: object) -> dict[str, str]:
    """The namespace of each bundle that is not in the environment's own."""
    return {
        bundle: namespace
        for namespace, content in _mapping(stack, "namespaces").items()
        for bundle in _list(_mapping(content), "bundles")
        if isinstance(bundle, str)
    }


def _left_out(stack: object) -> list[Any]:
    return _list(_mapping(stack, "without"), "bundles")


def store_faults(content: object) -> Iterator[Fault]:
    """Stores that a stack names and does not declare."""
    stores = _mapping(content, "stores")
    if not stores or _text(_mapping(content), "secrets") == "basic":
        return
    declared = f"; declared: {listed(stores)}"
    default = _text(_mapping(content), "default-store")
    if default and default not in stores:
        yield ("default-store",), f"no such store{did_you_mean(default, stores)}{declared}"
    for name, place in _mapping(content, "bundles").items():
        store = _text(_mapping(place), "store")
        if store and store not in stores:
            hint = did_you_mean(store, stores)
            yield ("bundles", name, "store"), f"no such store{hint}{declared}"


def _workload_faults(services: Mapping[str, Mapping[str, Any]]) -> Iterator[Fault]:
    count = Counter(one for service in services.values() for one in _workloads(service))
    for name, service in services.items():
        for workload in _workloads(service):
            if count[workload] > 1:
                yield ("services", name), f"{workload} is named twice; it belongs to one service"


def _account_faults(services: Mapping[str, Mapping[str, Any]]) -> Iterator[Fault]:
    """Services share a ServiceAccount where they say so, and agree on whether it exists."""
    sharing: dict[str, list[str]] = {}
    for name, service in services.items():
        first = next(iter(_workloads(service)), "").partition("/")[2]
        account = _text(service, "service-account-name") or first
        if looks_like_a_name(account) and _text(service, "service-account") != "none":
            sharing.setdefault(account, []).append(name)
    for account, names in sharing.items():
        if len(names) == 1:
            continue
        makers = {_text(services[name], "service-account") or "create" for name in names}
        for name in names:
            if not _text(services[name], "service-account-name"):
                message = f"{listed(names)} would share the ServiceAccount {account}"
                yield ("services", name), f"{message}; if they do, each sets service-account-name"
            elif len(makers) > 1:
                message = f"must be alike for {listed(names)}, which share {account}"
                yield ("services", name, "service-account"), message


def _workloads(service: Mapping[str, Any]) -> list[str]:
    found = [service.get("workload"), *_list(service, "workloads")]
    texts = [one for one in found if isinstance(one, str)]
    return [one for one in texts if "/" in one and looks_like_a_name(one)]


def _text(content: Mapping[str, Any], key: str) -> str:
    found = content.get(key)
    return found if isinstance(found, str) else ""


def _mapping(content: object, key: str | None = None) -> Mapping[str, Any]:
    found = _mapping(content).get(key) if key else content
    return found if isinstance(found, Mapping) else {}


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    found = content.get(key)
    return found if isinstance(found, list) else []
