"""A Pulumi provider for any provider half: it takes what is declared, and nothing comes of it.

For tests of whole stacks, whose stores get their identities from `Stores.prepare`. What a provider
half does is tried in `test_<provider>_backend.py`, with a provider that knows its resources.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from platform_secrets.settings import AzureStore, Settings
from tests.e2e.pulumi_properties import plain, properties_of, struct_of
from tests.e2e.stand_in import CloudStandIn

PACKAGES = ("vault", "aws", "gcp", "azure-native")
AZURE_IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
GOOGLE_AGENT = "gcp:projects/serviceIdentity:ServiceIdentity"


class NotingProvider(CloudStandIn):
    """`noted`: the URNs of what is there. Azure's client IDs are those that the stack names."""

    VERSION = "99.999.0"

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self.noted: set[str] = set()

    def knows(self, token: str, inputs: Mapping[str, Any]) -> bool:
        return token.split(":")[0] in PACKAGES

    def replacing(self, token: str, changed: Iterable[str]) -> Iterable[str]:
        return ()

    def Create(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct_of(properties))
        self.noted.add(request.urn)
        outputs = {**properties, **self._chosen_elsewhere(request.type, plain(properties))}
        id_ = request.urn.rpartition("::")[2]
        return provider_pb2.CreateResponse(id=id_, properties=struct_of(outputs))

    def Update(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.news)
        outputs = {**properties, **self._chosen_elsewhere(request.type, plain(properties))}
        return provider_pb2.UpdateResponse(properties=struct_of(outputs))

    def Read(self, request: Any, context: Any) -> Any:
        if request.urn not in self.noted:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Delete(self, request: Any, context: Any) -> Any:
        self.noted.remove(request.urn)
        return Empty()

    def _chosen_elsewhere(self, token: str, inputs: Mapping[str, Any]) -> dict[str, str]:
        if token == GOOGLE_AGENT:
            return {"member": "serviceAccount:agent@example.com"}
        if token == AZURE_IDENTITY:
            name = inputs["resourceName"]
            return {"clientId": self._client_ids()[name], "principalId": f"principal of {name}"}
        return {}

    def _client_ids(self) -> dict[str, str]:
        settings = self._settings()
        return {
            view.identity_name(name, identity): getattr(
                store.client_ids_of(view.namespace), identity
            )
            for name, store in settings.environment.stores.items()
            if isinstance(store, AzureStore)
            for view, identity in settings.all_identities(name)
        }
