"""A Pulumi provider `vault` for tests: the real engine drives it, it drives a real OpenBao.

It knows the resources that this project declares, and what the real provider sends for them.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from tests.e2e.openbao import OpenBao, OpenBaoError
from tests.e2e.process import wait_until
from tests.e2e.pulumi_properties import plain, properties_of, struct_of
from tests.e2e.stand_in import CloudStandIn
from tests.e2e.vault_release import VaultRelease

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
    left_out = (*left_out, "namespace")

    def body(inputs: Inputs) -> dict[str, Any]:
        kept = {name: value for name, value in inputs.items() if name not in left_out}
        return {re.sub(r"(?=[A-Z])", "_", name).lower(): value for name, value in kept.items()}

    return body


def _flat(inputs: Inputs) -> dict[str, Any]:
    """A database connection's inputs: Vault takes the plugin's own beside the general ones."""
    flat = {**inputs, **inputs["postgresql"]}
    return _but("backend", "name", "postgresql")(flat)


CONNECTION = "vault:database/secretBackendConnection:SecretBackendConnection"
JWT = "vault:jwt/authBackend:AuthBackend"
MOUNT = "vault:index/mount:Mount"
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
    MOUNT: Kind(lambda i: f"sys/mounts/{i['path']}", _but("path"), ("path", "type")),
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
    JWT: Kind(
        lambda i: f"sys/auth/{i['path']}",
        lambda i: {"type": i["type"]},
        ("path",),
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


KV_CONFIG = "vault:kv/secretBackendV2:SecretBackendV2"
CONFIG = "vault:kubernetes/authBackendConfig:AuthBackendConfig"


def path_of(token: str, inputs: Inputs) -> str:
    """A resource's path, in its namespace."""
    namespace = inputs.get("namespace")
    return (f"{namespace}/" if namespace else "") + KINDS[token].path(inputs)


class VaultProvider(CloudStandIn):
    """Speaks to one OpenBao as its administrator.

    `of_the_pod` is what OpenBao would find in its own pod, and needs from us since it has none:
    the cluster's CA and a token that may review others.
    """

    VERSION = "7.999.0"

    def __init__(self, bao: OpenBao | VaultRelease, of_the_pod: Mapping[str, str]) -> None:
        self._bao = bao
        self._of_the_pod = of_the_pod

    def knows(self, token: str, inputs: Mapping[str, Any]) -> bool:
        return token in KINDS

    def replacing(self, token: str, changed: Iterable[str]) -> Iterable[str]:
        return (key for key in changed if key in KINDS[token].fixed)

    def Create(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.properties)
        if not request.preview:
            self._write(request.type, plain(properties), context)
        inputs = plain(properties)
        id_ = inputs["path"] if request.type == MOUNT else path_of(request.type, inputs)
        return provider_pb2.CreateResponse(id=id_, properties=struct_of(properties))

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
        """What was declared, as long as it is there; of an import, an engine as it is."""
        kind, inputs = KINDS[request.type], plain(properties_of(request.inputs))
        if not inputs:
            return self._imported(request)
        if inputs.get("disableRead"):
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        try:
            path = kind.readable(inputs) if kind.readable else path_of(request.type, inputs)
            self._bao.request("GET", path)
        except OpenBaoError:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Delete(self, request: Any, context: Any) -> Any:
        kind, inputs = KINDS[request.type], plain(properties_of(request.properties))
        if kind.is_deleted(inputs):
            self._bao.request("DELETE", path_of(request.type, inputs))
        return Empty()

    def _imported(self, request: Any) -> Any:
        if request.type != MOUNT:
            raise NotImplementedError(f"the tests import no {request.type}")
        found = self._bao.request("GET", "sys/mounts")["data"].get(f"{request.id}/")
        if found is None:
            return provider_pb2.ReadResponse()
        read = struct_of({"path": request.id, "type": found["type"], "options": found["options"]})
        return provider_pb2.ReadResponse(id=request.id, properties=read, inputs=read)

    def _write(self, token: str, inputs: Inputs, context: Any) -> None:
        kind = KINDS[token]
        more = self._of_the_pod if token == CONFIG else {}
        path, body = path_of(token, inputs), {**more, **kind.body(inputs)}

        def written() -> bool:
            try:
                self._bao.request("POST", path, body)
                if token == JWT:
                    config = f"{path.replace('sys/auth', 'auth')}/config"
                    self._bao.request("POST", config, _but("path", "type")(inputs))
            except OpenBaoError as error:
                # As the real one: a new engine is not ready at once.
                if token == KV_CONFIG and "Upgrading from non-versioned" in str(error):
                    return False
                raise
            return True

        try:
            wait_until(written, f"{path} is written", timeout_seconds=30)
        except OpenBaoError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
