"""Stores of tokens, one of each provider, and an environment that has them all."""

from typing import Any

from platform_secrets.settings import Document, Settings, load
from tests.settings_files import STORES, changed

TENANT, CLIENT = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "12")
CLUSTER = {"project": "shop-test", "location": "europe-west3", "name": "shop"}
TOKEN_STORES: dict[str, dict[str, Any]] = {
    "ecr": {"provider": "ecr-token", "region": "eu-central-1", "account-id": "123456789012"},
    "gar": {"provider": "gcp-token", "project": "shop-test", "cluster": CLUSTER},
    "acr": {
        "provider": "acr-token",
        "registry": "shop.azurecr.io",
        "scope": "repository:shop/web:pull",
        "tenant-id": TENANT,
        "client-id": CLIENT,
    },
    "github": {
        "provider": "github-token",
        "app-id": "4711",
        "installation-id": "81500",
        "private-key": {"name": "app-env", "key": "private-key"},
        "permissions": {"contents": "read"},
        "repositories": ["charts"],
    },
}
_APP = {"secret": "app-env", "keys": {"private-key": {"description": "of the App"}}}
TOKEN_CATALOGUE: dict[str, Any] = {
    "platform": "shop",
    "bundles": {
        "app": _APP,
        **{
            store: {"secret": f"{store}-env", "keys": {"password": {"description": "a token"}}}
            for store in TOKEN_STORES
        },
    },
}
TOKEN_STACK: dict[str, Any] = {
    "environment": "test",
    "operator": "install",
    "stores": {"vault": STORES["vault"], **TOKEN_STORES},
    "default-store": "vault",
    "bundles": {
        **{store: {"store": store} for store in TOKEN_STORES},
        "github": {"store": "github", "keys": {"password": {"property": "token"}}},
    },
}


def token_settings(changes: dict[str, Any] = {}, catalogue: dict[str, Any] = {}) -> Settings:  # noqa: B006
    """The settings of both, with something else at these paths."""
    files = [TOKEN_STACK, TOKEN_CATALOGUE]
    for at, paths in enumerate((changes, catalogue)):
        for path, value in paths.items():
            files[at] = changed(files[at], path, value)
    stack, whole = files
    [found] = load([Document("stack.yaml", stack)], Document("catalogue.yaml", whole))
    return found
