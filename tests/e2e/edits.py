"""What somebody deletes or edits of an environment's own objects by hand, and which check it is."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

from tests.e2e.fault_cases import RBAC
from tests.e2e.faults_world import ESO, Place
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import wait_until

Happening = Callable[[Place], AbstractContextManager[object]]
ADMISSION = "admissionregistration.k8s.io/v1"
MEMORY = ("v1", "ConfigMap", "secrets-rotation-memory")


def deleted(api_version: str, kind: str, name: str) -> Happening:
    """It is gone, and then applied again."""

    @contextmanager
    def happen(place: Place) -> Iterator[None]:
        place.delete(api_version, kind, name)
        try:
            yield
        finally:
            place.apply(kind, name)

    return happen


def edited(api_version: str, kind: str, name: str, change: Manifest) -> Happening:
    """It is changed; then that is taken away, and it is applied again: an apply leaves what it does
    not name."""

    @contextmanager
    def happen(place: Place) -> Iterator[None]:
        where = (api_version, kind, name, place.namespace)
        place.cluster.api.patch(*where, change)
        try:
            yield
        finally:
            place.cluster.api.patch(*where, _without_leaves(change))
            place.apply(kind, name)

    return happen


def _without_leaves(change: Manifest) -> Manifest:
    """The patch that takes away what another one has set."""
    return {
        name: _without_leaves(value) if isinstance(value, dict) else None
        for name, value in change.items()
    }


@contextmanager
def without_bounds(place: Place) -> Iterator[None]:
    """What the rotator may push is bound no more: a binding of the cluster's is gone."""
    kind = "ValidatingAdmissionPolicyBinding"
    [name] = [
        one["metadata"]["name"]
        for one in place.objects
        if one["kind"] == kind and one["metadata"]["name"].endswith("rotation-pushes")
    ]
    place.cluster.api.delete(ADMISSION, kind, name)
    wait_until(lambda: place.cluster.api.get(ADMISSION, kind, name) is None, "it is gone")
    try:
        yield
    finally:
        place.apply(kind, name)


@contextmanager
def with_an_old_key(place: Place) -> Iterator[None]:
    """Nobody has rotated it for more than a year."""
    rotated = datetime.now(UTC) - timedelta(days=400)
    told = json.dumps({"rotated": f"{rotated:%Y-%m-%dT%H:%M:%SZ}"})
    place.cluster.api.patch(*MEMORY, place.namespace, {"data": {"jwt-secret": told}})
    try:
        yield
    finally:
        place.cluster.api.patch(*MEMORY, place.namespace, {"data": {"jwt-secret": None}})


_LIST = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
EDITS: list[tuple[str, str, Happening]] = [
    (
        "NetworkPolicy deleted",
        "network-policy-missing",
        deleted("networking.k8s.io/v1", "NetworkPolicy", "secrets-rotation"),
    ),
    (
        "ExternalSecret edited",
        "external-secret-changed",
        edited(ESO, "ExternalSecret", "wren-secrets", {"spec": {"refreshInterval": "24h0m0s"}}),
    ),
    (
        "service's ServiceAccount deleted",
        "reader-account-missing",
        deleted("v1", "ServiceAccount", "wren-backend-api"),
    ),
    (
        "reader's right widened",
        "reader-right-changed",
        edited(RBAC, "Role", "backend-api-secrets", {"rules": [_LIST]}),
    ),
    (
        "rotation's CronJob deleted",
        "rotation-no-job",
        deleted("batch/v1", "CronJob", "secrets-rotation"),
    ),
    (
        "rotation suspended",
        "rotation-suspended",
        edited("batch/v1", "CronJob", "secrets-rotation", {"spec": {"suspend": True}}),
    ),
    ("rotation's memory lost", "rotation-no-memory", deleted(*MEMORY)),
    ("rotation without its bounds", "rotation-part-missing", without_bounds),
    ("overdue key", "key-overdue", with_an_old_key),
]
