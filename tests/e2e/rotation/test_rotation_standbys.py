"""Keys of one entry rotate in an OpenBao of three servers behind one address, whose standbys answer
reads by themselves, a moment late: what the operator reads may be from before its last push."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from typing import Any

import pytest

from platform_secrets.manifests import naming
from tests.e2e.cluster import Cluster
from tests.e2e.openbao import OpenBao
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import ROTATED, rotating_settings
from tests.e2e.rotation_journey import Journey, Watch, journeys
from tests.e2e.stores import VAULT_HOST, Stores

pytestmark = pytest.mark.e2e_long
ALONE, OVERLAPPING = 12, 4
# What a later chart's `vault.enableTokenCache` does. Without it the operator logs in each time, and
# what it reads then is never late.
TOKEN_CACHE = {"experimental-enable-vault-token-cache": "true"}


def catalogue() -> dict[str, Any]:
    """One bundle of generated keys beside the platform's own, with a service that reads it."""
    alone = {"by": "generate", "every": "90d", "grace": "7d"}
    rules = [alone] * ALONE + [{**alone, "overlap": "24h"}] * OVERLAPPING
    keys = {
        f"shared-entry-{number}": {"description": "a key", "rotate": rule}
        for number, rule in enumerate(rules)
    }
    return {
        "bundles": {"one-entry": {"secret": "one-entry-secrets", "keys": keys}},
        "services": {"one-entry": {"workload": "Deployment/one-entry", "reads": ["one-entry"]}},
    }


@pytest.fixture(scope="module")
def journey(run: Run, cluster: Cluster) -> Iterator[Journey]:
    stores = Stores(run, cluster, "standby-stores")
    with ExitStack() as stack:
        stack.callback(stores.stop)
        standbys = [
            OpenBao(run, f"standby-{number}", stores.certificates, stores.bao_env, stores.bao)
            for number in range(2)
        ]
        for standby in standbys:
            stack.callback(standby.process.stop)
        ports = [server.tls_port for server in (stores.bao, *standbys)]
        stores.proxy.ports[f"{VAULT_HOST}:8200"] = cycle(ports)
        operator = OperatorRelease(run, cluster, env=stores.operator_env)
        settings = rotating_settings(
            "production",
            "standbys",
            catalogue=catalogue(),
            chart={"values": {"extraArgs": TOKEN_CACHE}},
        )
        environments = {"standbys": settings}
        made = stack.enter_context(journeys(run, cluster, stores, operator, environments))
        yield made["standbys"]


def test_no_push_is_lost_and_every_service_has_what_the_store_holds(journey: Journey) -> None:
    place = journey.place
    keys = tuple(place.generated)
    for _ in range(2):
        journey.next_rotation()
        watch = Watch(place, keys)
        done = journey.rotate("--lock-seconds=30")
        assert done.code == ROTATED, done.text
        watch.one_new_value_everywhere()
        held = place.held()
        overlapping = [key for key in keys if place.settings.catalogue.keys[key].overlap]
        assert len(overlapping) > OVERLAPPING, "the platform has one too"
        for key in overlapping:
            following, previous = naming.derived_keys(key)
            assert held[following] == held[key]
            assert held[previous] == watch.before[key]
