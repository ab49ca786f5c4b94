#!/usr/bin/env python3
"""Builds the programs that the end-to-end tests run, each from its own pinned Go tool module.

    tools/build.py                  all of them
    tools/build.py etcd kubectl     the named ones

A binary goes to `.cache/tools/<module>-<version>-<hash>/<program>`; the hash is that of the
module's go.mod, go.sum, linker flags and own source, so a changed pin is built anew and an
unchanged one is found at once.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
CACHE = TOOLS.parent / ".cache" / "tools"


class MissingGoError(RuntimeError):
    """A program must be built and there is no Go toolchain to do it."""


@dataclass(frozen=True)
class Program:
    """One main package of the tool module in `tools/<module>`.

    `version_symbols` are the Go variables that the linker sets to the pinned version: without
    them the program reports a development version, which other programs refuse or cannot parse.
    `library` is the pinned module that a program of the tests' own is there to run.
    `folder_beside` is a folder of the program's module that is copied beside the binary.
    `tags` are build tags, which leave out what a program is not asked for here.
    """

    name: str
    module: str
    package: str
    version_symbols: tuple[str, ...] = ()
    library: str | None = None
    folder_beside: str | None = None
    tags: str = ""

    @property
    def folder(self) -> Path:
        """Where go.mod and go.sum are."""
        return TOOLS / self.module

    @property
    def pin(self) -> tuple[str, str]:
        """The Go module that holds the package or is its library, and the version of it that
        go.mod pins."""
        requirements = re.findall(r"^\s*(?:require )?(\S+) (v\S+)", self._text("go.mod"), re.M)
        sought = self.library or self.package
        return max(pin for pin in requirements if f"{sought}/".startswith(f"{pin[0]}/"))

    @property
    def version(self) -> str:
        return self.pin[1]

    @property
    def go_version(self) -> str:
        """The oldest Go that go.mod allows."""
        return re.findall(r"^go (\S+)", self._text("go.mod"), re.M)[0]

    @property
    def linker_flags(self) -> str:
        """What `go build -ldflags` gets."""
        return " ".join(["-s -w", *(f"-X {s}={self.version}" for s in self.version_symbols)])

    @property
    def path(self) -> Path:
        """Where the built program is, or will be."""
        own = "".join(file.read_text(encoding="utf-8") for file in self.folder.glob("*.go"))
        pins = self._text("go.mod") + self._text("go.sum") + self.linker_flags + self.tags + own
        digest = hashlib.sha256(pins.encode()).hexdigest()[:12]
        return CACHE / f"{self.module}-{self.version}-{digest}" / self.name

    def _text(self, file: str) -> str:
        return (self.folder / file).read_text(encoding="utf-8")


ESO = "github.com/external-secrets/external-secrets"
KUBERNETES_VERSION = (
    "k8s.io/component-base/version.gitVersion",
    "k8s.io/client-go/pkg/version.gitVersion",
)
PROGRAMS = {
    program.name: program
    for program in (
        Program(
            "pulumi",
            "pulumi",
            "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
            ("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version",),
        ),
        Program(
            *("pulumi-sdk-nodejs", "pulumi", "tools/pulumi"),
            library="github.com/pulumi/pulumi/pkg/v3",
        ),
        Program(
            "pulumi-language-yaml",
            "pulumi-yaml",
            "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
            ("github.com/pulumi/pulumi-yaml/pkg/version.Version",),
        ),
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
        *(
            Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", KUBERNETES_VERSION)
            for name in ("kube-apiserver", "kube-controller-manager", "kubectl")
        ),
        Program("external-secrets", "external-secrets", ESO, folder_beside="deploy"),
        Program(
            "helm",
            "helm",
            "helm.sh/helm/v3/cmd/helm",
            ("helm.sh/helm/v3/internal/version.version",),
        ),
        Program("kustomize", "kustomize", "sigs.k8s.io/kustomize/kustomize/v5"),
        Program("external-secrets-0-19", "external-secrets-0-19", ESO, folder_beside="deploy"),
        Program(
            "rollouts-controller",
            "argo-rollouts",
            "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
            folder_beside="manifests/crds",
        ),
        Program("flux", "flux", "tools/flux", library="github.com/fluxcd/pkg/ssa"),
        *(
            Program(name, "flux-controllers", f"github.com/fluxcd/{name}")
            for name in ("source-controller", "kustomize-controller")
        ),
        Program(
            *("argo-cd", "argo-cd", "tools/argo-cd"),
            library="github.com/argoproj/argo-cd/gitops-engine",
        ),
        Program("gitleaks", "gitleaks", "github.com/zricethezav/gitleaks/v8"),
        Program("actionlint", "actionlint", "github.com/rhysd/actionlint/cmd/actionlint"),
        Program(
            *("promtool", "prometheus", "github.com/prometheus/prometheus/cmd/promtool"),
            # Finding targets in clouds is most of its size.
            tags="remove_all_sd,enable_kubernetes_sd",
        ),
        Program("kube-state-metrics", "kube-state-metrics", "k8s.io/kube-state-metrics/v2"),
        Program("registry", "registry", "github.com/google/go-containerregistry/cmd/registry"),
        Program("controller-gen", "crds", "sigs.k8s.io/controller-tools/cmd/controller-gen"),
    )
}
ARGO_CD = "github.com/argoproj/argo-cd/v3"
FLUX_TYPES = (
    "github.com/fluxcd/source-controller/api/v1",
    "github.com/fluxcd/kustomize-controller/api/v1",
    "github.com/fluxcd/helm-controller/api/v2",
)


def build(name: str) -> Path:
    """The path of the named program, built first when it is not there yet.

    Raises MissingGoError, KeyError for an unknown name, CalledProcessError for a failed build.
    """
    program = PROGRAMS[name]
    if program.path.exists():
        return program.path
    go = shutil.which("go")
    if go is None:
        raise MissingGoError(
            f"{name} {program.version} is not built and there is no `go` on PATH: install Go "
            f"{program.go_version} or newer (go.dev/doc/install), then run tools/build.py {name}"
        )
    say(f"building {name} {program.version} (minutes when Go's own build cache is empty)")
    started = time.monotonic()
    program.path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = program.path.with_suffix(f".{os.getpid()}")
    command = [go, "build", "-trimpath", "-ldflags", program.linker_flags, "-tags", program.tags]
    subprocess.run(  # noqa: S603 - all arguments are from the table above
        [*command, "-o", str(unfinished), program.package],
        cwd=program.folder,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
        check=True,
    )
    if program.folder_beside:
        copy_folder(program, go)
    if program.name == "controller-gen":
        make_gitops_crds(program, unfinished, go)
    unfinished.replace(program.path)
    say(f"built {program.path} in {time.monotonic() - started:.0f} s")
    return program.path


def copy_folder(program: Program, go: str) -> None:
    """Puts the program's `folder_beside` beside its binary."""
    listed = subprocess.run(  # noqa: S603 - all arguments are from the table above
        [go, "list", "-m", "-f", "{{.Dir}}", program.pin[0]],
        cwd=program.folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    source = Path(listed.stdout.strip()) / str(program.folder_beside)
    subprocess.run(  # noqa: S603 - Go's module cache is read-only, the copy must not be
        ["cp", "-r", "--no-preserve=mode", source, program.path.parent],  # noqa: S607
        check=True,
    )


def make_gitops_crds(program: Program, controller_gen: Path, go: str) -> None:
    """Puts the CRDs of Argo CD and of Flux into `crds` beside the program.

    Argo CD's module holds them. Flux's are generated from its Go types, which is how Flux makes
    the ones that it publishes: not every module that holds those is served.
    """
    crds = program.path.parent / "crds"
    subprocess.run(  # noqa: S603 - all arguments are from the table above
        [controller_gen, "crd", *(f"paths={p}" for p in FLUX_TYPES), f"output:crd:dir={crds}"],
        cwd=program.folder,
        env={**os.environ, "GOFLAGS": "-mod=readonly"},
        check=True,
    )
    downloaded = subprocess.run(  # noqa: S603 - all arguments are from the table above
        [go, "mod", "download", "-json", ARGO_CD],
        cwd=program.folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    module = Path(json.loads(downloaded.stdout)["Dir"])
    for kind in ("application", "applicationset"):
        shutil.copyfile(module / f"manifests/crds/{kind}-crd.yaml", crds / f"{kind}s.yaml")


def say(line: str) -> None:
    """Progress goes to stderr: a caller may read paths from stdout."""
    sys.stderr.write(f"{line}\n")


def main(names: list[str]) -> int:
    """The exit code: 0 all built, 1 a build failed, 2 Go is missing or a name is unknown."""
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown:
        say(f"no such program: {', '.join(unknown)}; there are {', '.join(PROGRAMS)}")
        return 2
    for name in names or PROGRAMS:
        try:
            say(f"{name}: {build(name)}")
        except MissingGoError as error:
            say(str(error))
            return 2
        except subprocess.CalledProcessError as error:
            say(f"{name} did not build: go exited with {error.returncode}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
