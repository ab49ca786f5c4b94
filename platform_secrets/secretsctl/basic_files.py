"""The git-ignored files of values that the kustomization of basic Secrets reads."""

import os
from collections.abc import Mapping
from pathlib import Path

from platform_secrets.manifests.basic_secret import env_file, field_files
from platform_secrets.secretsctl.tree import TreeError
from platform_secrets.settings import Settings
from platform_secrets.settings.secret_fields import secret_field


def write_env_files(folder: Path, settings: Settings, values: Mapping[str, str]) -> list[Path]:
    """Writes the files of each bundle, readable by their owner alone. Raises TreeError."""
    if not (folder / "kustomization.yaml").is_file():
        raise TreeError(f"{folder}: is not rendered yet; run `secretsctl render` first")
    written = []
    contents: dict[str, bytes] = {}
    for view in settings.by_namespace:
        for bundle in view.bundles:
            contents |= _contents(view, bundle, values)
    for name, content in contents.items():
        path = folder / name
        try:
            _replace(path, content)
        except OSError as error:
            raise TreeError(f"{path}: can't be written: {error.strerror}") from None
        written.append(path)
    for name in {one.replace("__", ".", 1) for one in contents if "__" in one} - {*contents}:
        # What the file was called in release 0.1: it holds a value, and nothing reads it.
        (folder / name).unlink(missing_ok=True)
    return written


def _contents(settings: Settings, bundle: str, values: Mapping[str, str]) -> dict[str, bytes]:
    """The files of one Secret by their names."""
    files, content = field_files(settings, bundle), settings.catalogue.bundles[bundle]
    fields = {
        name: secret_field(content, name, {key: values[content.keys[key].id] for key in parts})
        for name, parts in content.fields.items()
    }
    lines = [name.encode() + b"=" + fields[name] + b"\n" for name in fields if name not in files]
    found = {file: fields[name] for name, file in files.items()}
    return {env_file(settings, bundle): b"".join(lines), **found} if lines else found


def _replace(path: Path, content: bytes) -> None:
    # Its name ends like the file's own, so that git ignores it too if this process is killed.
    beside = path.with_name(f".new-{path.name}")
    beside.unlink(missing_ok=True)
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
