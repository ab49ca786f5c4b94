"""A person's value takes the place of a key's: with its readers, or not at all."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from platform_secrets.manifests.chart import laid_over
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.environments import ESO, operated
from tests.e2e.kubelet import Kubelet, fingerprint
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, Run
from tests.e2e.rotating import Rotating, mark, rotating_settings
from tests.e2e.stores import Stores, decoded
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tools.build import build

ENVIRONMENT = "setting"
BUNDLE, KEY = "backend-api", "smtp-password"
READER = "Deployment/wren-backend-api"
CHANGES: dict[str, Any] = {"seeding": {"groups": [PEOPLE]}}
OK, FAILED, WRONG = 0, 1, 2
MEMORY = "secrets-rotation-memory"
PUSHES = "external-secrets.io/v1alpha1"


@dataclass
class Desk:
    """Somebody's folder with the project's files, and a kubeconfig for the cluster."""

    place: Rotating
    folder: Path
    said: str = ""

    def write_stack(self, **changes: Any) -> None:
        stack = yaml.safe_load(STACK_FILES["production"].read_text(encoding="utf-8"))
        cluster = {"uid": self.place.cluster.uid}
        own = {"environment": ENVIRONMENT, "cluster": cluster, **CHANGES, **changes}
        stack["config"][STACK_KEY] = laid_over(stack["config"][STACK_KEY], own)
        (self.folder / f"Pulumi.{ENVIRONMENT}.yaml").write_text(yaml.safe_dump(stack))
        (self.folder / "catalogue.yaml").write_text(CATALOGUE_FILE.read_text(encoding="utf-8"))

    def put(
        self, value: str, *, killed_at: int = 0, kubeconfig: Path | None = None
    ) -> tuple[int, str]:
        """`set` of the key, killed at its n-th write; its exit code, and all that it said."""
        done = subprocess.run(  # noqa: S603 - the project's own program
            [
                *(sys.executable, "-m", "platform_secrets.secretsctl"),
                *("set", KEY, "--env", ENVIRONMENT, "--from-file", "-"),
            ],
            cwd=self.folder,
            env={
                "PATH": f"{self._kubectl(killed_at)}:{os.environ['PATH']}",
                "PYTHONPATH": str(PROJECT),
                "KUBECONFIG": str(kubeconfig or self.place.cluster.person_kubeconfig),
                "HOME": str(self.folder),
            },
            input=f"{value}\n",
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        self.said += done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    def _kubectl(self, killed_at: int) -> Path:
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        count = self.folder / "count"
        count.write_text("")
        real = build("kubectl")
        script = folder / "kubectl"
        script.write_text(
            "#!/bin/sh\n"
            f'echo "$@" >> {self.folder}/calls\n'
            'case "$2" in create|patch|delete)\n'
            f"  echo >> {count}\n"
            f'  if [ "$(wc -l < {count})" -eq {killed_at} ]; then\n'
            f'    "{real}" "$@"; kill -9 "$PPID"; exit 1\n  fi\n'
            "esac\n"
            f'exec "{real}" "$@"\n'
        )
        script.chmod(0o755)
        return folder

    def in_use(self) -> dict[str, set[str]]:
        """The fingerprints of the key's value: in the store, the Secret and the reader's pods."""
        name = self.place.settings.catalogue.bundles[BUNDLE].secret
        secret = self.place.cluster.api.read("v1", "Secret", name, self.place.namespace)
        pods = self.place.kubelet.running(self.place.namespace)
        return {
            "store": {self.place.in_store(BUNDLE, KEY)},
            "secret": {fingerprint(decoded(secret)[KEY])},
            "pods": {pod.values[KEY] for pod in pods if pod.workload == READER},
        }

    def left(self) -> list[str]:
        """What is left in the namespace of a value that was set."""
        api, namespace = self.place.cluster.api, self.place.namespace
        kinds = [("v1", "Secret"), (ESO, "ExternalSecret"), (PUSHES, "PushSecret")]
        found = [one["metadata"]["name"] for each in kinds for one in api.list(*each, namespace)]
        return [one for one in found if one.endswith((".new-value", ".value-before"))]

    def everything(self) -> str:
        """All objects of the namespace but Secrets, and its events."""
        api, namespace = self.place.cluster.api, self.place.namespace
        kinds = [("v1", "ConfigMap"), ("v1", "Event"), ("apps/v1", "Deployment")]
        kinds += [(ESO, "ExternalSecret"), (PUSHES, "PushSecret")]
        return json.dumps([api.list(*each, namespace) for each in kinds])


def everywhere(value: str) -> dict[str, set[str]]:
    return {place: {fingerprint(value)} for place in ("store", "secret", "pods")}


@pytest.fixture(scope="module")
def desk(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[Desk]:
    """An environment that is in use."""
    settings = rotating_settings("production", ENVIRONMENT, **CHANGES)
    with Kubelet(cluster, [settings.namespace]) as kubelet:
        place = Rotating(cluster, stores, settings, kubelet, run.folder / settings.namespace)
        place.fill_store()
        mark(stores, settings, BUNDLE, KEY)  # as `secretsctl put-commands` does
        cluster.create_namespace(settings.namespace)
        found = Desk(place, run.folder / "desk-setting")
        found.folder.mkdir()
        found.write_stack()
        with operated(cluster, operator, [settings]):
            place.start_workloads(1, progress_seconds=8)
            place.wait_for_workloads()
            yield found


def test_a_value_reaches_store_secret_and_readers_and_is_seen_nowhere_else(
    desk: Desk, operator: OperatorRelease
) -> None:
    value = token_hex(24)
    code, said = desk.put(value)
    assert code == OK, said
    assert f"{KEY}: set" in said
    assert desk.in_use() == everywhere(value)
    assert desk.left() == []
    memory = desk.place.cluster.api.read("v1", "ConfigMap", MEMORY, desk.place.namespace)
    assert json.loads(memory["data"][KEY])["rotated"]
    assert operator.process
    calls = (desk.folder / "calls").read_text()
    seen = "\n".join([desk.said, calls, desk.everything(), operator.process.log.read_text()])
    assert "create" in calls
    for shown in (value, base64.b64encode(value.encode()).decode()):
        assert shown not in seen, "a value"


def test_where_a_reader_does_not_come_up_the_value_before_is_in_use_again(desk: Desk) -> None:
    before = token_hex(24)
    assert desk.put(before)[0] == OK
    with desk.place.kubelet.refusing(desk.place.namespace, READER, KEY):
        code, said = desk.put(token_hex(24))
    assert (code, "the value before is in use again" in said) == (FAILED, True), said
    assert desk.in_use() == everywhere(before)
    assert desk.left() == []


def test_killed_once_its_readers_restart_it_is_repeated_with_the_value(desk: Desk) -> None:
    value = token_hex(24)
    assert desk.put(value, killed_at=10)[0] < 0
    assert desk.left() != []
    code, said = desk.put(value)
    assert code == OK, said
    assert (desk.in_use(), desk.left()) == (everywhere(value), [])


def test_killed_once_it_wrote_it_still_goes_back_to_what_was_in_use_before(desk: Desk) -> None:
    before = token_hex(24)
    assert desk.put(before)[0] == OK
    assert desk.put(token_hex(24), killed_at=7)[0] < 0
    assert desk.in_use()["store"] != {fingerprint(before)}
    with desk.place.kubelet.refusing(desk.place.namespace, READER, KEY):
        code, said = desk.put(token_hex(24))
    assert (code, "the value before is in use again" in said) == (FAILED, True), said
    assert (desk.in_use(), desk.left()) == (everywhere(before), [])


def test_a_value_that_breaks_its_rule_another_cluster_and_missing_rights_change_nothing(
    desk: Desk,
) -> None:
    place, before = desk.place, desk.in_use()
    assert desk.put("")[0] == WRONG
    account = {"name": "somebody", "namespace": place.namespace}
    place.cluster.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    weak = place.cluster.service_account_kubeconfig(place.namespace, "somebody")
    code, said = desk.put(token_hex(24), kubeconfig=weak)
    assert (code, "forbidden" in said) == (FAILED, True)
    desk.write_stack(cluster={"uid": "11111111-2222-4333-8444-555555555555"})
    code, said = desk.put(token_hex(24))
    desk.write_stack()
    assert (code, "cluster.uid: is 11111111-" in said) == (FAILED, True)
    assert (desk.in_use(), desk.left()) == (before, [])
