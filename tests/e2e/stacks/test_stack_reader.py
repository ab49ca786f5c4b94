"""Pulumi's own command line and our parser read the same settings from a stack file."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_secrets import settings
from platform_secrets.settings.documents import STACK_KEY
from tests.declaring import CLUSTER_UID, PROJECT
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tools.build import MissingGoError, build

CATALOGUE = settings.catalogue_document(CATALOGUE_FILE)
# A whole file and an example, for what does not depend on the file.
SOME = pytest.mark.parametrize("stack_file", ["production", "two-stores"], indirect=True)

Command = Callable[..., str]


@pytest.fixture(scope="module")
def cli() -> Path:
    """Pulumi's command line, which needs nothing else to read and write a stack file."""
    try:
        return build("pulumi")
    except MissingGoError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(params=STACK_FILES)
def stack_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a stack file or example, as the stack file of a project of its own."""
    shutil.copy(PROJECT / "Pulumi.yaml", tmp_path)
    copy = tmp_path / f"Pulumi.{request.param}.yaml"
    return Path(shutil.copy(STACK_FILES[request.param], copy))


@pytest.fixture
def pulumi(cli: Path, stack_file: Path) -> Command:
    """Runs a command in the project, whose state is a folder beside it."""
    state = stack_file.parent / "state"
    state.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(stack_file.parent),
        "PULUMI_HOME": str(stack_file.parent / "home"),
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(16),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }

    def run(*arguments: str, given: str = "") -> str:
        done = subprocess.run(  # noqa: S603
            [cli, *arguments, "--non-interactive"],
            cwd=stack_file.parent,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("stack", "init", stack_file.stem.removeprefix("Pulumi."))
    return run


def read_by_pulumi(pulumi: Command, stack_file: Path) -> settings.Environment:
    """The settings that the program gets: the object's JSON text, as the engine hands it over."""
    shown = json.loads(pulumi("config", "--json", "--show-secrets"))
    content = json.loads(shown[STACK_KEY]["value"])
    [loaded] = settings.load([settings.Document(stack_file.name, content)], CATALOGUE)
    return loaded.environment


def read_by_us(stack_file: Path) -> settings.Environment:
    [loaded] = settings.load([settings.stack_document(stack_file)], CATALOGUE)
    return loaded.environment


def test_both_read_the_same(pulumi: Command, stack_file: Path) -> None:
    untouched = STACK_FILES[stack_file.stem.removeprefix("Pulumi.")]
    assert read_by_pulumi(pulumi, stack_file) == read_by_us(stack_file) == read_by_us(untouched)


@SOME
def test_both_read_the_same_after_pulumi_has_changed_the_file(
    pulumi: Command, stack_file: Path
) -> None:
    def set_to(path: str, value: str) -> None:
        pulumi("config", "set", "--path", f"{STACK_KEY}.{path}", value)

    before = read_by_us(stack_file)
    set_to("cluster.uid", CLUSTER_UID)
    set_to("expected-external-secrets", "1000000")
    set_to("protect", "true")
    set_to("network.api-server.ports[0]", "6443")
    after = read_by_us(stack_file)
    assert after == read_by_pulumi(pulumi, stack_file) != before
    assert after.cluster.uid == CLUSTER_UID
    assert after.expected_external_secrets == 1_000_000
    assert after.network.api_server.ports == [6443]
    assert after.stores == before.stores


@SOME
def test_an_encrypted_value_beside_the_settings_is_no_setting(
    pulumi: Command, stack_file: Path
) -> None:
    value = secrets.token_hex(20)
    before = read_by_us(stack_file)
    pulumi("config", "set", "--secret", "jwt-secret", given=value)
    assert value not in stack_file.read_text()
    assert json.loads(pulumi("config", "--json"))["platform-secrets:jwt-secret"]["secret"]
    assert read_by_us(stack_file) == read_by_pulumi(pulumi, stack_file) == before
