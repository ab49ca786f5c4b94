"""Whom RBAC in the cluster lets read Secrets, whoever gave the right."""

from collections.abc import Collection, Iterator

from platform_secrets.describing.rbac import Grant, grants
from platform_secrets.secretsctl.kubectl import right_cluster
from platform_secrets.settings import Settings


def live_grants(settings: Settings, secrets: Collection[str]) -> set[Grant]:
    """Every right that there is now to read one of these Secrets. Raises ClusterError."""
    cluster = right_cluster(settings)
    objects = [*cluster.get_all("clusterroles", []), *cluster.get_all("clusterrolebindings", [])]
    for namespace in sorted({one.partition("/")[0] for one in secrets}):
        within = cluster.within(namespace)
        objects += [*within.get_all("roles", []), *within.get_all("rolebindings", [])]
    return {*grants(objects, secrets)}


def merged(found: Collection[Grant]) -> Iterator[tuple[Grant, list[str]]]:
    """The grants of one subject by one Role, with all Secrets that they are about."""
    secrets: dict[tuple[str, str, str], list[Grant]] = {}
    for one in sorted(found):
        secrets.setdefault((one.kind, one.name, one.by), []).append(one)
    for some in secrets.values():
        yield some[0], [one.secret for one in some]
