"""A bare Git repository behind HTTPS, and a checkout whose files become commits there."""

import os
import shutil
import ssl
import subprocess
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.e2e.certificates import Certificates

_IDENTITY = ["-c", "user.name=e2e", "-c", "user.email=e2e@example.com"]


class Repository:
    """`folder` is the checkout; `commit` publishes what is in it."""

    def __init__(self, root: Path, path: str) -> None:
        self.root = root
        self.folder = root / "checkout"
        bare = root / path
        _git(root.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        _git(root, "clone", "--quiet", str(bare), str(self.folder))
        _git(self.folder, "checkout", "--quiet", "-b", "main")

    def commit(self, message: str) -> str:
        """The new commit."""
        _git(self.folder, "add", "--all")
        _git(self.folder, *_IDENTITY, "commit", "--quiet", f"--message={message}")
        _git(self.folder, "push", "--quiet", "origin", "main")
        return _git(self.folder, "rev-parse", "HEAD").strip()


class GitServer(AbstractContextManager["GitServer"]):
    """Serves the repositories below a folder, by Git's own program, and `files` by path."""

    def __init__(self, root: Path, files: dict[str, str], certificates: Certificates) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(root, files))
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port: int = self._server.server_port

    def __enter__(self) -> "GitServer":
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(root: Path, files: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            path, _, query = self.path.partition("?")
            if path in files:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(files[path].encode())
                return
            asked = {
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            done = _run(["http-backend"], root, asked, body)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            lines = [line.partition(": ") for line in head.decode().splitlines()]
            found = {name: value for name, _, value in lines}
            self.send_response(int(found.pop("Status", "200").split()[0]))
            for name, value in found.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _reply  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *args: object) -> None:
            """Silent: source-controller's log says what it asked for."""

    return Handler


def _git(folder: Path, *arguments: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    done = _run(arguments, folder, {}, b"")
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def _run(
    arguments: list[str] | tuple[str, ...], folder: Path, env: dict[str, str], stdin: bytes
) -> subprocess.CompletedProcess[bytes]:
    """Git, whatever this machine's own settings say."""
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(  # noqa: S603 - git, with the tests' own arguments
        [shutil.which("git") or "git", *arguments],
        cwd=folder,
        env=own | env,
        input=stdin,
        capture_output=True,
        check=False,
    )
