"""A gRPC server to which the engine attaches as to a plugin that runs already."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc


@contextmanager
def served(add: Callable[[grpc.Server], None], threads: int) -> Iterator[int]:
    """The port of 127.0.0.1 on which it answers, until the end; `add` gives it what it serves."""
    server = grpc.server(ThreadPoolExecutor(max_workers=threads))
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()
