"""A project's settings as they are in a folder, or were at a revision of its Git repository."""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from platform_secrets.secretsctl.projects import loaded, stack_files
from platform_secrets.settings import Problem, Settings, SettingsError

_LINK, _FOLDER = "120000", "040000"


def settings_at(option: str, place: str, catalogue: Path) -> list[Settings]:
    """The settings of every stack at `place`: a folder that holds stack files, else a revision of
    this folder. `option` is where it was given. The work
    tree is not touched. Raises SettingsError with all that is wrong there."""
    folder = Path(place)
    if folder.is_dir() and any(folder.glob("Pulumi.*.yaml")):
        return _loaded(folder, catalogue)
    commit = _commit(option, place)
    with tempfile.TemporaryDirectory(prefix="secretsctl-") as top:
        root = Path(top)
        # The catalogue may be beside or above this folder.
        inside = root.joinpath(*(["in"] * catalogue.parts.count("..")))
        _write_files(option, place, commit, catalogue, inside)
        return _shown_as(f"{place}:", root, lambda: _loaded(inside, catalogue))


def _loaded(folder: Path, catalogue: Path) -> list[Settings]:
    return loaded(stack_files(folder), folder / catalogue, None)


def _shown_as(name: str, root: Path, load: Callable[[], list[Settings]]) -> list[Settings]:
    """What is loaded; its problems name the revision, not the folder that is gone by then."""

    def shown(file: str) -> str:
        parts = Path(file).relative_to(root).parts if Path(file).is_absolute() else Path(file).parts
        return f"{name}{'/'.join(part for part in parts if part not in ('in', '..'))}"

    try:
        found = load()
    except SettingsError as error:
        problems = [
            one if one.file.startswith("--") else replace(one, file=shown(one.file))
            for one in error.problems
        ]
        raise SettingsError(problems) from None
    return [replace(one, stack_file=shown(one.stack_file)) for one in found]


def _write_files(option: str, place: str, commit: str, catalogue: Path, inside: Path) -> None:
    inside.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in _names(commit) if _is_of_project(name)]
    if not any(name.startswith("Pulumi.") and name != "Pulumi.yaml" for name in wanted):
        raise _wrong(
            option, f"at {place} this folder has no stack file: there is nothing to compare"
        )
    for name in [*wanted, catalogue.as_posix()]:
        content = _git("show", f"{commit}:./{name}")
        if content is not None:
            path = inside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _is_of_project(name: str) -> bool:
    return name.startswith("Pulumi.") and name.endswith(".yaml")


def _names(commit: str) -> list[str]:
    """What is in this folder at a commit, without links, which lead out of it."""
    listing = _git("ls-tree", "-z", commit, "./") or b""
    found: list[str] = []
    for line in filter(None, listing.decode("utf-8", "surrogateescape").split("\0")):
        about, _, name = line.partition("\t")
        if about.split()[0] not in (_LINK, _FOLDER):
            found.append(name)
    return found


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


def _git(*arguments: str) -> bytes | None:
    """What git prints; None where it fails, or is not there."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
