"""Where the stack file says that values are kept, and what of the catalogue it leaves out."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from platform_secrets.settings.key import KeyName
from platform_secrets.settings.model import Model, RefreshInterval, ServiceName, text_of
from platform_secrets.settings.store_texts import StoreName

_NAME = r"[^\s\"'`\\{}]([^\"'`\\{}\x00-\x1f]*[^\s\"'`\\{}])?"
_NAME_RULE = "without quotes, backslashes, braces, or blanks at its ends"
EntryName = Annotated[
    str,
    text_of(_NAME, f"an entry's name, {_NAME_RULE}", 1024),
]
Property = Annotated[
    str,
    text_of(_NAME, f"a property's name, {_NAME_RULE}", 253),
]
Version = Annotated[
    str, text_of(r"[A-Za-z0-9_.+=,@/-]+", "a version as its store calls it, quoted", 128)
]
Writes = Literal["allowed", "refused"]


class _Place(Model):
    entry: EntryName | None = None
    """The entry that is there already. It is read, and nothing else is done with it."""
    writes: Writes | None = None
    """`allowed`: rotation and seeding may write this entry too. Refused unless it is set."""

    @property
    def named(self) -> tuple[str, ...]:
        """The entries that it names."""
        return (self.entry,) if self.entry else ()

    @model_validator(mode="after")
    def _says_what_may_be_written(self) -> "_Place":
        if self.writes and self.entry is None:
            raise ValueError("`writes` is about an entry: name it with `entry`")
        return self


class KeyPlace(_Place):
    """Where one key is kept."""

    property: Property | None = None
    """The property of the entry that holds the value, where it is not called as the key is."""
    version: Version | None = None
    """The one version that is read; the newest unless it is set."""


class BundlePlace(_Place):
    """Where a bundle is kept, where that is not the default store, or not by its convention."""

    entries: Annotated[list[EntryName], Field(min_length=2)] | None = None
    """Several entries that are there already, in place of `entry`. They are read as if they were
    one: of a name that stands in several of them the last one's value is taken."""
    store: StoreName | None = None
    """The store that holds it; the default store unless it is set."""
    refresh_interval: RefreshInterval | None = None
    """How often the operator reads it; as the environment's unless it is set, and only when it is
    asked to with 0."""
    keys: dict[KeyName, KeyPlace] = {}
    """Where single keys are kept."""

    @property
    def named(self) -> tuple[str, ...]:
        """The entries that it names, in their order."""
        return tuple(self.entries) if self.entries else super().named

    @model_validator(mode="after")
    def _names_each_entry_once(self) -> "BundlePlace":
        if self.entries and self.entry:
            raise ValueError("`entry` names one entry and `entries` several: keep one of them")
        for name in self.entries or ():
            if self.named.count(name) > 1:
                raise ValueError(f"`entries` has {name} twice")
        return self


class Without(Model):
    """What of the catalogue this environment does not have."""

    bundles: list[ServiceName] = []
    """Bundles that it does not have."""
    keys: list[str] = []
    """Keys that it does not have, each as bundle/key."""
