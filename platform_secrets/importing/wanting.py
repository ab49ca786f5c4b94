"""The Secrets that all manifests together ask for, each once."""

import re
from collections.abc import Iterable, Iterator, Sequence

from platform_secrets.importing.external_secrets import wanted_secrets
from platform_secrets.importing.found import Manifest, NotTakenError, WantedSecret, mapping
from platform_secrets.importing.plain_secrets import plain_secrets
from platform_secrets.importing.templates import ConfigMaps, config_maps

EXTERNAL_SECRETS = ("ExternalSecret", "ClusterExternalSecret")
_PUSHING = ("PushSecret", "ClusterPushSecret")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def wanted_of(
    manifests: Sequence[Manifest], namespace: str
) -> tuple[list[WantedSecret], list[tuple[Manifest, NotTakenError]]]:
    """The Secrets, each once; and the manifests that are not taken, with why. What names no
    namespace is in this one."""
    known = _key_names(manifests, namespace)
    texts = config_maps(manifests, namespace)
    refused: list[tuple[Manifest, NotTakenError]] = []
    found: dict[tuple[str, str], WantedSecret] = {}
    for manifest in manifests:
        try:
            for one in _secrets_of(manifest, namespace, texts):
                if not _NAMESPACE.fullmatch(one.namespace):
                    why = "is no name; import what the tool makes that still has to fill it in"
                    raise NotTakenError("metadata.namespace", why)
                first = found.get(one.place)
                if first and one.is_plain:  # of an ExternalSecret's Secret only the names are new
                    continue
                if first and not first.is_plain:
                    why = f"its Secret is also {first.source.place}'s; import each environment"
                    raise NotTakenError("target.name", f"{why} by itself")
                names = known.get(one.place, []) if one.whole else []
                found[one.place] = one.with_names(names) if names else one
        except NotTakenError as error:
            refused.append((manifest, error))
    return [*found.values()], refused


def _secrets_of(manifest: Manifest, namespace: str, texts: ConfigMaps) -> Iterator[WantedSecret]:
    if manifest.kind in _PUSHING:
        raise NotTakenError("", "puts a Secret into a store; keep it as it is beside the catalogue")
    if manifest.kind in EXTERNAL_SECRETS:
        return wanted_secrets(manifest, namespace, texts)
    return plain_secrets(manifest, namespace)


def _key_names(manifests: Iterable[Manifest], namespace: str) -> dict[tuple[str, str], list[str]]:
    """The keys of each Secret that is among the manifests."""
    return {
        (one.namespace or namespace, one.name): [*mapping(one.content.get("data"))]
        for one in manifests
        if one.kind == "Secret"
    }
