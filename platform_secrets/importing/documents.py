"""The catalogue and the stack files that say what was found, as plain mappings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from platform_secrets.importing.bundles import Bundle
from platform_secrets.importing.existing import Existing, with_added
from platform_secrets.importing.found import NotTakenError, WantedSecret, mapping, sequence
from platform_secrets.importing.made import Made, State
from platform_secrets.importing.matching import matched
from platform_secrets.importing.names import bundle_names, service_names
from platform_secrets.importing.readers import Reader
from platform_secrets.importing.stack_file import (
    Target,
    absent_bundles,
    new_in_others,
    new_in_stack,
)


@dataclass(frozen=True)
class Documents:
    """What the two files say, what of it is new, and which Secret each bundle and which reader each
    new service is."""

    catalogue: dict[str, Any]
    stack: dict[str, Any]
    new_in_catalogue: dict[str, Any]
    new_in_stack: dict[str, Any]
    new_in_others: dict[str, dict[str, Any]]
    """What the stack files of other environments leave out, by file."""
    absent: Sequence[str]
    """The catalogue's bundles that a new environment does not have."""
    bundles: Mapping[str, WantedSecret]
    services: Mapping[str, Reader]
    refused: Sequence[tuple[WantedSecret, NotTakenError]] = field(default_factory=list)
    missing_reads: Sequence[tuple[Reader, str, list[str]]] = field(default_factory=list)
    """What a service that is there does not say it reads."""


def documents(
    wanted: Sequence[WantedSecret],
    readers: Sequence[Reader],
    target: Target,
    existing: Existing,
) -> Documents:
    """Each Secret as a bundle, each reader as a service, each store as one of others."""
    refused: list[tuple[WantedSecret, NotTakenError]] = []
    existing = matched(existing, [one.place for one in wanted], target.environment)
    names = existing.bundle_names(wanted)
    there = mapping(existing.catalogue.get("bundles"))
    new = [one.place for one in wanted if one.place not in names]
    names |= bundle_names(new, there, target.environment)
    made: list[Made] = []
    for one in wanted:
        name = names[one.place]
        try:
            found = _made(name, one, existing)
            found.require_same()
            made.append(found)
        except NotTakenError as error:
            refused.append((one, error))
    made, lacking = _with_lenders(made, existing)
    refused += lacking
    names = {one.wanted.place: one.name for one in made}
    catalogue: dict[str, Any] = {} if existing.catalogue else {"platform": target.platform}
    catalogue["bundles"] = {one.name: one.added for one in made if one.added}
    services, missing_reads = _services(readers, names, target, existing)
    if services:
        catalogue["services"] = {name: content for name, (_, content) in services.items()}
    if existing.catalogue and not catalogue["bundles"]:
        del catalogue["bundles"]
    stack = new_in_stack(made, target, existing)
    return Documents(
        with_added(existing.catalogue, catalogue),
        with_added(existing.stack, stack),
        catalogue,
        stack,
        new_in_others(made, existing),
        absent_bundles(made, existing),
        {one.name: one.wanted for one in made},
        {name: reader for name, (reader, _) in services.items()},
        refused,
        missing_reads,
    )


def _made(name: str, wanted: WantedSecret, existing: Existing) -> Made:
    """Raises NotTakenError."""
    known = mapping(mapping(existing.catalogue.get("bundles")).get(name))
    state: State = "new" if not known else "joined" if not existing.stack else "stored"
    if state == "stored" and (existing.is_basic or name in existing.left_out):
        state = "not stored"
    is_shared = bool(known) and any(name not in one.left_out for one in existing.others)
    return Made(name, wanted, Bundle(wanted, dict(known)), known, state, is_shared)


def _with_lenders(
    made: list[Made], existing: Existing
) -> tuple[list[Made], list[tuple[WantedSecret, NotTakenError]]]:
    """Those that a new environment can have, and those with values of bundles that it lacks."""
    refused: list[tuple[WantedSecret, NotTakenError]] = []
    while not existing.stack:
        has_stores = any(not one.wanted.is_plain for one in made)
        kept = [one for one in made if not (one.wanted.is_plain and has_stores)]
        has = {one.name: {*one.missing_keys} for one in kept}
        lacking = [
            (one, f"{bundle}/{key}")
            for one in kept
            for bundle, key in one.lenders
            if bundle not in has or key in has[bundle]
        ]
        if not lacking:
            break
        for one, lender in lacking:
            why = f"has the value of {lender}, which this environment does not have"
            refused.append((one.wanted, NotTakenError("same-as", why)))
        names = {one.name for one, _ in lacking}
        made = [one for one in made if one.name not in names]
    return made, refused


def _services(
    readers: Sequence[Reader],
    names: Mapping[tuple[str, str], str],
    target: Target,
    existing: Existing,
) -> tuple[dict[str, tuple[Reader, dict[str, Any]]], list[tuple[Reader, str, list[str]]]]:
    """Each new reader of what is imported, once; and what those that are there do not name."""
    read: dict[tuple[str, str, str], tuple[Reader, set[str]]] = {}
    missing: list[tuple[Reader, str, list[str]]] = []
    known = mapping(existing.catalogue.get("services"))
    for one in readers:
        places = {(one.namespace, secret) for secret in one.secrets}
        found = sorted(names[place] for place in places if place in names)
        name = existing.service_name(one.namespace, f"{one.kind}/{one.name}")
        if name is None:
            if found:
                place = one.namespace, one.kind, one.name
                # A patch of an overlay names more than what it patches.
                read.setdefault(place, (one, set()))[1].update(found)
        elif lacking := [each for each in found if each not in sequence(known[name]["reads"])]:
            missing.append((one, name, lacking))
    called = service_names(read, known, target.environment)
    services: dict[str, tuple[Reader, dict[str, Any]]] = {
        called[place]: (
            one,
            {
                "workload": f"{one.kind}/{one.name}",
                "service-account": "none",
                "reads": sorted(found),
            },
        )
        for place, (one, found) in read.items()
    }
    return services, missing
