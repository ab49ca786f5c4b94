"""A Pulumi provider `vault` for tests: the real engine drives it, it drives a real OpenBao.

It knows the resources that this project declares, and what the real provider sends for them.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.e2e.openbao import OpenBao, OpenBaoError
from tests.e2e.pulumi_properties import plain, properties_of, struct_of

# Above every 7.x, so that the engine does not warn of an older provider than the program's SDK.
VERSION = "7.999.0"
Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """How a resource lives in Vault: `path` is written with `body`, read to see whether it is
    there, and deleted; `fixed` are the inputs whose change is another resource."""

    path: Callable[[Inputs], str]
    body: Callable[[Inputs], dict[str, Any]]
    fixed: tuple[str, ...]
    is_deleted: Callable[[Inputs], bool] = lambda _: True
    readable: Callable[[Inputs], str] | None = None


def _but(*left_out: str) -> Callable[[Inputs], dict[str, Any]]:
    """All inputs in Vault's own spelling, except those that are part of the path."""

    def body(inputs: Inputs) -> dict[str, Any]:
        kept = {name: value for name, value in inputs.items() if name not in left_out}
        return {re.sub(r"(?=[A-Z])", "_", name).lower(): value for name, value in kept.items()}

    return body


def _flat(inputs: Inputs) -> dict[str, Any]:
    """A database connection's inputs: Vault takes the plugin's own beside the general ones."""
    flat = {**inputs, **inputs["postgresql"]}
    return _but("backend", "name", "postgresql")(flat)


CONNECTION = "vault:database/secretBackendConnection:SecretBackendConnection"
KINDS = {
    CONNECTION: Kind(lambda i: f"{i['backend']}/config/{i['name']}", _flat, ("backend", "name")),
    "vault:database/secretBackendRole:SecretBackendRole": Kind(
        lambda i: f"{i['backend']}/roles/{i['name']}", _but("backend", "name"), ("backend", "name")
    ),
    "vault:database/secretBackendStaticRole:SecretBackendStaticRole": Kind(
        lambda i: f"{i['backend']}/static-roles/{i['name']}",
        _but("backend", "name"),
        ("backend", "name", "username"),
    ),
    "vault:index/mount:Mount": Kind(
        lambda i: f"sys/mounts/{i['path']}", _but("path"), ("path", "type")
    ),
    "vault:kv/secretBackendV2:SecretBackendV2": Kind(
        lambda i: f"{i['mount']}/config", _but("mount"), ("mount",), lambda _: False
    ),
    "vault:index/audit:Audit": Kind(
        lambda i: f"sys/audit/{i['path']}",
        _but("path"),
        ("path", "type", "options"),
        readable=lambda i: "sys/audit",
    ),
    "vault:index/authBackend:AuthBackend": Kind(
        lambda i: f"sys/auth/{i['path']}", _but("path"), ("path", "type")
    ),
    "vault:index/policy:Policy": Kind(
        lambda i: f"sys/policies/acl/{i['name']}", _but("name"), ("name",)
    ),
    "vault:kubernetes/authBackendConfig:AuthBackendConfig": Kind(
        lambda i: f"auth/{i['backend']}/config", _but("backend"), ("backend",), lambda _: False
    ),
    "vault:kubernetes/authBackendRole:AuthBackendRole": Kind(
        lambda i: f"auth/{i['backend']}/role/{i['roleName']}",
        _but("backend", "roleName"),
        ("backend", "roleName"),
    ),
    "vault:jwt/authBackendRole:AuthBackendRole": Kind(
        lambda i: f"auth/{i['backend']}/role/{i['roleName']}",
        _but("backend", "roleName"),
        ("backend", "roleName"),
    ),
    "vault:generic/endpoint:Endpoint": Kind(
        lambda i: i["path"],
        lambda i: json.loads(i["dataJson"]),
        ("path",),
        lambda i: not i.get("disableDelete"),
    ),
}


CONFIG = "vault:kubernetes/authBackendConfig:AuthBackendConfig"


class VaultProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Speaks to one OpenBao as its administrator.

    `of_the_pod` is what OpenBao would find in its own pod, and needs from us since it has none:
    the cluster's CA and a token that may review others.
    """

    def __init__(self, bao: OpenBao, of_the_pod: Mapping[str, str]) -> None:
        self._bao = bao
        self._of_the_pod = of_the_pod

    @contextmanager
    def serve(self) -> Iterator[int]:
        """The port of 127.0.0.1 on which the engine can attach."""
        server = grpc.server(ThreadPoolExecutor(max_workers=16))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            server.stop(grace=None).wait()

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def Attach(self, request: Any, context: Any) -> Any:
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True
        )

    def Check(self, request: Any, context: Any) -> Any:
        response = provider_pb2.CheckResponse(inputs=struct_of(properties_of(request.news)))
        if request.type not in KINDS:
            response.failures.add(property="", reason=f"the tests do not know {request.type}")
        return response

    def Diff(self, request: Any, context: Any) -> Any:
        old = plain(properties_of(request.old_inputs))
        new = plain(properties_of(request.news))
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        response = provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        if changed:
            response.changes = provider_pb2.DiffResponse.DIFF_SOME
            response.diffs.extend(changed)
            response.replaces.extend(key for key in changed if key in KINDS[request.type].fixed)
        return response

    def Create(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.properties)
        if not request.preview:
            self._write(request.type, plain(properties), context)
        path = KINDS[request.type].path(plain(properties))
        return provider_pb2.CreateResponse(id=path, properties=struct_of(properties))

    def Update(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.news)
        if not request.preview:
            inputs = plain(properties)
            if request.type == CONNECTION:
                # As the real one: a rotated password must not be overwritten by the one before.
                old = plain(properties_of(request.olds))["postgresql"]
                if old.get("password") == inputs["postgresql"].get("password"):
                    inputs["postgresql"].pop("password", None)
            self._write(request.type, inputs, context)
        return provider_pb2.UpdateResponse(properties=struct_of(properties))

    def Read(self, request: Any, context: Any) -> Any:
        """What was declared, as long as it is there."""
        kind, inputs = KINDS[request.type], plain(properties_of(request.inputs))
        if inputs.get("disableRead"):
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        try:
            self._bao.request("GET", (kind.readable or kind.path)(inputs))
        except OpenBaoError:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Delete(self, request: Any, context: Any) -> Any:
        kind, inputs = KINDS[request.type], plain(properties_of(request.properties))
        if kind.is_deleted(inputs):
            self._bao.request("DELETE", kind.path(inputs))
        return Empty()

    def _write(self, token: str, inputs: Inputs, context: Any) -> None:
        kind = KINDS[token]
        more = self._of_the_pod if token == CONFIG else {}
        try:
            self._bao.request("POST", kind.path(inputs), {**kind.body(inputs), **more})
        except OpenBaoError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
