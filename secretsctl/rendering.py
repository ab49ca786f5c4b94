"""A rendered tree as file names and texts: a kustomization per wave, a file per object."""

from pathlib import Path

from manifests.layer import BASIC_SECRETS, kustomizations, waves
from manifests.naming import Manifest
from secretsctl.projects import rotator_source
from secretsctl.tree import HEADER, OWNER
from secretsctl.yaml_text import yaml_text
from settings import Settings


def rendered_files(settings: Settings, catalogue: Path) -> dict[str, str]:
    """Every file below the environment's folder. The same settings give the same bytes."""
    header = HEADER.format(source=f"{catalogue.name} and {Path(settings.stack_file).name}")
    owner = OWNER.format(
        environment=settings.environment.environment, platform=settings.catalogue.platform
    )
    files: dict[str, str] = {}
    declared = waves(settings, rotator_source())
    names = [wave.name for wave in declared]
    for wave in declared + kustomizations(settings, names):
        if wave.name == BASIC_SECRETS:
            files[f"{wave.name}/kustomization.yaml"] = header + yaml_text(wave.objects[0])
            continue
        texts = {_file_name(manifest): header + yaml_text(manifest) for manifest in wave.objects}
        texts["kustomization.yaml"] = header + _kustomization([*texts])
        files |= {f"{wave.name}/{name}": text for name, text in texts.items()}
    files["kustomization.yaml"] = header + owner + _kustomization(names)
    return files


def _file_name(manifest: Manifest) -> str:
    return f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


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
