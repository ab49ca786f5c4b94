"""The git-ignored files of values that the kustomization of basic Secrets reads."""

import os
from collections.abc import Mapping
from pathlib import Path

from manifests.basic_secret import env_file
from secretsctl.tree import TreeError
from settings import Catalogue


def write_env_files(folder: Path, catalogue: Catalogue, values: Mapping[str, str]) -> list[Path]:
    """Writes `<secret>.env` for each bundle, readable by its owner alone. Raises TreeError."""
    if not (folder / "kustomization.yaml").is_file():
        raise TreeError(f"{folder}: is not rendered yet; run `secretsctl render` first")
    written = []
    for bundle in catalogue.bundles.values():
        path = folder / env_file(bundle.secret)
        text = "".join(f"{key}={values[key]}\n" for key in bundle.keys)
        try:
            _replace(path, text)
        except OSError as error:
            raise TreeError(f"{path}: can't be written: {error.strerror}") from None
        written.append(path)
    return written


def _replace(path: Path, text: str) -> None:
    # Its name ends like the file's own, so that git ignores it too if this process is killed.
    beside = path.with_name(f".new-{path.name}")
    beside.unlink(missing_ok=True)
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
