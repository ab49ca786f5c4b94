"""`pulumi import` of what a stack would make, with the real engine.

The command asks for the program's language host even where it writes no program: one that does
nothing stands in for it.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tests.e2e.deployment import Deployment


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    def Handshake(self, request: Any, context: Any) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="3.999.0")

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPackagesResponse()

    def Cancel(self, request: Any, context: Any) -> Any:
        return Empty()


@contextmanager
def _served() -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()


def adopt(made: Deployment, ids: Mapping[str, str]) -> None:
    """Imports resources by name as docs/adopting.md says: components first, then what has an ID,
    with the providers under which that stands."""
    _import_only(made, lambda one: one.get("component", False), {})
    _import_only(made, lambda one: one["name"] in ids or one["name"].endswith("-provider"), ids)


def _import_only(
    made: Deployment, wanted: Callable[[dict[str, Any]], bool], ids: Mapping[str, str]
) -> None:
    """The preview writes what it would make, by name; what is wanted of that is imported."""
    file = made.folder / "adopt.json"
    made.stack.preview(import_file=str(file))
    found = json.loads(file.read_text(encoding="utf-8"))
    kept = [one for one in found["resources"] if wanted(one)]
    for one in kept:
        if one["name"] in ids:
            one["id"] = ids[one["name"]]
    file.write_text(json.dumps(found | {"resources": kept}), encoding="utf-8")
    with _served() as port:
        made.stack.import_by_command(file, language_port=port)
