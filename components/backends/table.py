"""Which provider half a store has: a row for each that a stack can declare."""

from collections.abc import Callable
from typing import Any

from platform_secrets.settings import AwsStore, AzureStore, GcpStore, Store, VaultStore


def backend_of(store: Store) -> Callable[..., Any]:
    """The provider half's component, imported here: a stack loads only the SDKs that it uses."""
    match store:
        case VaultStore():
            from .vault import VaultBackend

            return VaultBackend
        case AwsStore():
            from .aws import AwsBackend

            return AwsBackend
        case GcpStore():
            from .gcp import GcpBackend

            return GcpBackend
        case AzureStore():
            from .azure import AzureBackend

            return AzureBackend
        case _:
            raise LookupError(f"no stack declares a store of provider {store.provider}")
