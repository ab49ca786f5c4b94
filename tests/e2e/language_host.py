"""What stands for Pulumi's Python language host, so that the command itself runs a program here."""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.empty_pb2 import Empty
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tests.e2e.engine import project_program
from tests.e2e.grpc_server import served


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


def language_host() -> AbstractContextManager[int]:
    """The port of 127.0.0.1 for PULUMI_DEBUG_LANGUAGES."""
    add = partial(language_pb2_grpc.add_LanguageRuntimeServicer_to_server, LanguageHost())
    return served(add, threads=4)
