"""The scanner of `make leaks`, with its configuration: a secret is found, and not shown."""

import random
import shutil
import string
import subprocess
from pathlib import Path

import pytest

from tests.e2e.process import PROJECT
from tools.build import build

EXCUSED = "tests/test_secret_contents.py"


def scan(folder: Path) -> subprocess.CompletedProcess[str]:
    shutil.copy(PROJECT / ".gitleaks.toml", folder)
    flags = ["--no-banner", "--redact", "--verbose", "--no-color", "--log-level=warn"]
    return subprocess.run(  # noqa: S603
        [build("gitleaks"), "dir", ".", *flags],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def access_key() -> str:
    """In the form of an access key of AWS, and nobody's."""
    return "AKIA" + "".join(random.sample(string.ascii_uppercase + "234567", 16))


@pytest.mark.parametrize("name", ["settings.yaml", EXCUSED])
def test_a_key_in_a_file_is_found_and_not_shown(tmp_path: Path, name: str) -> None:
    """Also in a file of which another text is excused."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    canary = access_key()
    (tmp_path / name).write_text(f'access: "{canary}"\n', encoding="utf-8")
    found = scan(tmp_path)
    assert found.returncode == 1
    assert f"File:        {name}" in found.stdout
    assert canary not in found.stdout + found.stderr


def test_what_is_excused_by_name_is_no_secret_and_elsewhere_it_is(tmp_path: Path) -> None:
    (tmp_path / EXCUSED).parent.mkdir()
    shutil.copy(PROJECT / EXCUSED, tmp_path / EXCUSED)
    assert scan(tmp_path).returncode == 0
    (tmp_path / EXCUSED).rename(tmp_path / "elsewhere.py")
    assert scan(tmp_path).returncode == 1
