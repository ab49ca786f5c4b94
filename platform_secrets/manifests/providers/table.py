"""Which provider a store has: a row for each."""

from platform_secrets.manifests.providers.aws import Aws
from platform_secrets.manifests.providers.azure import Azure
from platform_secrets.manifests.providers.existing import Existing
from platform_secrets.manifests.providers.gcp import Gcp
from platform_secrets.manifests.providers.parameter_store import AwsParameters
from platform_secrets.manifests.providers.provider import Provider
from platform_secrets.manifests.providers.tokens import Acr, Ecr, GcpToken, Github
from platform_secrets.manifests.providers.vault import Vault
from platform_secrets.settings import (
    AcrTokens,
    AwsStore,
    AzureStore,
    EcrTokens,
    ExistingStore,
    GcpStore,
    GcpTokens,
    GithubTokens,
    ParameterStore,
    Settings,
    VaultStore,
)
from platform_secrets.settings.stores import Store


def provider_of(store: Store) -> Provider:
    """The store as its provider's own file describes it."""
    match store:
        case VaultStore():
            return Vault(store)
        case AwsStore():
            return Aws(store)
        case ParameterStore():
            return AwsParameters(store)
        case GcpStore():
            return Gcp(store)
        case AzureStore():
            return Azure(store)
        case ExistingStore():
            return Existing(store)
        case EcrTokens():
            return Ecr(store)
        case GcpTokens():
            return GcpToken(store)
        case AcrTokens():
            return Acr(store)
        case GithubTokens():
            return Github(store)


def providers(settings: Settings) -> list[Provider]:
    """Those of the environment's stores."""
    return [provider_of(store) for store in settings.environment.stores.values()]
