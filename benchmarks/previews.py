"""The engine's no-change preview of production, beside that of as many trivial resources."""

import contextlib
import runpy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pulumi import CustomResource

from benchmarks.measure import RunError
from benchmarks.real_parts import Parts
from manifests.naming import Manifest
from tests.e2e.deployment import deployment
from tests.e2e.engine import Stack, fresh_modules
from tests.e2e.process import PROJECT
from tests.e2e.pulumi_provider import KubernetesProvider

_NAME = "bench-trivial"


@dataclass(frozen=True)
class Previews:
    """Seconds of each preview; the n-th of both lists were taken one after the other."""

    resources: int
    production: list[float]
    trivial: list[float]

    @property
    def ratio(self) -> float:
        return median(self.production) / median(self.trivial)


def previews(parts: Parts, *, rounds: int) -> Previews:
    """Brings both stacks up, and previews them in turns. Raises RunError for one with a change."""
    stack_file = PROJECT / "Pulumi.production.yaml"
    provider = KubernetesProvider(parts.cluster.api)
    own = deployment(parts.run, parts.cluster, parts.operator, stack_file, name="bench-production")
    with own as made, provider.serve() as port:
        parts.stores.prepare(made.settings)
        made.stack.up()
        # Nobody but the engine is to be at work.
        parts.operator_process.stop()
        resources = _unchanged(made.stack)
        parts.cluster.create_namespace(_NAME)
        trivial = Stack(
            parts.run, _NAME, _trivial_program(resources), providers={"kubernetes": port}
        )
        try:
            trivial.up()
            if _unchanged(trivial) != resources:
                raise RunError("the stacks differ in their number of resources")
            with fresh_modules(made.folder):
                made.stack.program = _imported_program(made.folder)
                pairs = [(_seconds(made.stack), _seconds(trivial)) for _ in range(rounds + 1)][1:]
        finally:
            trivial.destroy()
    production, others = zip(*pairs, strict=True)
    return Previews(resources, list(production), list(others))


def _imported_program(folder: Path) -> Callable[[], None]:
    """The project's program, whose modules stay imported: what an interpreter takes for them at its
    start is measured by itself."""

    def program() -> None:
        with contextlib.chdir(folder):
            runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    return program


def _trivial_program(resources: int) -> Callable[[], None]:
    """ConfigMaps without data. The stack itself counts as a resource."""

    def program() -> None:
        for number in range(resources - 1):
            CustomResource("kubernetes:core/v1:ConfigMap", f"empty-{number}", _empty(number))

    return program


def _empty(number: int) -> Manifest:
    metadata = {"name": f"empty-{number}", "namespace": _NAME}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def _seconds(stack: Stack) -> float:
    start = time.perf_counter()
    _unchanged(stack)
    return time.perf_counter() - start


def _unchanged(stack: Stack) -> int:
    """The number of resources that a preview finds as they are. Raises RunError for a change."""
    outcome = stack.preview()
    if outcome.changes:
        raise RunError(f"{stack.name}: a preview after the update finds {outcome.changes}")
    return outcome.counts["same"]
