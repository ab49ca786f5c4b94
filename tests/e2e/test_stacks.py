"""Every stack on the real engine: preview, up, no change, refresh, values, destroy."""

from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.deployment import deployment
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, Run, wait_until
from tests.e2e.stores import Stores, decoded, made_values

STACKS = ["Pulumi.staging", "Pulumi.production", "examples/two-stores"]


@pytest.mark.parametrize("stack", STACKS)
def test_a_second_run_of_the_engine_finds_nothing_to_do_and_the_values_are_there(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease, stack: str
) -> None:
    path = PROJECT / f"{stack}.yaml"
    with deployment(run, cluster, operator, path, name=Path(stack).name.replace(".", "-")) as made:
        settings = made.settings
        stores.prepare(settings)
        values = made_values(settings)
        stores.put(settings, values)
        made.stack.up()
        assert made.stack.preview().changes == {}
        assert made.stack.refresh().changes == {}
        for bundle in settings.catalogue.bundles.values():
            secret = wait_until(
                lambda name=bundle.secret: cluster.api.get(
                    "v1", "Secret", name, settings.namespace
                ),
                "the operator writes the Secret",
            )
            synced = decoded(secret)
            assert {key: synced[key] for key in bundle.keys} == {
                key: values[key] for key in bundle.keys
            }
