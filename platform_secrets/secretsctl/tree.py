"""A rendered folder: written as a whole or not at all; only rendered files are ever removed."""

import difflib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path, PurePosixPath

HEADER = "# Rendered by secretsctl from {source}. Change those, not this.\n"
_MARK = "# Rendered by secretsctl "
OWNER = "# The tree of environment {environment} of platform {platform}.\n"
"""The second line of a tree's own kustomization, and of no other file."""
_TOP = "kustomization.yaml"


class TreeError(Exception):
    """A tree that can't be read or written; `str` says where and why, a line for each."""


def differences(root: Path, files: Mapping[str, str]) -> Iterator[str]:
    """A unified diff of what writing `files` below `root` would change, file by file."""
    present = rendered(root)
    for name in sorted({*files, *present}):
        before, after = present.get(name), files.get(name)
        if before != after:
            yield from difflib.unified_diff(
                (before or "").splitlines(keepends=True),
                (after or "").splitlines(keepends=True),
                fromfile="/dev/null" if before is None else f"{root}/{name}",
                tofile="/dev/null" if after is None else f"{root}/{name}",
            )


def leaving(present: Mapping[str, str], files: Mapping[str, str]) -> list[str]:
    """The texts of files that are present of which writing `files` would leave none of that name,
    in no folder."""
    staying = {PurePosixPath(name).name for name in files}
    found = sorted(present.items())
    return [text for name, text in found if PurePosixPath(name).name not in staying]


def in_the_way(root: Path, files: Mapping[str, str]) -> list[str]:
    """A line for each thing of others that stands where `files` are to be written."""
    if root.exists() and not root.is_dir():
        return [f"{root}: is not a folder; move it elsewhere"]
    foreign = {*_all_files(root)} - {*rendered(root)}
    needed = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents}
    holding = {parent.as_posix() for name in foreign for parent in PurePosixPath(name).parents}
    found = sorted((foreign & {*files, *needed}) | (holding & {*files}))
    message = "was not rendered by secretsctl and is in the way; move it elsewhere"
    return other_trees(root, files) + [f"{root}/{name}: {message}" for name in found]


def other_trees(root: Path, files: Mapping[str, str]) -> list[str]:
    """A line for each tree of another stack in this folder, around it or in it: one would take the
    other's files away."""
    own, there = _owner(files.get(_TOP, "")), _owner(_text(root / _TOP))
    lines = []
    if own and there and not own.startswith(there):
        lines.append(
            f"{root}: holds what was rendered {_source(there)}; give each stack an --out of its "
            "own, or delete this folder if its stack file has another name now"
        )
    around = [parent for parent in root.absolute().parents if _is_tree(parent)]
    inside = [] if around else [path.parent for path in root.glob(f"*/**/{_TOP}")]
    message = "is another tree; give each stack an --out beside the others'"
    return lines + [f"{path}: {message}" for path in (*around, *filter(_is_tree, inside))]


def _owner(text: str) -> str:
    """The comment at the top of a tree's own kustomization: which stack it was rendered from."""
    if not text.startswith(_MARK):
        return ""
    return "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))


def _source(owner: str) -> str:
    """An owner in words."""
    first, *more = owner.splitlines()
    source = first.removeprefix(_MARK).partition(". ")[0]
    return f"{source}{''.join(f' ({line[2:-1]})' for line in more)}"


def _is_tree(folder: Path) -> bool:
    return "\n" in _owner(_text(folder / _TOP)).rstrip("\n")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError):
        return ""


def write(trees: Mapping[Path, Mapping[str, str]]) -> dict[Path, int]:
    """Makes each folder hold its files, all of them or none, and returns how many changed in each.
    Files of others stay as they are.

    A new folder is prepared beside each old one, and they take their places at the end, so that a
    run that fails or is interrupted leaves the old trees. Raises TreeError.
    """
    try:
        with made_folders({root.parent for root in trees}), ExitStack() as locks:
            for folder in sorted({root.parent for root in trees}):
                locks.enter_context(_locked(folder))
            return _write(trees)
    except OSError as error:
        place = error.filename or ", ".join(map(str, trees))
        raise TreeError(f"{place}: can't be written: {error.strerror}") from None


def _write(trees: Mapping[Path, Mapping[str, str]]) -> dict[Path, int]:
    for root in trees:
        _recover(root)
    obstacles = [line for root, files in trees.items() for line in in_the_way(root, files)]
    if obstacles:
        raise TreeError("\n".join(obstacles))
    changed: dict[Path, int] = {}
    prepared: dict[Path, Path] = {}
    try:
        for root, files in trees.items():
            present = rendered(root)
            names = {*files, *present}
            changed[root] = sum(files.get(name) != present.get(name) for name in names)
            if changed[root]:
                foreign = [name for name in _all_files(root) if name not in present]
                new = Path(tempfile.mkdtemp(prefix=f".{root.name}.new-", dir=root.parent))
                prepared[root] = new
                new.chmod(0o755)
                _fill(new, root, files, foreign)
        with uninterrupted():
            _swap(prepared)
    finally:
        for new in prepared.values():
            shutil.rmtree(new, ignore_errors=True)
    return changed


@contextmanager
def made_folders(folders: Iterable[Path]) -> Iterator[None]:
    """Makes those that are missing; where nothing comes to be in them, they go again."""
    made: list[Path] = []
    try:
        for folder in folders:
            made += [one for one in (*reversed(folder.parents), folder) if not one.exists()]
            folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for each in reversed(made):
            with suppress(OSError):
                each.rmdir()
        raise


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Has Ctrl-C wait for what takes a moment and must not be left half done; Windows can't."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Makes a second run at the same time wait for the first; Windows locks no folder."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fill(new: Path, old: Path, files: Mapping[str, str], foreign: list[str]) -> None:
    for name, text in files.items():
        path = new / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    for name in foreign:
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        # A second name for the same file: nothing is copied, and nothing is lost on the way.
        # Windows never follows a link here, and knows no such option.
        following = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
        os.link(old / name, new / name, **following)
    for folder in [path for path in new.rglob("*") if path.is_dir() and not path.is_symlink()]:
        before = old / folder.relative_to(new)
        if before.is_dir():
            shutil.copymode(before, folder)


def _old_name(root: Path) -> Path:
    return root.with_name(f".{root.name}.old")


def _swap(prepared: Mapping[Path, Path]) -> None:
    """Puts each new folder in its place, by it; none of them where one can't be."""
    try:
        for root, new in prepared.items():
            if root.exists():
                root.rename(_old_name(root))
            new.rename(root)
    except BaseException:
        for root, new in prepared.items():
            if root.exists() and not new.exists():
                root.rename(new)
            if _old_name(root).exists():
                _old_name(root).rename(root)
        raise
    for root in prepared:
        shutil.rmtree(_old_name(root), ignore_errors=True)


def _recover(root: Path) -> None:
    """Mends what a run left that was killed between the two steps of a swap."""
    old = _old_name(root)
    if old.exists():
        if root.exists():
            shutil.rmtree(old)
        else:
            old.rename(root)
    for left in root.parent.glob(f".{root.name}.new-*"):
        shutil.rmtree(left)


def _all_files(root: Path) -> list[str]:
    return [
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    ]


def rendered(root: Path) -> dict[str, str]:
    """The files below `root` that an earlier run rendered, with their text."""
    found: dict[str, str] = {}
    for name in _all_files(root):
        path = root / name
        if path.is_symlink() or not path.is_file() or path.suffix != ".yaml":
            continue
        text = _text(path)
        if text.startswith(_MARK):
            found[name] = text
    return found
