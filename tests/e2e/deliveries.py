"""A protected environment, and the two ways in which a change of its files reaches the cluster:
Pulumi's engine, and `kubectl apply --prune` of what is rendered."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_secrets.settings import Settings, catalogue_document, load, stack_document
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.deployment import STACK_KEY, Deployment, deployment
from tests.e2e.engine import EngineError
from tests.e2e.environments import ESO, PATIENCE_SECONDS, is_synced, release_of
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.live_objects import empty
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.people import Person
from tests.e2e.process import Run, wait_until
from tests.e2e.stores import Stores
from tests.platform import STACK_FILES
from tools.build import build

VAULT = {
    "provider": "vault",
    "server": "https://vault.example.com:8200",
    "auth-mount": "kubernetes-production",
}
_PROTECTED: dict[str, Any] = {
    "stores": {"vault": VAULT},
    "seeding": {"groups": [PEOPLE]},
    "refuse-deletion": True,
}


@dataclass
class Delivered:
    """An environment whose files are in its person's folder."""

    cluster: Cluster
    stores: Stores
    person: Person

    def deliver(self) -> None:
        raise NotImplementedError

    def refusal(self) -> str:
        """What is said to the files as they are, which are not delivered."""
        raise NotImplementedError

    def refusal_to_destroy(self) -> str:
        raise NotImplementedError

    def deliver_without(self, secret: str) -> None:
        """As docs/runbook.md has it: first it is said that this Secret may go."""
        raise NotImplementedError

    @property
    def stack_files(self) -> list[Path]:
        """The stack file, and each copy of it."""
        return [self.person.folder / f"Pulumi.{self.person.environment}.yaml"]

    @property
    def settings(self) -> Settings:
        catalogue = catalogue_document(self.person.folder / "catalogue.yaml")
        [found] = load([stack_document(self.stack_files[0])], catalogue)
        return found

    @property
    def namespace(self) -> str:
        return self.settings.namespace

    def change_catalogue(self, change: Callable[[dict[str, Any]], object]) -> None:
        path = self.person.folder / "catalogue.yaml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        self.stores.prepare(self.settings)

    def change_stack(self, **changes: Any) -> None:
        """Other settings; None takes one out."""
        for path in self.stack_files:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            own = {**content["config"][STACK_KEY], **changes}
            content["config"][STACK_KEY] = {k: v for k, v in own.items() if v is not None}
            path.write_text(yaml.safe_dump(content), encoding="utf-8")
        self.stores.prepare(self.settings)

    def secrets(self) -> dict[str, Manifest]:
        """The Secrets by name, once each ExternalSecret is synced as it is now."""
        api, found = self.cluster.api, {}
        for name in [one.secret for one in self.settings.catalogue.bundles.values()]:
            wait_until(
                lambda n=name: is_synced(api.get(ESO, "ExternalSecret", n, self.namespace) or {}),
                f"{name} is synced",
                timeout_seconds=PATIENCE_SECONDS,
            )
            found[name] = api.read("v1", "Secret", name, self.namespace)
        return found

    def secretsctl(self, *arguments: str, given: str = "") -> str:
        """All that it says."""
        code, output, errors = self.person.run(*arguments, given=given)
        assert code == 0, errors
        return output + errors

    def kubectl(self, *arguments: str) -> str:
        """What is said to a command that is refused; "" to one that is not."""
        done = subprocess.run(  # noqa: S603 - our own kubectl
            [build("kubectl"), *arguments],
            env={**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig)},
            cwd=self.person.folder,
            capture_output=True,
            text=True,
        )
        return done.stderr if done.returncode else ""

    def allow_deletion(self, secret: str) -> None:
        allowed = "platform-secrets/deletion=allowed"
        namespace = f"--namespace={self.namespace}"
        assert self.kubectl("annotate", "externalsecret", secret, allowed, namespace) == ""


@dataclass
class ByEngine(Delivered):
    made: Deployment

    @property
    def stack_files(self) -> list[Path]:
        copy = self.made.stack.folder / "work" / self.made.stack_file.name
        return [self.made.stack_file, copy]

    def deliver(self) -> None:
        self.made.stack.up()

    def refusal(self) -> str:
        done = list(self.made.provider.history)
        with pytest.raises(EngineError) as refused:
            self.made.stack.preview()
        assert self.made.provider.history == done
        return str(refused.value)

    def refusal_to_destroy(self) -> str:
        with pytest.raises(EngineError) as refused:
            self.made.stack.destroy_by_command()
        return str(refused.value)

    def deliver_without(self, secret: str) -> None:
        said = [*re.findall(r"urn:\S+ExternalSecret::[a-z0-9-]+", self.refusal())]
        [urn] = {one for one in said if one.endswith(secret) or f"::{secret}-" in one}
        self.made.stack.unprotect_by_command(urn)
        self.deliver()
        # It was only forgotten.
        self.allow_deletion(secret)
        namespace = f"--namespace={self.namespace}"
        assert self.kubectl("delete", "externalsecret", secret, namespace) == ""


@dataclass
class ByTree(Delivered):
    kinds: set[str] = field(default_factory=set)
    """All that were ever rendered: what may be pruned."""

    @property
    def tree(self) -> Path:
        return self.person.folder / "rendered" / self.person.environment

    def deliver(self) -> None:
        assert self.refusal() == ""

    def refusal(self) -> str:
        """Also "", where all is delivered."""
        self.secretsctl("render")
        return self.apply()

    def refusal_to_destroy(self) -> str:
        return self.kubectl("delete", "-k", str(self.tree), "--wait=false")

    def deliver_without(self, secret: str) -> None:
        self.allow_deletion(secret)
        self.deliver()

    def apply(self) -> str:
        """What is said to the tree as it is; "" where nothing is refused."""
        for path in self.tree.glob("[0-9]-*/*-*.yaml"):
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
            group = found["apiVersion"] if "/" in found["apiVersion"] else "core/v1"
            self.kinds.add(f"{group}/{found['kind']}")
        label = f"platform-secrets/environment={self.person.environment}"
        pruned = [f"--prune-allowlist={kind}" for kind in sorted({"core/v1/Secret", *self.kinds})]
        return self.kubectl("apply", "-k", str(self.tree), "--prune", f"-l={label}", *pruned)


@contextmanager
def by_engine(
    run: Run, cluster: Cluster, operator: OperatorRelease, stores: Stores
) -> Iterator[Delivered]:
    """Production, which nothing has brought up yet."""
    name = "kept-by-engine"
    changes = {"environment": name, **_PROTECTED}
    path = STACK_FILES["production"]
    with deployment(run, cluster, operator, path, name=name, **changes) as made:
        yield ByEngine(cluster, stores, Person(cluster, made.folder, name), made)


@contextmanager
def by_tree(
    run: Run, cluster: Cluster, operator: OperatorRelease, stores: Stores
) -> Iterator[Delivered]:
    name = "kept-by-kubectl"
    person = Person(cluster, run.new_folder(name), name)
    person.write_stack("production")
    place = ByTree(cluster, stores, person)
    place.change_stack(**_PROTECTED)
    with operated(place, operator):
        yield place


@contextmanager
def operated(place: ByTree, operator: OperatorRelease) -> Iterator[None]:
    """Inside, the operator runs as the environment declares it; at the end nothing is left."""
    namespace, release = place.namespace, release_of(place.settings)
    operator.install(release)
    try:
        yield
    finally:
        operator.uninstall(release)
        empty(place.cluster, [release["namespace"], namespace])
        # Somebody may have deleted it with its tree, and who comes next needs it.
        place.cluster.delete_namespace(release["namespace"])
