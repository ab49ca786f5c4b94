"""A door to the API server through which one program goes: its calls are seen and meddled with."""

import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple, Self

import httpx

from tests.e2e.certificates import Certificates, certificates_for
from tests.e2e.cluster import Cluster

HOST = "localhost"
PASSED_ON = ("Authorization", "Content-Type", "Accept")


class Call(NamedTuple):
    method: str
    path: str
    """With the query."""
    body: bytes

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def is_dry_run(self) -> bool:
        return "dryRun=All" in self.path


class Reply(NamedTuple):
    status: int
    content: bytes = b"{}"
    headers: Mapping[str, str] = {}


Forward = Callable[[], Reply]


@dataclass
class ApiProxy:
    """Listens on HOST while it is entered. `calls` is what was asked, in order.

    `meddle` gets each call but dry runs and what forwards it, and returns the reply; None breaks
    the connection.
    """

    cluster: Cluster
    folder: Path
    meddle: Callable[[Call, Forward], Reply | None] = lambda _, forward: forward()
    calls: list[Call] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.folder.mkdir()
        certificates = certificates_for([HOST], self.folder)
        self.ca_file = certificates.authority
        self._client = httpx.Client(
            base_url=self.cluster.url,
            verify=ssl.create_default_context(cafile=str(self.cluster.ca_file)),
            timeout=60,
            trust_env=False,
        )
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show(certificates)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = self._tls.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_port
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    def show(self, certificates: Certificates) -> None:
        """Gives new connections another certificate."""
        self._tls.load_cert_chain(certificates.certificate, certificates.key)

    def reply(self, call: Call, headers: Mapping[str, str]) -> Reply | None:
        """The API server's answer, or what `meddle` makes of it."""

        def forward() -> Reply:
            answer = self._client.request(
                call.method, call.path, content=call.body or None, headers=headers
            )
            kept = {n: v for n, v in answer.headers.items() if n in ("content-type", "retry-after")}
            return Reply(answer.status_code, answer.content, kept)

        self.calls.append(call)
        try:
            return forward() if call.is_dry_run else self.meddle(call, forward)
        except httpx.TransportError:
            return None


def _handler(proxy: ApiProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each reply, sent in two parts, takes 40 ms

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            reply = proxy.reply(Call(self.command, self.path, body), headers)
            if reply is None:
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.content)))
            with suppress(OSError):  # the program may be dead
                self.end_headers()
                self.wfile.write(reply.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *_: object) -> None:
            """Silent: `calls` holds what tests need."""

    return Handler
