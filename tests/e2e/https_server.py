"""A small HTTPS server on a free local port; what it answers is one function."""

import json
import ssl
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

import httpx

from tests.e2e.certificates import Certificates


class Request(NamedTuple):
    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    status: int
    content: dict
    headers: Mapping[str, str] = {}


class HttpsServer:
    """Answers every request with the JSON that `answer` returns; logs nothing."""

    def __init__(self, answer: Callable[[Request], Reply], certificates: Certificates) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        # The handshake belongs to the connection's own thread: a silent client must not
        # keep the others waiting.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port: int = self._server.server_port

    def start(self) -> None:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(answer: Callable[[Request], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each reply, sent in two parts, takes 40 ms

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            host = self.headers.get("Host", "").partition(":")[0]
            reply = answer(
                Request(self.command, host, self.path, httpx.Headers(self.headers.items()), body)
            )
            content = b"" if reply.status == 204 else json.dumps(reply.content).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _reply  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *_: object) -> None:
            """Request lines hold names of secrets; the servers' `calls` hold what tests need."""

    return Handler
