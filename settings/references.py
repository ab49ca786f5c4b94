"""Which names must be known or unique. These checks read plain content, not checked classes, so
that a wrong value elsewhere in a file hides none of their faults."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from settings.problems import Path, did_you_mean

Fault = tuple[Path, str]


def catalogue_faults(content: object) -> Iterator[Fault]:
    """References and doubles within a catalogue."""
    bundles = {name: _mapping(value) for name, value in _mapping(content, "bundles").items()}
    services = {name: _mapping(value) for name, value in _mapping(content, "services").items()}
    secrets = Counter(_text(bundle, "secret") for bundle in bundles.values())
    keys = Counter(key for bundle in bundles.values() for key in _mapping(bundle, "keys"))
    accounts = Counter(_account(service) for service in services.values())
    workloads = Counter(_text(service, "workload") for service in services.values())
    for name, bundle in bundles.items():
        if _is_double(secrets, _text(bundle, "secret")):
            yield ("bundles", name, "secret"), "two bundles make a Secret of this name"
        for key in _mapping(bundle, "keys"):
            if keys[key] > 1:
                yield ("bundles", name, "keys", key), "is in two bundles; a key's name is unique"
    for name, service in services.items():
        reads = [read for read in _list(service, "reads") if isinstance(read, str)]
        for place, read in enumerate(reads):
            path = ("services", name, "reads", place)
            if bundles and read not in bundles:
                holding = [one for one in bundles if read in _mapping(bundles[one], "keys")]
                of_key = f"; it is a key of bundle {holding[0]}" if holding else ""
                hint = of_key or did_you_mean(read, bundles)
                yield path, f"no such bundle{hint}; there are: {listed(bundles)}"
            elif read in reads[:place]:
                yield path, "is there twice"
        if _is_double(accounts, _account(service)):
            yield ("services", name), "two services use one ServiceAccount; each has its own"
        if _is_double(workloads, _text(service, "workload")):
            yield ("services", name, "workload"), "two services name this workload"


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


def listed(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(sorted(names)) or "none"


def _account(service: Mapping[str, Any]) -> str:
    workload = _text(service, "workload")
    return _text(service, "service-account-name") or workload.partition("/")[2]


def _is_double(counts: Counter[str], name: str) -> bool:
    return name != "" and counts[name] > 1


def _text(content: Mapping[str, Any], key: str) -> str:
    found = content.get(key)
    return found if isinstance(found, str) else ""


def _mapping(content: object, key: str | None = None) -> Mapping[str, Any]:
    found = _mapping(content).get(key) if key else content
    return found if isinstance(found, Mapping) else {}


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    found = content.get(key)
    return found if isinstance(found, list) else []
