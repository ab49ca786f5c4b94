"""The Python that runs the rotator here: of its image's release where this machine has that."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from platform_secrets.settings.rotator import Rotator

IMAGE = Rotator().image
IMAGE_MINOR = int(re.findall(r"python:3\.(\d+)", IMAGE)[0])
OLDEST_MINOR, NEWEST_MINOR = 11, IMAGE_MINOR + 5


@cache
def image_python() -> tuple[Path, int]:
    """The program and its minor release: the image's, else the newest that is here."""
    minors = (IMAGE_MINOR, *range(NEWEST_MINOR, OLDEST_MINOR - 1, -1))
    return next(
        (program, minor)
        for minor in minors
        for program in _programs(minor)
        if _said(str(program), "-c", "import sys; print(sys.version_info.minor)") == str(minor)
    )


def report() -> str:
    """What runs the rotator, and what its image has."""
    program, minor = image_python()
    return f"rotator: run by Python 3.{minor}, {program}; its image is {IMAGE}"


def _programs(minor: int) -> Iterator[Path]:
    """What may be this release: on the PATH, of pyenv, of uv, and what runs the tests."""
    name = f"python3.{minor}"
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if found := shutil.which(name, path=folder):
            yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from pyenv.glob(f"versions/3.{minor}.*/bin/{name}")
    if (uv := shutil.which("uv")) and (found := _said(uv, "python", "find", f"3.{minor}")):
        yield Path(found)
    yield Path(sys.executable)


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else ""
