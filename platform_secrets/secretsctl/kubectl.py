"""The stack's cluster, through the user's own kubectl: their kubeconfig, login and rights."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings

# Whoever is called kubectl has what he wrote taken back by Flux.
_FIELD_MANAGER = "--field-manager=secretsctl"
# kubectl's libraries log each of their tries before it says what is wrong.
_LOG_LINE = re.compile(r"[EWIF][0-9]{4} ")
_DELETION_SECONDS = 60
_OPERATORS = r"(externalsecret|pushsecret|secretstore)s?"
_REMEDIES = {
    # Neither a get nor an apply of such a kind works where nobody has defined it.
    rf'resource type "{_OPERATORS}"|no matches for kind "(?i:{_OPERATORS})"': (
        "the operator is not installed in this cluster: apply the environment first"
    ),
    rf"timed out waiting for the condition on {_OPERATORS}": (
        "the operator takes its mark off before it is gone: is it running?"
    ),
}


class ClusterError(Exception):
    """The cluster, or kubectl, did not do what was asked; `str` says what and why."""


@dataclass(frozen=True)
class Kubectl:
    """One namespace of one kubeconfig context, its own where none is given. Each method raises
    ClusterError."""

    context: str | None
    namespace: str | None
    before_each: Callable[[], None] | None = None
    """Is called before each command, and may refuse it by raising."""

    def within(self, namespace: str) -> "Kubectl":
        """The same in another namespace."""
        return replace(self, namespace=namespace)

    def get(self, resource: str, name: str) -> Manifest | None:
        """The object; None when there is no such object."""
        text = self._run("get", resource, name, "--ignore-not-found", "--output=json")
        return json.loads(text) if text else None

    def get_all(self, resource: str, names: list[str]) -> list[Manifest]:
        """The objects of these names that there are."""
        text = self._run("get", resource, *names, "--ignore-not-found", "--output=json")
        found = json.loads(text) if text else {"items": []}
        return found.get("items", [found])

    def get_by(self, resource: str, name: str, output: str) -> str:
        """What kubectl's `--output` makes of the object; empty when there is no such object."""
        return self._run("get", resource, name, "--ignore-not-found", f"--output={output}")

    def find(self, resource: str, selector: str) -> list[Manifest]:
        """The objects that `--selector=…` or `--field-selector=…` is true of."""
        return json.loads(self._run("get", resource, selector, "--output=json"))["items"]

    def get_kinds(
        self, resources: Sequence[str], *options: str
    ) -> tuple[list[Manifest], list[str]]:
        """The objects of several kinds, and what the API server said of kinds that it did not
        list."""
        done = self._done("get", ",".join(resources), *options, "--output=json")
        if done.returncode and not done.stdout.strip():
            raise _error(done, "get", ",".join(resources))
        found = json.loads(done.stdout) if done.stdout else {"items": []}
        # A kubectl that succeeds may warn of a deprecated version, or a login of what it likes.
        return found.get("items", [found]), _said(done) if done.returncode else []

    def resources(self) -> set[str]:
        """The kinds that the cluster can list, each with its group, as in `deployments.apps`; all
        but those of an API that does not answer."""
        arguments = ("api-resources", "--verbs=list", "--output=name")
        return {*self._run(*arguments, is_some_enough=True).split()}

    def callers_clock_seconds(self) -> float:
        """How far this machine's clock is at least ahead of the API server's; 0 where that does not
        say what it is."""
        before = datetime.now(UTC)
        try:
            text = self._run("auth", "whoami", "--output=jsonpath={.metadata.creationTimestamp}")
            there = datetime.fromisoformat(text)
        except (ClusterError, ValueError):
            return 0
        if there > (after := datetime.now(UTC)):
            return (after - there).total_seconds()
        return max(0, (before - there).total_seconds() - 1)  # it leaves out parts of a second

    def listed(self, resource: str, *options: str) -> str:
        """What kubectl prints of all objects of a kind."""
        return self._run("get", resource, *options)

    def logs(self, selector: str, *, minutes: int) -> str:
        """The newest lines of the pods with these labels."""
        options = (f"--selector={selector}", f"--since={minutes}m", "--tail=500")
        return self._run("logs", *options, "--request-timeout=10s")

    def get_raw(self, path: str) -> str:
        """The API server's own answer to a GET of a path."""
        return self._run("get", "--raw", path)

    def create(self, manifest: Manifest) -> None:
        self._run("create", _FIELD_MANAGER, "--filename=-", text=json.dumps(manifest))

    def apply(self, manifest: Manifest) -> None:
        """Creates it under its name, which a Role can bound, or makes it so."""
        options = ("--server-side", _FIELD_MANAGER, "--filename=-")
        self._run("apply", *options, text=json.dumps(manifest))

    def would_create(self, manifest: Manifest, *, user: str | None = None) -> Manifest:
        """What the API server would make of it now, if `user` asked."""
        options = (*_try_as(user), "--filename=-")
        return json.loads(self._run("create", *options, text=json.dumps(manifest)))

    def would_patch(
        self, resource: str, name: str, change: dict[str, Any], *, user: str | None = None
    ) -> Manifest:
        """What would become of the object by a merge patch now, if `user` asked."""
        options = (*_try_as(user), "--type=merge", "--patch-file=/dev/stdin")
        return json.loads(self._run("patch", resource, name, *options, text=json.dumps(change)))

    def patch(self, resource: str, name: str, change: dict[str, Any]) -> Manifest:
        """The object after a merge patch."""
        options = (_FIELD_MANAGER, "--type=merge", "--patch-file=/dev/stdin", "--output=json")
        return json.loads(self._run("patch", resource, name, *options, text=json.dumps(change)))

    def patch_blindly(self, resource: str, name: str, change: dict[str, Any]) -> None:
        """A merge patch of an object that is not to be seen."""
        options = (_FIELD_MANAGER, "--type=merge", "--patch-file=/dev/stdin", "--output=name")
        self._run("patch", resource, name, *options, text=json.dumps(change))

    def delete(self, resource: str, names: list[str]) -> None:
        """Returns once they are gone; those that do not exist are no error."""
        self.delete_all([f"{resource}/{name}" for name in names])

    def delete_all(self, objects: list[str]) -> None:
        """The same of objects of several kinds, each as kind/name."""
        if objects:
            wait = f"--timeout={_DELETION_SECONDS}s"
            self._run("delete", *objects, "--ignore-not-found", wait)

    def _run(self, *arguments: str, text: str | None = None, is_some_enough: bool = False) -> str:
        done = self._done(*arguments, text=text)
        if done.returncode and not (is_some_enough and done.stdout.strip()):
            what = arguments[: 1 if arguments[0] in ("apply", "create") else 3]
            raise _error(done, *what)
        return done.stdout

    def _done(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        if self.before_each:
            self.before_each()
        where = [f"--context={self.context}"] if self.context else []
        where += [f"--namespace={self.namespace}"] if self.namespace else []
        command = ["kubectl", *where, *arguments]
        try:
            return subprocess.run(  # noqa: S603
                command, input=text, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            raise ClusterError("kubectl: not found; install it, or put it on the PATH") from None


def _error(done: subprocess.CompletedProcess[str], *what: str) -> ClusterError:
    said = " ".join(_said(done)) or str(done.returncode)
    found = [remedy for fault, remedy in _REMEDIES.items() if re.search(fault, said)]
    return ClusterError("; ".join([f"kubectl {' '.join(what)}: {said}", *found]))


def _said(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if not _LOG_LINE.match(line)]


def _try_as(user: str | None) -> list[str]:
    return ["--dry-run=server", "--output=json", *([f"--as={user}"] if user else [])]


def right_cluster(settings: Settings) -> Kubectl:
    """The stack's cluster. Raises ClusterError for another one, and where the stack names none."""
    cluster = settings.environment.cluster
    found = Kubectl(cluster.context, settings.namespace)
    kube_system = found.get("namespace", "kube-system") or {}
    actual = kube_system.get("metadata", {}).get("uid")
    if problem := cluster.problem(actual):
        raise ClusterError(f"{settings.stack_file}: cluster.uid: {problem}")
    return found
