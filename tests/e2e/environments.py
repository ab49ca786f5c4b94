"""Environments straight from the core, without the engine: many of them beside each other, with
one operator."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from platform_secrets.manifests import eso as operator_part
from platform_secrets.manifests import layer, naming
from platform_secrets.manifests.chart import laid_over
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import Document, Settings, catalogue_document, load
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.eso import has_condition
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.live_objects import empty
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import wait_until
from tests.e2e.stores import decoded
from tests.platform import CATALOGUE_FILE

ESO = "external-secrets.io/v1"
PATIENCE_SECONDS = 120


def settings_of(stack_file: Path, changes: Mapping[str, Any]) -> Settings:
    """A stack file's settings with `changes` laid over them, mapping by mapping."""
    content = yaml.safe_load(stack_file.read_text(encoding="utf-8"))["config"][STACK_KEY]
    document = Document(stack_file.name, laid_over(content, dict(changes)))
    [found] = load([document], catalogue_document(CATALOGUE_FILE))
    return found


def release_of(settings: Settings) -> Manifest:
    """The operator's release as this environment declares it."""
    return {
        "name": naming.OPERATOR_RELEASE,
        "namespace": settings.environment.operator_namespace,
        "values": operator_part.chart_values(settings),
    }


def apply_layer(cluster: Cluster, settings: Settings) -> None:
    """Applies the environment's objects, wave after wave; nothing is waited for."""
    for wave in layer.waves(settings, rotator_source()):
        for obj in wave.objects:
            cluster.api.apply(obj, manager="platform-secrets")


@contextmanager
def operated(
    cluster: Cluster, operator: OperatorRelease, environments: Iterable[Settings]
) -> Iterator[None]:
    """Inside, the operator runs as the first environment declares it, and all are applied.

    At the end their namespaces and the operator's are empty.
    """
    environments = list(environments)
    release = release_of(environments[0])
    operator.install(release)
    try:
        for settings in environments:
            apply_layer(cluster, settings)
        yield
    finally:
        operator.uninstall(release)
        namespaces = [view.namespace for one in environments for view in one.by_namespace]
        empty(cluster, [release["namespace"], *namespaces])


def secret_values(cluster: Cluster, namespace: str, name: str) -> dict[str, str] | None:
    """A Secret's values; None when there is no such Secret."""
    found = cluster.api.get("v1", "Secret", name, namespace)
    return decoded(found) if found else None


def touch(cluster: Cluster, namespace: str, name: str, kind: str = "ExternalSecret") -> Manifest:
    """Has the operator look at the object now, and not after its interval or back-off.

    Gives the object as the operator finds it then.
    """
    change = {"metadata": {"annotations": {"force-sync": secrets.token_hex(4)}}}
    return cluster.api.patch(ESO, kind, name, namespace, change)


def sync(cluster: Cluster, namespace: str, name: str) -> None:
    """Touches an ExternalSecret and returns once just that state of it is synced.

    The API server refuses a status of a state before the touch, so a version that is another than
    then is of the state since.
    """
    touched = _synced_version(touch(cluster, namespace, name))

    def is_synced_since() -> bool:
        now = cluster.api.get(ESO, "ExternalSecret", name, namespace) or {}
        return is_synced(now) and _synced_version(now) != touched

    wait_until(
        is_synced_since,
        f"{namespace}/{name} is synced as it is now",
        timeout_seconds=PATIENCE_SECONDS,
    )


def is_synced(external_secret: Manifest) -> bool:
    """Whether the operator has synced this very state of the object, and wrote the Secret.

    Told by its generation and by the times of changes and of the sync, and not by the hash that the
    rotator makes: the two would be wrong together.
    """
    said = {one["type"]: one for one in external_secret.get("status", {}).get("conditions", [])}
    ready = said.get("Ready", {})
    if (ready.get("status"), ready.get("message")) != ("True", "secret synced"):
        return False
    metadata, status = external_secret["metadata"], external_secret["status"]
    writes = metadata["managedFields"]
    operators = {one["manager"] for one in writes if one.get("subresource") == "status"}
    changed = max(one["time"] for one in writes if one["manager"] not in operators)
    generation = _synced_version(external_secret).partition("-")[0]
    return generation == str(metadata["generation"]) and status["refreshTime"] >= changed


def _synced_version(external_secret: Manifest) -> str:
    return external_secret.get("status", {}).get("syncedResourceVersion", "")


def fails(cluster: Cluster, namespace: str, name: str) -> None:
    """Returns once the ExternalSecret is not Ready."""
    wait_until(
        lambda: has_condition(
            cluster.api.get(ESO, "ExternalSecret", name, namespace) or {}, "Ready", "False"
        ),
        f"{namespace}/{name} is not Ready",
        timeout_seconds=PATIENCE_SECONDS,
    )
