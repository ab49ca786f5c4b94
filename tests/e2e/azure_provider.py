"""A Pulumi provider `azure-native` for tests: the real engine drives it; it keeps what is declared.

Azure itself is not here: every object is taken as it is declared, and a managed identity gets the
IDs that Azure would choose. What was declared is then what the local Key Vault goes by.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from tests.e2e import azure_server
from tests.e2e.pulumi_properties import plain, properties_of, struct_of
from tests.e2e.stand_in import CloudStandIn

Inputs = dict[str, Any]

VAULT = "azure-native:keyvault:Vault"
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
TRUST = "azure-native:managedidentity:FederatedIdentityCredential"
ROLE = "azure-native:authorization:RoleDefinition"
ROLE_ASSIGNMENT = "azure-native:authorization:RoleAssignment"

# What the inputs of each kind call the object, and which of them make another object of it.
NAMES = {
    VAULT: ("vaultName",),
    IDENTITY: ("resourceName",),
    TRUST: ("resourceName", "federatedIdentityCredentialResourceName"),
    ROLE: ("scope", "roleDefinitionId"),
    ROLE_ASSIGNMENT: ("scope", "roleAssignmentName", "roleDefinitionId", "principalId"),
}

# The actions of the built-in role that a Key Vault of these tests knows.
ACTIONS = {"4633458b-17de-408a-b874-0445c86b69e6": {azure_server.GET}}


class AzureProvider(CloudStandIn):
    """`objects`: what is there now, by ID, as (type, inputs and outputs)."""

    VERSION = "3.999.0"

    def __init__(self) -> None:
        self.objects: dict[str, tuple[str, Inputs]] = {}
        self.configured: list[Inputs] = []

    def of_type(self, token: str) -> list[Inputs]:
        return [content for kind, content in [*self.objects.values()] if kind == token]

    def client_ids(self) -> dict[str, str]:
        """By the identity's name."""
        return {one["resourceName"]: one["clientId"] for one in self.of_type(IDENTITY)}

    def trusts(self, issuer: str) -> set[tuple[str, str]]:
        """(client ID, subject) of every credential for this issuer and the operator's audience."""
        ids = self.client_ids()
        return {
            (ids[one["resourceName"]], one["subject"])
            for one in self.of_type(TRUST)
            if one["issuer"] == issuer and one["audiences"] == [azure_server.AUDIENCE]
        }

    def grants(self, vault_id: str, names: Iterable[str]) -> dict[str, set[tuple[str, str]]]:
        """Client ID -> (action, secret's name), for these secrets of one vault."""
        ids = {one["principalId"]: one["clientId"] for one in self.of_type(IDENTITY)}
        found: dict[str, set[tuple[str, str]]] = {each: set() for each in ids.values()}
        names = list(names)
        own = {
            role["roleDefinitionId"]: {*role["permissions"][0]["dataActions"]}
            for role in self.of_type(ROLE)
            if all(vault_id.startswith(f"{scope}/") for scope in role["assignableScopes"])
        }
        for one in self.of_type(ROLE_ASSIGNMENT):
            actions = (ACTIONS | own)[one["roleDefinitionId"].rpartition("/")[2]]
            for name in names:
                if one["scope"] in (vault_id, f"{vault_id}/secrets/{name}"):
                    found[ids[one["principalId"]]] |= {(each, name) for each in actions}
        return found

    def add(self, token: str, content: Inputs) -> str:
        """Makes an object as others would; returns its ID."""
        id_ = _id(token, content)
        self.objects[id_] = (token, content)
        return id_

    def Configure(self, request: Any, context: Any) -> Any:
        self.configured.append(plain(properties_of(request.args)))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True
        )

    def knows(self, token: str, inputs: Mapping[str, Any]) -> bool:
        return token in NAMES

    def replacing(self, token: str, changed: Iterable[str]) -> Iterable[str]:
        return (key for key in changed if key in NAMES[token])

    def Create(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct_of(properties))
        inputs = plain(properties)
        id_ = _id(request.type, inputs)
        if id_ in self.objects:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{id_} exists")
        chosen = _chosen_by_azure(id_) if request.type == IDENTITY else {}
        self.objects[id_] = (request.type, inputs | chosen)
        return provider_pb2.CreateResponse(id=id_, properties=struct_of(properties | chosen))

    def Update(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.news)
        chosen = _chosen_by_azure(request.id) if request.type == IDENTITY else {}
        if not request.preview:
            self.objects[request.id] = (request.type, plain(properties) | chosen)
        return provider_pb2.UpdateResponse(properties=struct_of(properties | chosen))

    def Read(self, request: Any, context: Any) -> Any:
        """What was declared, as long as it is there; of an import, all but what Azure chose."""
        if request.id not in self.objects:
            return provider_pb2.ReadResponse()
        token, content = self.objects[request.id]
        chosen = _CHOSEN if token == IDENTITY else ()
        inputs = {key: value for key, value in content.items() if key not in chosen}
        return provider_pb2.ReadResponse(
            id=request.id, properties=struct_of(content), inputs=struct_of(inputs)
        )

    def Delete(self, request: Any, context: Any) -> Any:
        self.objects.pop(request.id)
        return Empty()


def _id(token: str, inputs: Mapping[str, Any]) -> str:
    return "/".join((token.rpartition(":")[2], *(str(inputs[name]) for name in NAMES[token][:2])))


def _chosen_by_azure(id_: str) -> dict[str, str]:
    return {each: str(uuid.uuid5(uuid.NAMESPACE_URL, f"{each} {id_}")) for each in _CHOSEN}


_CHOSEN = ("clientId", "principalId")
