"""The component package in programs of other languages, on the real engine and API server."""

import re
import secrets
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.declaring import PROJECT
from tests.e2e.cluster import Cluster
from tests.e2e.engine import EngineError, Stack
from tests.e2e.environments import secret_values
from tests.e2e.live_objects import empty
from tests.e2e.node_program import NODE, compiled_program
from tests.e2e.process import Run
from tests.e2e.pulumi_provider import KubernetesProvider
from tests.settings_files import BASIC, CATALOGUE
from tools.build import build

NAMESPACE = "shop-test"
Program = Callable[[dict[str, Any]], dict[str, Any]]
OF_PYTHON = re.compile(r"Traceback|<class|\.py|__init__")


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Pulumi finds on its PATH: hosts of YAML and of the program in TypeScript, and the
    component package, which Python's host would run in the same way."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "pulumi-language-yaml").symlink_to(build("pulumi-language-yaml"))

    def started(name: str, command: str) -> Path:
        (folder / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / name).chmod(0o755)
        return folder / name

    package = started("pulumi-resource-platform-secrets", f"{sys.executable} {PROJECT}/components")
    host = compiled_program(tmp_path_factory.mktemp("typescript") / "program", package)
    started("pulumi-language-nodejs", f"{NODE} {host}")
    return folder


def yaml_program(environment: dict[str, Any]) -> dict[str, Any]:
    """A program of one layer, whose values it has from its configuration."""
    names = ("database-url", "token", "smtp-password")
    return {
        "name": "orchard",
        "runtime": "yaml",
        "config": {name: {"type": "string", "secret": True} for name in names},
        "resources": {
            "secrets": {
                "type": "platform-secrets:SecretsLayer",
                "properties": {
                    "environment": environment,
                    "catalogue": CATALOGUE,
                    "values": {name: f"${{{name}}}" for name in names},
                },
            }
        },
        "outputs": {"namespace": "${secrets.namespace}"},
    }


def typescript_program(environment: dict[str, Any]) -> dict[str, Any]:
    """The same in TypeScript, which has all of it from its configuration."""
    settings = {"environment": environment, "catalogue": CATALOGUE}
    return {
        "name": "orchard",
        "runtime": "nodejs",
        "config": {name: {"value": value} for name, value in settings.items()},
    }


def settings_on(cluster: Cluster) -> dict[str, Any]:
    return {**BASIC, "cluster": {"uid": cluster.uid}}


@pytest.fixture
def orchard(
    run: Run, cluster: Cluster, plugins: Path, tmp_path: Path
) -> Iterator[Callable[..., Stack]]:
    """A stack of a program, which gets its values from the configuration."""
    made: list[Stack] = []
    provider = KubernetesProvider(cluster.api)
    provider.left = {NAMESPACE}
    with provider.serve() as port:

        def make(program: Program = yaml_program, **changes: Any) -> Stack:
            content = program({**settings_on(cluster), **changes})
            (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump(content))
            options = {"project": "orchard", "plugins": plugins}
            made.append(Stack(run, "test", tmp_path, providers={"kubernetes": port}, **options))
            for name, value in values().items():
                made[0].set_secret(name, value)
            return made[0]

        yield make
        for each in made:
            if each.unprotect():
                each.destroy()
            shutil.rmtree(each.folder)
        empty(cluster, [NAMESPACE])


def refusal(operation: Callable[[], Any]) -> str:
    """What a user reads when the engine refuses, without the warnings about the tests' plugins."""
    with pytest.raises(EngineError) as raised:
        operation()
    [diagnostics] = re.findall(r"Diagnostics:.*?Resources:", str(raised.value), re.S)
    return "\n".join(line for line in diagnostics.splitlines() if "from $PATH at" not in line)


def values() -> dict[str, str]:
    return {
        "database-url": f"postgresql://shop:{secrets.token_hex(8)}@db/shop",
        "token": secrets.token_hex(16),
        "smtp-password": secrets.token_hex(16),
    }


@pytest.mark.parametrize(
    ("program", "other"), [(yaml_program, typescript_program), (typescript_program, yaml_program)]
)
def test_a_program_in_either_language_declares_the_layer_and_the_other_would_change_nothing(
    cluster: Cluster, orchard: Callable[..., Stack], program: Program, other: Program
) -> None:
    stack, given = orchard(program), values()
    for name, value in given.items():
        stack.set_secret(name, value)
    stack.up()
    assert stack.outputs == {"namespace": NAMESPACE}
    found: dict[str, str] = {}
    for name in ("shop-secrets", "shop-mail"):
        found |= secret_values(cluster, NAMESPACE, name) or {}
    assert found == given
    same = other(settings_on(cluster))
    (stack.folder / "work" / "Pulumi.yaml").write_text(yaml.safe_dump(same))
    assert stack.preview().changes == {}
    assert not [value for value in given.values() if value in stack.state_text]


@pytest.mark.parametrize("program", [yaml_program, typescript_program])
def test_wrong_settings_are_told_without_anything_of_python(
    orchard: Callable[..., Stack], program: Program
) -> None:
    said = refusal(orchard(program, network="open", operator="sometimes").preview)
    for setting in ("network", "operator"):
        assert f"secrets.environment: {setting}: " in said
    assert not OF_PYTHON.search(said)


def test_another_cluster_is_told_without_anything_of_python(
    cluster: Cluster, orchard: Callable[..., Stack]
) -> None:
    other = str(uuid.uuid4())
    said = refusal(orchard(cluster={"uid": other}).up)
    assert f"secrets.environment: cluster.uid: is {other}" in said
    assert cluster.uid in said
    assert not OF_PYTHON.search(said)
