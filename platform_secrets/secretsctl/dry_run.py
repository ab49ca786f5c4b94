"""What a rotation would do, said by the rotator itself, through the user's kubectl."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from platform_secrets.manifests.naming import Manifest
from platform_secrets.rotator.api import Api, RefusedError, UnreachableError
from platform_secrets.rotator.aws import Aws
from platform_secrets.rotator.clock import Clock
from platform_secrets.rotator.keys import SecretsManager
from platform_secrets.rotator.memory import LockLostError, Memory
from platform_secrets.rotator.operator_objects import StepError
from platform_secrets.rotator.plan import Plan
from platform_secrets.rotator.rollout import RolloutError
from platform_secrets.rotator.run import Run
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.settings.rotator import ROTATION

_STATUSES = {"(NotFound)": 404, "(AlreadyExists)": 409}


def described(kubectl: Kubectl, plan: Plan, key: str) -> str:
    """What would be done. ClusterError if the API server would refuse it."""
    clock = Clock()
    looks = _Looks(kubectl)
    api = Api(looks, clock, plan.namespace)
    memory = Memory(api, clock, plan.memory, "a dry run", 0)
    run = Run(plan, api, clock, memory, _NoAws(clock, Path()), [key])
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            run.describe()
        except (LockLostError, UnreachableError, RefusedError, StepError, RolloutError) as error:
            raise ClusterError(str(error)) from None
    lines = [json.loads(line)["message"] for line in said.getvalue().splitlines()]
    if looks.is_not_allowed:
        lines.append(
            "whether it would be refused was not tried: you may not impersonate the rotator"
        )
    if run.outcome.refused:
        raise ClusterError("\n".join(lines))
    return "".join(f"{line}\n" for line in lines)


class _Looks:
    """The API through kubectl, for a run that changes nothing. Its tries are in the rotator's name:
    admission looks at who asks."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self.is_not_allowed = False
        self._rotator = f"system:serviceaccount:{kubectl.namespace}:{ROTATION}"

    def send(self, method: str, path: str, body: Manifest | None) -> Any:
        path, _, query = path.partition("?")
        try:
            if method == "GET":
                return 200, {}, self._kubectl.get_raw(path).encode()
            if query != "dryRun=All" or body is None:
                return 400, {}, b"a run that only looks writes nothing"
            kubectl = self._kubectl.within(_namespace(path))
            if method == "POST":
                found = kubectl.would_create(body, user=self._rotator)
            else:
                found = kubectl.would_patch(*_place(path), body, user=self._rotator)
            return 200, {}, json.dumps(found).encode()
        except ClusterError as error:
            text = str(error)
            status = next((code for word, code in _STATUSES.items() if word in text), 400)
            if "cannot impersonate" in text:
                self.is_not_allowed, status = True, 404
            return status, {}, json.dumps({"message": text}).encode()


def _namespace(path: str) -> str:
    return path.partition("/namespaces/")[2].partition("/")[0]


def _place(path: str) -> tuple[str, str]:
    """Resource and name, as kubectl wants them, of /apis/GROUP/VERSION/namespaces/NAMESPACE/…"""
    *root, _, _, plural, name = path.strip("/").split("/")
    group = root[1] if root[0] == "apis" else ""
    return f"{plural}.{group}".rstrip("."), name


class _NoAws(Aws):
    """AWS, where the rotator's identity is not at hand."""

    def describe(self, key: SecretsManager) -> dict[str, Any]:
        raise StepError(f"{key.name}: whether AWS has rotated it is looked at in the run alone")
