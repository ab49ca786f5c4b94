"""Every object of every stack and example is what the API server takes, field by field."""

import copy
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_secrets.manifests.layer import BASIC_SECRETS
from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.secretsctl import tree
from platform_secrets.secretsctl.basic_files import write_env_files
from platform_secrets.secretsctl.rendering import rendered_files
from tests.conftest import STACKS, Stack, made_up_values
from tests.declaring import Secret
from tests.e2e import eso, gitops_kinds
from tests.e2e.cluster import Cluster
from tests.e2e.environments import release_of
from tests.e2e.kubernetes_api import KubernetesApiError, Manifest
from tests.e2e.operator_release import OperatorRelease, operator_deployment
from tests.e2e.process import PROJECT, Run
from tests.platform import CATALOGUE_FILE
from tests.token_stores import TOKEN_STORES, token_settings

INSTALLING = [name for name, s in STACKS.items() if s.settings.environment.operator == "install"]
# Where the names of fields are the user's own.
FREE = ("labels", "annotations", "matchLabels", "data", "values", "valuesObject", "permissions")
KINDS = {
    *("Application", "GitRepository", "HelmRelease", "HelmRepository", "Kustomization"),
    *("ConfigMap", "CronJob", "ExternalSecret", "Namespace", "NetworkPolicy", "Password"),
    *("Role", "RoleBinding", "Secret", "SecretStore", "ServiceAccount"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "VaultDynamicSecret"),
}
GITOPS = ("argocd", "flux-system")


@pytest.fixture(scope="module")
def current(run: Run) -> Iterator[Cluster]:
    with cluster_with(run, eso.CURRENT) as made:
        yield made


@pytest.fixture(scope="module")
def older(run: Run) -> Iterator[Cluster]:
    with cluster_with(run, eso.OLDER) as made:
        yield made


@pytest.fixture(params=["current", "older"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A cluster with each version of the operator's CRDs in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module", params=INSTALLING)
def installing(request: pytest.FixtureRequest) -> Stack:
    """Every stack that installs the operator."""
    return STACKS[request.param]


@pytest.fixture(scope="module")
def chart(run: Run, current: Cluster, installing: Stack) -> list[Manifest]:
    """The objects of the operator's chart 0.20.4 with a stack's values."""
    return OperatorRelease(run, current).render(release_of(installing.settings))


def test_every_rendered_object_is_accepted(cluster: Cluster, stack: Stack, tmp_path: Path) -> None:
    found = rendered(cluster, stack, tmp_path)
    assert len(found) > len(stack.rendered_objects) or not stack.settings.environment.gitops
    assert refusals(cluster, found) == {}


def test_every_object_that_the_program_declares_is_accepted(cluster: Cluster, stack: Stack) -> None:
    declared = [plain(one.inputs) for one in stack.declared.objects()]
    assert len(declared) >= len(stack.rendered_objects)
    assert refusals(cluster, declared) == {}


def test_the_example_of_an_application_set_is_accepted_and_each_of_its_fields_known(
    current: Cluster,
) -> None:
    text = (PROJECT / "examples/delivery/applicationset.yaml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)
    assert refusal(current, found) is None
    for path in fields(found):
        assert refusal(current, found, misspelt(found, path)), path


@pytest.mark.parametrize("store", TOKEN_STORES)
def test_every_generator_of_tokens_is_accepted_and_each_of_its_fields_known(
    cluster: Cluster, store: str
) -> None:
    """Google's and Azure's are not run: nothing here stands for what they ask."""
    found = store_manifests(token_settings({"namespace-name": "wren-production"}), store, "read")
    assert refusals(cluster, found) == {}
    for path in fields(found[-1]):
        assert refusal(cluster, found[-1], misspelt(found[-1], path)), path


def test_a_misspelt_field_is_refused_wherever_it_is(cluster: Cluster, tmp_path: Path) -> None:
    tried: set[tuple[str, ...]] = set()
    kinds: set[str] = set()
    accepted = []
    for name, stack in STACKS.items():
        for obj in rendered(cluster, stack, tmp_path / name):
            kinds.add(obj["kind"])
            for path in fields(obj):
                place = (obj["kind"], *(part for part in path if isinstance(part, str)))
                if place not in tried and refusal(cluster, obj, misspelt(obj, path)) is None:
                    accepted.append(place)
                tried.add(place)
    assert accepted == []
    assert kinds == KINDS


def test_every_object_of_the_operator_s_chart_is_accepted(
    current: Cluster, chart: list[Manifest]
) -> None:
    assert refusals(current, chart) == {}


def test_the_operator_s_pods_are_let_into_its_namespace(
    current: Cluster, installing: Stack, chart: list[Manifest]
) -> None:
    (namespace,) = (
        obj
        for obj in installing.rendered_objects
        if obj["metadata"]["name"] == installing.settings.environment.operator_namespace
    )
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    accounts = [obj for obj in chart if obj["kind"] == "ServiceAccount"]
    for obj in [namespace, *accounts]:
        current.api.apply(obj)
    pods = [pod_of(obj) for obj in chart if obj["kind"] == "Deployment"]
    assert len(pods) == 3
    assert refusals(current, pods) == {}
    privileged = copy.deepcopy(pods[0])
    privileged["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    assert "restricted" in str(refusal(current, privileged))


def test_the_chart_hands_our_values_to_the_operator(
    installing: Stack, chart: list[Manifest]
) -> None:
    deployment = operator_deployment(chart)
    values = release_of(installing.settings)["values"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert {
        f"--concurrent={values['concurrent']}",
        f"--client-qps={values['extraArgs']['client-qps']}",
        f"--client-burst={values['extraArgs']['client-burst']}",
        "--enable-leader-election=true",
        "--enable-cluster-store-reconciler=false",
        "--enable-cluster-external-secret-reconciler=false",
        "--enable-cluster-push-secret-reconciler=false",
        "--zap-time-encoding=rfc3339",
    } <= {*container["args"]}
    assert container["resources"] == values["resources"]
    assert deployment["spec"]["replicas"] == 2


def test_the_chart_widens_no_role_of_the_cluster_s_people(chart: list[Manifest]) -> None:
    roles = {obj["metadata"]["name"]: obj for obj in chart if obj["kind"] == "ClusterRole"}
    given = {label for role in roles.values() for label in role["metadata"]["labels"]}
    assert given
    # `aggregateToAdmin` is younger than this chart, which always widens the role `admin`.
    assert not [label for label in given if label.endswith(("-to-view", "-to-edit"))]
    assert "external-secrets-servicebindings" not in roles


def test_the_network_policies_select_the_chart_s_pods(
    installing: Stack, chart: list[Manifest]
) -> None:
    labels = [
        pod_of(obj)["metadata"]["labels"].items() for obj in chart if obj["kind"] == "Deployment"
    ]
    selected = {
        obj["metadata"]["name"]: sum(
            obj["spec"]["podSelector"].get("matchLabels", {}).items() <= each for each in labels
        )
        for obj in installing.rendered_objects
        if obj["kind"] == "NetworkPolicy"
        and obj["metadata"]["namespace"] == installing.settings.environment.operator_namespace
    }
    assert selected == {"external-secrets": 3, "external-secrets-stores": 1}


def test_the_network_policy_lets_metrics_and_probes_in(
    installing: Stack, chart: list[Manifest]
) -> None:
    [policy] = [
        obj
        for obj in installing.rendered_objects
        if (obj["kind"], obj["metadata"]["name"]) == ("NetworkPolicy", "external-secrets")
    ]
    [incoming] = policy["spec"]["ingress"]
    listening = set()
    for pod in (pod_of(obj) for obj in chart if obj["kind"] == "Deployment"):
        for container in pod["spec"]["containers"]:
            listening |= {one["containerPort"] for one in container["ports"]}
            probes = [one for name, one in container.items() if name.endswith("Probe")]
            listening |= {one["httpGet"]["port"] for one in probes}
    assert {one["port"] for one in incoming["ports"]} >= listening


@contextmanager
def cluster_with(run: Run, program: str) -> Iterator[Cluster]:
    """A cluster of its own with one version of the operator's CRDs, and with all namespaces."""
    before = len(run.processes)
    made = Cluster(run, f"acceptance-{program}")
    own = run.processes[before:]
    eso.install_crds(made, program)
    gitops_kinds.install_crds(made)
    stacks = [stack.settings for stack in STACKS.values()]
    namespaces = {one.namespace for one in stacks} | {*GITOPS}
    for namespace in namespaces | {one.environment.operator_namespace for one in stacks}:
        made.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    yield made
    for process in reversed(own):
        process.stop()


def rendered(cluster: Cluster, stack: Stack, folder: Path) -> list[Manifest]:
    """All objects of a stack's tree, with GitOps entry points and generated Secrets."""
    found = [content for content in stack.tree.values() if "metadata" in content]
    if stack.settings.environment.secrets == "basic":
        tree.write({folder: rendered_files(stack.settings, CATALOGUE_FILE)})
        basic = folder / BASIC_SECRETS
        write_env_files(basic, stack.settings, made_up_values())
        found += yaml.safe_load_all(cluster.kubectl("kustomize", str(basic)))
    return found


def refusals(cluster: Cluster, objects: list[Manifest]) -> dict[tuple[str, str], str]:
    """What the API server says against the objects, by kind and name."""
    found = {(obj["kind"], obj["metadata"]["name"]): refusal(cluster, obj) for obj in objects}
    return {which: message for which, message in found.items() if message is not None}


def refusal(cluster: Cluster, obj: Manifest, sent: Manifest | None = None) -> str | None:
    """What the API server says when asked to try `sent` in the place of `obj`; None for a yes."""
    metadata = obj["metadata"]
    try:
        path = cluster.api.path(
            obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace")
        )
        cluster.api.request(
            "PATCH",
            path,
            sent or obj,
            content_type="application/apply-patch+yaml",
            params={
                "fieldManager": "e2e",
                "force": "true",
                "fieldValidation": "Strict",
                "dryRun": "All",
            },
        )
    except (KubernetesApiError, LookupError) as error:
        return str(error)
    return None


def plain(declared: Any) -> Any:
    """An object with another value for each that Pulumi keeps secret."""
    if isinstance(declared, Secret):
        return secrets.token_hex(20)
    if isinstance(declared, dict):
        return {key: plain(value) for key, value in declared.items()}
    if isinstance(declared, list):
        return [plain(value) for value in declared]
    return declared


def pod_of(deployment: Manifest) -> Manifest:
    """A pod as the Deployment's controllers make it."""
    template = deployment["spec"]["template"]
    names = {key: deployment["metadata"][key] for key in ("name", "namespace")}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], **names},
        "spec": template["spec"],
    }


def fields(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field whose name is Kubernetes' and not the user's."""
    if isinstance(value, dict) and (not path or path[-1] not in FREE):
        for key, item in value.items():
            yield (*path, key)
            yield from fields(item, (*path, key))
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from fields(item, (*path, place))


def misspelt(obj: Manifest, path: tuple[Any, ...]) -> Manifest:
    """The object with one letter too many in the last field's name."""
    changed: Any = copy.deepcopy(obj)
    parent = changed
    for part in path[:-1]:
        parent = parent[part]
    parent[f"{path[-1]}x"] = parent.pop(path[-1])
    return changed
