"""Helm charts: where they come from, and what else follows from the values laid over them."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator

from platform_secrets.settings.model import HOST_AND_PORT, Line, Model, text_of
from platform_secrets.settings.operator_releases import release_doubts, release_fault, release_of

ChartVersion = Annotated[str, text_of(r"[0-9]+\.[0-9]+\.[0-9]+", "a version such as 2.9.0")]
ChartRepository = Annotated[
    str,
    text_of(
        rf"(https|oci)://{HOST_AND_PORT}(/[A-Za-z0-9._~/-]*)?",
        "an https:// or oci:// address",
        2048,
    ),
]

# Where the operator's pods listen: values.yaml of chart 2.9.0.
_PORTS = {
    "metrics.listen.port": 8080,
    "webhook.metrics.listen.port": 8080,
    "certController.metrics.listen.port": 8080,
    "livenessProbe.spec.httpGet.port": 8082,
    "readinessProbe.spec.httpGet.port": 8081,
    "webhook.readinessProbe.port": 8081,
    "certController.readinessProbe.port": 8081,
    "webhook.port": 10250,
}
_OF_WEBHOOK = ("webhook.", "certController.")


def _value(values: object, path: str, default: Any) -> Any:
    """What the chart gets at a path: null there or above it is the chart's own value."""
    for part in path.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return default if values is None else values


def _operator_values(values: dict[str, Any]) -> dict[str, Any]:
    for path, default in _PORTS.items():
        port = _value(values, path, default)
        if type(port) is not int or not 1 <= port <= 65535:
            raise ValueError(f"{path} must be a port, 1 to 65535: a NetworkPolicy opens it")
    if not isinstance(_value(values, "nameOverride", ""), str):
        raise ValueError("nameOverride must be text: quote it")
    return values


class OperatorChart(Model):
    """Where the operator's chart comes from, and what to change of its values."""

    version: ChartVersion = "2.9.0"
    """The chart's version."""
    repository: ChartRepository = "https://charts.external-secrets.io"
    """Where Helm finds it."""
    path: Line | None = None
    """A chart's folder or archive on disk instead; under Pulumi only."""
    values: Annotated[dict[str, Any], AfterValidator(_operator_values)] = {}
    """Laid over the values that this program sets. Ports and names that they change are changed in
    the NetworkPolicies too."""

    @property
    def fault(self) -> str | None:
        """Why nothing works with this version; one on disk has its own."""
        return None if self.path else release_fault(release_of(self.version))

    @property
    def doubts(self) -> Iterator[str]:
        """What to think of before one takes this version."""
        if not self.path:
            newest_known = release_of(OperatorChart().version)
            yield from release_doubts(release_of(self.version), newest_known)

    def listening_ports(self, *, has_webhook: bool) -> list[int]:
        """Of all of the operator's pods."""
        found = {
            _value(self.values, path, port)
            for path, port in _PORTS.items()
            if has_webhook or not path.startswith(_OF_WEBHOOK)
        }
        return sorted(found)

    @property
    def name_override(self) -> str:
        """What the chart calls its pods instead of `external-secrets`; empty unless it is set."""
        return _value(self.values, "nameOverride", "")
