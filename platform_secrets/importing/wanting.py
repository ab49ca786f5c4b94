"""The Secrets that all manifests together ask for, each once."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from platform_secrets.importing.external_secrets import Around, wanted_secrets
from platform_secrets.importing.found import Manifest, NotTakenError, WantedSecret, mapping
from platform_secrets.importing.generated import cluster_generators
from platform_secrets.importing.plain_secrets import plain_secrets
from platform_secrets.importing.selectors import namespace_labels
from platform_secrets.importing.templates import config_maps

EXTERNAL_SECRETS = ("ExternalSecret", "ClusterExternalSecret")
_PUSHING = ("PushSecret", "ClusterPushSecret")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def wanted_of(
    manifests: Sequence[Manifest], namespace: str
) -> tuple[list[WantedSecret], list[tuple[Manifest, NotTakenError]]]:
    """The Secrets, each once; and the manifests that are not taken, with why. What names no
    namespace is in this one."""
    known = _key_names(manifests, namespace)
    around = Around(
        config_maps(manifests, namespace),
        namespace_labels(manifests),
        cluster_generators(manifests),
    )
    refused: list[tuple[Manifest, NotTakenError]] = []
    found: dict[tuple[str, str], WantedSecret] = {}
    for manifest in manifests:
        try:
            for one in _secrets_of(manifest, namespace, around):
                if not _NAMESPACE.fullmatch(one.namespace):
                    why = "is no name; import what the tool makes that still has to fill it in"
                    raise NotTakenError("metadata.namespace", why)
                first = found.get(one.place)
                names = known.get(one.place, []) if one.whole else []
                named = one.with_names(names) if names else one
                found[one.place] = _together(first, named) if first else named
        except NotTakenError as error:
            refused.append((manifest, error))
    return [*found.values()], refused


def _together(first: WantedSecret, one: WantedSecret) -> WantedSecret:
    """What two manifests say of one Secret. Raises NotTakenError where they don't agree."""
    if replace(first, source=one.source) == one:
        return replace(first, copies=(*first.copies, one.source))
    if first.is_plain and one.is_plain:  # such as what an overlay adds
        fields = {**first.fields, **one.fields}
        type = one.type if first.type == "Opaque" else first.type
        return replace(first, fields=fields, type=type)
    if one.is_plain:  # of an ExternalSecret's Secret only the names are new
        return first
    if first.is_plain:
        return one
    why = f"its Secret is also {first.source.place}'s; import each environment"
    raise NotTakenError("target.name", f"{why} by itself")


def _secrets_of(manifest: Manifest, namespace: str, around: Around) -> Iterator[WantedSecret]:
    if manifest.kind in _PUSHING:
        raise NotTakenError("", "puts a Secret into a store; keep it as it is beside the catalogue")
    if manifest.kind in EXTERNAL_SECRETS:
        return wanted_secrets(manifest, namespace, around)
    return plain_secrets(manifest, namespace)


def _key_names(manifests: Iterable[Manifest], namespace: str) -> dict[tuple[str, str], list[str]]:
    """The keys of each Secret that is among the manifests."""
    return {
        (one.namespace or namespace, one.name): [*mapping(one.content.get("data"))]
        for one in manifests
        if one.kind == "Secret"
    }
