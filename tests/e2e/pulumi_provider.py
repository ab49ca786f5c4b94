"""A Pulumi provider `kubernetes` for tests: the real engine drives it, it drives a real API server.

It stands in for the real provider's binary and does what that does where this project depends on
it: server-side apply, `pulumi.com/waitFor` and `skipAwait`, waiting for deletions, replacing what
cannot be changed, secrets that stay secret in the state. Helm releases go to the test's own
`Releases`. Its configuration is accepted and, but for the two mutability switches, not used: it
speaks to the API server it was made for.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

import json
from typing import Any, Protocol

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.rpc.status_pb2 import Status
from pulumi.runtime.proto import provider_pb2

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
MUTABLE = {
    "kubernetes:config:enableConfigMapMutable": "ConfigMap",
    "kubernetes:config:enableSecretMutable": "Secret",
}


class Releases(Protocol):
    """What a test does in Helm's place; both methods get the inputs of the Release resource."""

    def install(self, release: Manifest) -> None: ...

    def uninstall(self, release: Manifest) -> None: ...


class KubernetesProvider(StandIn):
    """`history` has every finished ("create" | "update" | "delete", URN), in order."""

    VERSION = "4.999.0"

    def __init__(self, api: KubernetesApi, releases: Releases | None = None) -> None:
        self._api = api
        self._releases = releases
        self._mutable_kinds: frozenset[str] = frozenset()
        self.history: list[tuple[str, str]] = []

    def urns(self, operation: str) -> list[str]:
        """The URNs of one operation, in order."""
        return [urn for done, urn in self.history if done == operation]

    def Configure(self, request: Any, context: Any) -> Any:
        self._mutable_kinds |= frozenset(
            kind for name, kind in MUTABLE.items() if request.variables.get(name) == "true"
        )
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True
        )

    def Check(self, request: Any, context: Any) -> Any:
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
            paths = replacing_paths(old, mutable_kinds=self._mutable_kinds)
            replacing = [path for path in paths if at(old, path) != at(new, path)]
            response.replaces.extend(path.split(".")[0] for path in replacing)
            response.deleteBeforeReplace = object_id(old) == object_id(new)
        return response

    def Create(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct_of(properties))
        outputs = self._put(request, properties, context)
        self.history.append(("create", request.urn))
        return provider_pb2.CreateResponse(id=object_id(plain(properties)), properties=outputs)

    def Update(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=struct_of(properties))
        outputs = self._put(request, properties, context)
        self.history.append(("update", request.urn))
        return provider_pb2.UpdateResponse(properties=outputs)

    def Read(self, request: Any, context: Any) -> Any:
        """The declared fields as they are now; the whole object when none were declared."""
        if request.type == RELEASE:
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
        obj = plain(properties_of(request.properties))
        if request.type == RELEASE:
            self._releases_or_abort(context).uninstall(obj)
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

    def _put(self, request: Any, properties: Properties, context: Any) -> Any:
        """Creates or updates; returns the outputs. A wait that fails is reported to the engine
        together with the object, which exists and so belongs into the state."""
        obj = plain(properties)
        if request.type == RELEASE:
            self._releases_or_abort(context).install(obj)
            return struct_of({**properties, "status": {"status": "deployed"}})
        outputs = outputs_of(properties, self._api.apply(obj, manager=FIELD_MANAGER))
        try:
            self._wait(obj, request.timeout or WAIT_SECONDS)
        except TimeoutError as error:
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

    def _releases_or_abort(self, context: Any) -> Releases:
        if self._releases is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "this test installs no Helm release")
        return self._releases  # type: ignore[return-value]


def outputs_of(properties: Properties, live: Manifest) -> Any:
    """What the state holds: the declared fields and the object's uid, which tells it from a later
    one of the same name. Nothing that changes by itself: a refresh is to find real drift only."""
    metadata = {**properties["metadata"], "uid": live["metadata"]["uid"]}
    return struct_of({**properties, "metadata": metadata})
