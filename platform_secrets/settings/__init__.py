"""The only parser: a catalogue and a stack's settings, as frozen, checked values.

Everything below works on these values alone; nothing below reads configuration, files or the
clock.
"""

from platform_secrets.settings.any_store import Identity
from platform_secrets.settings.catalogue import Bundle, Catalogue
from platform_secrets.settings.databases import PostgresDatabase
from platform_secrets.settings.documents import Document, catalogue_document, stack_document
from platform_secrets.settings.doubtful import warning_lines
from platform_secrets.settings.environment import Environment
from platform_secrets.settings.key import Key
from platform_secrets.settings.load import load, load_catalogue
from platform_secrets.settings.problems import Problem, SettingsError
from platform_secrets.settings.resolved import Settings
from platform_secrets.settings.services import Service
from platform_secrets.settings.stores import (
    AcrTokens,
    AwsStore,
    AzureStore,
    EcrTokens,
    ExistingStore,
    GcpStore,
    GcpTokens,
    GithubTokens,
    ParameterStore,
    Store,
    VaultStore,
)
from platform_secrets.settings.values import basic_values, first_values, given_values
from platform_secrets.settings.vault_server import VaultServer

__all__ = [
    "AcrTokens",
    "AwsStore",
    "AzureStore",
    "Bundle",
    "Catalogue",
    "Document",
    "EcrTokens",
    "Environment",
    "ExistingStore",
    "GcpStore",
    "GcpTokens",
    "GithubTokens",
    "Identity",
    "Key",
    "ParameterStore",
    "PostgresDatabase",
    "Problem",
    "Service",
    "Settings",
    "SettingsError",
    "Store",
    "VaultServer",
    "VaultStore",
    "basic_values",
    "catalogue_document",
    "first_values",
    "given_values",
    "load",
    "load_catalogue",
    "stack_document",
    "warning_lines",
]
