"""Stands in for Pulumi's language host, which `pulumi import` starts though it runs no program."""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Says that the program needs nothing."""

    def Handshake(self, request: Any, context: Any) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="3.999.0")

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPackagesResponse()


def launcher(folder: Path) -> Path:
    """A folder for PATH, with the program that the engine looks for."""
    program = folder / "pulumi-language-python"
    if not program.exists():
        folder.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\nexec {sys.executable} {__file__}\n", encoding="utf-8")
        program.chmod(0o755)
    return folder


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):  # how the engine ends it
        server.wait_for_termination()


if __name__ == "__main__":
    main()
