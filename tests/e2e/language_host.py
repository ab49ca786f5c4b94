"""What stands for Pulumi's Python language host, so that the command itself runs a program here."""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tests.e2e.engine import project_program


class LanguageHost(LanguageServer):
    """Runs the program of the folder that the engine names, in this process."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def Handshake(self, request: Any, context: Any) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="3.999.0")

    def Run(self, request: Any, context: Any) -> Any:
        self.program = project_program(Path(request.pwd))
        return super().Run(request, context)

    def Cancel(self, request: Any, context: Any) -> Any:
        return Empty()


@contextmanager
def language_host() -> Iterator[int]:
    """The port of 127.0.0.1 for PULUMI_DEBUG_LANGUAGES."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()
