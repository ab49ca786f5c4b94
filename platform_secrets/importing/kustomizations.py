"""The namespaces that kustomize and Flux give to manifests which name none."""

from collections.abc import Sequence
from dataclasses import replace

from platform_secrets.importing.found import Manifest


def placed(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The same manifests; those without a namespace have that of the nearest kustomization in
    their folder or above it."""
    of_folder: dict[str, str] = {}
    of_path: dict[str, str] = {}
    for one in manifests:
        if one.is_kustomization and isinstance(one.content.get("namespace"), str):
            of_folder[_folder(one.file)] = one.content["namespace"]
        elif one.kind == "Kustomization" and one.spec.get("targetNamespace"):
            path = str(one.spec.get("path") or "").strip("./")
            if path:
                of_path[path] = str(one.spec["targetNamespace"])
    known: dict[str, str | None] = {}
    return [_placed(one, of_folder, of_path, known) for one in manifests]


def _placed(
    manifest: Manifest,
    of_folder: dict[str, str],
    of_path: dict[str, str],
    known: dict[str, str | None],
) -> Manifest:
    if manifest.namespace:
        return manifest
    folder = _folder(manifest.file)
    if folder not in known:
        known[folder] = _namespace(folder, of_folder, of_path)
    namespace = known[folder]
    if namespace is None:
        return manifest
    metadata = {**manifest.metadata, "namespace": namespace}
    return replace(manifest, content={**manifest.content, "metadata": metadata})


def _namespace(folder: str, of_folder: dict[str, str], of_path: dict[str, str]) -> str | None:
    """Flux's own says it for all that is below its path, whatever kustomize says there."""
    parts = folder.split("/")
    for end in range(len(parts), 0, -1):
        for start in range(end):
            if found := of_path.get("/".join(parts[start:end])):
                return found
    for end in range(len(parts), 0, -1):
        if found := of_folder.get("/".join(parts[:end])):
            return found
    return None


def _folder(file: str) -> str:
    return file.rpartition("/")[0] or "."
