"""A store in GCP Secret Manager."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from platform_secrets.settings.any_store import Identities, Layout, ProviderHalf, Rule
from platform_secrets.settings.model import Model, text_of
from platform_secrets.settings.references import Fault
from platform_secrets.settings.store_texts import (
    Day,
    DestroyDelay,
    EntryPattern,
    GcpRegion,
    KmsKeyPattern,
    ProjectId,
    PubSubTopic,
)


class GkeCluster(Model):
    """The GKE cluster whose workload identities the project trusts."""

    project: ProjectId
    """The project that the cluster is in."""
    location: Annotated[str, text_of(r"[a-z]+-[a-z]+[0-9]+(-[a-z])?", "a region or zone", 30)]
    """Its region or zone."""
    name: Annotated[str, text_of(r"[a-z]([-a-z0-9]*[a-z0-9])?", "a cluster's name", 40)]
    """Its name."""
    project_number: Annotated[str, text_of(r"[0-9]+", "a project's number, quoted", 20)] | None = (
        None
    )
    """With `backend: declare` and `access: direct`: Google names the accounts themselves by it."""


class Reminders(Model):
    """Messages to a Pub/Sub topic, one each `max-age` of a key that people change by hand."""

    next: Day | None = None
    """The day of the next one, in the future: needed by an update that gives an entry its first,
    and taken away after it. Google moves the day by itself, and what is set would move it back."""
    topic: PubSubTopic | None = None
    """A topic of yours, to which Secret Manager's service agent may publish; without it this stack
    declares one."""


class GcpStore(ProviderHalf):
    """GCP Secret Manager, reached through Workload Identity Federation for GKE."""

    entry_rule: ClassVar[Rule] = Rule(
        r"[A-Za-z0-9_-]{1,255}", "at most 255 letters, digits, _ and -"
    )
    version_rule: ClassVar[Rule] = Rule(
        r"[1-9][0-9]*|[A-Za-z][A-Za-z0-9_-]{0,62}", "a version's number, or an alias"
    )
    separator: ClassVar[str] = "-"
    longest_identity_name: ClassVar[int | None] = 30  # a service account's ID
    largest_entry: ClassVar[int | None] = 65_536

    provider: Literal["gcp"]
    """GCP Secret Manager."""
    layout: Layout = "per-key"
    """An entry for each key, or one for a bundle."""
    project: ProjectId
    """The project that holds the entries."""
    cluster: GkeCluster
    entry_pattern: EntryPattern | None = None
    """The name of an entry; without {environment} where each has a project of its own. Unless it is
    set {platform}-{environment}-{key}, and -{bundle} in layout `bundle`."""
    access: Literal["service-account", "direct"] = "service-account"
    """Who holds the rights: Google service accounts that the cluster's accounts act as, or the
    cluster's accounts themselves."""
    locations: Annotated[list[GcpRegion], Field(default_factory=list)]
    """The regions that hold the values; Google chooses them if empty. It can't change later."""
    kms_key: KmsKeyPattern | None = None
    """A key of your own for the values; `{location}` becomes each region, or `global`."""
    version_destroy_delay: DestroyDelay | None = None
    """How long a version that somebody destroys can still be had back."""
    reminders: Reminders | None = None
    """With `backend: declare`: messages that a key which people change by hand is due."""

    def faults(self, identities: Identities, *, protect: bool) -> Iterator[Fault]:
        yield from super().faults(identities, protect=protect)
        is_direct = self.declares_backend and self.access == "direct"
        if is_direct and self.cluster.project_number is None:
            message = "is missing: `access: direct` names the cluster's accounts by it"
            yield ("cluster", "project-number"), message
