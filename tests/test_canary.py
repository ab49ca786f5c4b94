"""A value of secrets.env is seen in nothing that a command writes or says but its own files."""

import shutil
import traceback
from pathlib import Path

import pytest

from platform_secrets.secretsctl.commands import main
from platform_secrets.settings import (
    SettingsError,
    basic_values,
    catalogue_document,
    load,
    stack_document,
)
from tests.platform import CATALOGUE_FILE, OWN_STACK_FILES

COMMANDS = [
    "render",
    "render --check",
    "render --env development --out -",
    "example",
    "schema",
    "basic-secrets --env development",
    "basic-secrets --env production",
    "render --check --env development",
    "basic-secrets --env development --out nowhere",
    "render --catalogue secrets.env",
    "render --stack secrets.env",
    "basic-secrets --stack Pulumi.development.yaml --catalogue secrets.env",
]
SPOILT = {
    "as they should be": lambda value: value,
    "in quotes": lambda value: f"'{value}'",
    "before a blank": lambda value: f"{value} ",
    "in two lines": lambda value: f"{value}\n{value}",
    "in two lines that look like settings": lambda value: f"{value}\nx: {value}\n- {value}: &a [",
    "with a control character": lambda value: f"{value}\x00",
    "of no form": lambda value: f"!{value}",
}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the platform as the working directory, rendered."""
    for file in (CATALOGUE_FILE, *OWN_STACK_FILES):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    main(["render"])
    return tmp_path


def _write(values: dict[str, str], spoil) -> list[str]:
    """Writes secrets.env and returns the canaries, the part of each value that is made up."""
    text = "".join(f"{key}={spoil(value)}\n" for key, value in values.items())
    Path("secrets.env").write_text(text)
    return list(values.values())


def _files_with(canaries: list[str]) -> set[str]:
    texts = {path: path.read_text() for path in Path().rglob("*") if path.is_file()}
    return {str(path) for path, text in texts.items() if any(canary in text for canary in canaries)}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_no_command_shows_a_value(project, capfd, values, spoilt):
    canaries = _write(values, SPOILT[spoilt])
    for command in COMMANDS:
        assert main(command.split()) in (0, 1, 2)
    out, err = capfd.readouterr()
    assert not any(canary in out + err for canary in canaries)
    own = {name for name in _files_with(canaries) if not name.endswith(".env")}
    assert own == set()


def test_only_the_files_of_basic_secrets_hold_values(project, values):
    canaries = _write(values, SPOILT["as they should be"])
    main(["basic-secrets", "--env", "development"])
    main(["render"])
    folder = "rendered/development/basic-secrets"
    secrets = ("", "-backend-api", "-chat-server", "-stream-server")
    assert _files_with(canaries) == {
        "secrets.env",
        *(f"{folder}/wren{name}-secrets.env" for name in secrets),
    }


def test_a_split_that_fails_leaves_no_value_in_a_file_that_git_would_take(project, values):
    in_the_way = project / "rendered/development/basic-secrets/wren-secrets.env"
    in_the_way.mkdir()
    canaries = _write(values, SPOILT["as they should be"])
    assert main(["basic-secrets", "--env", "development"]) == 2
    assert {name for name in _files_with(canaries) if not name.endswith(".env")} == set()


@pytest.mark.parametrize("spoilt", list(SPOILT)[1:])
def test_the_exception_itself_holds_no_value(project, values, spoilt):
    canaries = _write(values, SPOILT[spoilt])
    stack = stack_document(Path("Pulumi.development.yaml"))
    [settings] = load([stack], catalogue_document(Path("catalogue.yaml")))
    with pytest.raises(SettingsError) as caught:
        basic_values(settings, Path("secrets.env"), lambda _: None)
    error = caught.value
    text = "".join(traceback.format_exception(error)) + repr(error) + repr(error.problems)
    assert not any(canary in text for canary in canaries)
