"""A store in Azure Key Vault: its identities, the networks that reach it, resources' IDs."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from platform_secrets.settings.any_store import Identities, ProviderHalf, Rule
from platform_secrets.settings.model import Cidr, DnsLabel, HttpsUrl, Model, text_of
from platform_secrets.settings.problems import Path, listed
from platform_secrets.settings.references import Fault
from platform_secrets.settings.store_texts import EntryPattern, KeyVaultName, Uuid


class ClientIds(Model):
    """The client IDs of the managed identities: Azure chooses them, so they can't be computed."""

    read: Uuid | None = None
    """Of the identity that reads."""
    rotation: Uuid | None = None
    """Of the identity that writes generated keys, where there are any."""
    seed: Uuid | None = None
    """Of the identity that writes every key, with `seeding`."""


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


class AzureStore(ProviderHalf):
    """Azure Key Vault, reached through Microsoft Entra Workload ID. It can't push a property."""

    entry_rule: ClassVar[Rule] = Rule(
        r"[A-Za-z0-9-]{1,127}", "at most 127 letters, digits and hyphens"
    )
    version_rule: ClassVar[Rule] = Rule(r"[0-9a-f]{32}", "a version's 32 hexadecimal digits")
    separator: ClassVar[str] = "-"
    writes_properties: ClassVar[bool] = False
    longest_identity_name: ClassVar[int | None] = 128
    largest_entry: ClassVar[int | None] = 25_600
    # A subscription's role assignments, which Azure raises for nobody:
    # https://learn.microsoft.com/azure/role-based-access-control/troubleshoot-limits
    most_rights: ClassVar[int | None] = 4_000

    provider: Literal["azure"]
    """Azure Key Vault."""
    layout: Literal["per-key"] = "per-key"
    """An entry for each key."""
    vault_name: KeyVaultName
    """The key vault; its name is unique in all of Azure."""
    tenant_id: Uuid
    """Of the vault and the identities."""
    client_ids: ClientIds = ClientIds()
    """Of the identities of the environment's own namespace."""
    namespace_client_ids: Annotated[dict[DnsLabel, ClientIds], Field(default_factory=dict)]
    """The same for each other namespace, by its name: each has identities of its own."""
    cloud: Literal["PublicCloud", "USGovernmentCloud", "ChinaCloud"] = "PublicCloud"
    """Which of Azure's clouds."""
    entry_pattern: EntryPattern | None = None
    """The name of a key's secret; {platform}-{environment}-{key} unless it is set."""
    subscription_id: Uuid | None = None
    """With `backend: declare`: where the vault and the identities are made."""
    resource_group: ResourceGroup | None = None
    """With `backend: declare`: an existing resource group."""
    location: AzureRegion | None = None
    """With `backend: declare`: where vault and identities are, such as westeurope."""
    oidc_issuer: HttpsUrl | None = None
    """With `backend: declare`: the cluster's issuer of ServiceAccount tokens, exactly as its tokens
    name it, a slash at the end included."""
    allowed_cidrs: Annotated[list[Ipv4Cidr], Field(default_factory=list)]
    """Public networks that reach the vault; without any, and without subnets, only a private
    endpoint does."""
    allowed_subnets: Annotated[list[SubnetId], Field(default_factory=list)]
    """Subnets, with the service endpoint of Key Vault, that reach the vault."""
    log_analytics_workspace: WorkspaceId | None = None
    """Where the vault's audit log goes; nowhere without it."""
    soft_delete_days: Annotated[int, Field(ge=7, le=90)] = 90
    """How long a deleted secret or vault can be recovered. Azure never lets it be changed."""

    def client_ids_of(self, namespace: str) -> ClientIds:
        """Of the identities of one of the environment's namespaces."""
        return self.namespace_client_ids.get(namespace, self.client_ids)

    def faults(self, identities: Identities, *, protect: bool) -> Iterator[Fault]:
        yield from super().faults(identities, protect=protect)
        if self.declares_backend:
            for setting in ("subscription-id", "resource-group", "location", "oidc-issuer"):
                if getattr(self, setting.replace("-", "_")) is None:
                    yield (setting,), "is missing: `backend: declare` needs it"
        if self.shared == "own":
            yield ("shared",), "has no meaning with Azure: each environment has its own vault"
        yield from self._client_id_faults(identities)

    def _client_id_faults(self, identities: Identities) -> Iterator[Fault]:
        own, *others = identities
        for namespace in self.namespace_client_ids.keys() - {*others}:
            yield (
                ("namespace-client-ids", namespace),
                f"is none of the environment's other namespaces: {listed(others)}",
            )
        places: dict[str, str] = {}
        for namespace, acting in identities.items():
            path: Path = ("client-ids",)
            if namespace != own:
                path = ("namespace-client-ids", namespace)
            known = self.namespace_client_ids.get(namespace, ClientIds())
            ids = self.client_ids if namespace == own else known
            for identity in acting:
                client_id: str | None = getattr(ids, identity)
                if client_id is None:
                    of = "" if namespace == own else f" of namespace {namespace}"
                    message = f"is missing: the {identity} identity{of} needs its client ID"
                    yield (*path, identity), message
                elif places.setdefault(client_id, namespace) != namespace:
                    message = f"is that of an identity of namespace {places[client_id]} too"
                    yield (*path, identity), f"{message}; each namespace has its own"
