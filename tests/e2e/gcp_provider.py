"""A Pulumi provider `gcp` for tests: the real engine drives it, and what was declared feeds the
local Google: its secrets, who holds which right on them, and who acts as whom.

IAM itself is not here: this keeps what was declared, and refuses only what would be in no order.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from tests.e2e.gcp_server import ACCESS, GcpServer
from tests.e2e.pulumi_properties import plain, properties_of, struct_of
from tests.e2e.stand_in import CloudStandIn

Inputs = Mapping[str, Any]

SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a type's name
RIGHT = "gcp:secretmanager/secretIamMember:SecretIamMember"
ACCOUNT = "gcp:serviceaccount/account:Account"
IMPERSONATION = "gcp:serviceaccount/iAMMember:IAMMember"
ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
TOPIC = "gcp:pubsub/topic:Topic"
PUBLISHER = "gcp:pubsub/topicIAMMember:TopicIAMMember"
AGENT = "gcp:projects/serviceIdentity:ServiceIdentity"
AUDIT = "gcp:projects/iAMAuditConfig:IAMAuditConfig"

PREDEFINED_ROLES = {"roles/secretmanager.secretAccessor": [ACCESS]}
IMPERSONATES = "roles/iam.workloadIdentityUser"
PUBLISHES = "roles/pubsub.publisher"
AGENT_MEMBER = "serviceAccount:service-1@gcp-sa-secretmanager.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Kind:
    """`id` as Google has it; `needs`: the ids that must be there first; `mutable`: the inputs that
    can change without another resource."""

    id: Callable[[Inputs], str]
    needs: Callable[[Inputs], list[str]] = lambda _: []
    mutable: tuple[str, ...] = ()


def _secret(i: Inputs) -> str:
    return f"projects/{i['project']}/secrets/{i['secretId']}"


def _account(project: str, email: str) -> str:
    return f"projects/{project}/serviceAccounts/{email}"


def _needs_of_right(i: Inputs) -> list[str]:
    needed = [_secret(i)]
    if i["role"] not in PREDEFINED_ROLES:
        needed.append(i["role"])
    if "[" not in i["member"]:
        needed.append(_account(i["project"], i["member"].removeprefix("serviceAccount:")))
    return needed


def _publisher(topic: str) -> str:
    return f"{topic}/{PUBLISHES}/{AGENT_MEMBER}"


KINDS = {
    SECRET: Kind(
        _secret,
        lambda i: [_publisher(each["name"]) for each in i.get("topics", [])],
        mutable=("labels", "versionDestroyTtl", "topics", "rotation"),
    ),
    TOPIC: Kind(lambda i: f"projects/{i['project']}/topics/{i['name']}"),
    PUBLISHER: Kind(
        lambda i: f"projects/{i['project']}/topics/{i['topic']}/{i['role']}/{i['member']}",
        lambda i: [f"projects/{i['project']}/topics/{i['topic']}"],
    ),
    AGENT: Kind(lambda i: f"projects/{i['project']}/services/{i['service']}"),
    RIGHT: Kind(lambda i: f"{_secret(i)}/{i['role']}/{i['member']}", _needs_of_right),
    ACCOUNT: Kind(
        lambda i: _account(
            i["project"], f"{i['accountId']}@{i['project']}.iam.gserviceaccount.com"
        ),
        mutable=("displayName",),
    ),
    IMPERSONATION: Kind(
        lambda i: f"{i['serviceAccountId']}/{i['role']}/{i['member']}",
        lambda i: [i["serviceAccountId"]],
    ),
    ROLE: Kind(
        lambda i: f"projects/{i['project']}/roles/{i['roleId']}",
        mutable=("permissions", "title"),
    ),
    AUDIT: Kind(
        lambda i: f"projects/{i['project']}/audit/{i['service']}", mutable=("auditLogConfigs",)
    ),
}


class GcpProvider(CloudStandIn):
    """`declared`: (type, inputs) by id. Rights that it did not give stay as they are."""

    VERSION = "10.999.0"

    def __init__(self, server: GcpServer) -> None:
        self._server = server
        self._lock = RLock()
        self._members: set[str] = set()
        self._subjects: set[str] = set()
        self.declared: dict[str, tuple[str, dict[str, Any]]] = {}

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        return {id_: inputs for id_, (type_, inputs) in self.declared.items() if type_ == kind}

    def knows(self, token: str, inputs: Mapping[str, Any]) -> bool:
        return token in KINDS

    def replacing(self, token: str, changed: Iterable[str]) -> Iterable[str]:
        return (key for key in changed if key not in KINDS[token].mutable)

    def Create(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.properties)
        kind, inputs = KINDS[request.type], plain(properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct_of(properties))
        with self._lock:
            if kind.id(inputs) in self.declared and request.type != AGENT:
                context.abort(grpc.StatusCode.UNKNOWN, f"{kind.id(inputs)}: is there already")
            self._refuse_what_is_in_no_order(request.type, inputs, context)
            if request.type == SECRET:
                self._server.create(inputs["secretId"], inputs.get("labels", {}))
            self._keep(request.type, inputs)
        if request.type == AGENT:
            properties["member"] = AGENT_MEMBER
        return provider_pb2.CreateResponse(id=kind.id(inputs), properties=struct_of(properties))

    def Update(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.news)
        if not request.preview:
            inputs = plain(properties)
            self._refuse_what_is_in_no_order(request.type, inputs, context)
            if request.type == SECRET:
                self._server.labels(inputs["secretId"]).update(inputs.get("labels", {}))
            self._keep(request.type, inputs)
        return provider_pb2.UpdateResponse(properties=struct_of(properties))

    def Read(self, request: Any, context: Any) -> Any:
        """What was declared; of a secret's labels, as the real provider does, the declared ones,
        and of its next reminder the day to which Google moved it."""
        if request.id not in self.declared:
            return provider_pb2.ReadResponse()
        inputs = properties_of(request.inputs) or dict(self.declared[request.id][1])
        if request.type == SECRET and "labels" in inputs:
            live = self._server.labels(inputs["secretId"])
            inputs["labels"] = {key: live[key] for key in inputs["labels"] if key in live}
        if request.type == SECRET and "rotation" in inputs:
            inputs["rotation"] = self.declared[request.id][1]["rotation"]
        outputs = {**inputs, "member": AGENT_MEMBER} if request.type == AGENT else inputs
        return provider_pb2.ReadResponse(
            id=request.id, properties=struct_of(outputs), inputs=struct_of(inputs)
        )

    def _refuse_what_is_in_no_order(self, token: str, inputs: Inputs, context: Any) -> None:
        """A secret's next rotation also has to be set, and to come."""
        missing = [each for each in KINDS[token].needs(inputs) if each not in self.declared]
        if missing:
            fault = f"{KINDS[token].id(inputs)}: no such {missing}"
            context.abort(grpc.StatusCode.UNKNOWN, fault)
        if "rotation" in inputs:
            following = datetime.fromisoformat(inputs["rotation"]["nextRotationTime"])
            if following < datetime.now(UTC) + timedelta(minutes=5):
                context.abort(grpc.StatusCode.UNKNOWN, "the next rotation must be in the future")

    def Delete(self, request: Any, context: Any) -> Any:
        if request.type == AGENT:  # Google's own, and every stack's of the project
            return Empty()
        with self._lock:
            kind, inputs = self.declared.pop(request.id)
            if kind == SECRET:
                self._server.remove(inputs["secretId"])
            self._feed()
        return Empty()

    def _keep(self, kind: str, inputs: dict[str, Any]) -> None:
        with self._lock:
            self.declared[KINDS[kind].id(inputs)] = (kind, inputs)
            if kind == SECRET:
                topics = [each["name"] for each in inputs.get("topics", [])]
                self._server.set_topics(inputs["secretId"], topics)
            self._feed()

    def _feed(self) -> None:
        """Has the local Google grant what is declared now."""
        grants: dict[str, set[tuple[str, str]]] = defaultdict(set)
        roles = {id_: each["permissions"] for id_, each in self.of_type(ROLE).items()}
        for right in self.of_type(RIGHT).values():
            permissions = (PREDEFINED_ROLES | roles)[right["role"]]
            grants[self._member(right["member"])] |= {(p, right["secretId"]) for p in permissions}
        impersonations = {
            self._member(each["member"]): each["serviceAccountId"].rpartition("/")[2]
            for each in self.of_type(IMPERSONATION).values()
            if each["role"] == IMPERSONATES
        }
        self._members = _put(self._server.grants, grants, self._members)
        acting = self._server.identity.impersonations
        self._subjects = _put(acting, impersonations, self._subjects)

    def _member(self, member: str) -> str:
        """As the local Google names it. An account of another pool's clusters is nobody here."""
        account = member.removeprefix("serviceAccount:")
        pool = re.escape(self._server.identity.workload_pool)
        found = re.fullmatch(rf"{pool}\[([^/]+)/([^/]+)\]", account)
        return "system:serviceaccount:{}:{}".format(*found.groups()) if found else account


def _put(target: Any, content: Mapping[str, Any], earlier: set[str]) -> set[str]:
    """Lays `content` over `target`, without what was laid there before; returns its keys."""
    for key in earlier - content.keys():
        target.pop(key, None)
    target.update(content)
    return set(content)
