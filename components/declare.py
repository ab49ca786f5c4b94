"""The only adapter from an object of the core to a Pulumi resource."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypedDict, Unpack

from pulumi import Alias, ComponentResource, CustomResource, Resource, ResourceOptions
from pulumi_kubernetes import _utilities
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

from platform_secrets.manifests.chart import ChartRelease
from platform_secrets.manifests.naming import Manifest

_TIMEOUT_SECONDS = 600

# The provider waits for no custom resource by itself. An ExternalSecret is not waited for, since
# an environment whose store is still empty is a valid end state.
_WAITING = {
    "SecretStore": {"pulumi.com/waitFor": "condition=Ready"},
    "ExternalSecret": {"pulumi.com/skipAwait": "true"},
}


class Placed(TypedDict, total=False):
    """Where a part stands: what it waits for, and the caller's own options."""

    after: Sequence[Resource]
    opts: ResourceOptions | None


class Declared(TypedDict, total=False):
    """How `declare` treats objects."""

    protect: bool
    retain: bool
    ignore_changes: Sequence[str]
    prefix: str
    names: Mapping[str, str]


class Part(ComponentResource):
    """A part of the layer: a component whose children are the objects that the core describes.

    `ready` is what others wait for who need the part.
    """

    def __init__(
        self,
        type_token: str,
        name: str,
        objects: Sequence[Manifest],
        placed: Placed,
        **declared: Unpack[Declared],
    ) -> None:
        super().__init__(type_token, name, None, placed.get("opts"))
        self.ready: list[Resource] = declare(
            self, objects, after=placed.get("after", ()), **declared
        )
        self.register_outputs({})


def declare(
    component: ComponentResource,
    objects: Sequence[Manifest],
    *,
    after: Sequence[Resource] = (),
    protect: bool = False,
    retain: bool = False,
    ignore_changes: Sequence[str] = (),
    prefix: str = "",
    names: Mapping[str, str] = MappingProxyType({}),
) -> list[Resource]:
    """Declares `objects` as children of `component`: those of the last one's kind, which do the
    work, after the others, which are side by side and wait for `after`. Returns those that do the
    work: who waits for them waits for all.

    Logical names are made of the component's name, or that of the kind in `names`, and the kind, so
    that they never contain the environment; a component holds one object of a kind, or the later
    ones carry their own name, without `prefix`: what is cluster-wide has the namespace in its name.
    `protect` refuses a deletion, `retain` lets it forget the object only; what is protected is
    retained too, for the day when its protection is taken away.
    """
    before: list[Resource] = []
    working: list[Resource] = []
    kinds = set[str]()
    for manifest in objects:
        kind = manifest["kind"]
        suffix = f"-{_kebab(kind)}"
        if kind in kinds:
            suffix += f"-{manifest['metadata']['name'].removeprefix(prefix)}"
        kinds.add(kind)
        logical_name = names.get(kind, component._name) + suffix
        does_the_work = kind == objects[-1]["kind"]
        options = ResourceOptions(
            parent=component,
            depends_on=(before or after) if does_the_work else after,
            protect=protect or None,
            retain_on_delete=protect or retain or None,
            ignore_changes=[*ignore_changes] or None,
            version=_utilities.get_version(),
            aliases=formerly(component._name + suffix, now=logical_name),
        )
        declared = CustomResource(_token(manifest), logical_name, _waited_for(manifest), options)
        (working if does_the_work else before).append(declared)
    return working


def declare_release(
    component: ComponentResource,
    release: ChartRelease,
    *,
    after: Sequence[Resource],
    protect: bool,
) -> Release:
    """Declares a Helm release as a child of `component`; `protect` as above."""
    is_oci = release.repository.startswith("oci://")
    located = f"{release.repository.rstrip('/')}/{release.chart}"
    repository = RepositoryOptsArgs(repo=release.repository)
    return Release(
        f"{component._name}-release",
        name=release.name,
        namespace=release.namespace,
        chart=release.path or (located if is_oci else release.chart),
        version=None if release.path else release.version,
        repository_opts=None if release.path or is_oci else repository,
        values=release.values,
        timeout=_TIMEOUT_SECONDS,
        skip_await=None if release.is_awaited else True,
        opts=ResourceOptions(
            parent=component,
            depends_on=after,
            protect=protect or None,
            retain_on_delete=protect or None,
        ),
    )


def formerly(name: str, *, now: str) -> list[Alias]:
    """The aliases of a resource that had another logical name in releases before."""
    return [Alias(name=name)] if name != now else []


def _token(manifest: Manifest) -> str:
    group_version = manifest["apiVersion"]
    return f"kubernetes:{'core/v1' if group_version == 'v1' else group_version}:{manifest['kind']}"


def _waited_for(manifest: Manifest) -> dict[str, Any]:
    waiting = _WAITING.get(manifest["kind"])
    if not waiting:
        return manifest
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), **waiting}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _kebab(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind).lower()
