"""What the program asks of a store, whatever its provider; each provider's class answers it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar, Literal, NamedTuple

from platform_secrets.settings.databases import PostgresDatabase, RotatedDatabase
from platform_secrets.settings.model import Model
from platform_secrets.settings.references import Fault

Identity = Literal["read", "rotation", "seed"]
"""What an identity may do: read an environment's entries, write the generated ones, or all."""

Identities = Mapping[str, Sequence[Identity]]
"""Who acts on a store, by namespace: the environment's own first, then every other."""

SECRET_STORE_SUFFIXES: dict[Identity, str] = {
    "read": "store",
    "rotation": "rotation-store",
    "seed": "seed-store",
}
"""What the SecretStore and the ServiceAccount of an identity are called after their store."""

Layout = Literal["bundle", "per-key"]
"""One entry for a bundle, its keys as properties; or one entry for each key."""


class Rule(NamedTuple):
    """What a provider takes as a name: as a regular expression, and for people."""

    pattern: str
    words: str


class AnyStore(Model):
    """One store; what holds for most of them stands here."""

    entry_rule: ClassVar[Rule]
    """For the name of an entry."""
    version_rule: ClassVar[Rule]
    """For the name of a version."""
    root: ClassVar[str] = ""
    """What the name of an entry begins with, unless the stack file says another."""
    separator: ClassVar[str] = "/"
    """Between the parts of an entry's name."""
    single_property: ClassVar[str | None] = None
    """The property that holds the value in an entry of a single key; None where the entry is it."""
    writes_properties: ClassVar[bool] = True
    """Whether the operator can write one property of an entry."""
    longest_identity_name: ClassVar[int | None] = None
    largest_entry: ClassVar[int | None] = None
    """How many bytes the provider takes in one entry."""
    most_rights: ClassVar[int | None] = None
    """How many rights there may be, of all identities, where each entry is one."""
    may_leave_out_its_name: ClassVar[bool] = True
    """Whether names at the provider lack the store's when it is called after its provider."""
    is_others: ClassVar[bool] = False
    """Whether somebody else declares it: no identity is made for it, and nothing is written."""
    outputs: ClassVar[tuple[str, ...]] = ()
    """Of a store of tokens, which has no entries: what a token consists of."""
    lifetime: ClassVar[timedelta | None] = None
    """How long such a token is valid."""

    @property
    def has_named_properties(self) -> bool:
        """Whether an entry that a key names has the value as a property of the key's name, rather
        than is the value itself."""
        return False

    @property
    def read_only_rule(self) -> Rule | None:
        """For what else the provider takes as the name of an entry that is only read."""
        return None

    @property
    def has_convention(self) -> bool:
        """Whether it names the entries that the stack file does not name."""
        return True

    @property
    def declares_backend(self) -> bool:
        """Whether this stack declares its provider half."""
        return False

    @property
    def largest_policy(self) -> int | None:
        """How many characters the provider takes of what names each entry to an identity."""
        return None

    @property
    def is_cluster_wide(self) -> bool:
        """Whether it is a ClusterSecretStore, which an operator of ours otherwise leaves alone."""
        return False

    @property
    def engine(self) -> PostgresDatabase | None:
        """The database whose accounts an engine of the store owns."""
        return None

    @property
    def rotated_database(self) -> RotatedDatabase | None:
        """The database whose password the provider itself rotates, in an entry."""
        return None

    def makes_audit_device_on(self, host: str) -> bool:
        """Whether this stack declares an audit device on the server `host`."""
        return False

    def faults(self, identities: Identities, *, protect: bool) -> Iterator[Fault]:
        """What does not go together in it, each with the path in the store's own settings; where
        these identities act on it, in an environment that is protected or not."""
        yield from ()


class ProviderHalf(AnyStore):
    """A store of which the stack declares something on the provider's side, or could."""

    backend: Literal["declare", "existing"] = "existing"
    """Whether this stack declares the store's identities, their rights, and its entries."""
    shared: Literal["own", "existing"] = "existing"
    """With `backend: declare`: whether it also owns what environments share, such as Vault's
    engine, auth method and audit device. Exactly one stack does."""

    @property
    def declares_backend(self) -> bool:
        return self.backend == "declare"

    def faults(self, identities: Identities, *, protect: bool) -> Iterator[Fault]:
        if self.shared == "own" and not self.declares_backend:
            yield ("shared",), "`own` needs `backend: declare`"
