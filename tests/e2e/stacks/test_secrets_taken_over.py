"""From basic Secrets to external ones and back in one environment: no reader finds none."""

from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY, Deployment, deployment
from tests.e2e.engine import EngineError
from tests.e2e.environments import secret_values, sync
from tests.e2e.lives import write_secrets_env
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.secret_history import History
from tests.e2e.stores import Stores, made_values
from tests.platform import STACK_FILES

UPSERT = "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"


@pytest.fixture(scope="module")
def development(
    run: Run, cluster: Cluster, operator: OperatorRelease, stores: Stores
) -> Iterator[Deployment]:
    """With basic Secrets."""
    path = STACK_FILES["development"]
    with deployment(run, cluster, operator, path, name="taken-over") as made:
        write_secrets_env(made.folder, made_values(made.settings))
        made.stack.up()
        yield made


def change_to(made: Deployment, secrets: str) -> None:
    """The stack's Secrets are basic, or external as staging's."""
    staging = yaml.safe_load(STACK_FILES["staging"].read_text(encoding="utf-8"))
    for path in (made.stack_file, made.stack.folder / "work" / made.stack_file.name):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        own = content["config"][STACK_KEY]
        for name in ("operator", "stores", "secrets"):
            own.pop(name, None)
        if secrets == "external":
            own |= {name: staging["config"][STACK_KEY][name] for name in ("operator", "stores")}
            own |= {"rotation": "follower"}
        else:
            own |= {"secrets": "basic"}
        path.write_text(yaml.safe_dump(content), encoding="utf-8")


def held(cluster: Cluster, made: Deployment) -> dict[str, str]:
    """What the environment's Secrets hold."""
    found: dict[str, str] = {}
    for bundle in made.settings.catalogue.bundles.values():
        values = secret_values(cluster, made.settings.namespace, bundle.secret) or {}
        found |= {key: values.get(key, "") for key in bundle.keys}
    return found


def test_the_operator_takes_basic_secrets_over_with_their_values_until_the_store_has_others(
    cluster: Cluster, stores: Stores, development: Deployment
) -> None:
    made = development
    old = held(cluster, made)
    history = History(cluster, made.settings.namespace)
    change_to(made, "external")
    stores.prepare(made.settings)
    made.stack.up()
    assert held(cluster, made) == old, "the store is empty"
    new = made_values(made.settings)
    stores.put(made.settings, new)
    for bundle in made.settings.catalogue.bundles.values():
        sync(cluster, made.settings.namespace, bundle.secret)
    assert held(cluster, made) == new
    assert history.lost() == set()
    for bundle in made.settings.catalogue.bundles.values():
        for key in bundle.keys:
            assert [v for v in history.held(bundle.secret, key) if v != old[key]] == [new[key]]


def test_the_way_back_is_refused_until_the_operator_has_let_go_and_loses_no_value_either(
    cluster: Cluster, development: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = development
    old, new = held(cluster, made), made_values(made.settings)
    history = History(cluster, made.settings.namespace)
    namespace = f"--namespace={made.settings.namespace}"
    change_to(made, "basic")
    write_secrets_env(made.folder, new)
    with pytest.raises(EngineError, match="already exists"):
        made.stack.up()
    assert held(cluster, made) == old
    cluster.kubectl("delete", "externalsecret", "--all", "--cascade=orphan", namespace)
    monkeypatch.setenv(UPSERT, "true")
    made.stack.up()
    monkeypatch.delenv(UPSERT)
    made.stack.up()
    assert made.stack.preview().changes == {}
    assert held(cluster, made) == new
    assert history.lost() == set()
    for bundle in made.settings.catalogue.bundles.values():
        for key in bundle.keys:
            assert [v for v in history.held(bundle.secret, key) if v != old[key]] == [new[key]]
