"""Operators of one namespace each, beside each other on one cluster: what each does for its own
environment, and what the API server refuses it everywhere else."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from platform_secrets.settings import Settings
from tests.e2e.cluster import Cluster
from tests.e2e.environments import (
    ESO,
    PATIENCE_SECONDS,
    apply_layer,
    is_synced,
    operated,
    release_of,
    secret_values,
    sync,
    touch,
)
from tests.e2e.kubelet import fingerprints
from tests.e2e.kubernetes_api import KubernetesApiError, Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import ROTATED, rotating_settings
from tests.e2e.rotation_journey import ALONE, Journey, Watch, journeys
from tests.e2e.stores import Stores, made_values

NOBODYS = "default"  # whose ExternalSecrets nobody serves
SECRET = "wren-secrets"  # noqa: S105 - a Secret's name
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
OF_THE_CLUSTER = {"ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration"}


def scoped(environment: str, **changes: Any) -> Settings:
    """Production's settings as another environment's, with an operator of its own."""
    own = {"operator-scope": "namespace", "operator-namespace": f"external-secrets-{environment}"}
    return rotating_settings("production", environment, catalogue=None, **(own | changes))


@dataclass
class Pair:
    """Two environments, each with its operator; `ours` has workloads, and rotates."""

    cluster: Cluster
    ours: Settings
    theirs: Settings
    operators: dict[str, OperatorRelease]
    journey: Journey

    def external_secret(self, settings: Settings) -> Manifest:
        return self.cluster.api.read(ESO, "ExternalSecret", SECRET, settings.namespace)

    def may(self, settings: Settings, verb: str, resource: str, namespace: str, name: str) -> bool:
        """Whether the API server would let an environment's operator do it."""
        env = settings.environment
        resource, _, subresource = resource.partition("/")
        asked = {"verb": verb, "resource": resource, "subresource": subresource}
        account = f"{env.operator_namespace}:{env.operator_service_account}"
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "metadata": {},
            "spec": {
                "user": f"system:serviceaccount:{account}",
                "groups": ["system:serviceaccounts", "system:authenticated"],
                "resourceAttributes": {**asked, "namespace": namespace, "name": name},
            },
        }
        return self.cluster.api.create(review)["status"]["allowed"]


@pytest.fixture(scope="module")
def pair(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[Pair]:
    ours, theirs = scoped("scoped"), scoped("scoped-too", **{"operator-crds": "existing"})
    beside = OperatorRelease(run, cluster, env=stores.operator_env)
    for name in (ours.namespace, theirs.namespace):
        cluster.create_namespace(name)
    stores.prepare(theirs)
    stores.put(theirs, made_values(theirs))
    with (
        journeys(run, cluster, stores, operator, {"ours": ours}) as made,
        operated(cluster, beside, [theirs]),
    ):
        operators = {ours.namespace: operator, theirs.namespace: beside}
        yield Pair(cluster, ours, theirs, operators, made["ours"])


def test_each_environment_s_secrets_are_synced_by_its_own_operator(pair: Pair) -> None:
    for settings in (pair.ours, pair.theirs):
        for bundle in settings.catalogue.bundles.values():
            wait_until(
                lambda ns=settings.namespace, name=bundle.secret: secret_values(
                    pair.cluster, ns, name
                ),
                f"{settings.namespace}/{bundle.secret} is there",
                timeout_seconds=PATIENCE_SECONDS,
            )


def test_a_rotation_goes_through_to_its_end(pair: Pair) -> None:
    journey = pair.journey
    journey.next_rotation()
    watch = Watch(journey.place, (ALONE,))
    done = journey.rotate(f"--key={ALONE}")
    assert done.code == ROTATED, done.text
    watch.one_new_value_everywhere()


def test_an_operator_leaves_what_another_serves_to_it(pair: Pair) -> None:
    """What the other's operator, which is down, is to do waits; so does what nobody serves."""
    theirs, cluster = pair.theirs, pair.cluster
    down = pair.operators[theirs.namespace]
    assert down.process
    down.process.stop()
    before = touch(cluster, theirs.namespace, SECRET)["status"]
    kind = {"apiVersion": ESO, "kind": "ExternalSecret"}
    metadata = {"name": SECRET, "namespace": NOBODYS}
    spec = pair.external_secret(pair.ours)["spec"]
    cluster.api.apply({**kind, "metadata": metadata, "spec": spec})
    sync(cluster, pair.ours.namespace, SECRET)
    assert pair.external_secret(theirs)["status"] == before
    assert "status" not in cluster.api.read(ESO, "ExternalSecret", SECRET, NOBODYS)
    down.start()
    wait_until(
        lambda: is_synced(pair.external_secret(theirs)),
        "its own operator serves it again",
        timeout_seconds=PATIENCE_SECONDS,
    )
    assert "status" not in cluster.api.read(ESO, "ExternalSecret", SECRET, NOBODYS)
    # An operator of the cluster would mark it, and then nobody could delete it.
    cluster.api.delete(ESO, "ExternalSecret", SECRET, NOBODYS)


def test_it_may_write_the_secrets_of_its_namespace_and_no_other(pair: Pair) -> None:
    for one, other in ((pair.ours, pair.theirs), (pair.theirs, pair.ours)):
        elsewhere = {
            *(other.namespace, other.environment.operator_namespace, NOBODYS, "kube-system"),
            *(one.environment.operator_namespace, ""),
        }
        asked = itertools.product(VERBS, (one.namespace, *elsewhere), (SECRET, ""))
        allowed = {
            (verb, *place) for verb, *place in asked if pair.may(one, verb, "secrets", *place)
        }
        assert allowed == set(itertools.product(VERBS, [one.namespace], [SECRET, ""]))


def test_a_real_request_of_its_own_is_answered_alike(pair: Pair) -> None:
    cluster, env = pair.cluster, pair.ours.environment
    account = (env.operator_namespace, env.operator_service_account)
    api = cluster.api_as(cluster.token(*account))
    assert api.read("v1", "Secret", SECRET, pair.ours.namespace)["data"]
    for verb, path in (
        ("GET", api.path("v1", "Secret", SECRET, pair.theirs.namespace)),
        ("DELETE", api.path("v1", "Secret", SECRET, pair.theirs.namespace)),
        ("GET", "/api/v1/secrets"),
        ("GET", api.path(ESO, "ExternalSecret", None, pair.theirs.namespace)),
    ):
        with pytest.raises(KubernetesApiError) as refused:
            api.request(verb, path)
        assert refused.value.status == httpx.codes.FORBIDDEN, (verb, path)


def test_it_gets_tokens_of_its_own_stores_accounts_alone(pair: Pair) -> None:
    accounts = ("vault-store", "vault-rotation-store", "default", "secrets-rotation")
    asked = itertools.product((pair.ours.namespace, pair.theirs.namespace, NOBODYS), accounts)
    allowed = {one for one in asked if pair.may(pair.ours, "create", "serviceaccounts/token", *one)}
    assert allowed == {(pair.ours.namespace, name) for name in accounts[:2]}


def test_two_charts_have_nothing_in_common_and_nothing_that_is_the_cluster_s(pair: Pair) -> None:
    """Helm refuses a release that has another release's object."""
    found = []
    for settings in (pair.ours, pair.theirs):
        rendered = pair.operators[settings.namespace].render(release_of(settings))
        assert {obj["kind"] for obj in rendered} & OF_THE_CLUSTER == set()
        own = {settings.namespace, settings.environment.operator_namespace}
        assert {obj["metadata"].get("namespace") for obj in rendered} == own
        roles = [obj for obj in rendered if obj["kind"] == "Role"]
        assert settings.namespace in {obj["metadata"]["namespace"] for obj in roles}
        [deployment] = [obj for obj in rendered if obj["kind"] == "Deployment"]
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert f"--namespace={settings.namespace}" in container["args"]
        names = [(o["kind"], o["metadata"]["namespace"], o["metadata"]["name"]) for o in rendered]
        found.append({*names})
    assert not found[0] & found[1]


def test_an_operator_of_the_cluster_narrows_down_and_no_secret_changes(pair: Pair) -> None:
    """And the other way round: the steps of docs/operator.md."""
    cluster, (wide, narrow) = pair.cluster, (pair.operators[one] for one in pair.operators)
    place = (pair.theirs.namespace, SECRET)
    of_all = scoped("scoped", **{"operator-scope": "cluster"})
    env = of_all.environment
    served = scoped(
        "scoped-too",
        **{
            "operator": "existing",
            "operator-scope": "cluster",
            "operator-namespace": env.operator_namespace,
        },
    )
    before = cluster.api.read("v1", "Secret", SECRET, pair.theirs.namespace)

    narrow.uninstall(release_of(pair.theirs))
    wide.install(release_of(of_all))
    apply_layer(cluster, served)
    sync(cluster, *place)
    assert pair.may(of_all, "get", "secrets", *place)

    wide.install(release_of(pair.ours))
    assert not pair.may(pair.ours, "get", "secrets", *place)
    narrow.install(release_of(pair.theirs))
    apply_layer(cluster, pair.theirs)
    sync(cluster, *place)
    sync(cluster, pair.ours.namespace, SECRET)

    after = cluster.api.read("v1", "Secret", SECRET, pair.theirs.namespace)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert fingerprints(after) == fingerprints(before)
