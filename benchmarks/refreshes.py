"""What the operator asks of the store for each refresh of an ExternalSecret."""

from dataclasses import dataclass

from benchmarks import environments
from benchmarks.environments import AuditLog
from benchmarks.real_parts import Parts
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import bundle_entry
from tests.e2e.environments import sync


@dataclass(frozen=True)
class Refreshes:
    """`reads` has, for each number of keys of a bundle, the reads of its entry."""

    rounds: int
    reads: dict[int, int]
    logins: int
    requests: int


def refreshes(parts: Parts, settings: Settings, values: Manifest, *, rounds: int) -> Refreshes:
    """Has the operator, installed with these chart values, refresh every bundle so many times, one
    after the other. The bundles differ in their numbers of keys."""
    environments.install(parts, settings, values)
    environments.apply_external_secrets(parts, settings)
    environments.synced(parts, settings)
    bundles = settings.catalogue.bundles

    def refresh_all() -> None:
        for bundle in bundles.values():
            sync(parts.cluster, settings.namespace, bundle.secret)

    # What the objects' creation still has the operator do ends before that.
    refresh_all()
    log = AuditLog(parts.stores)
    for _ in range(rounds):
        refresh_all()
    requests = log.requests()
    parts.operator_process.stop()
    environments.remove_external_secrets(parts, settings)
    entries = {bundle: bundle_entry(settings, bundle) for bundle in bundles}
    return Refreshes(
        rounds,
        {len(bundles[one].keys): requests[f"secret/data/{entries[one]}"] for one in bundles},
        environments.logins(requests),
        requests.total(),
    )
