"""The Kubernetes API, as far as a rotation needs it: four verbs on names."""

import http.client
import json
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from .clock import Clock
from .trust import authorities, trust

Manifest = dict[str, Any]
Answer = tuple[int, Mapping[str, str], bytes]  # status, headers, body

_PATHS = {
    "ConfigMap": ("api/v1", "configmaps"),
    "Event": ("api/v1", "events"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "StatefulSet": ("apis/apps/v1", "statefulsets"),
    "DaemonSet": ("apis/apps/v1", "daemonsets"),
    "Rollout": ("apis/argoproj.io/v1alpha1", "rollouts"),
    "ExternalSecret": ("apis/external-secrets.io/v1", "externalsecrets"),
    "PushSecret": ("apis/external-secrets.io/v1alpha1", "pushsecrets"),
}
_REQUEST_SECONDS = 10
# How long one answer is asked for again. An API server that has just started refuses for a moment
# what it allows a little later: its rights and policies are not loaded yet.
_PATIENCE_SECONDS = {401: 10, 403: 10, 429: 120, 500: 20, 502: 120, 503: 120, 504: 120}
_UNREACHABLE_SECONDS = 120
_LONGEST_PAUSE_SECONDS = 5.0


class UnreachableError(Exception):
    """The API server gives no answer, or none but that it can't: the run ends."""


class RefusedError(Exception):
    """The API server refuses a request, and says why."""

    def __init__(self, request: str, status: int, message: str) -> None:
        super().__init__(f"{request} was refused ({status}): {message}")
        self.status = status


class ConflictError(RefusedError):
    """What is to be created exists, or what is to be changed has changed."""


class Transport(Protocol):
    """Sends one request, and raises OSError or HTTPException when no answer comes."""

    def send(self, method: str, path: str, body: Manifest | None) -> Answer: ...


class InCluster:
    """HTTPS to the API server as a pod's ServiceAccount. Its token is read for each request: the
    kubelet replaces it every hour; its CA for each connection."""

    def __init__(self, account: Path) -> None:
        self._account = account
        try:
            self._host = os.environ["KUBERNETES_SERVICE_HOST"]
            self._port = int(os.environ["KUBERNETES_SERVICE_PORT"])
        except KeyError as missing:
            raise OSError(f"this is no pod: {missing} is not set") from None
        self._connection: http.client.HTTPSConnection | None = None

    def send(self, method: str, path: str, body: Manifest | None) -> Answer:
        headers = {
            "Authorization": f"Bearer {(self._account / 'token').read_text().strip()}",
            "Accept": "application/json",
            "User-Agent": "platform-secrets-rotator",
        }
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        elif body is not None:
            headers["Content-Type"] = "application/json"
        if self._connection is None:
            self._connection = self._connected()
        try:
            text = None if body is None else json.dumps(body).encode()
            self._connection.request(method, path, text, headers)
            response = self._connection.getresponse()
            return response.status, dict(response.headers), response.read()
        except BaseException:
            self._connection.close()
            self._connection = None
            raise

    def _connected(self) -> http.client.HTTPSConnection:
        fault = OSError(f"{self._account / 'ca.crt'} holds no certificate")
        for authority in authorities((self._account / "ca.crt").read_text()):
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=_REQUEST_SECONDS, context=trust(authority)
            )
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                if not isinstance(error, ssl.SSLCertVerificationError):
                    raise
                fault = error
            else:
                return connection
        raise fault


class Api:
    """Objects by kind and name, or by namespace/name where that is not the rotator's own namespace.
    `before_write` is called before each try of a write that is guarded, and may refuse it by
    raising."""

    def __init__(self, transport: Transport, clock: Clock, namespace: str) -> None:
        self._transport = transport
        self._clock = clock
        self._namespace = namespace
        self.before_write: Callable[[], None] = lambda: None

    def address(self, manifest: Manifest) -> str:
        """What an object is got by."""
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace", self._namespace)
        is_own = namespace == self._namespace
        return metadata["name"] if is_own else f"{namespace}/{metadata['name']}"

    def get(self, kind: str, name: str) -> Manifest | None:
        """The object; None if there is none."""
        return self._or_none("GET", kind, name)

    def create(self, kind: str, manifest: Manifest) -> Manifest:
        """The new object; ConflictError if there is one of this name, also if an earlier try of
        this very call made it."""
        return self._ask("POST", kind, "", manifest)

    def patch(self, kind: str, name: str, patch: Manifest, *, is_guarded: bool = True) -> Manifest:
        """The object after a merge patch; ConflictError if that names another resourceVersion."""
        return self._ask("PATCH", kind, name, patch, is_guarded)

    def would_create(self, kind: str, manifest: Manifest) -> None:
        """Raises what `create` would raise, and creates nothing."""
        self._ask("POST", kind, "", manifest, is_dry_run=True)

    def would_patch(self, kind: str, name: str, patch: Manifest) -> None:
        """Raises what `patch` would raise, and changes nothing."""
        self._ask("PATCH", kind, name, patch, is_dry_run=True)

    def delete(self, kind: str, name: str) -> Manifest | None:
        """Begins to delete the object; None if there is none (any more).

        An ExternalSecret stays until its Secret is gone, which would else be taken for that of the
        next one of its name, and be deleted under that. A PushSecret in deletion would push again.
        """
        policy = "Foreground" if kind == "ExternalSecret" else "Background"
        left = self._or_none("DELETE", kind, name, {"propagationPolicy": policy})
        return None if left and left["kind"] == "Status" else left

    def _or_none(
        self, method: str, kind: str, name: str, body: Manifest | None = None
    ) -> Manifest | None:
        try:
            return self._ask(method, kind, name, body)
        except RefusedError as refusal:
            if refusal.status != 404:
                raise
            return None

    def _ask(
        self,
        method: str,
        kind: str,
        name: str,
        body: Manifest | None = None,
        is_guarded: bool = True,
        is_dry_run: bool = False,
    ) -> Manifest:
        group, plural = _PATHS[kind]
        named = name or self.address(body or {})
        namespace, _, plain = named.rpartition("/")
        path = f"/{group}/namespaces/{namespace or self._namespace}/{plural}"
        path += f"/{plain}" if name else ""
        path += "?dryRun=All" if is_dry_run else ""
        request = f"{method} {kind}/{named}"
        first, pause = dict[int, float](), 0.1
        while True:
            if method != "GET" and is_guarded:
                self.before_write()
            try:
                status, headers, content = self._transport.send(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                status, headers, content = 0, {}, repr(error).encode()
            if 200 <= status < 300:
                return json.loads(content)
            patience = _PATIENCE_SECONDS.get(status, 0) if status else _UNREACHABLE_SECONDS
            wait = min(pause, _LONGEST_PAUSE_SECONDS)
            if headers.get("Retry-After", "").isdecimal():
                wait = float(headers["Retry-After"])
            # Of the time for which the server was away, what it says once it is back says nothing.
            began = first.setdefault(status, self._clock.monotonic())
            if self._clock.monotonic() - began + wait > patience:
                raise _fault(request, status, content)
            self._clock.sleep(wait)
            pause *= 2


def _fault(request: str, status: int, content: bytes) -> Exception:
    try:
        message = json.loads(content)["message"]
    except (ValueError, TypeError, KeyError):
        message = content[:300].decode(errors="replace")
    if status in (0, 429, 502, 503, 504):
        return UnreachableError(f"{request}: the API server gives no answer ({status}): {message}")
    return (ConflictError if status == 409 else RefusedError)(request, status, message)
