"""ExternalSecrets whose values the operator's generators make: they are in no store."""

from collections.abc import Iterable, Mapping
from typing import Any

from platform_secrets.importing.found import Manifest, mapping, sequence
from platform_secrets.importing.templates import template_of

# What each makes, and how the catalogue has the same made.
_MADE = {
    "Password": {"password": "rotate: {by: generate, every: 90d}"},
    "UUID": {"uuid": "rotate: {by: generate, every: 90d, alphabet: uuid}"},
    "SSHKey": {"privateKey": None, "publicKey": None},
}
Generators = Mapping[str, tuple[str, Mapping[str, Any]]]
"""The kind and the spec of each ClusterGenerator, by its name."""


def cluster_generators(manifests: Iterable[Manifest]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Those among the manifests."""
    return {
        one.name: (str(one.spec.get("kind")), mapping(one.spec.get("generator")))
        for one in manifests
        if one.kind == "ClusterGenerator"
    }


def generated_fields(
    spec: Mapping[str, Any], generators: Generators
) -> dict[str, str | None] | None:
    """The fields of the Secret, each with what the catalogue may say of a key that is one generated
    value; None where another thing than such generators is read."""
    outputs: dict[str, str | None] = {}
    for one in map(mapping, sequence(spec.get("dataFrom"))):
        generator = mapping(mapping(one.get("sourceRef")).get("generatorRef"))
        kind = str(generator.get("kind"))
        if kind == "ClusterGenerator":
            kind = generators.get(str(generator.get("name")), ("", {}))[0]
        if kind not in _MADE or one.get("rewrite"):
            return None
        outputs |= _MADE[kind]
    template = template_of(spec)
    if not outputs or spec.get("data") or template.get("templateFrom"):
        return None
    lines = mapping(template.get("data"))
    takes_all = not lines or template.get("mergePolicy") == "Merge"
    fields = {
        name: next((way for made, way in outputs.items() if _is_it(str(text), made)), None)
        for name, text in lines.items()
    }
    return {**outputs, **fields} if takes_all else fields


def _is_it(text: str, output: str) -> bool:
    return text.strip().replace(" ", "") == f"{{{{.{output}}}}}"
