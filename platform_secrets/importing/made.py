"""A Secret as a bundle of the two files: what is new in the catalogue, and what the stack file says
of one that the catalogue has already."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from platform_secrets.importing.bundles import Bundle
from platform_secrets.importing.found import NotTakenError, WantedSecret, mapping
from platform_secrets.settings.texts import Part, parts_of

State = Literal["new", "joined", "stored", "not stored"]
_OTHERWISE = (
    "is otherwise in another environment, where a bundle is the same in all: keep it as it is"
)
_OTHER_TEXT = "is another text than in another environment: make a key of what differs in it"


@dataclass(frozen=True)
class Made:
    """A Secret under a bundle's name."""

    name: str
    wanted: WantedSecret
    bundle: Bundle
    known: Mapping[str, Any]
    """What the catalogue says of the bundle; empty for a new one."""
    state: State
    """`new` to the catalogue; `joined` by an environment that is new itself; or in both files, with
    its values in a store or not."""
    is_shared: bool
    """Whether another environment has the bundle too."""

    @property
    def is_new(self) -> bool:
        return self.state == "new"

    @property
    def is_placed_anew(self) -> bool:
        """Whether the stack file does not say yet where it is."""
        return self.state in ("new", "joined")

    @cached_property
    def content(self) -> Mapping[str, Any]:
        """What the catalogue would say if the bundle were new."""
        return self.bundle.content()

    @property
    def added(self) -> dict[str, Any]:
        """What is new in the catalogue."""
        if self.is_new:
            return dict(self.content)
        keys = {name: self.content["keys"][name] for name in self.new_keys}
        texts = {name: self.content["texts"][name] for name in self._new_texts}
        found = {"keys": keys, "texts": texts}
        return {name: content for name, content in found.items() if content}

    @cached_property
    def new_keys(self) -> list[str]:
        """The keys that a known bundle lacks, parts of its new texts among them. One in a store
        needs its place, which a plain Secret does not tell."""
        if self.is_new or not self._may_be_added_to:
            return []
        texts = [self.content["texts"][name] for name in self._new_texts]
        parts = {one.key for text in texts for one in parts_of(text) if isinstance(one, Part)}
        return [
            name
            for name, key in self.content.get("keys", {}).items()
            if name not in self._known_fields and (name in parts or "hidden" not in key)
        ]

    @cached_property
    def _new_texts(self) -> list[str]:
        """The texts that a known bundle lacks. No stack file can leave one out, so a bundle of
        several environments gets none."""
        if self.is_new or self.is_shared or not self._may_be_added_to:
            return []
        return [name for name in self.content.get("texts", {}) if name not in self._known_fields]

    @property
    def missing_keys(self) -> list[str]:
        """The bundle's keys that a new environment does not have."""
        if self.state != "joined" or self.wanted.whole:
            return []
        found, plain = self.content.get("keys", {}), self.wanted.is_plain
        return [
            name
            for name, key in mapping(self.known.get("keys")).items()
            if name not in found and not (plain and mapping(key).get("hidden"))
        ]

    @property
    def places(self) -> list[str]:
        """The keys whose places the stack file says: a borrowed one has its lender's."""
        keys = mapping(self.known.get("keys"))
        return [name for name in self.bundle.names if not mapping(keys.get(name)).get("same-as")]

    @property
    def lenders(self) -> Iterator[tuple[str, str]]:
        """The bundles and the keys whose values this one has too."""
        for name, key in mapping(self.known.get("keys")).items():
            bundle, _, lender = str(mapping(key).get("same-as") or "").partition("/")
            if bundle and name not in self.missing_keys:
                yield bundle, lender

    def require_same(self) -> None:
        """Raises NotTakenError where a new environment has something else in the Secret than the
        catalogue says, which a stack file can't say."""
        if self.state != "joined" or self.wanted.is_plain:
            return
        known, found = self.known, self.content
        for field in ("type", "whole-entry", "registries"):
            if (known.get(field) or None) != (found.get(field) or None):
                raise NotTakenError(field, _OTHERWISE)
        texts, known_texts = found.get("texts", {}), mapping(known.get("texts"))
        for name in dict.fromkeys([*known_texts, *texts]):
            if texts.get(name) != known_texts.get(name) and (
                name in known_texts or name not in self._new_texts
            ):
                raise NotTakenError(f"texts.{name}", _OTHER_TEXT)
        for name, key in mapping(known.get("keys")).items():
            there = found.get("keys", {}).get(name)
            if there and there.get("stored-as") != mapping(key).get("stored-as"):
                raise NotTakenError(f"keys.{name}.stored-as", _OTHERWISE)

    @property
    def _may_be_added_to(self) -> bool:
        return self.state == "joined" or self.wanted.is_plain == (self.state == "not stored")

    @property
    def _known_fields(self) -> set[str]:
        return {*mapping(self.known.get("keys")), *mapping(self.known.get("texts"))}
