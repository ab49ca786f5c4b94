"""The real Pulumi engine on the real API server, through the test provider."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import CustomResource, ResourceOptions
from pulumi_kubernetes import Provider

from tests.e2e.cluster import Cluster
from tests.e2e.engine import EngineError, Stack, project_stack
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.lives import declared
from tests.e2e.process import Run, wait_until
from tests.e2e.pulumi_provider import RELEASE, KubernetesProvider


class RecordedReleases:
    """What was asked of Helm, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def install(self, release: Manifest) -> None:
        self.calls.append(("install", release["values"]["concurrent"]))

    def uninstall(self, release: Manifest) -> None:
        self.calls.append(("uninstall", release["name"]))


@pytest.fixture
def releases() -> RecordedReleases:
    return RecordedReleases()


@pytest.fixture
def provider(cluster: Cluster, releases: RecordedReleases) -> KubernetesProvider:
    return KubernetesProvider(cluster.api, releases)


@pytest.fixture
def stack(
    run: Run, provider: KubernetesProvider
) -> Iterator[Callable[[Callable[[], None]], Stack]]:
    """Makes a stack of a program; all are destroyed at the end."""
    made: list[Stack] = []
    with provider.serve() as port:

        def make(program: Callable[[], None]) -> Stack:
            name = f"test-{secrets.token_hex(4)}"
            made.append(Stack(run, name, program, providers={"kubernetes": port}))
            return made[-1]

        yield make
        for each in made:
            each.destroy()


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    name = f"e2e-{secrets.token_hex(4)}"
    cluster.create_namespace(name)
    return name


def declare(name: str, manifest: Manifest, **options: Any) -> CustomResource:
    """As the generated classes do it: the type token and the object's own fields."""
    version = manifest["apiVersion"]
    version = version if "/" in version else f"core/{version}"
    token = f"kubernetes:{version}:{manifest['kind']}"
    return CustomResource(token, name, manifest, ResourceOptions(**options))


def config_map(namespace: str, **data: object) -> Manifest:
    metadata = {"name": "app", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def quota(namespace: str, **hard: object) -> Manifest:
    metadata = {"name": "app", "namespace": namespace}
    spec = {"hard": hard}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}


def role(namespace: str) -> Manifest:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    metadata = {"name": "app", "namespace": namespace}
    version = "rbac.authorization.k8s.io/v1"
    return {"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": [rule]}


def test_a_program_is_previewed_deployed_refreshed_and_destroyed(
    cluster: Cluster, provider: KubernetesProvider, stack: Callable[..., Stack], namespace: str
) -> None:
    def program() -> None:
        config = declare("config", config_map(namespace, key="value"))
        declare("role", role(namespace), depends_on=[config])
        pulumi.export("id", config.id)

    made = stack(program)
    assert made.preview().changes == {"create": 3}
    assert cluster.api.get("v1", "ConfigMap", "app", namespace) is None, "only a preview"
    up = made.up()
    assert up.changes == {"create": 3}
    assert made.outputs == {"id": f"{namespace}/app"}
    assert cluster.api.read("v1", "ConfigMap", "app", namespace)["data"] == {"key": "value"}
    assert made.preview().changes == {}
    assert made.refresh().changes == {}
    made.destroy()
    assert cluster.api.get("v1", "ConfigMap", "app", namespace) is None
    created, deleted = provider.urns("create"), provider.urns("delete")
    assert [urn.rpartition("::")[2] for urn in created] == ["config", "role"]
    assert deleted == created[::-1], "dependents go first"


def test_what_is_there_already_is_not_made_again_and_no_preview_tells(
    cluster: Cluster, provider: KubernetesProvider, stack: Callable[..., Stack], namespace: str
) -> None:
    cluster.api.create(config_map(namespace, key="foreign"))
    made = stack(lambda: declare("config", config_map(namespace, key="ours")) and None)
    assert made.preview().changes == {"create": 2}
    with pytest.raises(EngineError, match='ConfigMap "app" already exists'):
        made.up()
    assert provider.history == []
    assert cluster.api.read("v1", "ConfigMap", "app", namespace)["data"] == {"key": "foreign"}


def test_a_refresh_finds_what_another_hand_changed_and_an_up_by_force_repairs_it(
    cluster: Cluster, stack: Callable[..., Stack], namespace: str
) -> None:
    force = False

    def program() -> None:
        by = Provider("by", kubeconfig="", enable_patch_force=force)
        declare("quota", quota(namespace, pods=3), provider=by)

    made = stack(program)
    made.up()
    change = {"spec": {"hard": {"pods": "9", "secrets": "9"}}}
    cluster.api.patch("v1", "ResourceQuota", "app", namespace, change)
    assert made.refresh().changes == {"update": 1}
    with pytest.raises(EngineError, match="conflict"):
        made.up()
    force = True
    assert declared(made.up(), "update").keys() == {"quota"}
    hard = cluster.api.read("v1", "ResourceQuota", "app", namespace)["spec"]["hard"]
    assert hard == {"pods": "3", "secrets": "9"}, "an undeclared field is not ours"


def test_what_the_api_server_writes_in_another_form_is_no_drift(
    stack: Callable[..., Stack], namespace: str
) -> None:
    manifest = quota(namespace, cpu="1000m", memory="1024Mi", pods=3)
    manifest["metadata"]["labels"] = {}
    made = stack(lambda: declare("quota", manifest) and None)
    made.up()
    assert made.refresh().changes == {}
    assert made.preview().changes == {}


def test_an_object_that_was_deleted_by_hand_is_made_again(
    cluster: Cluster, stack: Callable[..., Stack], namespace: str
) -> None:
    made = stack(lambda: declare("config", config_map(namespace, key="value")) and None)
    made.up()
    cluster.api.delete("v1", "ConfigMap", "app", namespace)
    assert made.refresh().changes == {"delete": 1}
    assert made.up().changes == {"create": 1}


def test_a_config_map_is_replaced_for_new_data_as_the_real_provider_does(
    provider: KubernetesProvider, stack: Callable[..., Stack], namespace: str
) -> None:
    value = "one"
    made = stack(lambda: declare("config", config_map(namespace, key=value)) and None)
    made.up()
    value = "two"
    assert made.up().changes == {"replace": 1}
    assert [operation for operation, _ in provider.history] == ["create", "delete", "create"]


def test_a_secret_value_reaches_the_cluster_and_stays_out_of_the_state(
    cluster: Cluster, stack: Callable[..., Stack], namespace: str
) -> None:
    value = secrets.token_hex(16)
    metadata = {"name": "app", "namespace": namespace}

    def program() -> None:
        data = {"key": pulumi.Output.secret(value)}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}
        declare("secret", secret)

    made = stack(program)
    text = made.preview().text + made.up().text
    assert "data" in cluster.api.read("v1", "Secret", "app", namespace)
    assert made.refresh().changes == {}
    assert value not in text + made.state_text
    cluster.api.patch("v1", "Secret", "app", namespace, {"data": {"key": "b3RoZXI="}})
    assert made.refresh().changes == {"update": 1}


def test_an_up_waits_for_the_condition_that_an_object_asks_for(
    cluster: Cluster, stack: Callable[..., Stack], namespace: str
) -> None:
    made = stack(lambda: declare("claim", waiting_namespace(namespace, "Ready", 60)) and None)
    condition_set_at = []

    def be_ready_late() -> None:
        name = f"{namespace}-waiting"
        wait_until(lambda: cluster.api.get("v1", "Namespace", name), name, timeout_seconds=60)
        time.sleep(1)
        condition_set_at.append(time.monotonic())
        set_condition(cluster, name, "Ready")

    late = threading.Thread(target=be_ready_late)
    late.start()
    made.up()
    updated_at = time.monotonic()
    late.join()
    assert [updated_at > at for at in condition_set_at] == [True]


def test_an_object_that_never_gets_ready_fails_the_up_and_is_in_the_state(
    cluster: Cluster, stack: Callable[..., Stack], namespace: str
) -> None:
    made = stack(lambda: declare("claim", waiting_namespace(namespace, "Never", 3)) and None)
    with pytest.raises(EngineError, match="condition=Never"):
        made.up()
    made.destroy()
    assert cluster.api.get("v1", "Namespace", f"{namespace}-waiting") is None


def test_a_helm_release_is_handed_to_the_test(
    releases: RecordedReleases, stack: Callable[..., Stack]
) -> None:
    inputs = {"name": "operator", "namespace": "operator", "values": {"concurrent": 5}}

    def program() -> None:
        CustomResource(RELEASE, "operator", inputs)

    made = stack(program)
    made.preview()
    assert releases.calls == []
    made.up()
    assert made.refresh().changes == {}
    made.destroy()
    assert releases.calls == [("install", 5), ("uninstall", "operator")]


def test_a_helm_release_that_does_not_come_up_fails_the_up_and_is_in_the_state(
    releases: RecordedReleases, stack: Callable[..., Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(release: Manifest) -> None:
        raise TimeoutError(f"{release['name']} is not ready")

    inputs = {"name": "operator", "namespace": "operator", "values": {"concurrent": 5}}
    monkeypatch.setattr(releases, "install", install)
    made = stack(lambda: CustomResource(RELEASE, "operator", inputs) and None)
    with pytest.raises(EngineError, match="operator is not ready"):
        made.up()
    made.destroy()
    assert releases.calls == [("uninstall", "operator")]


def test_an_unknown_field_fails_the_up(stack: Callable[..., Stack], namespace: str) -> None:
    made = stack(lambda: declare("config", {**config_map(namespace), "dataa": {}}) and None)
    with pytest.raises(EngineError, match="dataa"):
        made.up()


def test_a_project_is_run_with_the_configuration_of_its_stack_file(
    run: Run, provider: KubernetesProvider, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: sample\nruntime: python\n")
    (tmp_path / "Pulumi.one.yaml").write_text("config:\n  sample:environment: {size: 3}\n")
    (tmp_path / "settings.py").write_text("import pulumi\nSIZE = pulumi.Config().get_object\n")
    (tmp_path / "__main__.py").write_text(
        "import pulumi, pathlib, settings\n"
        "pulumi.export('size', settings.SIZE('environment')['size'])\n"
        "pulumi.export('folder', pathlib.Path.cwd().name)\n"
    )
    with provider.serve() as port:
        made = project_stack(run, tmp_path, "one", providers={"kubernetes": port})
        made.up()
        assert made.outputs == {"size": 3, "folder": tmp_path.name}
        (tmp_path / "settings.py").write_text("SIZE = lambda _: {'size': 4}\n")
        made.up()
        assert made.outputs["size"] == 4, "modules are imported anew"
        made.destroy()


def waiting_namespace(namespace: str, condition: str, seconds: int) -> Manifest:
    """A Namespace, since it has conditions that no controller here sets."""
    annotations = {
        "pulumi.com/waitFor": f"condition={condition}",
        "pulumi.com/timeoutSeconds": str(seconds),
    }
    metadata = {"name": f"{namespace}-waiting", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def set_condition(cluster: Cluster, name: str, kind: str) -> None:
    condition = {"type": kind, "status": "True"}
    status = {"status": {"conditions": [condition]}}
    cluster.api.patch("v1", "Namespace", name, None, status, subresource="status")
