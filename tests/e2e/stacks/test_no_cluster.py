"""A stack whose cluster can't be reached: a laptop without VPN, a pull request from a fork."""

from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import EngineError
from tests.e2e.live_objects import contents, versions
from tests.e2e.lives import declared, write_secrets_env
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.stores import made_values
from tests.platform import STACK_FILES

NO_ANSWER = "unable to load schema information from the API server: no route to host"
# The real provider's, which goes on for lines.
BROKEN_KUBECONFIG = (
    "unable to load Kubernetes client configuration from kubeconfig file. Make sure you have: \n\n"
    ' \t • set up the provider\n\n error loading config file "config": yaml: line 3: mapping values'
)
NOT_ASKED = "the cluster was not asked"


@pytest.fixture(scope="module")
def development(run: Run, cluster: Cluster, operator: OperatorRelease) -> Iterator[Deployment]:
    """The stack before its first update."""
    path = STACK_FILES["development"]
    with deployment(run, cluster, operator, path, name="no-cluster") as made:
        write_secrets_env(made.folder, made_values(made.settings))
        try:
            yield made
        finally:
            made.provider.outage = ""


@pytest.mark.parametrize("outage", [NO_ANSWER, BROKEN_KUBECONFIG], ids=["no-answer", "broken"])
def test_a_preview_shows_everything_and_says_in_one_line_that_the_cluster_was_not_asked(
    development: Deployment, outage: str
) -> None:
    development.provider.outage = ""
    whole = development.stack.preview()
    development.provider.outage = outage
    preview = development.stack.preview()
    assert declared(preview, "create") == declared(whole, "create")
    diagnostics = preview.text.partition("Diagnostics:")[2]
    assert diagnostics.count(NOT_ASKED) == 1
    assert "Traceback" not in preview.text


@pytest.mark.parametrize("outage", [NO_ANSWER, BROKEN_KUBECONFIG], ids=["no-answer", "broken"])
def test_an_update_is_refused_before_anything_changes(
    cluster: Cluster, development: Deployment, outage: str
) -> None:
    before = versions(contents(cluster, development.namespaces))
    done = list(development.provider.history)
    development.provider.outage = outage
    with pytest.raises(EngineError, match=NOT_ASKED) as refusal:
        development.stack.up()
    assert "Traceback" not in str(refusal.value)
    assert development.provider.history == done
    assert versions(contents(cluster, development.namespaces)) == before


def test_a_preview_of_what_is_there_finds_nothing_to_do(development: Deployment) -> None:
    development.provider.outage = ""
    development.stack.up()
    development.provider.outage = NO_ANSWER
    preview = development.stack.preview()
    assert preview.changes == {"read": 1}, "kube-system, which could not be read"
    assert NOT_ASKED in preview.text
