"""One admission policy of this package, before it is an object."""

from dataclasses import dataclass, field

from platform_secrets.manifests.naming import Manifest


@dataclass(frozen=True)
class Policy:
    """What it judges, and what it refuses; `rules` are those of the ClusterRole that says what is
    declared, where the expressions need one."""

    resources: dict[str, str]
    conditions: dict[str, str]
    refusals: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict[str, str])
    details: dict[str, str] = field(default_factory=dict[str, str])
    rules: list[Manifest] | None = None


_GROUP = "platform-secrets"


def rule(resources: list[str], names: list[str], verbs: list[str]) -> Manifest:
    """A rule of such a ClusterRole. It is no right on anything: no API serves its group."""
    return {"apiGroups": [_GROUP], "resources": resources, "resourceNames": names, "verbs": verbs}


def rules_where(condition: str) -> str:
    """The expression of those rules of the ClusterRole of which this is true."""
    return f"dyn(params.rules) == null ? [] : params.rules.filter(rule, {condition})"
