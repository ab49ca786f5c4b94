"""A person at a command line: a folder with the project's files, and a kubectl that is watched."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from platform_secrets.manifests.chart import laid_over
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import PROJECT
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tools.build import build

OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""Has a command be the one that is asked on its terminal, and gets that one's Ctrl-C."""
RBAC = "rbac.authorization.k8s.io"
Right = tuple[str, str, list[str], list[str]]
"""A group of the API, a resource, the names of objects, verbs."""


def somebody(cluster: Cluster, folder: Path) -> Path:
    """A kubeconfig of a person who is in the group PEOPLE, and no administrator."""
    config = json.loads(cluster.kubeconfig.read_text(encoding="utf-8"))
    config["users"][0]["user"] |= {"as": "somebody", "as-groups": [PEOPLE]}
    path = folder / "somebody.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def rights_of_people(namespace: str, rights: list[Right]) -> list[Manifest]:
    """What gives these rights, and the one to see which cluster it is, to the group PEOPLE."""
    group, found = {"apiGroup": RBAC, "kind": "Group", "name": PEOPLE}, list[Manifest]()
    which = [("", "namespaces", ["kube-system"], ["get"])]
    for kind, metadata, some in (
        ("Role", {"name": "people", "namespace": namespace}, rights),
        ("ClusterRole", {"name": "sees-which-cluster-it-is"}, which),
    ):
        keys = ("apiGroups", "resources", "resourceNames", "verbs")
        role = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata}
        listed = [dict(zip(keys, ([a], [b], c, d), strict=True)) for a, b, c, d in some]
        reference = {"apiGroup": RBAC, "kind": kind, "name": metadata["name"]}
        binding = {"kind": f"{kind}Binding", "roleRef": reference, "subjects": [group]}
        found += [{**role, "rules": listed}, {**role, **binding}]
    return found


@dataclass
class Person:
    """Who runs `secretsctl` on one environment. `said` is all that it has ever printed."""

    cluster: Cluster
    folder: Path
    environment: str
    kubeconfig: Path | None = None
    """Of somebody with few rights; an administrator's where there is none."""
    said: str = ""

    def write_stack(
        self, stack: str, *, catalogue: dict[str, Any] | None = None, **changes: Any
    ) -> None:
        """A stack file as this environment's, with changes, beside the catalogue with its own."""
        content = yaml.safe_load(STACK_FILES[stack].read_text(encoding="utf-8"))
        own = {"environment": self.environment, "cluster": {"uid": self.cluster.uid}, **changes}
        content["config"][STACK_KEY] = laid_over(content["config"][STACK_KEY], own)
        (self.folder / f"Pulumi.{self.environment}.yaml").write_text(yaml.safe_dump(content))
        whole = laid_over(
            yaml.safe_load(CATALOGUE_FILE.read_text(encoding="utf-8")), catalogue or {}
        )
        (self.folder / "catalogue.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))

    def start(
        self,
        *arguments: str,
        killed_at: int = 0,
        by: str = "KILL",
        kubeconfig: Path | None = None,
        terminal: int | None = None,
    ) -> subprocess.Popen[str]:
        """A command, which gets a signal at its n-th write: before it, or after where n is even. It
        has three pipes, or a terminal."""
        program = [sys.executable, "-m", "platform_secrets.secretsctl"]
        which = subprocess.PIPE if terminal is None else terminal
        return subprocess.Popen(  # noqa: S603 - the project's own program
            [
                *([] if terminal is None else [sys.executable, "-c", OWN_TERMINAL]),
                *(*program, *arguments, "--env", self.environment),
            ],
            cwd=self.folder,
            env={
                "PATH": f"{self._kubectl(killed_at, by)}:{os.environ['PATH']}",
                "PYTHONPATH": str(PROJECT),
                "KUBECONFIG": str(kubeconfig or self.kubeconfig or self.cluster.person_kubeconfig),
                "HOME": str(self.folder),
            },
            stdin=which,
            stdout=which,
            stderr=which,
            text=True,
            start_new_session=terminal is not None,
        )

    def at_terminal(self, *arguments: str, answers: list[tuple[str, str]]) -> tuple[int, str]:
        """The exit code, and all that the terminal showed; each answer is typed once what it is an
        answer to was shown."""
        ours, theirs = os.openpty()
        try:
            process = self.start(*arguments, terminal=theirs)
            os.close(theirs)
            shown, left = "", answers
            with suppress(OSError):  # nobody has the other end any more
                while text := os.read(ours, 4096).decode():
                    shown += text
                    if left and shown.endswith(left[0][0]):
                        os.write(ours, left[0][1].encode())
                        left = left[1:]
        finally:
            os.close(ours)
        assert not left, shown
        return process.wait(timeout=60), shown

    def run(self, *arguments: str, given: str = "", **how: Any) -> tuple[int, str, str]:
        """The exit code, the output and the errors."""
        process = self.start(*arguments, **how)
        output, errors = process.communicate(given, timeout=180)
        self.said += output + errors
        return process.returncode, output, errors

    @property
    def calls(self) -> str:
        """The arguments of every kubectl."""
        return (self.folder / "calls").read_text()

    def _kubectl(self, killed_at: int, by: str) -> Path:
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        count = self.folder / "count"
        count.write_text("")
        real = build("kubectl")
        after = f'"{real}" "$@"; ' if killed_at % 2 == 0 else ""
        script = folder / "kubectl"
        script.write_text(
            "#!/bin/sh\n"
            f'echo "$@" >> {self.folder}/calls\n'
            'case "$2" in apply|create|patch|delete)\n'
            f"  echo >> {count}\n"
            f'  if [ "$(wc -l < {count})" -eq {killed_at} ]; then\n'
            f'    {after}kill -{by} "$PPID"; exit 1\n  fi\n'
            "esac\n"
            f'exec "{real}" "$@"\n'
        )
        script.chmod(0o755)
        return folder
