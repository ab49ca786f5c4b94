"""A stack of the project on the real engine, its objects for real."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from platform_secrets.settings import Settings, catalogue_document, load, stack_document
from tests.e2e.cluster import Cluster
from tests.e2e.engine import Stack, project_program
from tests.e2e.live_objects import empty
from tests.e2e.noting_provider import PACKAGES, NotingProvider
from tests.e2e.process import PROJECT, Run
from tests.e2e.pulumi_provider import KubernetesProvider, Releases
from tests.platform import CATALOGUE_FILE

SOURCES = ("__main__.py", "Pulumi.yaml")
STACK_KEY = "platform-secrets:environment"


class Deployment:
    """One stack: `stack` drives the engine, `settings` is what it declares, `provider.history`
    what was done. `folder` is the program's own: a secrets.env may be put there. What it imports
    is imported already, unless the folder has another one: to import the settings' classes takes
    a third of a second."""

    def __init__(
        self,
        run: Run,
        cluster: Cluster,
        stack_file: Path,
        provider: KubernetesProvider,
        ports: Mapping[str, int],
        *,
        name: str,
        changes: dict[str, Any],
    ) -> None:
        self.provider = provider
        self.folder = run.folder / f"program-{name}"
        self.folder.mkdir()
        for source in SOURCES:
            shutil.copy(PROJECT / source, self.folder)
        shutil.copy(CATALOGUE_FILE, self.folder)
        self.policy_pack = shutil.copytree(PROJECT / "policy", self.folder / "policy")
        content = yaml.safe_load(stack_file.read_text(encoding="utf-8"))
        own = content["config"][STACK_KEY]
        own |= {"cluster": {"uid": cluster.uid}, **changes}
        self.stack_file = self.folder / f"Pulumi.{name}.yaml"
        self.stack_file.write_text(yaml.safe_dump(content), encoding="utf-8")
        self.stack = Stack(
            run,
            name,
            project_program(self.folder),
            providers=ports,
            stack_file=self.stack_file,
        )

    @property
    def namespaces(self) -> list[str]:
        """The environment's, its own first, and the operator's where this stack owns that."""
        settings = self.settings
        env = settings.environment
        operators = [env.operator_namespace] if env.operator == "install" else []
        return [*(view.namespace for view in settings.by_namespace), *operators]

    def add_bundle(self, name: str, content: Mapping[str, Any]) -> None:
        """To its own copy of the catalogue."""
        path = self.folder / "catalogue.yaml"
        catalogue = yaml.safe_load(path.read_text(encoding="utf-8"))
        catalogue["bundles"][name] = content
        path.write_text(yaml.safe_dump(catalogue, sort_keys=False), encoding="utf-8")

    @property
    def settings(self) -> Settings:
        [found] = load(
            [stack_document(self.stack_file)], catalogue_document(self.folder / "catalogue.yaml")
        )
        return found


@contextmanager
def deployment(
    run: Run,
    cluster: Cluster,
    operator: Releases,
    stack_file: Path,
    /,
    *,
    name: str,
    ports: Mapping[str, int] | None = None,
    **changes: Any,
) -> Iterator[Deployment]:
    """A stack of `stack_file`, its settings changed by `changes`; nothing is declared yet.

    `ports` are those of further providers that its program uses, by package; what it declares
    through any other is only noted.
    At the end everything that it declared is destroyed, protected or not, and its namespaces, which
    the program keeps, are empty: the next one takes them over.
    """
    provider = KubernetesProvider(cluster.api, operator)
    noting = NotingProvider(lambda: made.settings)
    with provider.serve() as port, noting.serve() as noting_port:
        ports = {**dict.fromkeys(PACKAGES, noting_port), "kubernetes": port, **(ports or {})}
        made = Deployment(run, cluster, stack_file, provider, ports, name=name, changes=changes)
        provider.left = {each["metadata"]["name"] for each in cluster.api.list("v1", "Namespace")}
        try:
            yield made
        finally:
            if made.stack.unprotect():
                made.stack.destroy()
            empty(cluster, made.namespaces)
