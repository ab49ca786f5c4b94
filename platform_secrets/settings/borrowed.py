"""What is wrong with keys that have the value of another bundle's key (`same-as`)."""

from collections.abc import Iterator, Set

from platform_secrets.settings.catalogue import Catalogue
from platform_secrets.settings.environment import Environment
from platform_secrets.settings.key import Key
from platform_secrets.settings.key_ids import DERIVED, Derived, derived_name
from platform_secrets.settings.problems import did_you_mean
from platform_secrets.settings.references import Fault
from platform_secrets.settings.resolved import Settings


def borrowing_faults(catalogue: Catalogue) -> Iterator[Fault]:
    """Within a catalogue."""
    keys = {f"{one}/{key}" for one, content in catalogue.bundles.items() for key in content.keys}
    names: dict[str, list[str]] = {}
    fields: dict[str, Set[str]] = {}
    for bundle, name, key, same_as in _borrowed(catalogue):
        names.setdefault(same_as, [key.lender[1]]).append(name)
        if bundle not in fields:
            fields[bundle] = catalogue.bundles[bundle].fields.keys()
    for bundle, name, key, same_as in _borrowed(catalogue):
        path = ("bundles", bundle, "keys", name, "same-as")
        if same_as not in keys:
            hint = did_you_mean(same_as, keys)
            yield path, f"no such key in the catalogue, as bundle/key{hint}"
            continue
        message = _fault(catalogue, bundle, key)
        message = message or _ambiguity(catalogue, name, key, names[same_as], fields[bundle])
        if message:
            yield path, message


def _fault(catalogue: Catalogue, bundle: str, key: Key) -> str | None:
    lender_bundle, lender_name = key.lender
    lender = catalogue.bundles[lender_bundle].keys[lender_name]
    if lender_bundle == bundle:
        return "is a key of this bundle: in one Secret a text (`${KEY}`) has the value once more"
    if lender.same_as:
        return f"has no value of its own; name {lender.same_as}"
    if lender.is_of_database:
        return "is a database's URL, which is made for its own bundle's Secret alone"
    if lender.is_generated and (key.hidden or lender.hidden):
        where = "here" if key.hidden else "there"
        return f"rotates, which is proved in each Secret: it takes no `hidden` {where}"
    return None


def _ambiguity(
    catalogue: Catalogue, name: str, key: Key, names: list[str], fields: Set[str]
) -> str | None:
    """Why a rotation could not tell which of the `fields` of a Secret has the value, which every
    Secret has under one of `names`."""
    bundle, lender_name = key.lender
    lender = catalogue.bundles[bundle].keys[lender_name]
    if not lender.is_generated:
        return None
    all_derived: tuple[Derived, ...] = ("", *(DERIVED if lender.overlap else ()))
    of_value = {derived_name(one, derived) for one in names for derived in all_derived}
    if taken := sorted((of_value - {name}) & fields):
        return f"rotates, and {taken[0]} of this bundle has the name of one of its values"
    return None


def left_out_faults(env: Environment, catalogue: Catalogue) -> Iterator[Fault]:
    """A stack leaves out the value, and not the key that has it too."""
    left = catalogue.without(env.without.bundles, env.without.keys)
    for bundle, name, key, same_as in _borrowed(left):
        lender_bundle, lender_name = key.lender
        if lender_bundle not in left.bundles or lender_name not in left.bundles[lender_bundle].keys:
            yield ("without",), f"leaves out {same_as}, whose value {bundle}/{name} has"


def borrowing_store_faults(settings: Settings) -> Iterator[Fault]:
    """Both are read from one store."""
    for bundle, name, key, same_as in _borrowed(settings.catalogue):
        own, lender = settings.store_name(bundle), settings.store_name(key.lender[0])
        if own != lender:
            message = f"is in store {own}, and {same_as}, whose value {name} has, in {lender}"
            yield ("bundles", bundle, "store"), f"{message}: both must be in one"
        if settings.key_place(bundle, name).model_fields_set:
            yield ("bundles", bundle, "keys", name), f"has no place of its own: it is {same_as}'s"


def _borrowed(catalogue: Catalogue) -> Iterator[tuple[str, str, Key, str]]:
    for bundle, content in catalogue.bundles.items():
        for name, key in content.keys.items():
            if key.same_as:
                yield bundle, name, key, key.same_as
