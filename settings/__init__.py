"""The only parser: a catalogue and a stack's settings, as frozen, checked values.

Everything below works on these values alone; nothing below reads configuration, files or the
clock.
"""

from settings.any_store import Identity
from settings.catalogue import Bundle, Catalogue, Key
from settings.databases import PostgresDatabase
from settings.documents import Document, catalogue_document, stack_document
from settings.doubtful import warning_lines
from settings.environment import Environment
from settings.load import load, load_catalogue
from settings.problems import Problem, SettingsError
from settings.resolved import Settings
from settings.services import Service
from settings.stores import AwsStore, AzureStore, ExistingStore, GcpStore, Store, VaultStore
from settings.values import basic_values
from settings.vault_server import VaultServer

__all__ = [
    "AwsStore",
    "AzureStore",
    "Bundle",
    "Catalogue",
    "Document",
    "Environment",
    "ExistingStore",
    "GcpStore",
    "Identity",
    "Key",
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
    "load",
    "load_catalogue",
    "stack_document",
    "warning_lines",
]
