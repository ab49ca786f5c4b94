"""What an API server gives of an environment in which all is well."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator.memory import Remembered, timestamp
from platform_secrets.rotator.proof import synced_resource_version
from platform_secrets.settings import Settings

HASH = "5d8f7c9b6"


def healthy(settings: Settings, now: datetime) -> list[Manifest]:
    """All of an environment's objects and its workloads, synced ten minutes ago; the readers have
    started five minutes ago, and all keys are a day old."""
    declared = [one for wave in waves(settings, {}) for one in wave.objects if "kind" in one]
    workloads = {
        (view.namespace, workload): None
        for view in settings.by_namespace
        for service in view.services.values()
        for workload in service.all_workloads
    }
    found = [_live(settings, one, now) for one in declared]
    for namespace, workload in workloads:
        found += _workload(namespace, workload, timestamp(now - timedelta(minutes=5)))
    return found


def _live(settings: Settings, one: Manifest, now: datetime) -> Manifest:
    synced, ago = timestamp(now - timedelta(minutes=10)), timestamp(now - timedelta(days=2))
    metadata = {**one["metadata"], "generation": 1, "creationTimestamp": ago}
    live = {**one, "metadata": metadata}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": synced}
    if one["kind"] == "ExternalSecret":
        said = {**ready, "reason": "SecretSynced", "message": "secret synced"}
        version = synced_resource_version(live)
        live["status"] = {"conditions": [said], "refreshTime": synced}
        live["status"]["syncedResourceVersion"] = version
    elif one["kind"] == "SecretStore":
        live["status"] = {"conditions": [{**ready, "reason": "Valid", "message": "validated"}]}
    elif one["kind"] == "ConfigMap" and metadata["name"] == names.MEMORY:
        known = Remembered(now - timedelta(days=1), now - timedelta(days=1)).text()
        live["data"] = {key.id: known for key in settings.keys.values()}
        run = f'"started": "{timestamp(now - timedelta(hours=5))}"'
        live["data"]["run"] = f'{{{run}, "verdict": "nothing is due", "done": true}}'
    return live


def _workload(namespace: str, workload: str, started: str) -> Iterator[Manifest]:
    kind, _, name = workload.partition("/")
    metadata = {"name": name, "namespace": namespace}
    yield {"kind": kind, "metadata": metadata, "spec": {}}
    owner = {"kind": kind, "name": name}
    if kind == "Deployment":
        made = {"name": f"{name}-{HASH}", "namespace": namespace}
        owners = [{**owner, "controller": True}]
        yield {"kind": "ReplicaSet", "metadata": {**made, "ownerReferences": owners}}
        owner = {"kind": "ReplicaSet", "name": f"{name}-{HASH}"}
    owners = [{**owner, "controller": True}]
    metadata = {"name": f"{name}-0", "namespace": namespace, "ownerReferences": owners}
    state = {"state": {"running": {"startedAt": started}}}
    status = {"phase": "Running", "containerStatuses": [state]}
    yield {"kind": "Pod", "metadata": metadata, "spec": {}, "status": status}


def change(namespace: str, external_secret: str, at: datetime) -> Manifest:
    """The operator's event on the ExternalSecret whose Secret it has changed."""
    about = {"kind": "ExternalSecret", "name": external_secret, "namespace": namespace}
    return {
        "kind": "Event",
        "metadata": {"name": f"{external_secret}.{at:%H%M%S}", "namespace": namespace},
        "involvedObject": about,
        "reason": "Updated",
        "lastTimestamp": timestamp(at),
    }
