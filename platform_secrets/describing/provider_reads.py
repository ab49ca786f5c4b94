"""How often the operator asks each provider, and what that costs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from platform_secrets.manifests.entries import refresh_period
from platform_secrets.manifests.external_secret import reads_per_refresh
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings
from platform_secrets.settings.layout import overlap_secret

MONTH = timedelta(days=30)
PRICES_OF = "November 2026"
"""When the prices below were looked up."""


@dataclass(frozen=True)
class Price:
    """What a provider charges for reads."""

    dollars_per_10_000: float
    source: str


# Only of providers that charge for each read. List prices in US dollars, without free allowances.
PRICES = {
    "aws": Price(0.05, "https://aws.amazon.com/secrets-manager/pricing/"),
    "gcp": Price(0.03, "https://cloud.google.com/secret-manager/pricing"),
    "azure": Price(0.03, "https://azure.microsoft.com/pricing/details/key-vault/"),
}


@dataclass(frozen=True)
class Reads:
    """Reads of one store in a month of 30 days."""

    provider: str
    per_month: int

    @property
    def dollars_per_month(self) -> float | None:
        """None where the provider does not charge for reads, or nobody here knows which it is."""
        price = PRICES.get(self.provider)
        return price and round(self.per_month * price.dollars_per_10_000 / 10_000, 2)


def provider_reads(settings: Settings, external_secrets: Iterable[Manifest]) -> dict[str, Reads]:
    """By store, the reads that refreshing these ExternalSecrets takes."""
    bundles = {
        (settings.namespace_of(bundle), secret): bundle
        for bundle, content in settings.catalogue.bundles.items()
        for secret in (content.secret, overlap_secret(content.secret))
    }
    found = dict.fromkeys(settings.environment.stores, 0.0)
    for one in external_secrets:
        bundle = bundles[one["metadata"]["namespace"], one["metadata"]["name"]]
        if period := refresh_period(settings, bundle):
            found[settings.store_name(bundle)] += reads_per_refresh(one) * (MONTH / period)
    of_provider = settings.environment.stores
    return {name: Reads(of_provider[name].provider, round(reads)) for name, reads in found.items()}
