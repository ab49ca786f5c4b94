"""SecretsLayer: a layer for a program that has more than the layer in it, in any language."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NotRequired, TypedDict, cast

import pulumi
from pulumi import Input, Output, ResourceOptions

from platform_secrets import rotator
from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import expected_entries
from platform_secrets.settings import Document, Settings, SettingsError, given_values, load

from .layer import Layer


class SecretsLayerArgs(TypedDict):
    """What one environment's secrets layer is made of."""

    environment: dict[str, Any]
    """The environment, as a stack file has it under `platform-secrets:environment`."""

    catalogue: dict[str, Any]
    """Services, bundles and keys, as `catalogue.yaml` has them."""

    values: NotRequired[Input[dict[str, Input[str]]]]
    """The value of every key, by its name: of an environment with `secrets: basic`, and of no
    other."""

    database_admin_password: NotRequired[Input[str]]
    """The password that a database's administrator was made with: for the first update alone, in
    which Vault changes it."""


class SecretsLayer(Layer):
    """The whole secrets layer of one environment: its namespace, who may read what in it, the
    stores, the Secrets, and what rotates their values."""

    namespace: Output[str]
    """The environment's namespace."""

    secret_stores: Output[dict[str, str]]
    """By store, the SecretStore in that namespace through which the operator reads it."""

    expected_entries: Output[dict[str, dict[str, list[str]]]]
    """What the stores must hold: by store and entry, the keys in it."""

    def __init__(
        self, name: str, args: SecretsLayerArgs, opts: ResourceOptions | None = None
    ) -> None:
        try:
            settings = _settings(name, args)
        except SettingsError as error:
            raise pulumi.RunError(str(error)) from None
        password = args.get("database_admin_password")
        super().__init__(
            name,
            settings=settings,
            values=_values(name, settings, args),
            rotator=rotator_source(),
            database_admin_password=None if password is None else Output.secret(password),
            opts=opts,
        )
        [own, *_] = settings.by_namespace
        stores = [store for store in settings.environment.stores if "read" in own.identities(store)]
        readers = {store: naming.secret_store(store, "read") for store in stores}
        self.namespace = Output.from_input(settings.namespace)
        self.secret_stores = Output.from_input(readers)
        self.expected_entries = Output.from_input(expected_entries(settings))


def rotator_source() -> dict[str, str]:
    """The texts of the program that rotates, by file name."""
    sources = [one for one in files(rotator).iterdir() if one.name.endswith(".py")]
    return {one.name: one.read_text("utf-8") for one in sources}


def _settings(name: str, args: SecretsLayerArgs) -> Settings:
    """Raises SettingsError with all that is wrong with the arguments, the values excepted."""
    environment = Document(f"{name}.environment", args.get("environment"))
    catalogue = Document(f"{name}.catalogue", args.get("catalogue"))
    [settings] = load([environment], catalogue)
    return settings


def _values(name: str, settings: Settings, args: SecretsLayerArgs) -> Mapping[str, Output[str]]:
    """The basic Secrets' values, by the keys' ids, as secrets; checked when they are known."""
    if settings.environment.secrets == "external":
        return {}

    def checked(given: Mapping[str, str]) -> dict[str, str]:
        try:
            return given_values(settings, given, f"{name}.values")
        except SettingsError as error:
            raise pulumi.RunError(str(error)) from None

    given = cast(Input[dict[str, str]], args.get("values") or {})
    values = Output.secret(given).apply(checked)
    return {id: values[id] for id in settings.catalogue.keys}
