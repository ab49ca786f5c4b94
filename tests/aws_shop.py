"""The shop with a store in AWS: its settings with options laid over each other, and what the
provider half declares."""

import copy

from platform_secrets.components.backends.aws import AwsBackend
from tests.conftest import SHOP
from tests.declaring import declare

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
STORE = {
    "provider": "aws",
    "region": "eu-central-1",
    "account-id": ACCOUNT,
    "backend": "declare",
    "oidc-issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/0A1B",
}


def catalogue(every="90d"):
    """The shop's catalogue, with a database key in its shared bundle."""
    found = copy.deepcopy(SHOP)
    found["bundles"]["shared"]["keys"]["orders-url"] = {
        "description": "orders",
        "format": "postgres-url",
        "rotate": {"by": "database", "every": every},
    }
    return found


def store_with(*options):
    """The store's own settings, each option laid over those before."""
    store = dict(STORE)
    for option in options:
        store |= option
    return store


def declared_by(settings):
    """All that the provider half declares, by logical name."""
    found = declare(lambda: AwsBackend("aws", settings=settings, store="aws"))
    return {one.name: one for one in found.declared if one.is_custom}
