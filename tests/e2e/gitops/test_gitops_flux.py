"""Flux's own controllers follow a repository: one root is applied, and all else comes by commit."""

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from platform_secrets.secretsctl import operations
from tests.e2e import eso, flux_controllers, gitops_kinds
from tests.e2e.certificates import certificates_for
from tests.e2e.cluster import Cluster
from tests.e2e.environments import ESO, secret_values
from tests.e2e.flux_world import CHARTS, GITOPS, HOST, INDEX, MEMORY, PATH, RELEASE, World
from tests.e2e.git_server import GitServer, Repository
from tests.e2e.live_objects import empty
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import rotating_settings
from tests.e2e.stores import Stores, made_values
from tools.build import build


@pytest.fixture(scope="module")
def world(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[World]:
    gitops_kinds.install_crds(cluster)
    eso.install_crds(cluster)
    cluster.create_namespace(flux_controllers.NAMESPACE)
    folder = run.folder / "git"
    authority = run.folder / "git-authority"
    authority.mkdir()
    certificates = certificates_for([HOST, *CHARTS], authority)
    repository = Repository(folder, PATH)
    files = {"/index.yaml": INDEX, "/openbao-helm/index.yaml": INDEX}
    found = World(cluster, operator, stores, repository, {"rotation": "follower"})
    with ExitStack() as stack:
        server = stack.enter_context(GitServer(folder, files, certificates))
        stores.proxy.ports.update(dict.fromkeys((HOST, *CHARTS), server.port))
        env = {"HTTPS_PROXY": stores.proxy.url, "SSL_CERT_FILE": str(certificates.trust)}
        for process in flux_controllers.start(run, cluster, env):
            stack.callback(process.stop)
        stores.prepare(found.settings)
        stores.put(found.settings, made_values(found.settings))
        yield found
    operator.uninstall(found.release)
    namespaces = [found.namespace, *(one.namespace for one in found.others.values())]
    empty(cluster, [flux_controllers.NAMESPACE, found.release["namespace"], *namespaces])


def test_one_applied_root_brings_the_environment_and_no_wave_before_the_one_it_needs(
    world: World,
) -> None:
    commit = world.commit("Start")
    api = world.cluster.api
    world.cluster.kubectl("apply", "-k", str(world.tree / "flux/gitops/flux"))
    wait_until(lambda: api.list(*RELEASE), "the chart's wave is there", timeout_seconds=60)
    assert api.get("v1", "Namespace", "external-secrets-system")
    # The chart is not installed yet, and the waves after it wait for just that.
    assert api.get("v1", "Namespace", world.namespace) is None
    world.helm()
    world.arrives(commit)
    for bundle in world.settings.catalogue.bundles.values():
        held = wait_until(
            lambda name=bundle.secret: secret_values(world.cluster, world.namespace, name),
            f"{bundle.secret} is synced",
        )
        assert held is not None
        assert held.keys() >= set(bundle.keys)
    assert api.list("batch/v1", "CronJob", world.namespace) == []


def test_a_rotation_comes_by_commit(world: World) -> None:
    before = world.holding_data()
    world.stores.prepare(rotating_settings("production", "flux"))
    world.arrives(world.commit("Rotate", rotation="leader"))
    names = {
        one["metadata"]["name"]
        for one in world.cluster.api.list("batch/v1", "CronJob", world.namespace)
    }
    assert names == {"secrets-rotation", "secrets-age-check"}
    after = world.holding_data()
    assert after.items() >= before.items()
    assert f"ConfigMap/{MEMORY}" in after


def test_what_people_s_commands_write_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{build('kubectl').parent}:{os.environ['PATH']}")
    monkeypatch.setenv("KUBECONFIG", str(world.cluster.kubeconfig))
    operations.rotated(world.settings, Namespace(key="smtp-password", on="2026-10-01"))
    world.reconcile("wren-flux-rotation")
    memory = world.cluster.api.get("v1", "ConfigMap", MEMORY, world.namespace) or {}
    assert "2026-10-01" in memory["data"]["smtp-password"]


def test_a_chart_s_new_version_comes_by_commit_and_is_waited_for(world: World) -> None:
    commit = world.commit("Upgrade", chart={"version": "2.9.1"})

    def version() -> str:
        [one] = world.cluster.api.list(*RELEASE)
        return one["spec"]["chart"]["spec"]["version"]

    wait_until(lambda: version() == "2.9.1", "the new version is there")
    later = world.kustomizations()["wren-flux-access"]["status"]["lastAppliedRevision"]
    assert not later.endswith(commit)
    world.arrives(commit, meanwhile=world.helm)


def test_a_vault_server_comes_by_commit_and_stays_when_it_leaves_the_tree(world: World) -> None:
    server = {"product": "openbao", "namespace": "flux-vault"}
    world.arrives(world.commit("Own Vault", **{"vault-server": server}), meanwhile=world.helm)
    releases = {one["metadata"]["name"]: one for one in world.cluster.api.list(*RELEASE)}
    assert releases.keys() == {"external-secrets", "vault"}
    before = world.holding_data()
    world.arrives(world.commit("No own Vault", **{"vault-server": None}))
    wait_until(lambda: "wren-flux-vault" not in world.kustomizations(), "its waves are gone")
    after = {one["metadata"]["name"]: one for one in world.cluster.api.list(*RELEASE)}
    assert after["vault"]["metadata"]["uid"] == releases["vault"]["metadata"]["uid"]
    assert "deletionTimestamp" not in after["vault"]["metadata"]
    assert world.holding_data() == before


def test_a_second_environment_comes_by_commit_and_when_it_goes_its_objects_stay(
    world: World,
) -> None:
    other = rotating_settings("production", "flux-two", operator="existing", rotation="follower")
    world.stores.prepare(other)
    world.stores.put(other, made_values(other))
    world.others["flux-two"] = other
    world.arrives(world.commit("A second one", gitops={**GITOPS, "environments": ["flux-two"]}))
    kinds = [(ESO, "ExternalSecret"), (ESO, "SecretStore"), ("v1", "Secret")]

    def objects() -> set[str]:
        found = [each for kind in kinds for each in world.cluster.api.list(*kind, other.namespace)]
        return {
            one["metadata"]["uid"] for one in found if "deletionTimestamp" not in one["metadata"]
        }

    bundles = world.settings.catalogue.bundles
    wait_until(lambda: len(objects()) == 2 * len(bundles) + 1, "its Secrets are there")
    before = objects()
    del world.others["flux-two"]
    world.arrives(world.commit("No second one", gitops=GITOPS))
    assert not [name for name in world.kustomizations() if "flux-two" in name]
    assert objects() == before


def test_a_rotation_and_a_bundle_go_by_commit_and_leave_what_holds_data(world: World) -> None:
    before = world.holding_data()
    world.arrives(world.commit("Less", rotation="follower", without={"bundles": ["chat-server"]}))
    wait_until(lambda: "wren-flux-rotation" not in world.kustomizations(), "its wave is gone")
    api = world.cluster.api
    assert api.list("batch/v1", "CronJob", world.namespace) == []
    policies = api.list("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy")
    assert [one for one in policies if one["metadata"]["name"].startswith(world.namespace)] == []
    assert world.holding_data() == before
