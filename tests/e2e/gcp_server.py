"""Google's Secret Manager for one project, behind Google's token services.

It knows the calls of the operator's read and push.
"""

import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import grpc
from google.cloud import iam_credentials_v1 as iam
from google.cloud import secretmanager_v1 as sm
from grpc import StatusCode as Code

from tests.e2e.certificates import Certificates
from tests.e2e.gcp_identity import GcpIdentity, deny
from tests.e2e.https_server import HttpsServer
from tests.e2e.lag import Lag

IDENTITY_HOST = "securetoken.googleapis.com"
IAM_HOST = "iamcredentials.googleapis.com"
SECRETS_HOST = "secretmanager.googleapis.com"
HOST_NAMES = [IDENTITY_HOST, IAM_HOST, SECRETS_HOST]

ACCESS = "secretmanager.versions.access"
ADD = "secretmanager.versions.add"
GET = "secretmanager.secrets.get"
UPDATE = "secretmanager.secrets.update"
CREATE = "secretmanager.secrets.create"
PROJECT = ""
"""Stands where a secret's name would: `CREATE` is held on the project."""

SECRET_PATH = re.compile(r"projects/([^/]+)/secrets/([\w-]{1,255})(?:/versions/(latest|\d+))?")


@dataclass
class Entry:
    labels: dict[str, str]
    annotations: dict[str, str] = field(default_factory=dict)
    topics: list[str] = field(default_factory=list)
    versions: list[bytes] = field(default_factory=list)
    added_at: list[float] = field(default_factory=list)

    def add(self, value: bytes) -> None:
        self.versions.append(value)
        self.added_at.append(time.monotonic())

    def latest(self, moment: float) -> int:
        """The number of the version that was the newest at a moment; 0 for none."""
        return sum(at <= moment for at in self.added_at)


@dataclass
class GcpServer:
    """One project. `grants`: member (see `gcp_identity`) -> (permission, secret's name). As Google
    documents, `latest` may be an older version for a while: see `lag`."""

    certificates: Certificates
    identity: GcpIdentity
    project: str
    grants: Mapping[str, set[tuple[str, str]]]
    lag: Lag = field(default_factory=Lag, init=False)
    _entries: dict[str, Entry] = field(default_factory=dict, init=False, repr=False)

    def create(self, name: str, labels: Mapping[str, str]) -> None:
        """Makes a secret without a version."""
        self._entries[name] = Entry(dict(labels))

    def remove(self, name: str) -> None:
        """Deletes a secret with all its versions."""
        del self._entries[name]

    def set(self, name: str, value: str) -> None:
        """Adds a version; a missing secret is made without labels (the operator won't push)."""
        self._entries.setdefault(name, Entry({})).add(value.encode())

    def get(self, name: str) -> str:
        return self._entries[name].versions[-1].decode()

    def newest(self, name: str) -> str:
        """The number of the newest version."""
        return str(len(self._entries[name].versions))

    def labels(self, name: str) -> dict[str, str]:
        return self._entries[name].labels

    def annotations(self, name: str) -> dict[str, str]:
        return self._entries[name].annotations

    def set_topics(self, name: str, topics: list[str]) -> None:
        self._entries[name].topics = topics

    def start(self) -> None:
        self._https = HttpsServer(self.identity.bind, self.certificates)
        self._grpc = grpc.server(ThreadPoolExecutor(4))
        self._grpc.add_generic_rpc_handlers(self._services())
        key, certificate = self.certificates.key, self.certificates.certificate
        pair = (key.read_bytes(), certificate.read_bytes())
        port = self._grpc.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        self.ports = {IDENTITY_HOST: self._https.port, IAM_HOST: port, SECRETS_HOST: port}
        self._https.start()
        self._grpc.start()

    def stop(self) -> None:
        self._https.stop()
        self._grpc.stop(None).wait()

    def __enter__(self) -> "GcpServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _services(self) -> list[grpc.GenericRpcHandler]:
        tokens = {"GenerateAccessToken": self.identity.generate_access_token}
        entries = {
            "AccessSecretVersion": self._access_secret_version,
            "AddSecretVersion": self._add_secret_version,
            "GetSecret": self._get_secret,
            "UpdateSecret": self._update_secret,
            "CreateSecret": self._create_secret,
        }
        return [
            _service("google.iam.credentials.v1.IAMCredentials", iam, tokens),
            _service("google.cloud.secretmanager.v1.SecretManagerService", sm, entries),
        ]

    def _allowed_name(self, method: str, permission: str, path: str, context) -> str:
        """Returns the secret's name, once the caller is known to hold the permission on it."""
        found = SECRET_PATH.fullmatch(path)
        project, name = found.group(1, 2) if found else ("", "")
        caller = self.identity.caller(method, name, context)
        if not found:
            context.abort(Code.INVALID_ARGUMENT, f"Invalid resource name: {path}")
        held_on = PROJECT if permission == CREATE else name
        granted = self.grants.get(caller.member, set())
        if project != self.project or (permission, held_on) not in granted:
            deny(context, permission, path)
        return name

    def _entry(self, method: str, permission: str, path: str, context) -> Entry:
        name = self._allowed_name(method, permission, path, context)
        if name not in self._entries:
            context.abort(Code.NOT_FOUND, f"Secret [{path}] not found.")
        return self._entries[name]

    def _access_secret_version(self, request, context):
        entry = self._entry("AccessSecretVersion", ACCESS, request.name, context)
        wanted = request.name.rpartition("/")[2]
        number = int(wanted) if wanted.isdecimal() else entry.latest(self.lag.moment)
        if not 1 <= number <= len(entry.versions):
            context.abort(Code.NOT_FOUND, f"Secret Version [{request.name}] not found.")
        return sm.AccessSecretVersionResponse(
            name=f"{request.name.removesuffix(wanted)}{number}",
            payload={"data": entry.versions[number - 1]},
        )

    def _add_secret_version(self, request, context):
        entry = self._entry("AddSecretVersion", ADD, request.parent, context)
        entry.add(request.payload.data)
        return sm.SecretVersion(name=f"{request.parent}/versions/{len(entry.versions)}")

    def _get_secret(self, request, context):
        entry = self._entry("GetSecret", GET, request.name, context)
        return _secret(request.name, entry)

    def _update_secret(self, request, context):
        entry = self._entry("UpdateSecret", UPDATE, request.secret.name, context)
        if "labels" in request.update_mask.paths:
            entry.labels = dict(request.secret.labels)
        if "annotations" in request.update_mask.paths:
            entry.annotations = dict(request.secret.annotations)
        return _secret(request.secret.name, entry)

    def _create_secret(self, request, context):
        path = f"{request.parent}/secrets/{request.secret_id}"
        name = self._allowed_name("CreateSecret", CREATE, path, context)
        if name in self._entries:
            context.abort(Code.ALREADY_EXISTS, f"Secret [{path}] already exists.")
        self.create(name, request.secret.labels)
        return _secret(path, self._entries[name])


def _secret(path: str, entry: Entry) -> sm.Secret:
    topics = [{"name": each} for each in entry.topics]
    return sm.Secret(name=path, labels=entry.labels, annotations=entry.annotations, topics=topics)


def _serialized(reply: Any) -> bytes:
    return type(reply).serialize(reply)


def _service(name: str, messages: ModuleType, methods: Mapping) -> grpc.GenericRpcHandler:
    handlers = {
        method: grpc.unary_unary_rpc_method_handler(
            function,
            request_deserializer=getattr(messages, f"{method}Request").deserialize,
            response_serializer=_serialized,
        )
        for method, function in methods.items()
    }
    return grpc.method_handlers_generic_handler(name, handlers)
