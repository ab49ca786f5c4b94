"""The same work for everybody: a platform of so many services, in the form that each tool takes."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_secrets.manifests.external_secret import refresh_interval
from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.naming import Manifest
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.secretsctl.yaml_text import yaml_stream, yaml_text
from platform_secrets.settings import Settings, catalogue_document, load, stack_document

_CHART = Path(__file__).parent / "programs" / "chart"
_KEYS, _ROTATED_KEYS = 2, 10
_ROTATED = "        rotate: {by: generate, every: 90d, overlap: 1d}\n"
_STACK = """\
config:
  platform-secrets:environment:
    environment: production
    namespace: existing
    operator: existing
    stores:
      vault:
        provider: vault
        server: https://vault.example.com:8200
"""


@dataclass(frozen=True)
class Shape:
    """What keys that rotate may have besides: all of these make more of each key."""

    name: str
    layout: str = "bundle"
    texts: bool = False
    namespaces: int = 0


SHAPES = (
    Shape("in one entry for each bundle"),
    Shape("with an entry for each key", layout="per-key"),
    Shape("with a text of two keys in each bundle", texts=True),
    Shape("in four namespaces", namespaces=3),
)


@dataclass(frozen=True)
class Work:
    """Files for every tool, and the objects that each must make of them."""

    folder: Path
    services: int
    objects: list[Manifest]

    @property
    def stack(self) -> Path:
        return self.folder / "Pulumi.production.yaml"

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue.yaml"


def made_work(folder: Path, services: int) -> Work:
    """A bundle of two keys for each service, read by it alone: four objects each, and a few for
    the environment as a whole."""
    return _made(folder, services, _STACK, _catalogue(services, _KEYS, ""))


def rotated_work(folder: Path, keys: int, shape: Shape = SHAPES[0]) -> Work:
    """A bundle of ten keys for each service, all of which rotate with overlap."""
    services = -(-keys // _ROTATED_KEYS)
    catalogue = _catalogue(services, _ROTATED_KEYS, _ROTATED, shape.texts)
    return _made(folder, services, _stack(services, shape), catalogue)


def _stack(services: int, shape: Shape) -> str:
    """The environment's own namespace has as many bundles as each of the others."""
    names = [_name(service) for service in range(services)]
    teams = {place: names[place :: shape.namespaces + 1] for place in range(shape.namespaces)}
    lines = [
        f"      team-{place}: {{namespace: existing, bundles: [{', '.join(bundles)}]}}\n"
        for place, bundles in teams.items()
        if bundles
    ]
    head = [f"        layout: {shape.layout}\n", "    namespaces:\n" if lines else ""]
    return "".join([_STACK, *head, *lines])


def _name(service: int) -> str:
    return f"service-{service:05}"


def _made(folder: Path, services: int, stack: str, catalogue: str) -> Work:
    folder.mkdir(parents=True)
    (folder / "Pulumi.production.yaml").write_text(stack)
    (folder / "catalogue.yaml").write_text(catalogue)
    [settings] = load(
        [stack_document(folder / "Pulumi.production.yaml")],
        catalogue_document(folder / "catalogue.yaml"),
    )
    objects = [each for wave in waves(settings, rotator_source()) for each in wave.objects]
    return Work(folder, services, objects)


def _catalogue(services: int, keys_each: int, more: str, has_texts: bool = False) -> str:
    bundles, readers = [], []
    for number in range(services):
        name = _name(number)
        keys = [
            f"      {name}-key-{place}:\n        description: key {place} of {name}\n{more}"
            for place in range(keys_each)
        ]
        bundles.append(f"  {name}:\n    secret: {name}-secrets\n    keys:\n{''.join(keys)}")
        if has_texts:
            text = f"https://${{{name}-key-0|url}}:${{{name}-key-1|url}}@{name}.example.org/"
            bundles.append(f"    texts:\n      {name}-address: {text}\n")
        readers.append(f"  {name}:\n    workload: Deployment/{name}\n    reads: [{name}]\n")
    return f"platform: bench\nbundles:\n{''.join(bundles)}services:\n{''.join(readers)}"


def object_list(work: Work) -> Path:
    """The objects as JSON: a program of one's own has nothing left to do but to declare them."""
    path = work.folder / "objects.json"
    path.write_text(json.dumps(work.objects))
    return path


def chart(work: Work) -> Path:
    """A Helm chart: templates for a service's objects, the environment's own ones as they are."""
    folder = work.folder / "chart"
    shutil.copytree(_CHART, folder)
    [settings] = load([stack_document(work.stack)], catalogue_document(work.catalogue))
    (folder / "values.yaml").write_text(yaml_text(_values(settings)))
    own = {name for one in settings.catalogue.services for name in (one, f"{one}-secrets")}
    others = [each for each in work.objects if each["metadata"]["name"] not in own]
    (folder / "templates" / "environment.yaml").write_text(yaml_stream(others))
    return folder


def _values(settings: Settings) -> dict[str, Any]:
    services = [
        {
            "name": name,
            "keys": list(bundle.keys),
            "refreshInterval": refresh_interval(settings, name, bundle.secret),
        }
        for name, bundle in settings.catalogue.bundles.items()
    ]
    return {
        "platform": settings.catalogue.platform,
        "environment": settings.environment.environment,
        "namespace": settings.namespace,
        "services": services,
    }


def kustomization(work: Work) -> Path:
    """A kustomization that gives all objects the labels that all of them have."""
    folder = work.folder / "kustomization"
    folder.mkdir()
    labels = [each["metadata"]["labels"] for each in work.objects]
    shared = dict(set.intersection(*({*one.items()} for one in labels)))
    bare = [_without_labels(each, shared) for each in work.objects]
    (folder / "objects.yaml").write_text(yaml_stream(bare))
    text = yaml_text({"resources": ["objects.yaml"], "labels": [{"pairs": shared}]})
    (folder / "kustomization.yaml").write_text(text)
    return folder


def _without_labels(manifest: Manifest, shared: dict[str, str]) -> Manifest:
    metadata = manifest["metadata"]
    labels = {key: value for key, value in metadata["labels"].items() if key not in shared}
    return {**manifest, "metadata": {**metadata, "labels": labels}}
