"""A rendered tree as file names and texts: a kustomization per wave, a file per object."""

import shlex
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import yaml

from platform_secrets.manifests.chart import ChartRelease
from platform_secrets.manifests.control_plane import control_plane_files
from platform_secrets.manifests.gitops import FLUX, WAVES
from platform_secrets.manifests.layer import BASIC_SECRETS, charts, kustomizations, waves
from platform_secrets.manifests.monitoring.objects import prometheus_files
from platform_secrets.manifests.naming import NEVER_PRUNED, Manifest
from platform_secrets.secretsctl.object_sizes import size_faults
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.secretsctl.shown_texts import printable
from platform_secrets.secretsctl.tree import HEADER, OWNER
from platform_secrets.secretsctl.yaml_text import yaml_text
from platform_secrets.settings import Problem, Settings, SettingsError


def rendered_files(settings: Settings, catalogue: Path) -> dict[str, str]:
    """Every file below the environment's folder. The same settings give the same bytes. Raises
    SettingsError where an object would be larger than the API server takes."""
    # A file may be called anything, also what would end a comment.
    source = printable(f"{catalogue.name} and {Path(settings.stack_file).name}")
    header = HEADER.format(source=source)
    owner = OWNER.format(
        environment=settings.environment.environment, platform=settings.catalogue.platform
    )
    files: dict[str, str] = {}
    too_large: list[str] = []
    declared = waves(settings, rotator_source())
    names = [wave.name for wave in declared]
    for wave in declared + kustomizations(settings, names):
        if wave.name == BASIC_SECRETS:
            files[f"{wave.name}/kustomization.yaml"] = header + yaml_text(wave.objects[0])
            continue
        others = settings.environment.namespaces
        texts: dict[str, str] = {}
        for one in wave.objects:
            text = texts[_file_name(one, others)] = header + yaml_text(one)
            too_large += size_faults(one, len(text))
        texts["kustomization.yaml"] = header + _kustomization([*texts, *wave.folders])
        files |= {f"{wave.name}/{name}": text for name, text in texts.items()}
    for release in charts(settings).values():
        files[f"charts/{release.name}.yaml"] = header + _values(release)
    for folder, contents in (
        ("prometheus", prometheus_files(settings)),
        ("control-plane", control_plane_files(settings)),
    ):
        files |= {f"{folder}/{name}": header + yaml_text(one) for name, one in contents.items()}
    files["kustomization.yaml"] = header + owner + _kustomization(names)
    if too_large:
        raise SettingsError([Problem(settings.stack_file, None, (), one) for one in too_large])
    return files


def _values(release: ChartRelease) -> str:
    """A release's values, and the command that takes them."""
    if release.path:
        chart = shlex.quote(release.path)
    elif release.repository.startswith("oci://"):
        chart = f"{release.repository}/{release.chart} --version {release.version}"
    else:
        chart = f"{release.chart} --repo {release.repository} --version {release.version}"
    where = f"--namespace {release.namespace} --values {release.name}.yaml"
    command = f"helm upgrade --install {release.name} {chart} {where}"
    return f"# {command}\n{yaml_text(release.values)}"


def staying(texts: Iterable[str]) -> list[str]:
    """A line for each object of these files that GitOps tools leave in the cluster."""
    found = []
    for manifest in map(_manifest, texts):
        kind, metadata = manifest.get("kind", ""), manifest.get("metadata", {})
        if NEVER_PRUNED.items() & metadata.get("annotations", {}).items():
            place = f" --namespace={metadata['namespace']}" if "namespace" in metadata else ""
            command = f"kubectl delete {kind.lower()} {metadata['name']}{place}"
            found.append(f"{kind}/{metadata['name']}: stays in the cluster until: {command}")
    return found


def retyped(present: Mapping[str, str], files: Mapping[str, str]) -> list[str]:
    """A line for each Secret that `files` give another type than those which are present, by name:
    Kubernetes lets none change."""
    found = []
    for name, text in files.items():
        before = present.get(name)
        if before is None or before == text or "/externalsecret-" not in name:
            continue
        one, other = (_secret_type(_manifest(each)) for each in (before, text))
        if one and one != other:
            secret, namespace = map(_manifest(text)["metadata"].get, ("name", "namespace"))
            command = f"kubectl delete secret {secret} --namespace={namespace}"
            found.append(
                f"Secret/{secret}: becomes {other}, and was {one}, which can't change in "
                f"one that lives: its sync fails until: {command}; its readers lack it for a moment"
            )
    return found


def _secret_type(manifest: Manifest) -> str | None:
    spec = manifest.get("spec", {})
    return spec.get("target", {}).get("template", {}).get("type")


def _manifest(text: str) -> Manifest:
    """What a file holds; nothing where a merge has left its marks in it."""
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError:
        return {}


def missing_environments(
    settings: Settings, trees: Mapping[Path, Mapping[str, str]]
) -> list[Problem]:
    """Environments that this one's root is to bring, and that have no entry points: neither in
    these trees, by folder, nor on disk beside them."""
    gitops = settings.environment.gitops
    [out] = {root.parent for root in trees}
    found = []
    for place, name in enumerate(gitops.environments if gitops else ()):
        files = trees.get(out / name)
        entry = f"{FLUX}/{WAVES}/kustomization.yaml"
        if not ((out / name / entry).is_file() if files is None else entry in files):
            message = f"{out / name} has no entry points; render it first, with `gitops` set there"
            path = ("gitops", "environments", place)
            found.append(Problem(settings.stack_file, None, path, message))
    return found


def _file_name(manifest: Manifest, others: Collection[str]) -> str:
    """With the namespace, where that is another of the environment's: no name has a `_`."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    place = f"_{namespace}" if namespace in others else ""
    return f"{manifest['kind'].lower()}-{metadata['name']}{place}.yaml"


def _kustomization(resources: list[str]) -> str:
    return yaml_text(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": resources,
            # Else kubectl sorts by kind: what acts would come before what bounds it.
            "sortOptions": {"order": "fifo"},
        }
    )
