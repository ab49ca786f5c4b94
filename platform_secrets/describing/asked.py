"""What a stack file asks for, where the policy's rules allow that."""

from collections.abc import Iterator
from datetime import timedelta

from platform_secrets.manifests.entries import refresh_period
from platform_secrets.policy import Asked
from platform_secrets.settings import Settings
from platform_secrets.settings.layout import overlap_secret


def asked_of(settings: Settings) -> Asked:
    """What the stack file says of what the rules judge."""
    env, bundles = settings.environment, settings.catalogue.bundles
    secrets = {
        bundle: {content.secret, overlap_secret(content.secret)}
        for bundle, content in bundles.items()
    }
    emptied = [secrets[name] for name, one in bundles.items() if one.deletion == "delete"]
    return Asked(
        keeps_plain_secrets=env.secrets == "basic",
        protects=env.protect,
        is_only_told=env.admission in ("audit", "warn"),
        pins_images="@" in env.rotator.image,
        emptied_secrets=frozenset().union(*emptied),
        rarely_refreshed_secrets=frozenset().union(*_rarely_refreshed(settings, secrets)),
    )


def _rarely_refreshed(settings: Settings, secrets: dict[str, set[str]]) -> Iterator[set[str]]:
    for bundle, names in secrets.items():
        if settings.environment.secrets == "external":
            period = refresh_period(settings, bundle)
            if not period or period > timedelta(days=1):
                yield names
