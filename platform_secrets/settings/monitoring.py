"""What Prometheus is to watch of a layer."""

from typing import Literal

from platform_secrets.settings.model import HttpsUrl, Model
from platform_secrets.settings.pod import Key, LabelValue


class Monitoring(Model):
    """How Prometheus gets to know what to scrape, and when to alert (docs/monitoring.md)."""

    prometheus: Literal["operator", "files"]
    """`operator`: by objects of the Prometheus Operator. `files`: by files beside the rendered
    tree's waves, for any other Prometheus."""
    labels: dict[Key, LabelValue] = {}
    """Of these objects, where the Prometheus chooses by labels, such as `release`."""
    runbook_url: HttpsUrl | None = None
    """A page of yours with the headings of docs/monitoring.md, to which each alert then leads."""
    grafana: bool = False
    """Whether there is a dashboard, in a ConfigMap that Grafana's sidecar finds."""

    @property
    def is_in_the_cluster(self) -> bool:
        """Whether it has objects there."""
        return self.grafana or self.prometheus == "operator"
