"""Who can read which Secret in the cluster, and by what: as the environment's own Roles say."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from platform_secrets.describing.rbac import grants
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings


@dataclass(frozen=True, order=True)
class Access:
    """One reader of one Secret."""

    who: str
    """A workload, as Kind/name or Kind/namespace/name; else a kind and a name."""
    by: str
    """The account and the Role; or why it needs none."""
    secret: str
    """Namespace and name."""


def accesses(
    settings: Settings, objects: Iterable[Manifest], secrets: Collection[str]
) -> Iterator[Access]:
    """Every reader that the environment's objects let read one of these Secrets, and the workloads
    for which another reads. Not the operator, which reads all of them."""
    workloads = _workloads(settings)
    for one in grants(objects, secrets):
        running = workloads.get(one.name) if one.kind == "ServiceAccount" else None
        account = one.name.partition("/")[2]
        by = f"ServiceAccount {account}, {one.by}" if running else one.by
        for who in running or [f"{one.kind} {one.name}"]:
            yield Access(who, by, one.secret)
    for view in settings.by_namespace:
        for service in view.services.values():
            for bundle in service.reads if service.account is None else ():
                secret = f"{view.namespace}/{view.catalogue.bundles[bundle].secret}"
                for who in _addresses(view, service.all_workloads):
                    yield Access(who, "no right of its own: others read it for it", secret)


def _workloads(settings: Settings) -> dict[str, list[str]]:
    """The workloads that run as each ServiceAccount, by its namespace and name."""
    found: dict[str, list[str]] = {}
    for view in settings.by_namespace:
        for service in view.services.values():
            account = f"{view.namespace}/{service.account}"
            found.setdefault(account, []).extend(_addresses(view, service.all_workloads))
    return found


def _addresses(view: Settings, workloads: Iterable[str]) -> list[str]:
    parts = [one.partition("/") for one in workloads]
    place = f"{view.namespace}/" if view.is_of_another else ""
    return [f"{kind}/{place}{name}" for kind, _, name in parts]
