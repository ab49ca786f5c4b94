"""`python -m benchmarks.previewing`: the engine's no-change preview of production, as Markdown.

`pulumi preview` of what is up: by the project's program, by one that declares the same objects and
does nothing else, and by one with as many empty ConfigMaps. The engine is real; programs, and the
providers, for which everything is as declared, run in processes of their own, as for a user. A
target that is not met is reported and is no failure: exit code 1 means that something could not be
run.
"""

import os
import re
import runpy
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import grpc
from pulumi import CustomResource
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2_grpc, provider_pb2

from benchmarks.measure import Program, RunError, best_of
from benchmarks.report import judged, say
from platform_secrets.manifests.naming import Manifest
from tests.e2e.engine import EngineError, Stack
from tests.e2e.noting_provider import PACKAGES, NotingProvider
from tests.e2e.process import PROJECT, Run
from tests.e2e.pulumi_properties import plain, properties_of, struct_of
from tools.build import PROGRAMS, MissingGoError

_ROUNDS = 15
_STARTS = 5
_CLUSTER_UID = "00000000-0000-4000-8000-000000000000"

# Type token, logical name, inputs.
Declared = tuple[str, str, Manifest]
# Previews once, and returns the number of resources. Raises RunError for a change.
Preview = Callable[[], int]


class _AnyProvider(NotingProvider):
    """Any package's; the cluster that it shows is the one that the stack names."""

    def __init__(self) -> None:
        super().__init__(settings=lambda: None)  # type: ignore[arg-type, return-value]
        self.declared: list[Declared] = []

    def knows(self, token: str, inputs: Any) -> bool:
        return True

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        if not request.preview:
            name = request.urn.rpartition("::")[2]
            self.declared.append((request.type, name, plain(properties_of(request.properties))))
        return super().Create(request, context)

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        shown = struct_of({"metadata": {"uid": _CLUSTER_UID}})
        return provider_pb2.ReadResponse(id=request.id, properties=shown)


class _Object(CustomResource):
    """A class of its own, as an SDK has them: so the engine is told where each was declared."""

    def __init__(self, token: str, name: str, inputs: Manifest) -> None:
        super().__init__(token, name, inputs)


def _project_program() -> None:
    """The project's, whose modules stay imported: what an interpreter takes for them at its start
    is measured by itself."""
    os.chdir(PROJECT)
    runpy.run_path("__main__.py", run_name="__main__")


def _flat_program(declared: Sequence[Declared]) -> None:
    for one in declared:
        _Object(*one)


def _serve_provider(parent: Connection) -> None:
    provider = _AnyProvider()
    with provider.serve() as port:
        parent.send(port)
        while parent.recv():
            parent.send(provider.declared)


def _serve_program(parent: Connection, program: Callable[[], None]) -> None:
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(program), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    parent.send(port)
    parent.recv()


@contextmanager
def _process(serve: Callable[..., None], *arguments: Any) -> Iterator[tuple[int, Connection]]:
    """The port on which another process serves, and the way to talk to it."""
    context = get_context("spawn")
    own, its = context.Pipe()
    process = context.Process(target=serve, args=(its, *arguments), daemon=True)
    process.start()
    try:
        yield own.recv(), own
    finally:
        process.terminate()
        process.join()


@contextmanager
def _preview(run: Run, name: str, port: int, program: Callable[[], None]) -> Iterator[Preview]:
    """A stack that is up, with its program served by another process."""
    file = PROJECT / "Pulumi.production.yaml"
    ports: dict[str, int] = dict.fromkeys((*PACKAGES, "kubernetes"), port)
    stack = Stack(run, name, program, providers=ports, stack_file=file)
    stack.set_config("platform-secrets:environment.cluster.uid", _CLUSTER_UID)
    with _process(_serve_program, program) as (program_port, _):
        stack.served_by_command("up", "--yes", port=program_port)
        yield partial(_unchanged, stack, program_port)


def _unchanged(stack: Stack, program_port: int) -> int:
    said = stack.served_by_command("preview", "--expect-no-changes", port=program_port)
    found = re.search(r"(\d+) unchanged", said)
    if not found:
        raise RunError(f"{stack.name}: a preview after the update says\n{said}")
    return int(found[1])


def _seconds(preview: Preview) -> float:
    start = time.perf_counter()
    preview()
    return time.perf_counter() - start


def _empty(count: int) -> list[Declared]:
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    return [
        ("kubernetes:core/v1:ConfigMap", f"empty-{number}", {**kind, "metadata": {"name": number}})
        for number in range(count)
    ]


def _report(run: Run) -> list[str]:
    with _process(_serve_provider) as (port, provider):
        start = partial(_preview, run, port=port)
        with start("production", program=_project_program) as production:
            count = production()
            provider.send(True)
            own = provider.recv()
            # The stack is a resource too.
            same = [*own, *_empty(count - 1 - len(own))]
            with (
                start("same", program=partial(_flat_program, same)) as objects,
                start("empty", program=partial(_flat_program, _empty(count - 1))) as empty,
            ):
                previews = (empty, objects, production)
                if {preview() for preview in previews} != {count}:
                    raise RunError("the stacks differ in their number of resources")
                rounds = [[_seconds(one) for one in previews] for _ in range(_ROUNDS)]
    figures = [median(each) for each in zip(*rounds, strict=True)]
    return _table(count, len(own), figures)


def _table(count: int, objects: int, seconds: Sequence[float]) -> list[str]:
    codes = ("import pulumi", "import pulumi, settings, components.layer")
    programs = [Program(code, (sys.executable, "-c", code)) for code in codes]
    alone, project = (figures.wall_seconds for figures in best_of(programs, _STARTS))
    names = (
        "as many empty ConfigMaps, and nothing else",
        f"production's {objects} objects as a plain list, and empty ConfigMaps",
        "production",
    )
    rows = [
        f"| {name} | {own:.2f} | {imports:.2f} | {own / seconds[0]:.2f} | {own / seconds[1]:.2f} |"
        for name, own, imports in zip(names, seconds, (alone, alone, project), strict=True)
    ]
    return [
        f"# The engine's no-change preview of production: {count} resources",
        "",
        f"Pulumi {PROGRAMS['pulumi'].version}, {os.cpu_count()} cores, which all parts share, load "
        f"{os.getloadavg()[0]:.1f}. The median of {_ROUNDS} runs of `pulumi preview`, which take "
        "turns. The program runs in an interpreter that has its packages; what a new one takes to "
        f"import them is the best of {_STARTS}.",
        "",
        "| | preview s | imports s | of empty ConfigMaps | of the same objects |",
        "| --- | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        *(
            _judged(f"at most 1.1 times {what}", seconds[2] / seconds[place])
            for place, what in enumerate(("as many empty ConfigMaps", "the same objects"))
        ),
    ]


def _judged(rule: str, ratio: float) -> str:
    return judged(rule, ratio <= 1.1, f"{ratio:.2f}")


def main() -> int:
    run, is_done = Run(), False
    try:
        lines = _report(run)
        is_done = True
    except (EngineError, MissingGoError, RunError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        run.stop(keep_folder=not is_done)
    say(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
