"""The key of the engine's states, kept by what answers as Vault's transit engine does.

From a passphrase, its other way, the engine makes the key by a million rounds at each start.
"""

import json
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from cryptography.fernet import Fernet

SECRETS_PROVIDER = "hashivault://state"
_KEY = Fernet(Fernet.generate_key())


@cache
def key_service() -> dict[str, str]:
    """What leads the engine to the service, which answers until this process ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Transit)
    Thread(target=server.serve_forever, daemon=True).start()
    return {"VAULT_SERVER_URL": f"http://127.0.0.1:{server.server_port}"}


class _Transit(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "plaintext" in asked:
            data = {"ciphertext": _KEY.encrypt(asked["plaintext"].encode()).decode()}
        else:
            data = {"plaintext": _KEY.decrypt(asked["ciphertext"]).decode()}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": data}).encode())

    def log_message(self, format: str, *_: object) -> None:
        """Silent."""
