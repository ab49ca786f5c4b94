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
_WRAPPED = re.compile(r"([-._a-zA-Z0-9]*)(?:\$1(?![a-zA-Z0-9_])|\$\{1\})([-._a-zA-Z0-9]*)")
_ONE_NAME = re.compile(r"\^((?:[-_a-zA-Z0-9]|\\[-.])+)\$")
_NAME = re.compile(r"[-._a-zA-Z0-9]+")
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
        self.store = _store(spec)
        """Its kind and name; None where none is named."""
        for number, one in enumerate(sequence(spec.get("dataFrom"))):
            self._extracts.append(_extract(mapping(one), f"dataFrom[{number}]", self.store))
        for number, one in enumerate(sequence(spec.get("data"))):
            name, value = _reference(mapping(one), f"data[{number}]", self.store)
            self.named[name] = value

    @property
    def are_decoded(self) -> bool:
        """Whether every property of an entry is."""
        return any(one.is_decoded for one in self._extracts)

    def whole(self) -> tuple[str, ...]:
        """The entries that are taken as they are. Raises NotTakenError."""
        if any(one.names != AS_THEY_ARE for one in self._extracts):
            why = "renames keys whose names are not told here; name them in a template first"
            raise NotTakenError("dataFrom.rewrite", why)
        if self.are_decoded:
            why = "decodes every property; name the keys in `data` or in a template first"
            raise NotTakenError("dataFrom.extract.decodingStrategy", why)
        if any(one.remote.version for one in self._extracts):
            why = "takes one version of an entry whole; name the keys in `data` first"
            raise NotTakenError("dataFrom.extract.version", why)
        return _in_order(one.remote for one in self._extracts)

    def find(self, name: str, field: str) -> Expression:
        if name in self.named:
            return self.named[name]
        fitting = [one for one in self._extracts if one.names.property(name) is not None]
        longest = max((one.names.fits(name) for one in fitting), default=0)
        fitting = [one for one in fitting if one.names.fits(name) == longest]
        if not fitting:
            why = f"is made of {name}, which is not read; the sync fails already"
            raise NotTakenError(field, why)
        last, entries = fitting[-1], _in_order(one.remote for one in fitting)
        *before, _ = entries
        if before and any(one.remote.version for one in fitting):
            why = f"is made of {name}, which several entries may have, one of them in one version"
            raise NotTakenError(field, f"{why}; name it in `data` first")
        if len({(one.is_decoded, one.names.property(name)) for one in fitting}) > 1:
            why = f"is made of {name}, which several entries may have, each in its own way"
            raise NotTakenError(field, f"{why}; name it in `data` first")
        property = last.names.property(name)
        cleaned = last.names.cleaned
        if property and cleaned and cleaned in property:
            why = f"{name} is read as {property} of {entries[-1]}: correct `property` where the"
            self.notes[field] = f"{why} rewrite has put {cleaned} for another character"
        remote = replace(last.remote, property=property, before=tuple(before))
        found: Expression = (Value(remote, name),)
        return (Filtered(found, "decoded"),) if last.is_decoded else found


def _store(spec: Mapping[str, Any]) -> tuple[str, str] | None:
    """The ExternalSecret's own, or that of its first reference where only those name one."""
    sources = [*sequence(spec.get("data")), *sequence(spec.get("dataFrom"))]
    given = [spec.get("secretStoreRef"), *map(_store_of_source, sources)]
    named = (mapping(one) for one in given if mapping(one).get("name"))
    return next((_named(one) for one in named), None)


def _store_of_source(one: object) -> object:
    return mapping(mapping(one).get("sourceRef")).get("storeRef")


def _named(store: Mapping[str, Any]) -> tuple[str, str]:
    return str(store.get("kind") or "SecretStore"), str(store["name"])


def _is_of(store: tuple[str, str] | None, one: Mapping[str, Any]) -> bool:
    """Whether a reference reads the ExternalSecret's own store."""
    own = mapping(_store_of_source(one))
    return not one.get("sourceRef") or (bool(own.get("name")) and _named(own) == store)


def _in_order(remotes: Iterable[Remote]) -> tuple[str, ...]:
    """The entries, each at the last of its places: what is read later is what is taken."""
    return tuple(reversed(dict.fromkeys(reversed([one.key for one in remotes]))))


def _reference(
    one: Mapping[str, Any], field: str, store: tuple[str, str] | None
) -> tuple[str, Expression]:
    if not _is_of(store, one):
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
class Names:
    """What names of properties become: what stands before and after each, and what instead of some
    of their characters; or what single ones are called instead."""

    prefix: str = ""
    suffix: str = ""
    cleaned: str = ""
    called: tuple[tuple[str, str], ...] = ()
    """A property's name, and what is read instead of it."""

    def fits(self, name: str) -> int:
        """How well: what is said of a name itself fits best, then most of it."""
        is_its_own = any(called == name for _, called in self.called)
        return len(name) + 1 if is_its_own else len(self.prefix) + len(self.suffix)

    def property(self, name: str) -> str | None:
        """The property that is read under this name, if one may be."""
        for there, called in reversed(self.called):
            if called == name:
                return there
        if name in dict(self.called):
            return None
        if not name.startswith(self.prefix) or not name.endswith(self.suffix):
            return None
        return name[len(self.prefix) : len(name) - len(self.suffix)] or None


AS_THEY_ARE = Names()


@dataclass(frozen=True)
class _Extract:
    """An entry that is read whole."""

    remote: Remote
    names: Names
    is_decoded: bool


def _extract(one: Mapping[str, Any], field: str, store: tuple[str, str] | None) -> _Extract:
    if "extract" not in one and "key" not in one:
        what = "find" if "find" in one else "sourceRef"
        why = "finds entries by a pattern, and their names are not told here; keep it as it is"
        if what == "sourceRef":
            generator = mapping(mapping(one.get("sourceRef")).get("generatorRef"))
            ours = _GENERATORS.get(str(generator.get("kind")), "")
            why = "takes what a generator makes; keep it as it is"
            why += f", or have this program do it: {ours}" if ours else ""
        raise NotTakenError(f"{field}.{what}", why)
    if not _is_of(store, one):
        why = "reads another store than the rest; split the ExternalSecret first"
        raise NotTakenError(f"{field}.sourceRef", why)
    reference = mapping(one.get("extract")) or one
    remote, decoding = _remote(reference, f"{field}.extract")
    names = _rewritten(one, field)
    return _Extract(replace(remote, is_extracted=True), names, decoding == "Base64")


def _rewritten(one: Mapping[str, Any], field: str) -> Names:
    rules = [mapping(mapping(rule).get("regexp")) for rule in sequence(one.get("rewrite"))]
    cleaned = ""
    if rules and _CLEANING.fullmatch(str(rules[0].get("source"))):
        first = rules.pop(0)
        target = str(first.get("target"))
        # What Kubernetes takes in no name is in no name that is read.
        cleaned = "" if first.get("source") == _KUBERNETES_OWN else target
    rules = [rule for rule in rules if rule.get("source") != _KUBERNETES_OWN]
    single = [
        (_ONE_NAME.fullmatch(str(one.get("source"))), str(one.get("target"))) for one in rules
    ]
    if rules and not cleaned and all(name and _NAME.fullmatch(new) for name, new in single):
        called = [(name[1].replace("\\", ""), new) for name, new in single if name]
        if not {there for there, _ in called} & {new for _, new in called}:
            return Names(called=tuple(called))
    if not rules:
        return Names(cleaned=cleaned)
    target = _WRAPPED.fullmatch(str(rules[0].get("target")))
    is_any = str(rules[0].get("source")) in ("(.*)", "^(.*)$", "(.+)", "^(.+)$")
    if len(rules) > 1 or not is_any or not target:
        why = "renames keys otherwise than by what stands around them; name them in `data` first"
        raise NotTakenError(f"{field}.rewrite", why)
    return Names(target[1], target[2], cleaned)
