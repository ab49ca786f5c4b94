"""The door to moto, which looks at nobody's credentials: who may assume a role and read an entry.

As in AWS, a token of the cluster's is traded for a role's access key, and the key says who calls;
signatures are not checked.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple, Self
from urllib.parse import parse_qs

import httpx
import jwt

from tests.e2e.cluster_issuer import ClusterIssuer
from tests.e2e.lag import Lag

AUDIENCE = "sts.amazonaws.com"
READ, WRITE = "GetSecretValue", "PutSecretValue"
PUSH = ("DescribeSecret", "PutSecretValue", "TagResource", "UntagResource", "DeleteResourcePolicy")
READ_PARAMETER = "GetParameter"
LOG_IN = "GetAuthorizationToken"
"""To registries: it is about no resource."""
PUSH_PARAMETER = ("PutParameter", "ListTagsForResource")
TAG_PARAMETER = "AddTagsToResource"
"""Also for a parameter that is made with tags."""
ASSUME = "AssumeRoleWithWebIdentity"
CHAIN = "AssumeRole"

# What names an entry in a call of either store.
_NAMES = ("SecretId", "Name", "ResourceId")
CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/")
ACCESS_KEY = re.compile(rb"<AccessKeyId>([^<]+)<")


class Call(NamedTuple):
    """`target`: a secret's name, or the role's ARN for what assumes one."""

    method: str
    target: str
    subject: str


class Caller(NamedTuple):
    subject: str
    role: str


class Refusal(NamedTuple):
    status: int
    content: bytes


@dataclass
class AwsGate:
    """Passes to `moto_url` what is allowed. `calls` lists what was asked, refused or not.

    `trusts`: role ARN -> subject. `grants`: role ARN -> (action, secret's name).
    """

    moto_url: str
    issuer: ClusterIssuer
    trusts: Mapping[str, str]
    grants: Mapping[str, set[tuple[str, str]]]
    calls: list[Call] = field(default_factory=list, init=False)
    refusals: dict[tuple[str, str], Refusal] = field(default_factory=dict, init=False)
    """By call and namespace: what its ServiceAccounts are answered instead."""
    lag: Lag = field(default_factory=Lag, init=False)
    _replaced: dict[str, list[tuple[float, bytes]]] = field(
        default_factory=dict, init=False, repr=False
    )
    _callers: dict[str, Caller] = field(default_factory=dict, init=False, repr=False)

    def __enter__(self) -> Self:
        self._moto = httpx.Client(base_url=self.moto_url, trust_env=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._moto.close()

    def may_assume(self, role: str, subject: str) -> bool:
        """Whether a token with this subject and the right issuer and audience is enough."""
        return self.trusts.get(role) == subject

    def may_chain(self, role: str, caller: str) -> bool:
        """Whether a role may assume another."""
        return False

    def may(
        self, role: str, method: str, name: str, region: str, asked: Mapping[str, object] = {}
    ) -> bool:
        """Whether a role may do this, as it is `asked`, with a region's entry."""
        return (method, name) in self.grants.get(role, set())

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes, str]:
        """Status, content and content type of the answer to a POST."""
        service, _, method = headers.get("X-Amz-Target", "").partition(".")
        caller, refusal = None, None
        if service in ("secretsmanager", "AmazonSSM", "AmazonEC2ContainerRegistry_V20150921"):
            refusal = self._refuse_entry(method, json.loads(body), headers)
        else:
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            caller, refusal = self._assume(form, headers)
        if refusal:
            return refusal.status, refusal.content, headers.get("Content-Type", "text/xml")
        status, content, content_type = self.pass_on(method, path, headers, body)
        key = ACCESS_KEY.search(content)
        if caller and key:
            self.admit(key[1].decode(), caller)
        return status, content, content_type

    def pass_on(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, str]:
        """Moto's answer; `method` is Secrets Manager's, or empty."""
        passed = httpx.Headers(headers)
        for name in ("Host", "Content-Length"):
            passed.pop(name, None)
        asked = json.loads(body) if method in (READ, WRITE) else {}
        if method == WRITE:
            read = passed.copy()
            read["X-Amz-Target"] = f"secretsmanager.{READ}"
            name = json.dumps({"SecretId": asked["SecretId"]}).encode()
            before = self._moto.post(path, content=name, headers=read)
            replaced = self._replaced.setdefault(asked["SecretId"], [])
            replaced.append((time.monotonic(), before.content))
        elif method == READ and "VersionId" not in asked:
            for at, before in self._replaced.get(asked["SecretId"], []):
                if at > self.lag.moment:
                    return 200, before, passed["Content-Type"]
        reply = self._moto.post(path, content=body, headers=passed)
        return reply.status_code, reply.content, reply.headers["Content-Type"]

    def admit(self, access_key: str, caller: Caller) -> None:
        """Remembers who calls with an access key."""
        self._callers[access_key] = caller

    def _assume(
        self, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[Caller | None, Refusal | None]:
        role = form.get("RoleArn", "")
        if form.get("Action") == CHAIN:
            return self._chain(role, headers)
        try:
            subject = self.issuer.subject(form.get("WebIdentityToken", ""), AUDIENCE)
        except jwt.InvalidTokenError:
            self.calls.append(Call(form.get("Action", ""), role, ""))
            return None, sts_error(400, "InvalidIdentityToken")
        self.calls.append(Call(form.get("Action", ""), role, subject))
        if told := self.refusals.get((ASSUME, namespace_of(subject))):
            return None, told
        if form.get("Action") != ASSUME or not self.may_assume(role, subject):
            return None, sts_error(403, "AccessDenied")
        return Caller(subject, role), None

    def _chain(self, role: str, headers: Mapping[str, str]) -> tuple[Caller | None, Refusal | None]:
        caller, _ = self._caller(headers)
        self.calls.append(Call(CHAIN, role, caller.subject if caller else ""))
        if caller is None or not self.may_chain(role, caller.role):
            return None, sts_error(403, "AccessDenied")
        return Caller(caller.subject, role), None

    def _caller(self, headers: Mapping[str, str]) -> tuple[Caller | None, str]:
        """Who calls, and the region that the call is for."""
        found = CREDENTIAL.search(headers.get("Authorization", ""))
        return (self._callers.get(found[1]), found[2]) if found else (None, "")

    def _refuse_entry(
        self, method: str, asked: Mapping[str, str], headers: Mapping[str, str]
    ) -> Refusal | None:
        caller, region = self._caller(headers)
        name = next((asked[one] for one in _NAMES if one in asked), "")
        self.calls.append(Call(method, name, caller.subject if caller else ""))
        if caller is None:
            return entry_error("UnrecognizedClientException", "The security token is invalid.")
        if told := self.refusals.get((method, namespace_of(caller.subject))):
            return told
        makes_parameter = method == "PutParameter" and "Tags" in asked
        for action in (method, *([TAG_PARAMETER] if makes_parameter else [])):
            if not self.may(caller.role, action, name, region, asked):
                message = f"{caller.role} is not authorized to perform: {action} on {name}"
                return entry_error("AccessDeniedException", message)
        return None


def _handler(gate: AwsGate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each reply, sent in two parts, takes 40 ms

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content, content_type = gate.answer(
                self.path, httpx.Headers(self.headers.items()), body
            )
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_: object) -> None:
            """Silent: `calls` holds what tests need."""

    return Handler


def namespace_of(subject: str) -> str:
    """Of `system:serviceaccount:<namespace>:<name>`."""
    return subject.split(":")[2]


def sts_error(status: int, code: str, message: str = "Not authorized") -> Refusal:
    """As the token service words a refusal."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return Refusal(status, f"<ErrorResponse>{error}</ErrorResponse>".encode())


def entry_error(kind: str, message: str, status: int = 400) -> Refusal:
    """As Secrets Manager words a refusal."""
    return Refusal(status, json.dumps({"__type": kind, "Message": message}).encode())
