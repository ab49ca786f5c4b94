"""The stores of a stack: a class for each provider, with its provider's own fields."""

from typing import Annotated

from pydantic import Field

from settings.aws import AwsStore
from settings.azure import AzureStore
from settings.existing import ExistingStore
from settings.gcp import GcpStore
from settings.vault import VaultStore

Store = Annotated[
    VaultStore | AwsStore | GcpStore | AzureStore | ExistingStore,
    Field(discriminator="provider"),
]
