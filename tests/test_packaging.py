"""What is published is what works: the built files alone, installed where nothing else is."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
from email.parser import Parser
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

import pytest

from platform_secrets import __version__
from tests.declaring import PROJECT

INPUT = ["catalogue.yaml", *(path.name for path in PROJECT.glob("Pulumi.*.yaml"))]


def run(*command, folder=PROJECT, code=0):
    """Runs a command in an environment that holds nothing but a PATH and an empty home."""
    home = folder / "home" if folder != PROJECT else None
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)} if home else None
    done = subprocess.run(  # noqa: S603
        [*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """What `make dist` makes."""
    folder = tmp_path_factory.mktemp("dist")
    run("make", "--silent", "dist", f"DIST={folder}", f"PYTHON={sys.executable}")
    return folder


@pytest.fixture(scope="module")
def wheel(dist) -> Path:
    [wheel] = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel) -> Path:
    """The commands of a virtual environment that has the wheel, and what it asks for itself."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder)
    pins = [line for line in _lines("requirements-render.txt") if not line.startswith("-")]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "--python", folder / "bin/python", "install", "--quiet", wheel, *pins)
    return folder / "bin"


@pytest.fixture
def platform(tmp_path) -> Path:
    """A folder outside of this repository, with a catalogue and stack files."""
    (tmp_path / "home").mkdir()
    for name in INPUT:
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


def _lines(name):
    lines = (PROJECT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _texts(folder):
    return {p.relative_to(folder): p.read_text() for p in folder.rglob("*") if p.is_file()}


def _tracked(folder):
    names = run("git", "ls-files", "--", folder).split()
    return {Path(name).relative_to(folder): (PROJECT / name).read_text() for name in names}


def test_the_wheel_installs_one_package_with_all_that_the_repository_has_of_it(wheel):
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = run("git", "ls-files", "--", "components", "platform_secrets").split()
    sources.remove("platform_secrets/components")  # the link
    assert names == {"platform_secrets/" + one.removeprefix("platform_secrets/") for one in sources}


def test_the_sdist_alone_makes_the_same_wheel(dist, wheel, tmp_path):
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    [source] = tmp_path.iterdir()
    hatchling = PROJECT / ".venv-build/bin/hatchling"
    run(hatchling, "build", "--target", "wheel", "--directory", tmp_path, folder=source)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_what_is_published_says_its_version_and_licence_and_who_may_install_it(wheel):
    with ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        metadata = Parser().parsestr(archive.read(name).decode())
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {*metadata.get_all("Provides-Extra", [])} == {"pulumi", "vault", "aws", "gcp", "azure"}


def test_render_needs_nothing_of_pulumi_s_and_a_provider_nothing_of_another_s(wheel):
    with ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        asked = Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])
    by_extra = {}
    for line in asked:
        requirement, _, extra = line.partition("; extra == ")
        by_extra.setdefault(extra.strip("'"), set()).add(requirement.partition(">=")[0])
    names = {"argcomplete", "jinja2", "pydantic", "pyyaml", "tzdata"}
    assert by_extra.pop("") == names
    for_all = by_extra.pop("pulumi")
    assert for_all == {"pulumi", "pulumi-kubernetes"}
    assert by_extra == {
        "vault": for_all | {"pulumi-vault"},
        "aws": for_all | {"pulumi-aws"},
        "gcp": for_all | {"pulumi-gcp"},
        "azure": for_all | {"pulumi-azure-native"},
    }


def test_the_oldest_that_may_be_installed_is_what_the_tests_have_passed_with():
    """`make lowest` installs that file."""
    asked = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    bounds = [*chain(asked["dependencies"], *asked["optional-dependencies"].values())]
    lowest = {one.replace(">=", "==") for one in bounds if "[" not in one}
    assert lowest == {*_lines("requirements-lowest.txt")}


@pytest.mark.parametrize("name", ["", "-render", "-dev", "-e2e", "-scan"])
def test_each_pin_is_locked_with_a_hash(name):
    """`make lock` writes what environments are made of."""
    text = (PROJECT / f"requirements{name}.lock").read_text().lower()
    lines = "\n".join(_lines(f"requirements{name}.txt")).lower()
    pins = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?(==.*)", lines, re.M)
    assert pins
    assert [one for one in map("".join, pins) if f"\n{one} " not in text] == []
    locked = re.findall(r"^[a-z0-9-]+==.*(?:\n    .*)*", text, re.M)
    assert [one.splitlines()[0] for one in locked if "--hash=sha256:" not in one] == []


def test_only_the_version_s_own_tag_is_released_and_the_changelog_has_its_section():
    run("make", "--silent", "release-check", f"TAG=v{__version__}")
    assert "###" in run("make", "--silent", "release-notes")
    run("make", "--silent", "release-check", "TAG=v0.0.1", code=2)
    run("make", "--silent", "release-notes", "VERSION=0.0.1", code=2)


def test_the_installed_command_says_its_version(installed, platform):
    assert run(installed / "secretsctl", "--version", folder=platform) == (
        f"secretsctl {__version__}\n"
    )


def test_the_installed_command_completes_what_bash_asks_for(installed, platform):
    press = (
        'eval "$(secretsctl completion bash)"; COMP_LINE="secretsctl who --env pro"; '
        "COMP_POINT=${#COMP_LINE}; _python_argcomplete secretsctl; echo ${COMPREPLY[@]}"
    )
    path = f"PATH={installed}:/usr/bin:/bin"
    assert run("env", path, "bash", "-c", press, folder=platform) == "production\n"


def test_the_installed_command_renders_what_the_repository_s_own_does(installed, platform):
    run(installed / "secretsctl", "render", "--all", folder=platform)
    assert _texts(platform / "rendered") == _tracked("rendered")


def test_the_installed_command_writes_the_same_schemas(installed, platform):
    run(installed / "secretsctl", "schema", folder=platform)
    assert _texts(platform / "schemas") == _tracked("schemas")


def test_the_installed_command_writes_a_repository_that_renders(installed, platform):
    secretsctl = installed / "secretsctl"
    run(secretsctl, "init", "orchard", "--provider", "azure", folder=platform)
    (platform / "orchard/home").mkdir()
    run(secretsctl, "render", "--all", folder=platform / "orchard")
    run(secretsctl, "render", "--all", "--check", folder=platform / "orchard")


WINDOWS = """
import sys
sys.modules |= dict.fromkeys(("fcntl", "grp", "pwd", "resource", "termios"))
from platform_secrets.secretsctl.commands import main
sys.platform = "win32"
sys.exit(main(["render", "--all"]))
"""


def test_a_system_without_what_only_unix_has_can_render(platform):
    run(sys.executable, "-c", WINDOWS, folder=platform)
    assert _texts(platform / "rendered") == _tracked("rendered")
