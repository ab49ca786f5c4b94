"""The stores of a stack: a class for each provider, with its provider's own fields."""

from typing import Annotated

from pydantic import Field

from platform_secrets.settings.aws import AwsStore
from platform_secrets.settings.azure import AzureStore
from platform_secrets.settings.existing import ExistingStore
from platform_secrets.settings.gcp import GcpStore
from platform_secrets.settings.parameter_store import ParameterStore
from platform_secrets.settings.tokens import AcrTokens, EcrTokens, GcpTokens, GithubTokens
from platform_secrets.settings.vault import VaultStore

Store = Annotated[
    VaultStore
    | AwsStore
    | ParameterStore
    | GcpStore
    | AzureStore
    | ExistingStore
    | EcrTokens
    | GcpTokens
    | AcrTokens
    | GithubTokens,
    Field(discriminator="provider"),
]
