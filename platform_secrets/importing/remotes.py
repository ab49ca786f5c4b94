"""The values that an ExternalSecret reads, by the names that its template knows."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from platform_secrets.importing.found import (
    Expression,
    Filtered,
    NotTakenError,
    Remote,
    Value,
    mapping,
    sequence,
)

PATCH = "; where a patch does, import what kustomize prints"
_PREFIX = re.compile(r"([-._a-zA-Z0-9]*)\$(?:1|\{1\})")
# Whatever is no letter, digit or one of a few signs becomes one of those.
_CLEANING = re.compile(r"\[\^[-_. a-zA-Z0-9]+\]")
_KUBERNETES_OWN = "[^-._a-zA-Z0-9]"
_GENERATORS = {
    "ECRAuthorizationToken": "`provider: ecr-token`",
    "GCRAccessToken": "`provider: gcp-token`",
    "ACRAccessToken": "`provider: acr-token`",
    "GithubAccessToken": "`provider: github-token`",
    "Password": "`rotate: {by: generate}`",
    "UUID": "`rotate: {by: generate, alphabet: uuid}`",
    "VaultDynamicSecret": "`by: database` of a Vault store's `database`",
}


class Values:
    """The values that an ExternalSecret reads, by the names that its template knows."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.named: dict[str, Expression] = {}
        self.notes: dict[str, str] = {}
        """What may be otherwise than it is taken here, by field."""
        self._extracts: list[_Extract] = []
        for number, one in enumerate(sequence(spec.get("dataFrom"))):
            self._extracts.append(_extract(mapping(one), f"dataFrom[{number}]"))
        for number, one in enumerate(sequence(spec.get("data"))):
            name, value = _reference(mapping(one), f"data[{number}]")
            self.named[name] = value

    def whole(self) -> tuple[str, ...]:
        """The entries that are taken as they are. Raises NotTakenError."""
        if any(one.prefix or one.cleaned for one in self._extracts):
            why = "renames keys whose names are not told here; name them in a template first"
            raise NotTakenError("dataFrom.rewrite", why)
        if any(one.remote.version for one in self._extracts):
            why = "takes one version of an entry whole; name the keys in `data` first"
            raise NotTakenError("dataFrom.extract.version", why)
        return _in_order(one.remote for one in self._extracts)

    def find(self, name: str, field: str) -> Expression:
        if name in self.named:
            return self.named[name]
        fitting = [one for one in self._extracts if name.startswith(one.prefix)]
        longest = max((len(one.prefix) for one in fitting), default=0)
        fitting = [one for one in fitting if len(one.prefix) == longest]
        if not fitting:
            why = f"is made of {name}, which is not read; the sync fails already"
            raise NotTakenError(field, why)
        last, entries = fitting[-1], _in_order(one.remote for one in fitting)
        *before, _ = entries
        if before and any(one.remote.version for one in fitting):
            why = f"is made of {name}, which several entries may have, one of them in one version"
            raise NotTakenError(field, f"{why}; name it in `data` first")
        property = name.removeprefix(last.prefix)
        if last.cleaned and last.cleaned in property:
            why = f"{name} is read as {property} of {entries[-1]}: correct `property` where the"
            self.notes[field] = f"{why} rewrite has put {last.cleaned} for another character"
        return (Value(replace(last.remote, property=property, before=tuple(before)), name),)


def _in_order(remotes: Iterable[Remote]) -> tuple[str, ...]:
    """The entries, each at the last of its places: what is read later is what is taken."""
    return tuple(reversed(dict.fromkeys(reversed([one.key for one in remotes]))))


def _reference(one: Mapping[str, Any], field: str) -> tuple[str, Expression]:
    if one.get("sourceRef"):
        why = "reads another store than the rest, or a generator; split the ExternalSecret first"
        raise NotTakenError(f"{field}.sourceRef", why)
    remote, decoding = _remote(mapping(one.get("remoteRef")), f"{field}.remoteRef")
    name = str(one.get("secretKey"))
    found: Expression = (Value(remote, name),)
    return name, (Filtered(found, "decoded"),) if decoding == "Base64" else found


def _remote(reference: Mapping[str, Any], field: str) -> tuple[Remote, str]:
    decoding = reference.get("decodingStrategy") or "None"
    if decoding not in ("None", "Base64"):
        why = f"`{decoding}`: the catalogue has `stored-as: base64` alone"
        raise NotTakenError(f"{field}.decodingStrategy", why)
    if reference.get("metadataPolicy") not in (None, "None"):
        raise NotTakenError(f"{field}.metadataPolicy", "reads an entry's metadata, not its value")
    if not reference.get("key"):
        raise NotTakenError(f"{field}.key", f"names no entry{PATCH}")
    property, version = (str(reference.get(name) or "") for name in ("property", "version"))
    return Remote(str(reference["key"]), property or None, version or None), decoding


@dataclass(frozen=True)
class _Extract:
    """An entry that is read whole: what is put before the names of its properties, and what instead
    of some of their characters."""

    remote: Remote
    prefix: str
    cleaned: str


def _extract(one: Mapping[str, Any], field: str) -> _Extract:
    if "extract" not in one and "key" not in one:
        what = "find" if "find" in one else "sourceRef"
        why = "finds entries by a pattern, and their names are not told here; keep it as it is"
        if what == "sourceRef":
            generator = mapping(mapping(one.get("sourceRef")).get("generatorRef"))
            ours = _GENERATORS.get(str(generator.get("kind")), "")
            why = "takes what a generator makes; keep it as it is"
            why += f", or have this program do it: {ours}" if ours else ""
        raise NotTakenError(f"{field}.{what}", why)
    if one.get("sourceRef"):
        why = "reads another store than the rest; split the ExternalSecret first"
        raise NotTakenError(f"{field}.sourceRef", why)
    reference = mapping(one.get("extract")) or one
    remote, decoding = _remote(reference, f"{field}.extract")
    if decoding == "Base64":
        why = "decodes every property; name the keys in `data` first"
        raise NotTakenError(f"{field}.extract.decodingStrategy", why)
    prefix, cleaned = _rewritten(one, field)
    return _Extract(replace(remote, is_extracted=True), prefix, cleaned)


def _rewritten(one: Mapping[str, Any], field: str) -> tuple[str, str]:
    """What stands before each name, and what in place of some characters of it."""
    rules = [mapping(mapping(rule).get("regexp")) for rule in sequence(one.get("rewrite"))]
    cleaned = ""
    if rules and _CLEANING.fullmatch(str(rules[0].get("source"))):
        first = rules.pop(0)
        target = str(first.get("target"))
        # What Kubernetes takes in no name is in no name that is read.
        cleaned = "" if first.get("source") == _KUBERNETES_OWN else target
    rules = [rule for rule in rules if rule.get("source") != _KUBERNETES_OWN]
    if not rules:
        return "", cleaned
    target = _PREFIX.fullmatch(str(rules[0].get("target")))
    is_any = str(rules[0].get("source")) in ("(.*)", "^(.*)$", "(.+)", "^(.+)$")
    if len(rules) > 1 or not is_any or not target:
        why = "renames keys otherwise than by a prefix; name them in `data` first"
        raise NotTakenError(f"{field}.rewrite", why)
    return target[1], cleaned
