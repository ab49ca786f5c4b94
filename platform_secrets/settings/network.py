"""Addresses for the NetworkPolicies: whom the pods reach (docs/network.md)."""

from typing import Annotated

from pydantic import Field, model_validator

from platform_secrets.settings.model import Cidr, DnsLabel, Model, Port


class ApiServer(Model):
    """Where pods reach the API server: its endpoints, not its Service. Any address if empty."""

    cidrs: list[Cidr] = []
    """Its addresses; any if empty."""
    ports: Annotated[list[Port], Field(min_length=1)] = [443, 6443]
    """Its ports."""


class Providers(Model):
    """Where the operator and the rotator reach the stores. Any address if empty."""

    cidrs: list[Cidr] = []
    """Their addresses; any if empty."""
    ports: list[Port] = []
    """Besides those of this stack's own stores: of other environments on the cluster, of an HTTP
    proxy, of the pods behind a Service whose own port is another."""


class Dns(Model):
    """Where pods resolve names. Any cluster's usual servers unless it is set (docs/network.md)."""

    namespaces: list[DnsLabel] = ["kube-system", "openshift-dns"]
    """Of the cluster's DNS servers."""
    cidrs: list[Cidr] = ["169.254.0.0/16"]
    """Link-local addresses, unless it is set: caches on the pod's own node, clouds' own servers."""
    ports: Annotated[list[Port], Field(min_length=1)] = [53, 5353]
    """Of the servers themselves, not of their Service; UDP and TCP."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Dns":
        if not self.namespaces and not self.cidrs:
            raise ValueError("needs namespaces or cidrs: without names no store is found")
        return self


class Network(Model):
    """Addresses for the NetworkPolicies."""

    api_server: ApiServer = ApiServer()
    providers: Providers = Providers()
    dns: Dns = Dns()
