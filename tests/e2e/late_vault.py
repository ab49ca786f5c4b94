"""A Vault behind something that answers reads late, as a performance standby may."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.e2e.certificates import Certificates
from tests.e2e.https_server import HttpsServer, Reply, Request

HEADERS = ("X-Vault-Token", "X-Vault-Namespace", "Content-Type")


class LateVault:
    """Hands everything on to the server at `url`. Inside `late` what is read of engines may be so
    old as it says; logins and tokens are never late."""

    def __init__(self, url: str, certificates: Certificates) -> None:
        self._server = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._https = HttpsServer(self._answer, certificates)
        self._seconds = 0.0
        self._known: dict[str, tuple[float, Reply]] = {}
        self.old_answers: list[str] = []
        """The path of each read that was answered from memory."""

    @contextmanager
    def serve(self) -> Iterator[int]:
        """The port of 127.0.0.1 that answers."""
        self._https.start()
        try:
            yield self._https.port
        finally:
            self._https.stop()

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        self._seconds = seconds
        try:
            yield
        finally:
            self._seconds = 0.0

    def _answer(self, request: Request) -> Reply:
        is_late = self._seconds and request.method == "GET" and _is_of_an_engine(request.path)
        known_at, known = self._known.get(request.path, (0.0, None))
        if is_late and known and time.monotonic() - known_at < self._seconds:
            self.old_answers.append(request.path)
            return known
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        found = self._server.request(
            request.method, request.path, content=request.body, headers=headers
        )
        reply = Reply(found.status_code, found.json() if found.content else {})
        if is_late:
            self._known[request.path] = (time.monotonic(), reply)
        return reply


def _is_of_an_engine(path: str) -> bool:
    return not path.startswith(("/v1/auth/", "/v1/sys/"))
