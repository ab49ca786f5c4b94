"""The only way out for the operator: a CONNECT proxy that leads known hosts to local ports."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Proxy:
    """Leads `CONNECT` to the local port of a host (`host` for port 443, else `host:port`), and
    refuses all else with 403; a host whose server is down answers 502.

    `ports` may be added to; of several ports each connection gets the next. `refused` lists the
    refused targets (`host:port`, or the URL of a plain request), in order.
    Go programs never ask a proxy for 127.0.0.1, so the API server is reached directly.
    """

    def __init__(self, ports: Mapping[str, int]) -> None:
        self.ports: dict[str, int | Iterator[int]] = dict(ports)
        self.refused: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.ports, self.refused))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "Proxy":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _handler(
    ports: Mapping[str, int | Iterator[int]], refused: list[str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # else what is sent in two parts takes 40 ms

        def do_CONNECT(self) -> None:
            host = self.path.removesuffix(":443")
            if host not in ports:
                self._refuse()
                return
            port = ports[host]
            try:
                port = port if isinstance(port, int) else next(port)
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:
                self.send_error(502)
                return
            with server:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
                self.send_response_only(200, "Connection established")
                self.end_headers()
                back = Thread(target=_copy, args=(server, self.connection), daemon=True)
                back.start()
                _copy(self.connection, server)
                back.join()

        def _refuse(self) -> None:
            refused.append(self.path)
            self.send_error(403)

        do_GET = do_POST = do_PUT = do_HEAD = _refuse  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *_: object) -> None:
            """Silent: `refused` holds what tests need."""

    return Handler


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
