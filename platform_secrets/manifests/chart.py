"""A Helm chart, as this program has it installed."""

from dataclasses import dataclass
from typing import Any

from platform_secrets.manifests.naming import Manifest


@dataclass(frozen=True)
class ChartRelease:
    """A release of a Helm chart, as every delivery installs it.

    Not `is_awaited`: its pods become ready only by what people do. `is_kept`: no delivery ever
    takes it away.
    """

    name: str
    namespace: str
    chart: str
    version: str
    repository: str
    path: str | None
    values: Manifest
    is_awaited: bool = True
    is_kept: bool = False


def laid_over(below: Manifest, above: dict[str, Any]) -> Manifest:
    """As Helm merges values: mappings are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = laid_over(merged[key], value) if both else value
    return merged
