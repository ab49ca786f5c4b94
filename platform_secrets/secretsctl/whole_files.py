"""Files that are written whole, and all of a run's or none."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from platform_secrets.secretsctl.tree import TreeError


def replace_files(contents: Mapping[Path, bytes]) -> None:
    """Writes all files, or none: each takes its place at the end, whole. Raises TreeError."""
    try:
        _replace(contents)
    except OSError as error:
        place = error.filename or " ".join(map(str, contents))
        raise TreeError(f"{place}: can't be written: {error.strerror}") from None


def _replace(contents: Mapping[Path, bytes]) -> None:
    prepared: dict[Path, Path] = {}
    before: dict[Path, bytes | None] = {}
    try:
        for named, content in contents.items():
            # A link stays one.
            path = named.resolve() if named.is_symlink() else named
            path.parent.mkdir(parents=True, exist_ok=True)
            prepared[path] = path.with_name(f".{path.name}.new")
            prepared[path].write_bytes(content)
            if path.exists():
                shutil.copymode(path, prepared[path])
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
