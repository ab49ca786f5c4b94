"""A project's settings as they are in a folder, or were at a revision of its Git repository."""

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from platform_secrets.secretsctl.projects import loaded, stack_files
from platform_secrets.settings import Problem, Settings, SettingsError


def settings_at(option: str, place: str, catalogue: Path) -> list[Settings]:
    """The settings of every stack at `place`: a folder that holds stack files, else a revision of
    this folder. `option` is where it was given. The work tree is not touched. Raises SettingsError
    with all that is wrong there."""
    folder = Path(place)
    if folder.is_dir() and any(folder.glob("Pulumi.*.yaml")):
        return _loaded(folder, catalogue)
    commit, catalogue = _commit(option, place), Path(os.path.relpath(catalogue))
    with tempfile.TemporaryDirectory(prefix="secretsctl-") as top:
        # The catalogue may be above this folder.
        inside = Path(top).joinpath(*("in" for part in catalogue.parts if part == ".."))
        _write_files(option, place, commit, catalogue, inside)

        def shown(file: str) -> str:
            """The file at the revision, not in the folder that is gone by then."""
            return f"{place}:{os.path.relpath(file, inside)}"

        try:
            found = _loaded(inside, catalogue)
        except SettingsError as error:
            problems = [replace(one, file=shown(one.file)) for one in error.problems]
            raise SettingsError(problems) from None
        return [replace(one, stack_file=shown(one.stack_file)) for one in found]


def _loaded(folder: Path, catalogue: Path) -> list[Settings]:
    return loaded(stack_files(folder), folder / catalogue, None)


def _write_files(option: str, place: str, commit: str, catalogue: Path, inside: Path) -> None:
    inside.mkdir(parents=True, exist_ok=True)
    listing = _git("ls-tree", "-z", "--name-only", commit, "./") or b""
    names = [name for name in map(os.fsdecode, listing.split(b"\0")) if _is_of_project(name)]
    if not any(name != "Pulumi.yaml" for name in names):
        message = f"at {place} this folder has no stack file: there is nothing to compare"
        raise _wrong(option, message)
    for name in [*names, catalogue.as_posix()]:
        content = _content(commit, name)
        if content is not None:
            path = inside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _is_of_project(name: str) -> bool:
    return name.startswith("Pulumi.") and name.endswith(".yaml")


def _content(commit: str, name: str) -> bytes | None:
    """A file's bytes at a commit, of a link those that it leads to; None where there is none."""
    folder = os.fsdecode((_git("rev-parse", "--show-prefix") or b"").rstrip(b"\n"))
    path = os.path.normpath(f"{folder}{name}")
    asked = os.fsencode(f"{commit}:{path}\n")
    answer = _git("cat-file", "--batch", "--follow-symlinks", given=asked) or b""
    about, _, rest = answer.partition(b"\n")
    return rest[:-1] if about.split()[1:2] == [b"blob"] else None


def _commit(option: str, place: str) -> str:
    if _git("rev-parse", "--git-dir") is None:
        message = "is no folder with stack files, and this is no Git repository (or git is missing)"
        raise _wrong(option, message)
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{place}^{{commit}}")
    if not found:
        message = (
            "is no revision of this repository, nor a folder with stack files; a shallow clone has "
            "only the newest: git fetch --depth=1 origin COMMIT brings another"
        )
        raise _wrong(option, message)
    return found.decode().strip()


def _wrong(option: str, message: str) -> SettingsError:
    return SettingsError([Problem(option, None, (), message)])


def _git(*arguments: str, given: bytes | None = None) -> bytes | None:
    """What git prints; None where it fails, or is not there."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, input=given, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
