"""A stack changes the cluster that it names, and no other."""

import re
import secrets
import uuid
from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import EngineError
from tests.e2e.live_objects import contents, versions
from tests.e2e.lives import declared, write_secrets_env
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.stores import made_values
from tests.platform import STACK_FILES

UID_PATH = "environment.cluster.uid"
SET_UID = re.compile(r"write beside `environment`: (.*)")


@pytest.fixture
def unnamed(run: Run, cluster: Cluster, operator: OperatorRelease) -> Iterator[Deployment]:
    """A stack that does not name its cluster yet, and declares nothing yet; it needs no store."""
    name = f"cluster-{secrets.token_hex(4)}"
    path = STACK_FILES["development"]
    with deployment(run, cluster, operator, path, name=name, cluster={}) as made:
        write_secrets_env(made.folder, made_values(made.settings))
        yield made


def test_a_stack_without_a_cluster_says_how_to_name_it_and_that_is_enough(
    cluster: Cluster, unnamed: Deployment
) -> None:
    before = versions(contents(cluster, unnamed.namespaces))
    preview = unnamed.stack.preview()
    [line] = set(SET_UID.findall(preview.text))
    with pytest.raises(EngineError, match=re.escape(line)):
        unnamed.stack.up()
    assert unnamed.provider.history == []
    assert versions(contents(cluster, unnamed.namespaces)) == before
    assert yaml.safe_load(line) == {"cluster": {"uid": cluster.uid}}
    unnamed.stack.set_config(UID_PATH, cluster.uid)
    assert declared(unnamed.stack.up(), "create") == declared(preview, "create")


def test_a_stack_of_another_cluster_is_refused_before_anything_changes(
    cluster: Cluster, unnamed: Deployment
) -> None:
    other = str(uuid.uuid4())
    before = versions(contents(cluster, unnamed.namespaces))
    unnamed.stack.set_config(UID_PATH, other)
    for operation in (unnamed.stack.preview, unnamed.stack.up):
        with pytest.raises(EngineError) as refusal:
            operation()
        assert other in str(refusal.value)
        assert cluster.uid in str(refusal.value)
    assert unnamed.provider.history == []
    assert versions(contents(cluster, unnamed.namespaces)) == before


def test_what_is_there_is_not_changed_either_nor_destroyed(
    cluster: Cluster, unnamed: Deployment
) -> None:
    other = str(uuid.uuid4())
    unnamed.stack.set_config(UID_PATH, cluster.uid)
    unnamed.stack.up()
    before = versions(contents(cluster, unnamed.namespaces))
    done = list(unnamed.provider.history)
    unnamed.stack.set_config(UID_PATH, other)
    write_secrets_env(unnamed.folder, made_values(unnamed.settings))
    for operation in (unnamed.stack.up, lambda: unnamed.stack.destroy(run_program=True)):
        with pytest.raises(EngineError, match=other):
            operation()
    assert unnamed.provider.history == done
    assert versions(contents(cluster, unnamed.namespaces)) == before
