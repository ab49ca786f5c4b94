"""The git-ignored files of values that the kustomization of basic Secrets reads."""

from collections.abc import Mapping
from pathlib import Path

from platform_secrets.manifests.basic_secret import env_file, field_files
from platform_secrets.secretsctl.tree import TreeError
from platform_secrets.secretsctl.whole_files import replace_files
from platform_secrets.settings import Settings
from platform_secrets.settings.secret_fields import secret_field


def write_env_files(folder: Path, settings: Settings, values: Mapping[str, str]) -> list[Path]:
    """Writes the files of each bundle, all or none, for their owner alone. Raises TreeError."""
    if not (folder / "kustomization.yaml").is_file():
        raise TreeError(f"{folder}: is not rendered yet; run `secretsctl render` first")
    contents: dict[str, bytes] = {}
    for view in settings.by_namespace:
        for bundle in view.bundles:
            contents |= _contents(view, bundle, values)
    written = {folder / name: content for name, content in contents.items()}
    replace_files(written, only_for_owner=True)
    for name in {one.replace("__", ".", 1) for one in contents if "__" in one} - {*contents}:
        # What the file was called in release 0.1: it holds a value, and nothing reads it.
        (folder / name).unlink(missing_ok=True)
    return [*written]


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
