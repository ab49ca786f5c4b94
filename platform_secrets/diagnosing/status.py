"""What a running environment is like, bundle by bundle and key by key; and what is wrong."""

from dataclasses import dataclass, replace
from datetime import datetime

from platform_secrets.diagnosing.readers import Reader, Readers
from platform_secrets.diagnosing.rotating import Age, Rotations, has_live_lock, rotations
from platform_secrets.diagnosing.snapshot import Snapshot, condition
from platform_secrets.diagnosing.syncing import Synced, store_fault, synced, why_store_unknown
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import Settings


@dataclass(frozen=True)
class BundleStatus:
    """One bundle: its store, its ExternalSecrets, and who reads it. Of one that is migrating they
    wait for `secretsctl migrate`."""

    bundle: str
    namespace: str
    store: str
    store_fault: str | None
    why_store_unknown: str | None
    synced: list[Synced]
    readers: list[Reader]
    is_migrating: bool

    @property
    def faults(self) -> list[Synced]:
        return [one for one in self.synced if one.fault]


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong: with what, since when where that is known, and the command that
    says more of it or mends it."""

    about: str
    what: str
    since: datetime | None
    command: str


@dataclass(frozen=True)
class Status:
    """One environment at one moment. `unknown` is what could not be seen, and so may be wrong."""

    environment: str
    taken_at: datetime
    bundles: list[BundleStatus]
    rotation: Rotations | None
    troubles: list[Trouble]
    unknown: list[str]

    @property
    def ages(self) -> list[Age]:
        return self.rotation.ages if self.rotation else []


def status_of(settings: Settings, snapshot: Snapshot) -> Status:
    """The state of an environment with stores."""
    readers, rotation = Readers(snapshot), rotations(settings, snapshot)
    is_rotating = has_live_lock(settings, snapshot)
    bundles = [
        _bundle(view, bundle, snapshot, readers, is_rotating=is_rotating)
        for view in settings.by_namespace
        for bundle in view.bundles
    ]
    troubles = _troubles(settings, bundles, rotation, is_rotating=is_rotating)
    unknown = [f"ages and rotations: {rotation.unknown}"] if rotation and rotation.unknown else []
    stores = {f"store {one.store}: {one.why_store_unknown}": one for one in bundles}
    unknown += [said for said, one in stores.items() if one.why_store_unknown]
    unknown += [
        f"{one.bundle}: {reader.workload}: {reader.why}"
        for one in bundles
        for reader in one.readers
        if reader.state == "unknown"
    ]
    name = settings.environment.environment
    return Status(name, snapshot.taken_at, bundles, rotation, troubles, unknown)


def _bundle(
    view: Settings, bundle: str, snapshot: Snapshot, readers: Readers, *, is_rotating: bool
) -> BundleStatus:
    store = view.store_name(bundle)
    reference = provider_of(view.store_of(bundle)).reference(store)
    names = [one["metadata"]["name"] for one in external_secret_manifests(view, bundle)]
    workloads = list(dict.fromkeys(view.readers[bundle]))
    found = [readers.of(view.namespace, name, workloads) for name in names]
    waiting = [name for name in names if _waits_for_migration(view, bundle, snapshot, name)]
    read = [synced(snapshot, view.namespace, name, is_rotating=is_rotating) for name in names]
    return BundleStatus(
        bundle=bundle,
        namespace=view.namespace,
        store=store,
        store_fault=store_fault(snapshot, view.namespace, reference),
        why_store_unknown=why_store_unknown(snapshot, view.namespace, reference),
        synced=[
            replace(one, fault=None, since=None) if one.name in waiting else one for one in read
        ],
        readers=[_worst([*of_one]) for of_one in zip(*found, strict=True)],
        is_migrating=bool(waiting),
    )


def _waits_for_migration(view: Settings, bundle: str, snapshot: Snapshot, name: str) -> bool:
    live = snapshot.get("ExternalSecret", view.namespace, name)
    is_failed = (condition(live, "Ready") or {}).get("status") == "False"
    return is_failed and bundle in view.environment.migrating


def _worst(of_one: list[Reader]) -> Reader:
    """What is thought of a workload that reads several Secrets of a bundle."""
    ranks = ("stale", "absent", "unknown", "current")
    return min(of_one, key=lambda one: ranks.index(one.state))


def _troubles(
    settings: Settings,
    bundles: list[BundleStatus],
    rotation: Rotations | None,
    *,
    is_rotating: bool,
) -> list[Trouble]:
    which = f"--env {settings.environment.environment}"
    found: list[Trouble] = []
    stores = {(one.namespace, one.store): one for one in bundles if one.store_fault}
    doctor = f"secretsctl doctor {which}"
    for (_, store), one in stores.items():
        found.append(Trouble(f"store {store}", str(one.store_fault), None, doctor))
    for one in bundles:
        for each in one.faults:
            found.append(Trouble(one.bundle, f"{each.name}: {each.fault}", each.since, doctor))
    for one in bundles if not is_rotating else ():
        keys = settings.catalogue.bundles[one.bundle].keys
        stale = [each for each in one.readers if each.state == "stale"]
        if stale:
            workloads = ", ".join(each.workload for each in stale)
            command = f"kubectl rollout restart {workloads} --namespace {one.namespace}"
            if key := next(iter(keys), None):
                command = f"secretsctl restart {one.bundle}/{key} {which}"
            found.append(Trouble(one.bundle, f"{workloads}: {stale[0].why}", None, command))
    if rotation:
        for one in rotation.faults:
            what = f"{one.kind}/{one.name}: {one.what}"
            found.append(Trouble("rotation", what, None, doctor))
        for age in rotation.ages:
            owner = f" (owner: {age.owner})" if age.owner else ""
            command = f"secretsctl rotate {age.key} {which}"
            found += [Trouble(age.key, f"{one.what}{owner}", None, command) for one in age.faults]
    return found
