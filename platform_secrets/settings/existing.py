"""A store that others declare."""

from typing import ClassVar, Literal

from platform_secrets.settings.any_store import AnyStore, Layout, Rule
from platform_secrets.settings.model import DnsSubdomain
from platform_secrets.settings.store_texts import FreePattern


class ExistingStore(AnyStore):
    """A store that others declare, of any of the operator's providers: it is read, nothing else."""

    entry_rule: ClassVar[Rule] = Rule(r".{1,1024}", "at most 1024 characters")
    version_rule: ClassVar[Rule] = Rule(r".+", "a version as its store calls it")
    is_others: ClassVar[bool] = True

    provider: Literal["existing"]
    """A SecretStore or ClusterSecretStore that others declare."""
    kind: Literal["SecretStore", "ClusterSecretStore"] = "SecretStore"
    """A SecretStore is in the environment's namespace."""
    name: DnsSubdomain
    """Its name in the cluster."""
    layout: Layout = "per-key"
    """With `entry-pattern`: an entry for each key, or one for a bundle."""
    entry_pattern: FreePattern | None = None
    """The name of an entry, of {platform}, {environment} and {bundle}, and in layout `per-key` of
    {key}. Without it the stack file names each entry."""

    @property
    def is_cluster_wide(self) -> bool:
        return self.kind == "ClusterSecretStore"

    @property
    def has_convention(self) -> bool:
        return self.entry_pattern is not None
