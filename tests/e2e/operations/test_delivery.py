"""The workflows of `secretsctl init`, from a pull request to production and its drift, each step as
it is written: a bare repository, the Pulumi command, an API server."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from platform_secrets.secretsctl.commands import main
from tests.e2e.cluster import Cluster
from tests.e2e.environments import secret_values
from tests.e2e.git_server import Repository
from tests.e2e.language_host import language_host
from tests.e2e.live_objects import Name, contents, empty, versions
from tests.e2e.process import Run
from tests.e2e.pulumi_provider import KubernetesProvider
from tests.e2e.workflows import Done, Workflows
from tools.build import build

STACK = "development"
NAMESPACE = "meadow-development"
RBAC = "rbac.authorization.k8s.io/v1"
WORKER = {"worker": {"workload": "Deployment/worker", "reads": ["web"]}}
WIDE_ROLE = f"""
import pulumi

content = {{
    "apiVersion": "{RBAC}",
    "kind": "Role",
    "metadata": {{"name": "wide", "namespace": "{NAMESPACE}"}},
    "rules": [{{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}}],
}}
pulumi.CustomResource("kubernetes:{RBAC}:Role", "wide", content)
"""
LIST_ALL = {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]}


@dataclass
class Meadow:
    """A repository of one's own, and what its jobs did. `values` are in its stack file, encrypted.

    A commit lets `worker` read, the next takes that back. The latter is planned while the former
    waits for its approval. `states` has what was in the namespace after each job.
    """

    repository: Repository
    workflows: Workflows
    cluster: Cluster
    values: dict[str, str] = field(default_factory=dict)
    done: dict[str, Done] = field(default_factory=dict)
    states: dict[str, dict[Name, str]] = field(default_factory=dict)

    def commit(self, message: str, services: Mapping[str, object]) -> str:
        """With these services beside `web` in its catalogue."""
        path = self.repository.folder / "catalogue.yaml"
        catalogue = yaml.safe_load(path.read_text())
        catalogue["services"] = {"web": catalogue["services"]["web"], **services}
        path.write_text(yaml.safe_dump(catalogue))
        render = [Path(sys.executable).with_name("secretsctl"), "render", "--all"]
        subprocess.run(render, cwd=self.repository.folder, check=True)  # noqa: S603
        return self.repository.commit(message)

    def declare_more(self, message: str, source: str) -> str:
        """By these lines at the end of its program."""
        program = self.repository.folder / "__main__.py"
        program.write_text(program.read_text() + source)
        return self.repository.commit(message)

    def run(self, name: str, job: tuple[str, str], commit: str, **variables: str) -> Done:
        newest = {"GH_ANSWER": commit, "STACK": STACK, **variables}
        self.done[name] = self.workflows.run(*job, commit, **newest)
        self.states[name] = versions(contents(self.cluster, [NAMESPACE]))
        return self.done[name]

    def plan(self, name: str, commit: str) -> str:
        return self.run(name, ("update", "plan"), commit).outputs["plan"]

    def deploy(self, name: str, commit: str, approved: str, **variables: str) -> None:
        self.run(name, ("update", "deploy"), commit, APPROVED=approved, **variables)

    def live(self) -> None:
        begun = self.commit("Begin", {})
        first = self.plan("first plan", begun)
        self.deploy("first deploy", begun, first)
        more = self.commit("Let the worker read", WORKER)
        self.run("check", ("check", "rendered"), more)
        self.run("preview", ("preview", "preview"), more)
        approved = self.plan("plan of more", more)
        less = self.commit("Take that back", {})
        too_early = self.plan("early plan of less", less)
        self.deploy("deploy of more, too late", more, approved, GH_ANSWER=less)
        self.deploy("deploy of more", more, approved)
        self.deploy("deploy of less, planned too early", less, too_early)
        self.deploy("deploy of less", less, self.plan("plan of less", less))
        self.run("no drift", ("drift", "drift"), less)
        broken = self.declare_more("Let the worker read all", WIDE_ROLE)
        self.run("preview of what breaks a rule", ("preview", "preview"), broken)
        self.deploy("deploy of what breaks a rule", broken, "- create `Role`")
        self.cluster.api.patch(RBAC, "Role", "web-secrets", NAMESPACE, LIST_ALL)
        self.run("drift", ("drift", "drift"), less, GH_ANSWER="")


@pytest.fixture(scope="module")
def meadow(
    run: Run, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Meadow]:
    root = tmp_path_factory.mktemp("delivery") / "git"
    root.mkdir()
    repository = Repository(root, "meadow.git")
    assert main(["init", str(repository.folder), "--name", "meadow"]) == 0
    (root / "state").mkdir()
    with KubernetesProvider(cluster.api).serve() as port, language_host() as host:
        variables = {
            "KUBECONFIG": str(cluster.kubeconfig),
            "PULUMI_BACKEND_URL": f"file://{root / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(16),
            "PULUMI_DEBUG_LANGUAGES": f"python:{host}",
            "PULUMI_DEBUG_PROVIDERS": f"kubernetes:{port}",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(root / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        workflows = Workflows(root / "jobs", root / "meadow.git", variables)

        def pulumi(*arguments: str, value: str | None = None) -> None:
            command = [build("pulumi"), *arguments, "--non-interactive"]
            where = {"cwd": repository.folder, "env": {**os.environ, **variables}}
            subprocess.run(command, **where, input=value, text=True, check=True)  # noqa: S603

        made = Meadow(repository, workflows, cluster)
        pulumi("stack", "init", STACK)
        pulumi("config", "set", "--path", "environment.cluster.uid", cluster.uid)
        for key in ("signing-key", "mail-password"):
            made.values[key] = f"canary{secrets.token_hex(20)}"
            pulumi("config", "set", "--secret", key, value=made.values[key])
        try:
            made.live()
            yield made
        finally:
            pulumi("state", "unprotect", "--all", "--yes")
            pulumi("destroy", "--yes")
            empty(cluster, [NAMESPACE])


def test_a_merge_is_planned_and_deployed(cluster: Cluster, meadow: Meadow) -> None:
    first = meadow.done["first plan"]
    assert first.summary.startswith("### development: 8 to create")
    assert first.outputs["plan"].strip() == first.summary.strip()
    assert not meadow.states["first plan"]
    assert meadow.done["first deploy"].code == 0
    assert secret_values(cluster, NAMESPACE, "meadow-web") == meadow.values


def test_a_pull_request_says_what_it_means_and_changes_nothing(meadow: Meadow) -> None:
    check, preview = meadow.done["check"], meadow.done["preview"]
    assert (check.code, preview.code) == (0, 0), check.printed + preview.printed
    assert check.outputs["comment"].startswith("### Policy\n\n**development**: passed, ")
    assert "+ Deployment/worker gains web/mail-password" in check.outputs["comment"]
    assert f"- create `kubernetes:{RBAC}:Role` `worker-role`" in preview.summary
    assert meadow.states["preview"] == meadow.states["first deploy"]


def test_what_was_approved_is_deployed(meadow: Meadow) -> None:
    assert meadow.done["deploy of more"].code == 0
    added = meadow.states["deploy of more"].keys() - meadow.states["first deploy"].keys()
    assert ("Role", NAMESPACE, "worker-secrets") in added


def test_a_commit_that_is_no_longer_the_newest_is_not_deployed(meadow: Meadow) -> None:
    late = meadow.done["deploy of more, too late"]
    assert (late.code, late.printed.count("::notice::not updated")) == (0, 1)
    assert meadow.states["deploy of more, too late"] == meadow.states["first deploy"]


def test_a_deletion_that_nobody_approved_stops_before_anything_changes(meadow: Meadow) -> None:
    assert "nothing to do" in meadow.done["early plan of less"].outputs["plan"]
    stopped = meadow.done["deploy of less, planned too early"]
    assert stopped.code != 0
    deletion = f"- delete `kubernetes:{RBAC}:Role` `{NAMESPACE}/worker-secrets`"
    assert deletion in stopped.printed
    assert meadow.states["deploy of less, planned too early"] == meadow.states["deploy of more"]
    assert deletion in meadow.done["plan of less"].outputs["plan"]
    assert meadow.done["deploy of less"].code == 0
    assert ("Role", NAMESPACE, "worker-secrets") not in meadow.states["deploy of less"]


def test_what_breaks_a_rule_is_told_by_a_preview_and_not_deployed(meadow: Meadow) -> None:
    for name in ("preview of what breaks a rule", "deploy of what breaks a rule"):
        done = meadow.done[name]
        assert done.code != 0
        assert "rules[0].verbs has a `*`; right: name each one" in done.printed
        assert meadow.states[name] == meadow.states["deploy of less"]


def test_what_people_change_in_the_cluster_is_told_in_an_issue(meadow: Meadow) -> None:
    assert (meadow.done["no drift"].code, meadow.done["no drift"].sent) == (0, "")
    sent = meadow.done["drift"].sent
    assert "issue create --title Drift in development" in sent
    assert f"- update `kubernetes:{RBAC}:Role` `{NAMESPACE}/web-secrets`: rules" in sent
    assert "healthy  rotation" in sent, "what the doctor says is told too"


def test_no_step_says_a_value(meadow: Meadow) -> None:
    said = [
        text for one in meadow.done.values() for text in (one.printed, one.summary, one.sent)
    ] + [text for one in meadow.done.values() for text in one.outputs.values()]
    assert [value for value in meadow.values.values() if any(value in text for text in said)] == []
