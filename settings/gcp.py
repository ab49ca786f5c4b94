"""What a store in GCP belongs to, and may have besides entries."""

from typing import Annotated

from settings.model import Model, text_of
from settings.store_texts import Day, ProjectId, PubSubTopic


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
