"""Which bundles of a catalogue the Secrets of a new environment are: those of their names."""

from collections.abc import Sequence
from dataclasses import replace

from platform_secrets.importing.existing import Existing, Place
from platform_secrets.importing.found import mapping
from platform_secrets.importing.names import plain_namespace


def matched(existing: Existing, places: Sequence[Place], environment: str) -> Existing:
    """The same, where the stack file is new: with the bundles that these Secrets are, each given by
    namespace and name. Of several with one name, those in namespaces that other environments call
    alike."""
    if existing.stack:
        return existing
    by_name: dict[str, list[str]] = {}
    for name, content in mapping(existing.catalogue.get("bundles")).items():
        by_name.setdefault(str(mapping(content).get("secret")), []).append(name)
    of_name: dict[str, list[Place]] = {}
    for place in places:
        of_name.setdefault(place[1], []).append(place)
    found: dict[Place, str] = {}
    for secret, free in by_name.items():
        left = of_name.get(secret, [])
        for place in [*left]:
            alike = [one for one in free if _is_alike(existing, one, place[0], environment)]
            if alike:
                found[place] = alike[0]
                free.remove(alike[0])
                left.remove(place)
        if len(free) == len(left) == 1:
            found[left[0]] = free[0]
    return replace(existing, bundles=found)


def _is_alike(existing: Existing, bundle: str, namespace: str, environment: str) -> bool:
    """Whether a bundle is in a namespace of this name, apart from the environments' names."""
    plain = plain_namespace(namespace, environment)
    return any(
        plain_namespace(one.namespace_of(bundle), one.environment) == plain
        for one in existing.others
    )
