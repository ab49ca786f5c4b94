"""Argo CD and Flux reconcile while a rotation runs, and after people's commands: they take nothing
back. Flux by its own library; Argo CD's self-heal as what it does to the API server."""

import copy
import json
import os
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import yaml

from platform_secrets.manifests.database import database_manifests
from platform_secrets.secretsctl import operations
from tests.e2e import flux
from tests.e2e.api_proxy import Call, Forward, Reply
from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.rotating import ROTATED, Rotating, rotating_settings
from tests.e2e.rotation_journey import ALONE, ONE_KEY, OVERLAP, Journey, Watch, journeys
from tests.e2e.stores import Stores
from tools.build import build

MEMORY = "secrets-rotation-memory"


def server_side(cluster: Cluster, objects: list[Manifest]) -> None:
    """As with the sync option `ServerSideApply=true`, which is rendered."""
    for one in objects:
        cluster.api.apply(one, manager="argocd-controller")


def client_side(cluster: Cluster, objects: list[Manifest]) -> None:
    """As without it: three ways, against what was applied before."""
    cluster.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(objects))


@pytest.fixture(scope="module")
def journey(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Journey]:
    """An environment that Flux delivers, with its services' workloads."""
    own = {"cluster": {"uid": cluster.uid}}
    settings = rotating_settings("production", "reconciled", catalogue=ONE_KEY, **own)
    with journeys(run, cluster, stores, operator, {"vault": settings}) as made:
        flux.reconcile(cluster, delivered(made["vault"].place))
        yield made["vault"]


@pytest.fixture
def at_a_desk(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """People's own kubectl and kubeconfig."""
    monkeypatch.setenv("PATH", f"{build('kubectl').parent}:{os.environ['PATH']}")
    monkeypatch.setenv("KUBECONFIG", str(journey.place.cluster.kubeconfig))


def delivered(place: Rotating) -> list[Manifest]:
    """What a GitOps tool delivers and somebody writes to: the memory, ExternalSecrets, and, from a
    repository of their own, the workloads."""
    written = ("ConfigMap/secrets-rotation-memory", "ExternalSecret/")
    objects = [
        one
        for one in place.objects
        if f"{one['kind']}/{one['metadata']['name']}".startswith(written)
    ]
    return objects + place.workloads(replicas=1)


def live(place: Rotating, kind: str) -> list[Manifest]:
    """What is delivered of a kind, as the API server has it."""
    found = []
    for one in delivered(place):
        if one["kind"] == kind:
            where = (one["apiVersion"], kind, one["metadata"]["name"], place.namespace)
            found.append(place.cluster.api.get(*where) or {})
    return found


def at_each_step(act: Callable[[], object]) -> Callable[[Call, Forward], Reply | None]:
    """Acts before each call by which the rotator writes to what is delivered; not when it only says
    again that it is alive."""
    seen = set[str]()

    def meddle(call: Call, forward: Forward) -> Reply | None:
        if call.method == "PATCH":
            said = json.loads(call.body)
            step = said.get("data", {}).get("run") or f"{call.path} {call.body}"
            if step not in seen:
                seen.add(step)
                act()
        return forward()

    return meddle


def restarts(watch: Watch) -> Counter[str]:
    """How often each workload's pods were started since the watch began."""
    happened = watch.place.kubelet.of(watch.place.namespace, since=watch.since)
    return Counter(one.workload for one in happened if one.what == "started")


def test_flux_finds_nothing_to_do_at_any_moment_of_a_rotation(
    journey: Journey, cluster: Cluster
) -> None:
    journey.next_rotation()
    watch, done = Watch(journey.place, (OVERLAP,)), list[str]()
    objects = delivered(journey.place)
    ended = journey.rotate(
        meddle=at_each_step(lambda: done.extend(flux.reconcile(cluster, objects)))
    )
    assert ended.code == ROTATED, ended.text
    assert done == []
    watch.one_new_value_everywhere()
    assert {*restarts(watch).values()} == {2}, "next, and the value itself"


@pytest.mark.usefixtures("at_a_desk")
def test_flux_takes_back_nothing_that_secretsctl_wrote(journey: Journey, cluster: Cluster) -> None:
    place, watch = journey.place, Watch(journey.place, ())
    asked = {"wait": True, "name": None}
    operations.rotated(place.settings, Namespace(key="smtp-password", on="2026-10-01"))
    operations.restart(place.settings, Namespace(key=ALONE))
    operations.sync(place.settings, Namespace(**asked))
    memory = place.memory
    templates = [one["metadata"]["generation"] for one in live(place, "Deployment")]
    synced = [one["status"]["syncedResourceVersion"] for one in live(place, "ExternalSecret")]
    assert flux.reconcile(cluster, delivered(place)) == []
    assert json.loads(place.memory["smtp-password"])["rotated"] == "2026-10-01T00:00:00Z"
    assert place.memory == memory
    assert [one["metadata"]["generation"] for one in live(place, "Deployment")] == templates
    after = [one["status"]["syncedResourceVersion"] for one in live(place, "ExternalSecret")]
    assert after == synced
    assert restarts(watch) == {"Deployment/wren-chat-server": 1}


def test_flux_takes_back_what_kubectl_writes_but_in_the_memory(
    journey: Journey, cluster: Cluster
) -> None:
    place = journey.place
    where = f"--namespace={place.namespace}"
    entry = json.dumps({"data": {"by-hand": "{}"}})
    cluster.kubectl("patch", "configmap", MEMORY, where, "--type=merge", f"--patch={entry}")
    cluster.kubectl("annotate", "externalsecret", "wren-secrets", where, "by-hand=yes")
    found = flux.reconcile(cluster, delivered(place))
    assert found == [f"configured ExternalSecret/{place.namespace}/wren-secrets"]
    assert "by-hand" in place.memory
    for one in live(place, "ExternalSecret"):
        assert "by-hand" not in one["metadata"]["annotations"]


def test_flux_leaves_a_database_s_pointer_where_the_rotation_moved_it(
    journey: Journey, cluster: Cluster
) -> None:
    namespace = journey.place.namespace
    settings = rotating_settings("vault-database", "reconciled")
    [pointer] = [one for one in database_manifests(settings, "shared") if "data" in one]
    name = pointer["metadata"]["name"]
    assert flux.reconcile(cluster, [pointer]) == [f"created ConfigMap/{namespace}/{name}"]
    moved = dict.fromkeys(pointer["data"], "of the other account")
    cluster.api.patch("v1", "ConfigMap", name, namespace, {"data": moved})
    assert flux.reconcile(cluster, [pointer]) == [f"skipped ConfigMap/{namespace}/{name}"]
    assert journey.place.config_map(name) == moved


@pytest.mark.parametrize("applied", [server_side, client_side])
def test_argo_cd_s_self_heal_takes_nothing_from_a_rotation(
    journey: Journey, cluster: Cluster, applied: Callable[[Cluster, list[Manifest]], None]
) -> None:
    """What the rotator writes to is applied anew all the time, with Argo CD's own mark. Whether the
    memory has lost an entry is looked at right then."""
    journey.next_rotation()
    place = journey.place
    watch, lost = Watch(place, (OVERLAP,)), list[str]()
    objects = [tracked(one) for one in delivered(place)]

    def heal() -> None:
        before = place.memory
        applied(cluster, objects)
        lost.extend(before.keys() - place.memory.keys())

    ended = journey.rotate(meddle=at_each_step(heal))
    assert ended.code == ROTATED, ended.text
    assert lost == []
    assert {OVERLAP, "run"} <= place.memory.keys()
    watch.one_new_value_everywhere()
    assert {*restarts(watch).values()} == {2}, "next, and the value itself"


def tracked(manifest: Manifest) -> Manifest:
    """An object with the annotation by which Argo CD knows what it delivers."""
    found = copy.deepcopy(manifest)
    metadata = found["metadata"]
    mark = f"wren:{found['kind']}:{metadata['namespace']}/{metadata['name']}"
    metadata["annotations"] = metadata.get("annotations", {}) | {
        "argocd.argoproj.io/tracking-id": mark
    }
    return found
