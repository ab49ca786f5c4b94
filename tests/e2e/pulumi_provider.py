"""A Pulumi provider `kubernetes` for tests: the real engine drives it, it drives a real API server.

It stands in for the real provider's binary and does what that does where this project depends on
it: it makes no object that is there already, and changes those that it made by server-side apply;
it heeds `pulumi.com/waitFor` and `skipAwait`, waits for deletions and Helm releases, replaces what
cannot be changed, keeps secrets secret in the state, and without a cluster previews what it can.
Helm releases go to the test's own `Releases`. It speaks to the API server it was made for, whatever
kubeconfig or context it is configured with.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

import json
from typing import Any, Protocol

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.rpc.status_pb2 import Status
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2

from tests.e2e.kubernetes_api import KubernetesApi, Manifest
from tests.e2e.process import wait_until
from tests.e2e.pulumi_properties import (
    Properties,
    annotation,
    at,
    is_satisfied,
    kind_of,
    object_id,
    observed,
    plain,
    properties_of,
    replacing_paths,
    struct_of,
    type_token,
    with_string_data,
)
from tests.e2e.stand_in import StandIn

FIELD_MANAGER = "pulumi-test"
RELEASE = "kubernetes:helm.sh/v3:Release"
WAIT_SECONDS = 60
MUTABLE = {"enableConfigMapMutable": "ConfigMap", "enableSecretMutable": "Secret"}
UNREACHABLE = "configured Kubernetes cluster is unreachable"


class Releases(Protocol):
    """What a test does in Helm's place; both methods get the inputs of the Release resource."""

    def install(self, release: Manifest) -> None: ...

    def uninstall(self, release: Manifest) -> None: ...


class KubernetesProvider(StandIn):
    """`history` has every finished ("create" | "update" | "delete", URN), in order.

    `outage` is why no cluster can be reached, "" while one can. `left` names the namespaces that an
    earlier stack left, and that are taken over.
    """

    VERSION = "4.999.0"

    def __init__(self, api: KubernetesApi, releases: Releases | None = None) -> None:
        self._api = api
        self._releases = releases
        self._released: set[str] = set()
        self._configured: dict[str, dict[str, str]] = {}
        self.outage = ""
        self.left: set[str] = set()
        self.history: list[tuple[str, str]] = []

    def urns(self, operation: str) -> list[str]:
        """The URNs of one operation, in order."""
        return [urn for done, urn in self.history if done == operation]

    def Handshake(self, request: Any, context: Any) -> Any:
        self._engine = request.engine_address
        return super().Handshake(request, context)

    def Configure(self, request: Any, context: Any) -> Any:
        """Each provider that a program declares has a connection of its own, as it would have a
        process of its own."""
        prefix = "kubernetes:config:"
        self._configured[context.peer()] = {
            name.removeprefix(prefix): value for name, value in request.variables.items()
        }
        return super().Configure(request, context)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Another cluster's identifier makes another provider, all else changes it."""
        old, new = (plain(properties_of(each)) for each in (request.old_inputs, request.news))
        changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        response = super().DiffConfig(request, context)
        if changed:
            response.changes = provider_pb2.DiffResponse.DIFF_SOME
            response.diffs.extend(changed)
        if "clusterIdentifier" in changed and "clusterIdentifier" in old.keys() & new.keys():
            response.replaces.append("clusterIdentifier")
        return response

    def _has(self, switch: str, context: Any) -> bool:
        return self._configured.get(context.peer(), {}).get(switch) == "true"

    def Check(self, request: Any, context: Any) -> Any:
        if self.outage and self._has("skipUpdateUnreachable", context):
            return provider_pb2.CheckResponse(inputs=request.olds)
        response = provider_pb2.CheckResponse(inputs=struct_of(properties_of(request.news)))
        declared = plain(properties_of(request.news))
        if request.type != RELEASE and type_token(declared) != request.type:
            reason = f"{request.type} declares a {type_token(declared)}"
            response.failures.add(property="kind", reason=reason)
        return response

    def Diff(self, request: Any, context: Any) -> Any:
        old = plain(properties_of(request.old_inputs))
        new = plain(properties_of(request.news))
        response = provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        if old == new:
            return response
        response.changes = provider_pb2.DiffResponse.DIFF_SOME
        response.diffs.extend(key for key in {**old, **new} if old.get(key) != new.get(key))
        if request.type != RELEASE:
            mutable = frozenset(kind for name, kind in MUTABLE.items() if self._has(name, context))
            paths = replacing_paths(old, mutable_kinds=mutable)
            replacing = [path for path in paths if at(old, path) != at(new, path)]
            response.replaces.extend(path.split(".")[0] for path in replacing)
            response.deleteBeforeReplace = object_id(old) == object_id(new)
        return response

    def Create(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct_of(properties))
        self._reach_or_abort(context)
        self._refuse_what_exists(request, plain(properties), context)
        outputs = self._put(request, properties, context)
        self.history.append(("create", request.urn))
        return provider_pb2.CreateResponse(id=object_id(plain(properties)), properties=outputs)

    def Update(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=struct_of(properties))
        self._reach_or_abort(context)
        outputs = self._put(request, properties, context)
        self.history.append(("update", request.urn))
        return provider_pb2.UpdateResponse(properties=outputs)

    def Read(self, request: Any, context: Any) -> Any:
        """The declared fields as they are now; the whole object when none were declared."""
        if self.outage:
            self._warn(f"{UNREACHABLE}: {self.outage}", request.urn)
            if not self._has("skipUpdateUnreachable", context):
                reason = "failed to read resource state due to unreachable cluster"
                context.abort(grpc.StatusCode.UNKNOWN, reason)
        if self.outage or request.type == RELEASE:
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        api_version, kind = kind_of(request.type)
        *namespace, name = request.id.split("/")
        live = self._api.get(api_version, kind, name, *namespace)
        if live is None:
            return provider_pb2.ReadResponse()
        declared = properties_of(request.inputs)
        if declared:
            applied = self._api.apply(plain(declared), manager=FIELD_MANAGER, only_try=True)
            declared = observed(declared, with_string_data(applied), with_string_data(live))
        else:
            live["metadata"].pop("managedFields", None)
            declared = live
        return provider_pb2.ReadResponse(
            id=request.id,
            inputs=struct_of(declared),
            properties=outputs_of(declared, live),
        )

    def Delete(self, request: Any, context: Any) -> Any:
        self._reach_or_abort(context)
        obj = plain(properties_of(request.properties))
        if request.type == RELEASE:
            self._releases_or_abort(context).uninstall(obj)
            self._released.discard(object_id(obj))
        else:
            where = (*kind_of(request.type), *reversed(request.id.split("/")))
            self._api.delete(*where, propagation="Foreground")
            if annotation(obj, "skipAwait") != "true":
                wait_until(
                    lambda: self._api.get(*where) is None,
                    f"{request.id} is deleted",
                    timeout_seconds=request.timeout or WAIT_SECONDS,
                )
        self.history.append(("delete", request.urn))
        return Empty()

    def _refuse_what_exists(self, request: Any, obj: Manifest, context: Any) -> None:
        """As the real provider does without `upsertExistingObjects`, and only in an update: its
        preview of such a creation shows nothing of it."""
        name = obj.get("metadata", obj)["name"]
        if request.type == RELEASE:
            reason = "cannot re-use a name that is still in use"
            exists = object_id(obj) in self._released
        else:
            where = (*kind_of(request.type), *reversed(object_id(obj).split("/")))
            exists = self._api.get(*where) is not None
            reason = (
                f'resource "{request.urn}" was not successfully created by the Kubernetes API '
                f'server: {obj["kind"]} "{name}" already exists'
            )
        is_left = obj.get("kind") == "Namespace" and name in self.left
        if exists and not is_left and not self._has("upsertExistingObjects", context):
            context.abort(grpc.StatusCode.UNKNOWN, reason)

    def _put(self, request: Any, properties: Properties, context: Any) -> Any:
        """Creates or updates; returns the outputs. A wait that fails is reported to the engine
        together with the object, which exists and so belongs into the state."""
        obj = plain(properties)
        outputs: Any = properties
        try:
            if request.type == RELEASE:
                outputs = struct_of({**properties, "status": {"status": "deployed"}})
                self._released.add(object_id(obj))
                self._releases_or_abort(context).install(obj)
            else:
                force = self._has("enablePatchForce", context)
                applied = self._api.apply(obj, manager=FIELD_MANAGER, force=force)
                outputs = outputs_of(properties, applied)
                self._wait(obj, request.timeout or WAIT_SECONDS)
        except TimeoutError as error:
            if obj.get("skipAwait"):
                return outputs
            detail = AnyMessage()
            detail.Pack(
                provider_pb2.ErrorResourceInitFailed(
                    id=object_id(obj),
                    properties=outputs,
                    inputs=struct_of(properties),
                    reasons=[str(error)],
                )
            )
            code = grpc.StatusCode.UNKNOWN
            status = Status(code=code.value[0], message=str(error), details=[detail])
            context.set_trailing_metadata(
                (("grpc-status-details-bin", status.SerializeToString()),)
            )
            context.abort(code, str(error))
        return outputs

    def _wait(self, obj: Manifest, seconds: float) -> None:
        wait_for = annotation(obj, "waitFor")
        if not wait_for or annotation(obj, "skipAwait") == "true":
            return
        expressions = json.loads(wait_for) if wait_for.startswith("[") else [wait_for]
        where = (obj["apiVersion"], obj["kind"], *reversed(object_id(obj).split("/")))
        for expression in expressions:
            wait_until(
                lambda e=expression: is_satisfied(self._api.get(*where) or {}, e),
                f"{obj['kind']} {object_id(obj)} has {expression}",
                timeout_seconds=float(annotation(obj, "timeoutSeconds") or seconds),
            )

    def _reach_or_abort(self, context: Any) -> None:
        if self.outage:
            context.abort(grpc.StatusCode.UNKNOWN, f"{UNREACHABLE}: {self.outage}")

    def _warn(self, message: str, urn: str) -> None:
        with grpc.insecure_channel(self._engine) as channel:
            engine_pb2_grpc.EngineStub(channel).Log(
                engine_pb2.LogRequest(
                    severity=engine_pb2.LogSeverity.WARNING, message=message, urn=urn
                )
            )

    def _releases_or_abort(self, context: Any) -> Releases:
        if self._releases is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "this test installs no Helm release")
        return self._releases  # type: ignore[return-value]


def outputs_of(properties: Properties, live: Manifest) -> Any:
    """What the state holds: the declared fields and the object's uid, which tells it from a later
    one of the same name. Nothing that changes by itself: a refresh is to find real drift only."""
    metadata = {**properties["metadata"], "uid": live["metadata"]["uid"]}
    return struct_of({**properties, "metadata": metadata})
