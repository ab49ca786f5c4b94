"""Environments of generated bundles, in an OpenBao and in a cluster."""

import json
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.real_parts import Parts
from platform_secrets.manifests import eso, layer, naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import Document, Settings, load
from tests.e2e.cluster import Cluster
from tests.e2e.eso import has_condition
from tests.e2e.live_objects import empty
from tests.e2e.process import wait_until
from tests.e2e.stores import Stores

ESO = "external-secrets.io/v1"
_STORE = {"vault": {"provider": "vault", "server": "https://vault.example.com:8200"}}
PATIENCE_SECONDS = 240
_AT_ONCE = 4


def environment(name: str, keys: Sequence[int], **key: Any) -> Settings:
    """The settings of an environment with a bundle of so many keys for each number in `keys`; `key`
    is what each of them has."""
    stack, catalogue = contents(name, keys, **key)
    [settings] = load([Document("stack", stack)], Document("catalogue", catalogue))
    return settings


def contents(name: str, keys: Sequence[int], **key: Any) -> tuple[Manifest, Manifest]:
    """What its stack file and its catalogue say."""
    bundles = {
        f"service-{number:05}": {
            "secret": f"service-{number:05}-secrets",
            "keys": {
                f"service-{number:05}-key-{place}": {"description": "a generated key", **key}
                for place in range(count)
            },
        }
        for number, count in enumerate(keys)
    }
    catalogue = {"platform": "bench", "bundles": bundles, "services": {}}
    stack = {"environment": name, "operator": "install", "stores": _STORE}
    return stack, catalogue


def our_values(settings: Settings) -> Manifest:
    """What this project renders, for the chart of the operator's version that runs here: that one
    does not know the token cache, for which the later chart has a value, but the flag."""
    values = eso.chart_values(settings)
    if values.get("vault", {}).get("enableTokenCache"):
        values["extraArgs"]["experimental-enable-vault-token-cache"] = "true"
    return values


def prepare(parts: Parts, settings: Settings) -> None:
    """Fills the store, and applies everything but the ExternalSecrets."""
    parts.stores.prepare(settings)
    for bundle, content in settings.catalogue.bundles.items():
        parts.stores.replace(settings, bundle, {key: secrets.token_hex(16) for key in content.keys})
    for wave in layer.waves(settings, rotator_source()):
        if wave.name != layer.EXTERNAL_SECRETS:
            for obj in wave.objects:
                parts.cluster.api.apply(obj, manager=naming.PROJECT)


def apply_external_secrets(parts: Parts, settings: Settings) -> None:
    [objects] = [
        w.objects
        for w in layer.waves(settings, rotator_source())
        if w.name == layer.EXTERNAL_SECRETS
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda obj: parts.cluster.api.apply(obj, manager=naming.PROJECT), objects))


def install(parts: Parts, settings: Settings, values: Manifest) -> None:
    """Returns once the operator runs with these chart values and has found the store valid."""
    namespace = settings.environment.operator_namespace
    release = {"name": naming.OPERATOR_RELEASE, "namespace": namespace, "values": values}
    parts.operator.install(release)
    wait_until(
        lambda: _are_ready(parts.cluster, settings, "SecretStore", 1),
        "the store is valid",
        timeout_seconds=PATIENCE_SECONDS,
    )


def synced(parts: Parts, settings: Settings, seconds: float = PATIENCE_SECONDS) -> int:
    """How many bundles have their Secret after so many seconds; all of them as soon as every
    ExternalSecret is Ready. Until then it asks for a number alone, which costs next to nothing."""
    api, wanted = parts.cluster.api, len(settings.catalogue.bundles)
    path = api.path("v1", "Secret", None, settings.namespace)
    deadline = time.monotonic() + seconds

    def made() -> int:
        found = api.request("GET", path, params={"limit": "1"})
        return len(found["items"]) + found["metadata"].get("remainingItemCount", 0)

    while time.monotonic() < deadline:
        if made() == wanted and _are_ready(parts.cluster, settings, "ExternalSecret", wanted):
            return wanted
        time.sleep(0.1)
    return min(made(), wanted - 1)


def remove_external_secrets(parts: Parts, settings: Settings) -> None:
    """Removes them with their Secrets. The operator, whose finalizer they have, must not run."""
    api, namespace = parts.cluster.api, settings.namespace
    for api_version, kind in (("v1", "Secret"), (ESO, "ExternalSecret")):
        api.request("DELETE", api.path(api_version, kind, None, namespace))
    left = [obj["metadata"]["name"] for obj in api.list(ESO, "ExternalSecret", namespace)]
    change = {"metadata": {"finalizers": None}}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda name: api.patch(ESO, "ExternalSecret", name, namespace, change), left))


def remove(parts: Parts, settings: Settings) -> None:
    """Removes all that is left in the cluster."""
    empty(parts.cluster, [settings.namespace, settings.environment.operator_namespace])


class AuditLog:
    """What is asked of the store from now on, from the store's own log."""

    def __init__(self, stores: Stores) -> None:
        self._path = stores.bao.audit_log
        self._start = self._path.stat().st_size

    def requests(self) -> Counter[str]:
        """How often each path was asked for."""
        with self._path.open("rb") as log:
            log.seek(self._start)
            lines: list[dict[str, Any]] = [json.loads(line) for line in log]
        return Counter(line["request"]["path"] for line in lines if line["type"] == "request")


def logins(requests: Counter[str]) -> int:
    return sum(count for path, count in requests.items() if path.endswith("/login"))


def _are_ready(cluster: Cluster, settings: Settings, kind: str, count: int) -> bool:
    found = cluster.api.list(ESO, kind, settings.namespace)
    return len(found) >= count and all(has_condition(obj, "Ready") for obj in found)
