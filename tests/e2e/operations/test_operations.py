"""What people do to a running environment by `secretsctl`, with their own kubectl."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from platform_secrets.manifests.chart import laid_over
from platform_secrets.secretsctl.projects import loaded
from platform_secrets.settings import Settings
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.faults_world import diagnosed
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.others_policies import mutating
from tests.e2e.process import PROJECT, Run, wait_until
from tests.e2e.rotating import Rotating, ended, rotating_settings
from tests.e2e.rotation_journey import ALONE, ONE_KEY, OVERLAP, QUICK, journeys
from tests.e2e.stores import Stores
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tools.build import build

ENVIRONMENT = "operations"
OK, FAILED, WRONG_INPUT = 0, 1, 2


@dataclass
class Desk:
    """Somebody's folder with the project's files, and a kubeconfig for the cluster."""

    place: Rotating
    folder: Path

    @property
    def settings(self) -> Settings:
        """Those of its files, which name the cluster."""
        [found] = loaded(
            [self.folder / f"Pulumi.{ENVIRONMENT}.yaml"], self.folder / "catalogue.yaml", None
        )
        return found

    def write_stack(self, **changes: Any) -> None:
        stack = yaml.safe_load(STACK_FILES["production"].read_text(encoding="utf-8"))
        cluster = {"uid": self.place.cluster.uid}
        own = {"environment": ENVIRONMENT, "cluster": cluster, **changes}
        stack["config"][STACK_KEY] = laid_over(stack["config"][STACK_KEY], own)
        (self.folder / f"Pulumi.{ENVIRONMENT}.yaml").write_text(yaml.safe_dump(stack))
        catalogue = yaml.safe_load(CATALOGUE_FILE.read_text(encoding="utf-8"))
        (self.folder / "catalogue.yaml").write_text(yaml.safe_dump(laid_over(catalogue, ONE_KEY)))

    def start(self, *arguments: str, path: str | None = None) -> subprocess.Popen[str]:
        """`secretsctl` with these arguments, for the environment."""
        programs = path if path is not None else f"{build('kubectl').parent}:{os.environ['PATH']}"
        return subprocess.Popen(  # noqa: S603 - the project's own program
            [sys.executable, "-m", "platform_secrets.secretsctl", *arguments, "--env", ENVIRONMENT],
            cwd=self.folder,
            env={
                "PATH": programs,
                "PYTHONPATH": str(PROJECT),
                "KUBECONFIG": str(self.place.cluster.kubeconfig),
                "HOME": str(self.folder),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, path: str | None = None) -> tuple[int, str, str]:
        """The exit code, the output and the errors."""
        process = self.start(*arguments, path=path)
        output, errors = process.communicate(timeout=180)
        return process.returncode, output, errors


@pytest.fixture(scope="module")
def desk(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[Desk]:
    settings = rotating_settings("production", ENVIRONMENT, catalogue=ONE_KEY)
    with journeys(run, cluster, stores, operator, {ENVIRONMENT: settings}) as made:
        found = Desk(made[ENVIRONMENT].place, run.new_folder("desk"))
        found.write_stack()
        yield found


@pytest.fixture
def restarts(desk: Desk) -> Callable[[], Counter[str]]:
    """How often each workload's pods were started since the test began."""
    since = len(desk.place.kubelet.happenings)

    def restarts() -> Counter[str]:
        happened = desk.place.kubelet.of(desk.place.namespace, since=since)
        return Counter(one.workload for one in happened if one.what == "started")

    return restarts


@pytest.fixture
def shown_operator(desk: Desk, operator: OperatorRelease) -> Iterator[None]:
    """What a doctor sees of an operator in pods."""
    desk.place.kubelet.take(desk.place.settings.environment.operator_namespace)
    with operator.shown():
        yield


def commands_of(page: str) -> list[str]:
    """The commands of a page that look, and change nothing but what is synced."""
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    inline = [
        " ".join(one.split()) for one in re.findall(r"`((?:kubectl|secretsctl) [^`]+)`", text)
    ]
    whole = [one for one in inline if re.search(r" (-n|--env|-o) ", one) and "…" not in one]
    return [*dict.fromkeys([*lines, *whole])]


def test_every_command_of_the_page_on_troubleshooting_runs(
    desk: Desk, shown_operator: None
) -> None:
    """In order, in one folder, on an environment in which all is well."""
    place, wrong = desk.place, {}
    program = desk.folder / "bin" / "secretsctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m platform_secrets.secretsctl "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{build('kubectl').parent}:{os.environ['PATH']}"
    commands = commands_of("troubleshooting.md")
    assert len(commands) > 15
    for command in commands:
        own = command.replace("--env production", f"--env {ENVIRONMENT}")
        own = own.replace("wren-production", place.namespace)
        done = subprocess.run(  # noqa: S603 - the page's own command
            ["/bin/sh", "-c", own],
            cwd=desk.folder,
            env={
                "PATH": path,
                "PYTHONPATH": str(PROJECT),
                "KUBECONFIG": str(place.cluster.kubeconfig),
                "HOME": str(desk.folder),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != OK:
            wrong[own] = done.stdout[-2000:], done.stderr
    assert wrong == {}


def test_the_doctor_names_pods_that_have_the_value_before(desk: Desk, shown_operator: None) -> None:
    """Until they are restarted by the command that it says."""
    place = desk.place
    place.values["redis-url"] = token_hex(16)
    place.stores.put(place.settings, place.values)
    desk.run("sync", "wren-secrets", "--wait")
    code, output, _ = desk.run("doctor", "--json")
    told = json.loads(output)
    assert (code, told["first"]) == (FAILED, "pod-stale")
    assert {one["check"] for one in told["findings"] if one["fault"]} == {"pod-stale"}
    assert place.values["redis-url"] not in output
    desk.run("restart", "redis-url")
    code, output, errors = desk.run("doctor")
    assert (code, errors) == (OK, ""), output


def test_sync_waits_until_the_secret_holds_what_the_store_holds(desk: Desk) -> None:
    new = token_hex(16)
    place = desk.place
    place.values["redis-url"] = new
    place.stores.put(place.settings, place.values)
    code, output, _ = desk.run("sync", "wren-secrets", "--wait")
    assert (code, output) == (OK, "wren-secrets: synced\n")
    assert place.secret("redis-url") == place.held()["redis-url"]


def test_sync_without_a_name_is_of_every_external_secret(desk: Desk) -> None:
    code, output, _ = desk.run("sync", "--wait")
    names = [bundle.secret for bundle in desk.place.settings.catalogue.bundles.values()]
    assert (code, sorted(output.splitlines())) == (OK, sorted(f"{name}: synced" for name in names))


def test_restart_is_of_those_that_read_the_key_alone(
    desk: Desk, restarts: Callable[[], Counter[str]]
) -> None:
    code, output, _ = desk.run("restart", ALONE)
    assert (code, output) == (OK, "Deployment/wren-chat-server: restarted\n")
    assert restarts() == {"Deployment/wren-chat-server": 1}


def test_a_key_that_was_rotated_elsewhere_has_its_age_from_that_day(desk: Desk) -> None:
    code, output, _ = desk.run("rotated", "smtp-password", "--on", "2026-10-01")
    assert (code, output) == (OK, "smtp-password: rotated on 2026-10-01\n")
    assert json.loads(desk.place.memory["smtp-password"])["rotated"] == "2026-10-01T00:00:00Z"


@pytest.mark.parametrize("day", ["2999-01-01", "yesterday"])
def test_a_day_that_can_not_be_is_refused(desk: Desk, day: str) -> None:
    before = desk.place.memory
    code, output, errors = desk.run("rotated", "smtp-password", "--on", day)
    assert (code, output) == (WRONG_INPUT, "")
    assert errors.startswith("--on: ")
    assert desk.place.memory == before


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(
    desk: Desk, restarts: Callable[[], Counter[str]]
) -> None:
    before = desk.place.held()
    code, output, _ = desk.run("rotate", OVERLAP, "--dry-run")
    assert code == OK
    assert f"would rotate {OVERLAP}: next, restart, promote, restart" in output
    assert (desk.place.held(), desk.place.one_shots, restarts()) == (before, [], {})


def test_a_dry_run_says_what_would_be_refused(desk: Desk, cluster: Cluster) -> None:
    """It is tried in the rotator's name: its policies are about nobody else."""
    namespace = desk.place.namespace
    stamp = 'Object{metadata: Object.metadata{finalizers: ["example.com/kept"]}}'
    resources = {"external-secrets.io": ["pushsecrets"]}
    with mutating(cluster, namespace, "finalizer", resources, stamp):
        code, output, errors = desk.run("rotate", OVERLAP, "--dry-run")
    assert (code, output) == (FAILED, "")
    assert f"ValidatingAdmissionPolicy '{namespace}-rotation-pushes'" in errors
    assert "the metadata holds more than name, labels and annotations" in errors


def test_rotate_makes_a_job_and_follows_it_to_the_verdict(desk: Desk, shown_operator: None) -> None:
    """Meanwhile the doctor finds nothing at fault."""
    place, before = desk.place, desk.place.held()
    desk.run("restart", "redis-url")  # of which some have the value before, by other tests
    process = desk.start("rotate", OVERLAP, "--wait")
    pod = wait_until(lambda: pods_of_jobs(place), "the Job's pod is there", timeout_seconds=60)
    [container] = pod["spec"]["containers"]
    assert container["args"] == ["--key", OVERLAP, "--last", "none"]
    has_no_image(place, pod)
    assert process.stderr
    assert process.stderr.readline().endswith(": ErrImagePull: not found\n")
    # Nobody runs a pod here.
    host = pod["metadata"]["name"]
    running = place.start("2027-02-01T09:00:00Z", QUICK, *container["args"], host=host)
    looks = []
    while running.poll() is None:
        # It stands still meanwhile, so that a slow look sees a rotation too.
        running.send_signal(signal.SIGSTOP)
        try:
            looks.append(diagnosed(place.cluster, desk.settings).faults)
        finally:
            running.send_signal(signal.SIGCONT)
        with suppress(subprocess.TimeoutExpired):
            running.wait(0.5)
    done = ended(running)
    assert len(looks) > 1
    assert not any(looks), looks
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (OK, f"rotated: {OVERLAP}\n"), (errors, done.text)
    assert place.held()[OVERLAP] != before[OVERLAP]
    # It looks twice a second: which steps it sees is chance.
    assert [line for line in errors.splitlines() if line.endswith(f": {OVERLAP}")]


def has_no_image(place: Rotating, pod: dict[str, Any]) -> None:
    """What a kubelet says of a pod whose image it does not find."""
    [container] = pod["spec"]["containers"]
    waiting = {
        "name": container["name"],
        **{"image": container["image"], "imageID": "", "ready": False, "restartCount": 0},
        "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}},
    }
    where = ("v1", "Pod", pod["metadata"]["name"], place.namespace)
    status = {"phase": "Pending", "containerStatuses": [waiting]}
    place.cluster.api.patch(*where, {"status": status}, subresource="status")


def test_rotate_says_why_its_job_gets_no_pod(desk: Desk) -> None:
    place, api = desk.place, desk.place.cluster.api
    where = ("v1", "ResourceQuota", "full", place.namespace)
    metadata = {"name": "full", "namespace": place.namespace}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata}
    api.apply({**quota, "spec": {"hard": {"limits.cpu": "100m"}}})
    wait_until(lambda: (api.get(*where) or {}).get("status"), "the quota is in force")
    before = {job["metadata"]["name"] for job in api.list("batch/v1", "Job", place.namespace)}
    try:
        code, output, errors = desk.run("rotate", OVERLAP, "--wait")
    finally:
        api.delete(*where)
        jobs = {job["metadata"]["name"] for job in api.list("batch/v1", "Job", place.namespace)}
        [name] = jobs - before
        api.delete("batch/v1", "Job", name, place.namespace)
    assert (code, output) == (FAILED, "")
    assert f"Job/{name}: no pod is made: Error creating: pods " in errors
    assert "exceeded quota: full, requested: limits.cpu=200m" in errors
    assert errors.endswith(f"it goes on trying until `kubectl delete job {name}`\n")


def pods_of_jobs(place: Rotating) -> Any:
    pods = place.cluster.api.list("v1", "Pod", place.namespace)
    return next(
        (pod for pod in pods if "batch.kubernetes.io/job-name" in pod["metadata"]["labels"]), None
    )


def test_the_way_of_a_key_by_hand_is_told_and_leads_to_the_end(
    desk: Desk, restarts: Callable[[], Counter[str]]
) -> None:
    key, place = "smtp-password", desk.place
    code, _, errors = desk.run("rotate", key)
    assert code == WRONG_INPUT
    first, *steps, _ = errors.splitlines()
    assert first.startswith(f"KEY: people rotate {key}; ")
    assert steps.pop(0).strip() == (f"bash <(secretsctl put-commands {key} --env {ENVIRONMENT})"), (
        "which test_put_commands.py runs"
    )
    place.values[key] = token_hex(16)
    place.stores.put(place.settings, place.values)
    for step in steps:
        arguments = shlex.split(step.removesuffix(f" --env {ENVIRONMENT}"))[1:]
        code, _, errors = desk.run(*arguments)
        assert code == OK, errors
    assert place.secret(key) == place.held()[key]
    assert {pod.values[key] for pod in place.readers(key)} == {place.held()[key]}
    assert restarts() == {"Deployment/wren-backend-api": 1}
    assert json.loads(place.memory[key])["rotated"][:10] == f"{datetime.now(UTC):%Y-%m-%d}"


def test_another_cluster_is_refused_before_anything_changes(
    desk: Desk, restarts: Callable[[], Counter[str]]
) -> None:
    desk.write_stack(cluster={"uid": "11111111-2222-4333-8444-555555555555"})
    try:
        for command in (["sync"], ["restart", ALONE], ["rotated", OVERLAP], ["rotate", OVERLAP]):
            code, output, errors = desk.run(*command)
            assert (code, output) == (FAILED, "")
            assert "cluster.uid: is 11111111-" in errors
    finally:
        desk.write_stack()
    assert restarts() == {}


def test_without_kubectl_it_says_so(desk: Desk) -> None:
    code, output, errors = desk.run("sync", path="/nonexistent")
    assert (code, output) == (FAILED, "")
    assert errors == "secretsctl: kubectl: not found; install it, or put it on the PATH\n"
