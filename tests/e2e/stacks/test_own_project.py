"""A repository as `secretsctl init` writes it, under another name than ours, on the real engine."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_secrets.secretsctl.commands import main
from tests.e2e.cluster import Cluster
from tests.e2e.engine import EngineError, Stack, project_stack
from tests.e2e.environments import secret_values
from tests.e2e.live_objects import empty
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.pulumi_provider import KubernetesProvider

NAMESPACE = "orchard-development"
SET_UID = "write beside `environment`: cluster: {uid: %s}"


@pytest.fixture
def orchard(
    run: Run, cluster: Cluster, operator: OperatorRelease, tmp_path: Path
) -> Iterator[Stack]:
    """Its development, which nothing has been set for yet."""
    folder = tmp_path / "orchard"
    assert main(["init", str(folder)]) == 0
    with KubernetesProvider(cluster.api, operator).serve() as port:
        made = project_stack(run, folder, "development", providers={"kubernetes": port})
        yield made
        if made.unprotect():
            made.destroy()
        empty(cluster, [NAMESPACE])


def test_it_is_declared_with_what_is_set_in_its_own_name(cluster: Cluster, orchard: Stack) -> None:
    values = {"signing-key": secrets.token_hex(20), "mail-password": secrets.token_hex(20)}
    for name, value in values.items():
        orchard.set_secret(name, value)
    with pytest.raises(EngineError, match=re.escape(SET_UID % cluster.uid)):
        orchard.up()
    orchard.set_config("environment.cluster.uid", cluster.uid)
    orchard.up()
    assert secret_values(cluster, NAMESPACE, "orchard-web") == values
    assert orchard.preview().changes == {}
    assert not [value for value in values.values() if value in orchard.state_text]
