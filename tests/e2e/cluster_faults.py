"""What breaks in a cluster beside stores and entries: each is well again at its end."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Self
from unittest.mock import patch

from tests.e2e import webhook
from tests.e2e.certificates import certificates_for
from tests.e2e.eso import install_crds
from tests.e2e.fault_cases import RBAC
from tests.e2e.faults_world import Place
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.process import wait_until

CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
OPERATORS = "external-secrets-system"
HOUR = timedelta(hours=1)


@contextmanager
def with_another_reader(place: Place) -> Iterator[None]:
    """Somebody gives somebody else a right on all Secrets of the namespace."""
    metadata = {"name": "debug", "namespace": place.namespace}
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": RBAC, "kind": "Role", "metadata": metadata, "rules": [rule]}
    binding = {"apiVersion": RBAC, "kind": "RoleBinding", "metadata": metadata}
    binding["roleRef"] = {"apiGroup": group, "kind": "Role", "name": "debug"}
    binding["subjects"] = [{"apiGroup": group, "kind": "User", "name": "jo"}]
    with _applied(place, role, binding):
        yield


@contextmanager
def without_a_readers_right(place: Place) -> Iterator[None]:
    """A service's RoleBinding is gone."""
    name = "backend-api-secrets"
    place.delete(RBAC, "RoleBinding", name)
    try:
        yield
    finally:
        place.apply("RoleBinding", name)


@contextmanager
def with_a_second_owner(place: Place) -> Iterator[None]:
    """Somebody's own ExternalSecret for one of the environment's Secrets."""
    [own] = [
        one
        for one in place.objects
        if (one["kind"], one["metadata"]["name"]) == ("ExternalSecret", place.secret)
    ]
    metadata = {"name": "by-hand", "namespace": place.namespace}
    with _applied(place, {**own, "metadata": metadata}):
        yield


@contextmanager
def with_a_full_quota(place: Place) -> Iterator[None]:
    """There may be no more Secrets than there are."""
    metadata = {"name": "full", "namespace": place.namespace}
    count = str(len(place.cluster.api.list("v1", "Secret", place.namespace)))
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata}
    with _applied(place, {**quota, "spec": {"hard": {"secrets": count}}}):
        where = ("v1", "ResourceQuota", "full", place.namespace)
        wait_until(
            lambda: (
                (place.cluster.api.get(*where) or {}).get("status", {}).get("used", {})
                == {"secrets": count}
            ),
            "the quota is counted",
        )
        yield


@contextmanager
def with_the_operator_paused(place: Place) -> Iterator[None]:
    """Somebody scaled it to nothing, and forgot it."""
    where = ("apps/v1", "Deployment", "external-secrets", OPERATORS)
    place.cluster.api.patch(*where, {"spec": {"replicas": 0}})
    try:
        yield
    finally:
        place.cluster.api.patch(*where, {"spec": {"replicas": 2}})
    wait_until(
        lambda: (place.cluster.api.get(*where) or {}).get("status", {}).get("availableReplicas"),
        "its pods are back",
    )


@contextmanager
def without_a_crd(place: Place) -> Iterator[None]:
    """Somebody has deleted the CRD of PushSecrets, of which there are none now."""
    name = "pushsecrets.external-secrets.io"
    place.cluster.api.delete(*CRD, name)
    wait_until(lambda: place.cluster.api.get(*CRD, name) is None, "the CRD is gone")
    try:
        yield
    finally:
        install_crds(place.cluster, only=[name])


@contextmanager
def with_an_older_crd(place: Place) -> Iterator[None]:
    """The CRD serves the version of operators before 0.16 alone."""
    name = "externalsecrets.external-secrets.io"
    versions = place.cluster.api.read(*CRD, name)["spec"]["versions"]
    older = [{**one, "served": one["name"] == "v1beta1"} for one in versions]
    place.cluster.api.patch(*CRD, name, None, {"spec": {"versions": older}})
    try:
        yield
    finally:
        place.cluster.api.patch(*CRD, name, None, {"spec": {"versions": versions}})
    wait_until(lambda: place.condition("ExternalSecret", place.secret), "v1 is served again")


def with_a_webhook_of(
    *, days: int | None, has_service: bool = True
) -> Callable[[Place], AbstractContextManager[None]]:
    """The chart's webhook, whose authority ends in so many days or is not there. It has no pods."""

    @contextmanager
    def happen(place: Place) -> Iterator[None]:
        port = {"name": "https", "port": 443, "targetPort": 10250}
        metadata = {"name": "external-secrets-webhook", "namespace": OPERATORS}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
        slices = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": metadata["name"]}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.7"], "conditions": {"ready": days != 0}}],
            "ports": [{"port": 10250}],
        }
        objects = [{**service, "spec": {"ports": [port]}}, slices] if has_service else []
        with TemporaryDirectory() as folder:
            lasts = timedelta(days=30 if days is None else days or 30)
            made = certificates_for([webhook.HOST], Path(folder), lasts=lasts).authority
            client = webhook.of_service(OPERATORS, None if days is None else made)
            with _applied(place, *objects), webhook.asked(place.cluster, "nowhere", client):
                yield

    return happen


@contextmanager
def with_a_clock_ahead(place: Place) -> Iterator[None]:
    """That of whoever asks."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            later = datetime.now(tz) + HOUR
            return cls.fromtimestamp(later.timestamp(), tz)

    commands = "platform_secrets.secretsctl"
    with (
        patch(f"{commands}.kubectl.datetime", Ahead),
        patch(f"{commands}.cluster_snapshot.datetime", Ahead),
    ):
        yield


@contextmanager
def with_a_nodes_clock_behind(place: Place) -> Iterator[None]:
    """Its kubelet says that a pod started before it was made."""
    metadata = {"name": "any", "namespace": place.namespace}
    pod: Manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    pod["spec"] = {
        "nodeName": "node-7",
        "containers": [{"name": "any", "image": "any.example.com"}],
    }
    started = {"phase": "Running", "startTime": _moment(-HOUR)}
    with _applied(place, pod):
        where = ("v1", "Pod", "any", place.namespace)
        place.cluster.api.patch(*where, {"status": started}, subresource="status")
        yield
        path = place.cluster.api.path(*where)
        place.cluster.api.request("DELETE", path, params={"gracePeriodSeconds": "0"})


@contextmanager
def with_the_operators_clock_behind(place: Place) -> Iterator[None]:
    """So it has the times of its newest events."""
    about = {"apiVersion": "external-secrets.io/v1", "kind": "SecretStore"}
    about |= {"namespace": place.namespace, "name": "vault-store"}
    events = [
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"vault-store.{token_hex(6)}", "namespace": place.namespace},
            "involvedObject": about,
            "source": {"component": "external-secrets"},
            "type": "Normal",
            "reason": "Valid",
            "message": "store validated",
            "count": 1,
            **dict.fromkeys(("firstTimestamp", "lastTimestamp"), _moment(-HOUR)),
        }
        for _ in range(3)
    ]
    with _applied(place, *events):
        yield


def _moment(away: timedelta) -> str:
    return (datetime.now(UTC) + away).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _applied(place: Place, *objects: Manifest) -> Iterator[None]:
    for obj in objects:
        place.cluster.api.apply(obj, manager="somebody")
    try:
        yield
    finally:
        for obj in objects:
            metadata = obj["metadata"]
            where = (obj["apiVersion"], obj["kind"], metadata["name"], metadata["namespace"])
            place.cluster.api.delete(*where)
            wait_until(lambda one=where: place.cluster.api.get(*one) is None, f"{where} is gone")


OTHERS: list[tuple[str, str, Callable[[Place], AbstractContextManager[object]]]] = [
    ("all is well", "", nullcontext),
    ("another reader", "reader-not-declared", with_another_reader),
    ("reader's right gone", "reader-right-missing", without_a_readers_right),
    ("second owner", "secret-two-owners", with_a_second_owner),
    ("full quota", "quota-full", with_a_full_quota),
    ("operator paused", "operator-paused", with_the_operator_paused),
    ("CRD deleted", "crd-missing", without_a_crd),
    ("CRD of an older operator", "crd-not-served", with_an_older_crd),
    ("webhook without authority", "webhook-no-authority", with_a_webhook_of(days=None)),
    ("webhook's authority expired", "webhook-certificate", with_a_webhook_of(days=-1)),
    ("webhook's authority ends", "webhook-certificate", with_a_webhook_of(days=2)),
    ("webhook without pods", "webhook-unreachable", with_a_webhook_of(days=0)),
    (
        "webhook's Service gone",
        "webhook-unreachable",
        with_a_webhook_of(days=30, has_service=False),
    ),
    ("webhook well", "", with_a_webhook_of(days=30)),
    ("own clock ahead", "clock-skew", with_a_clock_ahead),
    ("node's clock behind", "clock-skew", with_a_nodes_clock_behind),
    ("operator's clock behind", "clock-skew", with_the_operators_clock_behind),
    ("all is well again", "", nullcontext),
]
"""By the doctor's check."""
