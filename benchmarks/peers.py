"""The commands that are compared: how each is found, made ready, and proved to do the same work."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

from benchmarks.measure import ROOT, Program, RunError, run
from benchmarks.work import Work, chart, kustomization, object_list
from platform_secrets.manifests.naming import Manifest

_PROGRAMS = Path(__file__).parent / "programs"
_CDK8S = ROOT / ".cache" / "cdk8s"
# What `make render` uses; where it has not run, what this benchmark runs on.
_RENDERING = ROOT / ".venv-render" / "bin" / "python"
PYTHON = str(_RENDERING) if _RENDERING.exists() else sys.executable
SECRETSCTL = (PYTHON, "-m", "platform_secrets.secretsctl")


class Absent(NamedTuple):
    """A tool that can't be run here, and what would change that."""

    name: str
    remedy: str


def secretsctl(work: Work) -> Program:
    """This project's own way."""
    files = ("--stack", str(work.stack), "--catalogue", str(work.catalogue))
    return Program("secretsctl render", (*SECRETSCTL, "render", *files, "--out", "-"))


def helm(work: Work) -> Program | Absent:
    """`helm template` on a chart whose templates make a service's objects from values."""
    found = _tool("helm")
    if not found:
        return Absent("helm template", _on_path("helm"))
    return Program("helm template", (found, "template", "bench", str(chart(work))))


def kustomize(work: Work) -> Program | Absent:
    """A kustomization that adds the common labels; kubectl has the same code built in."""
    if found := _tool("kustomize"):
        return Program("kustomize build", (found, "build", str(kustomization(work))))
    if found := _tool("kubectl"):
        return Program("kubectl kustomize", (found, "kustomize", str(kustomization(work))))
    return Absent("kustomize", _on_path("kustomize"))


def cdk8s(work: Work) -> Program | Absent:
    """A cdk8s program in Python, in an environment of its own, which is made when it is missing."""
    if not _tool("node"):
        return Absent("cdk8s", f"needs Node.js; {_on_path('node')}")
    python = _CDK8S / "bin" / "python"
    requirements = _PROGRAMS / "cdk8s-requirements.txt"
    try:
        if not python.exists():
            _quietly(sys.executable, "-m", "venv", str(_CDK8S))
        _quietly(str(python), "-m", "pip", "install", "-q", "-r", str(requirements))
    except subprocess.CalledProcessError:
        return Absent("cdk8s", f"pip could not install {requirements.name}; try it by hand")
    folder = work.folder / "cdk8s"
    command = (str(python), str(_PROGRAMS / "cdk8s_objects.py"), str(object_list(work)))
    return Program("cdk8s synth", (*command, str(folder)), folder / "bench.k8s.yaml")


def pulumi(work: Work) -> Program | Absent:
    """A Pulumi program under mocks: without engine and cluster, all that Python itself does."""
    if not importlib.util.find_spec("pulumi_kubernetes"):
        return Absent("Pulumi, mocks", "pip install -r requirements.txt")
    command = (sys.executable, str(_PROGRAMS / "pulumi_objects.py"), str(object_list(work)))
    return Program("Pulumi, mocks", command)


def check(program: Program, work: Work) -> None:
    """Raises RunError unless the program makes exactly the work's objects, whatever their order."""
    output = work.folder / "output.yaml"
    run(program, output)
    text = (program.written or output).read_text()
    # As Kubernetes reads it: YAML 1.1.
    made = [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]
    found = {_identity(each): each for each in made}
    wanted = {_identity(each): each for each in work.objects}
    if len(made) != len(wanted) or found != wanted:
        others = [name for name in {*found, *wanted} if found.get(name) != wanted.get(name)]
        message = f"{len(made)} objects for {len(wanted)}, {len(others)} of them not the same"
        raise RunError(f"{program.name}: {message}: {' '.join(min(others, default=()))}")


def _identity(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _tool(name: str) -> str | None:
    """The tool in $BENCH_TOOLS, among the project's own tools, or on the PATH."""
    given = os.environ.get("BENCH_TOOLS")
    own = sorted((ROOT / ".cache" / "tools").glob("*/"))
    folders = [*([given] if given else []), *map(str, own), os.environ.get("PATH", "")]
    return shutil.which(name, path=os.pathsep.join(folders))


def _on_path(name: str) -> str:
    return f"put `{name}` on the PATH, or name its folder in BENCH_TOOLS"


def _quietly(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
