"""Google's token services: who a ServiceAccount of the cluster is to Google.

The member that holds rights is the ServiceAccount itself (`system:serviceaccount:<ns>:<name>`),
or the Google service account (its e-mail address) that it impersonates.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import grpc
import jwt
from google.cloud import iam_credentials_v1 as iam
from grpc import StatusCode as Code

from tests.e2e.cluster_issuer import ClusterIssuer
from tests.e2e.https_server import Reply, Request


class Call(NamedTuple):
    """`target`: a secret's name; the e-mail address for GenerateAccessToken; else empty."""

    method: str
    target: str
    subject: str


class Caller(NamedTuple):
    subject: str
    member: str


@dataclass
class GcpIdentity:
    """The federation with one cluster. `calls` lists what was asked of Google, in order.

    `workload_pool` is `<cluster's project>.svc.id.goog`; `cluster` is
    `https://container.googleapis.com/v1/projects/<p>/locations/<l>/clusters/<c>`.
    `impersonations`: subject -> e-mail address of the Google service account.
    """

    issuer: ClusterIssuer
    workload_pool: str
    cluster: str
    impersonations: Mapping[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list, init=False)
    refusals: dict[tuple[str, str], tuple[Code, str]] = field(default_factory=dict, init=False)
    """By call and namespace: what its ServiceAccounts are answered instead."""
    _callers: dict[str, Caller] = field(default_factory=dict, init=False, repr=False)

    def bind(self, request: Request) -> Reply:
        """Answers POST /v1/identitybindingtoken."""
        asked = json.loads(request.body)
        try:
            subject = self.issuer.subject(asked["subject_token"], self.workload_pool)
        except jwt.InvalidTokenError as error:
            self.calls.append(Call("identitybindingtoken", "", ""))
            return Reply(400, {"error": "invalid_grant", "error_description": str(error)})
        self.calls.append(Call("identitybindingtoken", "", subject))
        if ("identitybindingtoken", _namespace(subject)) in self.refusals:
            return Reply(400, {"error": "invalid_target"})
        if asked["audience"] != f"identitynamespace:{self.workload_pool}:{self.cluster}":
            return Reply(400, {"error": "invalid_request", "error_description": "audience"})
        token = self._token_for(Caller(subject, subject))
        kind = "urn:ietf:params:oauth:token-type:access_token"
        answer = {"access_token": token, "issued_token_type": kind, "token_type": "Bearer"}
        return Reply(200, answer | {"expires_in": 3600})

    def generate_access_token(
        self, request: iam.GenerateAccessTokenRequest, context: grpc.ServicerContext
    ) -> iam.GenerateAccessTokenResponse:
        email = request.name.removeprefix("projects/-/serviceAccounts/")
        subject, _ = self.caller("GenerateAccessToken", email, context)
        if self.impersonations.get(subject) != email:
            deny(context, "iam.serviceAccounts.getAccessToken", request.name)
        return iam.GenerateAccessTokenResponse(access_token=self._token_for(Caller(subject, email)))

    def caller(self, method: str, target: str, context: grpc.ServicerContext) -> Caller:
        """Records the call, and ends it when its token was not given out here."""
        header = str(dict(context.invocation_metadata()).get("authorization", ""))
        caller = self._callers.get(header.removeprefix("Bearer "))
        self.calls.append(Call(method, target, caller.subject if caller else ""))
        if caller is None:
            context.abort(Code.UNAUTHENTICATED, "Request had invalid authentication credentials.")
        if told := self.refusals.get((method, _namespace(caller.subject))):
            context.abort(*told)
        return caller

    def _token_for(self, caller: Caller) -> str:
        token = secrets.token_urlsafe()
        self._callers[token] = caller
        return token


def _namespace(subject: str) -> str:
    return subject.split(":")[2]


def deny(context: grpc.ServicerContext, permission: str, resource: str) -> None:
    """Ends the call as Google does, which never tells the absent from the forbidden."""
    denied = f"Permission '{permission}' denied for resource '{resource}' (or it may not exist)."
    context.abort(Code.PERMISSION_DENIED, denied)
