"""What every stand-in for a Pulumi provider's binary says to the engine, whatever it stands for."""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.e2e.grpc_server import served
from tests.e2e.pulumi_properties import plain, properties_of, struct_of


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """A provider that listens until its `serve` ends. A subclass says what its resources are.

    `VERSION` is above every one of the SDK's major version, so that the engine does not warn of an
    older provider than the program's SDK.
    """

    VERSION: str

    def serve(self) -> AbstractContextManager[int]:
        """The port of 127.0.0.1 on which the engine can attach."""
        add = partial(provider_pb2_grpc.add_ResourceProviderServicer_to_server, self)
        return served(add, threads=64)

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def Attach(self, request: Any, context: Any) -> Any:
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self.VERSION)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True
        )


class CloudStandIn(StandIn):
    """A provider of which the tests know a few types of resources, and refuse all others."""

    def knows(self, token: str, inputs: Mapping[str, Any]) -> bool:
        """Whether the tests know such a resource."""
        raise NotImplementedError

    def replacing(self, token: str, changed: Iterable[str]) -> Iterable[str]:
        """Those of the changed inputs that make another resource of it."""
        raise NotImplementedError

    def Check(self, request: Any, context: Any) -> Any:
        response = provider_pb2.CheckResponse(inputs=struct_of(properties_of(request.news)))
        if not self.knows(request.type, plain(properties_of(request.news))):
            response.failures.add(property="", reason=f"the tests do not know such {request.type}")
        return response

    def Diff(self, request: Any, context: Any) -> Any:
        old, new = (plain(properties_of(each)) for each in (request.old_inputs, request.news))
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        response = provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        if changed:
            response.changes = provider_pb2.DiffResponse.DIFF_SOME
            response.diffs.extend(changed)
            response.replaces.extend(self.replacing(request.type, changed))
        return response
