"""The stack's own cluster: no object can be declared before the cluster has proved to be it."""

from collections.abc import Callable, Sequence
from typing import Any

import pulumi
from pulumi import CustomResource, Output, Resource, ResourceOptions, ResourceTransformation
from pulumi_kubernetes import Provider

from platform_secrets.settings import Settings


class KubeSystem(CustomResource):
    """The namespace kube-system, which is read and never changed. A plain resource: to import the
    SDK's own class, with all others of the core API, takes half of the program's start."""

    # The SDK converts by this type. A value that does not fit it, and the program waits for ever.
    metadata: Output[dict[str, Any]]

    def __init__(self, name: str, opts: ResourceOptions) -> None:
        opts = ResourceOptions.merge(opts, ResourceOptions(id="kube-system"))
        super().__init__("kubernetes:core/v1:Namespace", name, {"metadata": None}, opts)


def cluster_provider(settings: Settings, parent: Resource, named: Callable[[str], str]) -> Provider:
    """The provider for everything in the cluster. `named` makes logical names.

    Its own declaration waits for the UID of kube-system, which another provider reads; so nothing
    that uses it can reach a cluster that is not the stack's.
    """
    # Otherwise KUBECONFIG goes into the state, and everybody uses the file of the first update.
    own = {"context": settings.environment.cluster.context, "kubeconfig": ""}
    opts = ResourceOptions(parent=parent)
    # Without a cluster it reads nothing, where it would otherwise fail and end every preview.
    reader = Provider(named("cluster-reader"), skip_update_unreachable=True, **own, opts=opts)
    kube_system = KubeSystem(named("kube-system"), ResourceOptions(parent=parent, provider=reader))
    uid = kube_system.metadata.apply(
        lambda metadata: checked_uid(settings, _uid_of(metadata)), run_with_unknowns=True
    )
    return Provider(
        named("cluster"),
        cluster_identifier=uid,
        enable_server_side_apply=True,
        # Otherwise an update fails where somebody else has changed what is declared here.
        enable_patch_force=True,
        # Otherwise a changed value deletes its Secret and makes another: pods would find none.
        enable_secret_mutable=True,
        enable_config_map_mutable=True,
        **own,
        opts=opts,
    )


def _uid_of(metadata: Any) -> str | None:
    """None where nothing was read: that is unknown in a preview, and nothing in an update."""
    return metadata["uid"] if isinstance(metadata, dict) else None


def waiting_for(resources: Sequence[Resource]) -> ResourceTransformation:
    """Has all children of a component wait for these too, in whatever cloud they are. With the
    provider among them an update that is refused has changed nothing there either."""

    def waiting(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        opts = ResourceOptions.merge(args.opts, ResourceOptions(depends_on=[*resources]))
        return pulumi.ResourceTransformationResult(args.props, opts)

    return waiting


def checked_uid(settings: Settings, actual: str | None) -> str | None:
    """The UID, when it is the stack's. Raises RunError for another cluster, and for an update of
    a stack that names none or whose cluster does not answer; their previews are only warned about.
    """
    cluster = settings.environment.cluster
    if actual is None:
        _only_previewed(
            f"{settings.stack_file}: the cluster was not asked, since none can be reached with "
            "this kubeconfig: a preview compares with the last update, and an update is refused"
        )
        return cluster.uid
    if problem := cluster.problem(actual):
        message = f"{settings.stack_file}: cluster.uid: {problem}"
        if cluster.uid:
            raise pulumi.RunError(message)
        _only_previewed(message)
    return actual


def _only_previewed(message: str) -> None:
    if not pulumi.runtime.is_dry_run():
        raise pulumi.RunError(message)
    pulumi.log.warn(message)
