"""What is wrong with keys that have the value of another bundle's key (`same-as`)."""

from collections.abc import Iterator

from platform_secrets.settings.catalogue import Catalogue
from platform_secrets.settings.environment import Environment
from platform_secrets.settings.key import Key
from platform_secrets.settings.key_ids import DERIVED, derived_name
from platform_secrets.settings.problems import did_you_mean
from platform_secrets.settings.references import Fault
from platform_secrets.settings.resolved import Settings


def borrowing_faults(catalogue: Catalogue) -> Iterator[Fault]:
    """Within a catalogue."""
    names = [f"{one}/{key}" for one, content in catalogue.bundles.items() for key in content.keys]
    for bundle, name, key, same_as in _borrowed(catalogue):
        path = ("bundles", bundle, "keys", name, "same-as")
        if same_as not in names:
            hint = did_you_mean(same_as, names)
            yield path, f"no such key in the catalogue, as bundle/key{hint}"
        elif message := _fault(catalogue, bundle, name, key):
            yield path, message


def _fault(catalogue: Catalogue, bundle: str, name: str, key: Key) -> str | None:
    lender_bundle, lender_name = key.lender
    lender = catalogue.bundles[lender_bundle].keys[lender_name]
    if lender_bundle == bundle:
        return "is a key of this bundle: in one Secret a text (`${KEY}`) has the value once more"
    if lender.same_as:
        return f"has no value of its own; name {lender.same_as}"
    if lender.is_of_database:
        return "is a database's URL, which is made for its own bundle's Secret alone"
    if lender.is_generated and name != lender_name:
        return (
            "rotates, and is then compared by its name in each Secret: call this key "
            f"{lender_name}; a text (`${{{lender_name}}}`) may have it under another name too"
        )
    if lender.is_generated and (key.hidden or lender.hidden):
        where = "here" if key.hidden else "there"
        return f"rotates, which is proved in each Secret: it takes no `hidden` {where}"
    fields = catalogue.bundles[bundle].fields
    derived = [derived_name(name, one) for one in DERIVED if lender.overlap]
    if taken := [one for one in derived if one in fields]:
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
