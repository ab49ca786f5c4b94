"""What the real operator says when AWS, Google or Azure refuse, and what the doctor makes of it.

One environment of one bundle for each fault, all at the same time.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from platform_secrets.diagnosing.case import Case
from platform_secrets.diagnosing.diagnosis import Diagnosis, diagnosis
from platform_secrets.diagnosing.snapshot import snapshot_of
from platform_secrets.manifests import naming
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import entry
from tests.e2e.cluster import Cluster
from tests.e2e.environments import ESO, PATIENCE_SECONDS, apply_layer, operated, touch
from tests.e2e.eso import has_condition
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, wait_until
from tests.e2e.provider_faults import BUNDLE, GCP, KEY, PROVIDER_FAULTS, ProviderFault
from tests.e2e.stores import Stores, made_values

RBAC = "rbac.authorization.k8s.io/v1"
KINDS = [
    *((ESO, "SecretStore"), (ESO, "ExternalSecret"), ("v1", "Event"), ("v1", "Secret")),
    *(("v1", "ServiceAccount"), (RBAC, "Role"), (RBAC, "RoleBinding")),
]
"""What the doctor is shown of each environment."""
each_fault = pytest.mark.parametrize(
    "fault",
    [
        pytest.param(one, id=one.id, marks=[pytest.mark.e2e_long] if one.is_slow else [])
        for one in PROVIDER_FAULTS
    ],
)


@pytest.fixture(scope="module")
def broken(
    cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Settings]]:
    """All that are filled were synced once; then each has its own fault. By the fault's id, as they
    are now."""
    before = {fault.id: fault.settings(cluster.uid) for fault in PROVIDER_FAULTS}
    filled = {fault.id for fault in PROVIDER_FAULTS if fault.is_filled}
    for name, settings in before.items():
        stores.prepare(settings)
        if name in filled:
            stores.put(settings, made_values(settings))
    after = {fault.id: fault.settings(cluster.uid, fault.changes) for fault in PROVIDER_FAULTS}
    with operated(cluster, operator, before.values()):
        for name, settings in before.items():
            wait_until(
                lambda name=name, at=settings: ready(cluster, "SecretStore", store_of(name), at),
                f"the store of {name} is ready",
                timeout_seconds=PATIENCE_SECONDS,
            )
            touch(cluster, settings.namespace, BUNDLE)
        for name in filled:
            wait_until(
                lambda at=before[name]: ready(cluster, "ExternalSecret", BUNDLE, at),
                f"{name} is synced",
                timeout_seconds=PATIENCE_SECONDS,
            )
        for fault in PROVIDER_FAULTS:
            settings = after[fault.id]
            if fault.is_slow:  # it keeps what else asks Google waiting
                for other in GCP:
                    if other.check and not other.is_slow:
                        told(cluster, after[other.id], other)
            place = entry(before[fault.id], BUNDLE, KEY).key
            fault.happen(stores, settings.namespace, place)
            if fault.changes:
                apply_layer(cluster, settings)
            touch(cluster, settings.namespace, store_of(fault.id), "SecretStore")
            touch(cluster, settings.namespace, BUNDLE)
        yield after


def store_of(name: str) -> str:
    return naming.secret_store(name.partition("-")[0], "read")


def ready(cluster: Cluster, kind: str, name: str, settings: Settings) -> bool:
    return has_condition(cluster.api.read(ESO, kind, name, settings.namespace), "Ready")


def told(cluster: Cluster, settings: Settings, fault: ProviderFault) -> list[str]:
    """The warnings, once the operator has told of the fault, at the store or at what reads it."""

    def is_told() -> list[str]:
        events = cluster.api.list("v1", "Event", settings.namespace)
        said = [one["message"] for one in events if one["type"] == "Warning"]
        found = [one for one in said if "is not ready" not in one]
        assert found, said
        return found

    what = f"{fault.id}: the operator tells"
    return wait_until(is_told, what, timeout_seconds=PATIENCE_SECONDS)


def diagnosed(cluster: Cluster, settings: Settings) -> Diagnosis:
    found: list[Manifest] = [
        {"apiVersion": version, "kind": kind, **one}
        for version, kind in KINDS
        for one in cluster.api.list(version, kind, settings.namespace)
    ]
    snapshot = snapshot_of(found, datetime.now(UTC), is_partial=True)
    return diagnosis(Case(settings, snapshot))


def test_the_documentation_has_each_check() -> None:
    text = (PROJECT / "docs" / "faults.md").read_text(encoding="utf-8")
    _, _, after = text.partition("## The clouds' side")
    named = set(re.findall(r"\(troubleshooting\.md#([a-z0-9-]+)\)", after.partition("\n## ")[0]))
    assert named == {fault.check for fault in PROVIDER_FAULTS if fault.check}


@each_fault
def test_the_doctor_names_what_a_provider_refuses(
    broken: dict[str, Settings], cluster: Cluster, fault: ProviderFault
) -> None:
    settings = broken[fault.id]
    is_told = bool(fault.check) or not fault.is_filled
    said = told(cluster, settings, fault) if is_told else []
    found = diagnosed(cluster, settings)
    named = {one.check for one in found.faults}
    assert named == ({fault.check} if fault.check else set()), (said, found.faults)
    to_do = {"values-not-put-in"} if not fault.is_filled else set()
    assert {one.check for one in found.findings} - named == to_do
