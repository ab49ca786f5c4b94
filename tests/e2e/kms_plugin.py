"""A KMS plugin of version 2 (k8s.io/kms/apis/v2): keys of the tests' own behind a socket."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from cryptography.fernet import Fernet

_KEY_ID = b"key-of-the-tests"


@contextmanager
def kms_plugin(socket: Path) -> Iterator[None]:
    """Inside, it answers at the socket."""
    key = Fernet(Fernet.generate_key())

    def encrypted(request: bytes) -> bytes:
        return _field(1, key.encrypt(_fields(request)[1])) + _field(2, _KEY_ID)

    def decrypted(request: bytes) -> bytes:
        return _field(1, key.decrypt(_fields(request)[1]))

    def status(_: bytes) -> bytes:
        return _field(1, b"v2") + _field(2, b"ok") + _field(3, _KEY_ID)

    server = grpc.server(ThreadPoolExecutor(4))
    methods = {"Status": status, "Encrypt": encrypted, "Decrypt": decrypted}
    handlers = {name: _handler(answer) for name, answer in methods.items()}
    service = "v2.KeyManagementService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(None)


def _handler(answer: Callable[[bytes], bytes]) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(lambda request, _: answer(request))


def _field(number: int, content: bytes) -> bytes:
    """Protobuf's form of bytes or text."""
    return bytes([number << 3 | 2]) + _length(len(content)) + content


def _length(size: int) -> bytes:
    found = []
    while size >= 128:
        found.append(size & 127 | 128)
        size >>= 7
    return bytes([*found, size])


def _fields(message: bytes) -> dict[int, bytes]:
    """The last content of each field; all of this service are bytes, texts or maps."""
    found, at = dict[int, bytes](), 0
    while at < len(message):
        number, at, size, shift = message[at] >> 3, at + 1, 0, 0
        while True:
            size, shift, at = size | (message[at] & 127) << shift, shift + 7, at + 1
            if message[at - 1] < 128:
                break
        found[number], at = message[at : at + size], at + size
    return found
