"""Files that are written whole, and all of a run's or none."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from platform_secrets.secretsctl.tree import TreeError, made_folders, uninterrupted


def replace_files(contents: Mapping[Path, bytes], *, only_for_owner: bool = False) -> None:
    """Writes all files, or none: each takes its place at the end, whole. They keep their modes,
    unless they are to be their owner's alone. Raises TreeError."""
    try:
        with made_folders({path.parent for path in contents}):
            _replace(contents, only_for_owner)
    except OSError as error:
        place = error.filename or " ".join(map(str, contents))
        raise TreeError(f"{place}: can't be written: {error.strerror}") from None


def _replace(contents: Mapping[Path, bytes], only_for_owner: bool) -> None:
    prepared: dict[Path, Path] = {}
    before: dict[Path, bytes | None] = {}
    try:
        for named, content in contents.items():
            # A link stays one, unless values would go where it leads.
            is_followed = named.is_symlink() and not only_for_owner
            path = named.resolve() if is_followed else named
            # Its name ends like the file's own, so that git ignores what it ignores of that.
            new = prepared[path] = path.with_name(f".new-{path.name}")
            new.unlink(missing_ok=True)
            if only_for_owner:
                new.touch(mode=0o600, exist_ok=False)
            new.write_bytes(content)
            if path.exists() and not only_for_owner:
                shutil.copymode(path, new)
        with uninterrupted():
            for path, new in prepared.items():
                before[path] = path.read_bytes() if path.exists() else None
                new.replace(path)
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        raise
    finally:
        for new in prepared.values():
            new.unlink(missing_ok=True)
