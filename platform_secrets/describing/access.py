"""Who can read which Secret in the cluster, and by what: as the environment's own Roles say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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


def accesses(settings: Settings, objects: Iterable[Manifest]) -> Iterator[Access]:
    """Every reader that the environment's objects let read a Secret, and the workloads for which
    another reads. Not the operator, which reads all of them."""
    workloads = _workloads(settings)
    roles: dict[tuple[str, str], list[str]] = {}
    bindings: list[Manifest] = []
    for one in objects:
        if one["kind"] == "Role":
            metadata = one["metadata"]
            roles[metadata["namespace"], metadata["name"]] = [*_readable(one)]
        elif one["kind"] == "RoleBinding":
            bindings.append(one)
    for one in bindings:
        namespace, role = one["metadata"]["namespace"], one["roleRef"]["name"]
        for secret in roles[namespace, role]:
            for subject in one["subjects"]:
                by = f"Role {role}"
                if subject["kind"] != "ServiceAccount":
                    yield Access(
                        f"{subject['kind']} {subject['name']}", by, f"{namespace}/{secret}"
                    )
                    continue
                account = f"{subject['namespace']}/{subject['name']}"
                running = workloads.get(account)
                shown = f"ServiceAccount {subject['name']}, {by}"
                for who in running or [f"ServiceAccount {account}"]:
                    yield Access(who, shown if running else by, f"{namespace}/{secret}")
    for view in settings.by_namespace:
        for service in view.services.values():
            for bundle in service.reads if service.account is None else ():
                secret = f"{view.namespace}/{view.catalogue.bundles[bundle].secret}"
                for who in _addresses(view, service.all_workloads):
                    yield Access(who, "no right of its own: others read it for it", secret)


def _readable(role: Manifest) -> Iterator[str]:
    for rule in role["rules"]:
        if "secrets" in rule["resources"] and {"get", "list", "watch"} & {*rule["verbs"]}:
            yield from rule["resourceNames"]


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
