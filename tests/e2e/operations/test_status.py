"""`secretsctl status`, by a person who may not read one Secret."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.environments import fails, sync, touch
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.people import Person
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import Rotating, ended, rotating_settings
from tests.e2e.rotation_journey import ALONE, QUICK, journeys
from tests.e2e.stores import Stores

ENVIRONMENT = "status"
OK, DIFFERENT, WRONG_INPUT = 0, 1, 2
# As docs/operating.md has it.
RULES: list[dict[str, Any]] = [
    {
        "apiGroups": ["external-secrets.io"],
        "resources": ["externalsecrets", "secretstores", "pushsecrets"],
        "verbs": ["list"],
    },
    {
        "apiGroups": ["apps"],
        "resources": ["deployments", "statefulsets", "daemonsets", "replicasets"],
        "verbs": ["list"],
    },
    {"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["list"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["secrets-rotation-memory"],
        "verbs": ["get"],
    },
]
KUBE_SYSTEM: dict[str, Any] = {
    "apiGroups": [""],
    "resources": ["namespaces"],
    "resourceNames": ["kube-system"],
    "verbs": ["get"],
}


@dataclass
class Onlooker:
    """Who may look at the environment, and not into its Secrets; and one who may change it."""

    place: Rotating
    person: Person
    kubeconfig: Path
    values: set[str] = field(default_factory=set)

    def status(self, *options: str) -> tuple[int, str, str]:
        """The exit code, the output and the errors."""
        self.values |= {*self.place.values.values()}
        return self.person.run("status", *options, kubeconfig=self.kubeconfig)

    def put(self, key: str, value: str) -> None:
        """Has the store hold another value."""
        self.place.values[key] = value
        self.place.stores.put(self.place.settings, self.place.values)

    def take_out(self, key: str) -> None:
        """Has the store hold no such value, of a key that is in the entry of all."""
        rest = {name: one for name, one in self.place.values.items() if name != key}
        self.place.stores.replace(self.place.settings, "backend-api", rest)


@pytest.fixture(scope="module")
def onlooker(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Onlooker]:
    settings = rotating_settings("production", ENVIRONMENT)
    with journeys(run, cluster, stores, operator, {ENVIRONMENT: settings}) as made:
        place = made[ENVIRONMENT].place
        folder = run.new_folder("desk")
        person = Person(cluster, folder, ENVIRONMENT)
        person.write_stack("production")
        grant(cluster, place.namespace)
        kubeconfig = cluster.service_account_kubeconfig(place.namespace, "onlooker")
        found = Onlooker(place, person, kubeconfig)
        yield found
    cluster.api.delete("rbac.authorization.k8s.io/v1", "ClusterRole", "onlooker")
    cluster.api.delete("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "onlooker")


def grant(cluster: Cluster, namespace: str) -> None:
    """The ServiceAccount `onlooker`, with the rights of the table."""
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "onlooker", "namespace": namespace}
    account = {"name": "onlooker", "namespace": namespace}
    cluster.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    for kind, metadata, rules in (
        ("Role", account, RULES),
        ("ClusterRole", {"name": "onlooker"}, [KUBE_SYSTEM]),
    ):
        one: dict[str, Any] = {"apiVersion": f"{group}/v1", "metadata": metadata}
        cluster.api.apply({**one, "kind": kind, "rules": rules})
        reference = {"apiGroup": group, "kind": kind, "name": "onlooker"}
        binding = {**one, "kind": f"{kind}Binding", "roleRef": reference, "subjects": [subject]}
        cluster.api.apply(binding)


def test_a_healthy_environment_is_called_so_without_a_right_on_secrets(onlooker: Onlooker) -> None:
    code, output, errors = onlooker.status()
    assert (code, errors) == (OK, ""), output
    assert output.startswith("✓ status: nothing is wrong (4 bundles, 10 keys with a limit)\n")
    asked = onlooker.person.calls
    assert "secrets " not in asked.replace("externalsecrets", "").replace("pushsecrets", "")


def test_its_metadata_is_asked_for_on_wish_and_a_refusal_is_no_fault(onlooker: Onlooker) -> None:
    code, output, _ = onlooker.status("--secrets", "--json")
    assert (code, json.loads(output)["troubles"]) == (OK, [])
    code, output, _ = onlooker.person.run("status", "--secrets", "--json")
    states = {one["state"] for each in json.loads(output)["bundles"] for one in each["readers"]}
    assert (code, states) == (OK, {"current"})


def test_a_key_that_the_store_lacks_is_told_with_its_name(onlooker: Onlooker) -> None:
    place, name = onlooker.place, "wren-backend-api-secrets"
    onlooker.take_out("smtp-password")
    touch(place.cluster, place.namespace, name)
    fails(place.cluster, place.namespace, name)
    code, output, _ = onlooker.status()
    onlooker.put("smtp-password", place.values["smtp-password"])
    sync(place.cluster, place.namespace, name)
    assert code == DIFFERENT
    first, _, trouble, command, *_ = output.splitlines()
    assert first == "✗ status: 1 thing is wrong: backend-api"
    assert trouble.startswith(f"✗ backend-api: {name}: Ready=False SecretSyncedError: ")
    assert command.strip() == "secretsctl doctor --env status"
    assert onlooker.status()[0] == OK


def test_a_reader_with_the_value_of_before_is_told_until_it_is_restarted(
    onlooker: Onlooker,
) -> None:
    place = onlooker.place
    onlooker.put("smtp-password", token_hex(16))
    sync(place.cluster, place.namespace, "wren-backend-api-secrets")
    code, output, _ = onlooker.status()
    assert code == DIFFERENT
    _, _, trouble, command, *_ = output.splitlines()
    assert trouble.startswith("✗ backend-api: Deployment/wren-backend-api: 1 of 1 containers")
    assert command.strip().startswith("secretsctl restart backend-api/")
    arguments = command.split()[1:3]
    assert onlooker.person.run(*arguments)[0] == OK
    wait_until(lambda: onlooker.status()[0] == OK, "the reader is current", timeout_seconds=30)


def test_an_overdue_key_is_told_with_its_owner(onlooker: Onlooker) -> None:
    assert onlooker.person.run("rotated", "smtp-password", "--on", "2024-01-31")[0] == OK
    code, output, _ = onlooker.status()
    assert onlooker.person.run("rotated", "smtp-password")[0] == OK
    assert code == DIFFERENT
    assert output.startswith("✗ status: 1 thing is wrong: smtp-password\n")
    assert "its limit is 365, its grace 14 (owner: backend)" in output
    assert "secretsctl rotate smtp-password --env status" in output


def test_a_rotation_that_runs_is_no_fault_and_is_told(onlooker: Onlooker) -> None:
    place, workload = onlooker.place, "Deployment/wren-chat-server"
    watching = onlooker.person.start("status", "--watch", kubeconfig=onlooker.kubeconfig)
    with place.kubelet.refusing(place.namespace, workload, ALONE):
        process = place.start("2027-02-01T09:00:00Z", QUICK, "--key", ALONE)
        waits = f"promote: restart: {ALONE}"
        wait_until(
            lambda: json.loads(place.memory.get("run", "{}")).get("step") == waits,
            "the rotation restarts the reader",
            timeout_seconds=60,
        )
        code, output, _ = onlooker.status()
        told = json.loads(onlooker.status("--json")[1])
    done = ended(process)
    assert done.code == 0, done.text
    assert code == OK, output
    assert output.splitlines()[0].endswith(f"; a rotation runs: {waits}")
    assert told["rotation"]["in_flight"] == [ALONE]
    assert watching.stdout
    line = watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=30) == 130
    assert "Z status: nothing is wrong (" in line, "no terminal: a line with its time"


def test_another_cluster_is_refused(onlooker: Onlooker) -> None:
    onlooker.person.write_stack(
        "production", cluster={"uid": "1" * 8 + "-2222-4333-8444-" + "5" * 12}
    )
    code, output, errors = onlooker.status()
    onlooker.person.write_stack("production")
    assert (code, output) == (DIFFERENT, "")
    assert "cluster.uid: is 11111111-" in errors


def test_no_value_was_ever_said(onlooker: Onlooker) -> None:
    assert len(onlooker.values) > 10
    assert not [one for one in onlooker.values if one in onlooker.person.said]
