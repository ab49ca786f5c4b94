"""What a store in Azure consists of: its identities, the networks that reach it, resources' IDs."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator

from settings.model import Cidr, Model, text_of
from settings.store_texts import Uuid


class ClientIds(Model):
    """The client IDs of the managed identities: Azure chooses them, so they can't be computed."""

    read: Uuid
    """Of the identity that reads."""
    rotation: Uuid | None = None
    """Of the identity that writes generated keys, where there are any."""
    seed: Uuid | None = None
    """Of the identity that writes every key, with `seeding: enabled`."""


_PRIVATE = [ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


def _public_network(text: str) -> str:
    if ":" in text:
        raise ValueError("must be an IPv4 network: a key vault's network rules know no other")
    network = ip_network(text)
    if network.prefixlen == 0:
        raise ValueError("is everybody: name the networks that reach the vault")
    if any(network.overlaps(private) for private in _PRIVATE):
        raise ValueError("must be a public network; for a private one there is allowed-subnets")
    return text


Ipv4Cidr = Annotated[Cidr, AfterValidator(_public_network)]


def _azure_id(namespace: str, *kinds: str) -> object:
    """A resource's full ID, as the portal and the `az` commands show it."""
    group = r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/?#]+"
    path = "".join(rf"/{kind}/[^/?#]+" for kind in kinds)
    rule = f"a full ID of {namespace}/{'/'.join(kinds)}"
    return text_of(f"{group}/providers/{re.escape(namespace)}{path}", rule, 500)


SubnetId = Annotated[str, _azure_id("Microsoft.Network", "virtualNetworks", "subnets")]
WorkspaceId = Annotated[str, _azure_id("Microsoft.OperationalInsights", "workspaces")]
AzureRegion = Annotated[str, text_of(r"[a-z]+[0-9]?", "a region such as westeurope", 30)]
ResourceGroup = Annotated[
    str, text_of(r"[A-Za-z0-9_().-]*[A-Za-z0-9_()-]", "a resource group's name", 90)
]
