"""Who may do what with which Secret, asked of a real API server: for every environment, every
identity and every verb, allowed is what the catalogue says, and nothing else."""

import itertools
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from subprocess import CalledProcessError
from typing import Any

import httpx
import pytest

from platform_secrets.settings import Settings
from platform_secrets.settings.rotator import ROTATION
from tests.e2e.cluster import Cluster
from tests.e2e.environments import PATIENCE_SECONDS, operated, secret_values, settings_of
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError, Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import wait_until
from tests.e2e.stores import Stores, made_values
from tests.platform import STACK_FILES

STACKS = (
    "shared-cluster-production",
    "shared-cluster-staging",
    "development",
)
ESO_GROUP = "external-secrets.io"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
# The chart's own ClusterRoles, for every Secret of the cluster: the operator writes those that the
# ExternalSecrets ask for, and the cert controller looks among all for the webhook's certificate.
CHART_VERBS = {
    "external-secrets": {"get", "list", "watch", "create", "update", "patch", "delete"},
    "external-secrets-cert-controller": {"get", "list", "watch", "update", "patch"},
}
# Whoever could do this in an environment would have its Secrets without a right on them.
WAYS_ROUND = (
    ("create", "", "pods", ""),
    ("create", "", "pods", "exec"),
    ("create", "apps", "deployments", ""),
    ("create", "batch", "jobs", ""),
    ("create", ESO_GROUP, "secretstores", ""),
    ("patch", ESO_GROUP, "secretstores", ""),
    ("create", ESO_GROUP, "externalsecrets", ""),
    ("create", ESO_GROUP, "pushsecrets", ""),
    ("create", "rbac.authorization.k8s.io", "rolebindings", ""),
    ("bind", "rbac.authorization.k8s.io", "clusterroles", ""),
    ("escalate", "rbac.authorization.k8s.io", "roles", ""),
    ("impersonate", "", "serviceaccounts", ""),
)


@dataclass(frozen=True)
class Identity:
    """Somebody whom the API server knows. A ServiceAccount has a namespace."""

    name: str
    namespace: str = ""
    groups: tuple[str, ...] = ()

    @property
    def user(self) -> str:
        return (
            f"system:serviceaccount:{self.namespace}:{self.name}" if self.namespace else self.name
        )

    @property
    def all_groups(self) -> list[str]:
        of_accounts = ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}"]
        return ["system:authenticated", *self.groups, *(of_accounts if self.namespace else [])]


@dataclass(frozen=True)
class Question:
    """Whether somebody may do something with an object; without a name, with all of a namespace."""

    who: Identity
    verb: str
    namespace: str
    name: str = ""
    group: str = ""
    resource: str = "secrets"
    subresource: str = ""


@dataclass
class World:
    """Environments on one cluster; the first owns the operator."""

    cluster: Cluster
    environments: list[Settings]
    _apis: dict[Identity, KubernetesApi] = field(default_factory=dict)

    @property
    def operator(self) -> Identity:
        env = self.environments[0].environment
        return Identity(env.operator_service_account, env.operator_namespace)

    @property
    def of_chart(self) -> dict[Identity, set[str]]:
        """Who may do what with every Secret by the chart."""
        namespace = self.operator.namespace
        return {Identity(name, namespace): verbs for name, verbs in CHART_VERBS.items()}

    @property
    def store_accounts(self) -> set[Identity]:
        names = ("vault-store", "vault-rotation-store")
        return {Identity(n, e.namespace) for e in self.environments[:2] for n in names}

    @property
    def accounts(self) -> set[Identity]:
        """Every ServiceAccount of the environments and of the operator's namespace, by what the
        cluster has; and one of elsewhere."""
        namespaces = [e.namespace for e in self.environments] + [self.operator.namespace, "default"]
        return {
            Identity(account["metadata"]["name"], namespace)
            for namespace in namespaces
            for account in self.cluster.api.list("v1", "ServiceAccount", namespace)
        }

    @property
    def people(self) -> set[Identity]:
        """A reader of each environment with readers, somebody without any group, and nobody."""
        readers = {
            Identity(f"a reader of {settings.namespace}", groups=(group,))
            for settings in self.environments
            for group in settings.environment.readers.groups
        }
        return {*readers, Identity("an ordinary user"), Identity("system:anonymous")}

    @property
    def everybody(self) -> set[Identity]:
        return self.accounts | self.people

    @property
    def secrets(self) -> list[tuple[str, str]]:
        """Every Secret of every environment: namespace and name."""
        return [
            (settings.namespace, bundle.secret)
            for settings in self.environments
            for bundle in settings.catalogue.bundles.values()
        ]

    @property
    def catalogued_reads(self) -> set[tuple[Identity, str, str]]:
        """Who may get which Secret, by the catalogue and the stacks' readers alone."""
        found = set()
        for settings in self.environments:
            bundles = settings.catalogue.bundles
            for service in settings.catalogue.services.values():
                account = Identity(str(service.account), settings.namespace)
                found |= {
                    (account, settings.namespace, bundles[read].secret) for read in service.reads
                }
            for group in settings.environment.readers.groups:
                reader = Identity(f"a reader of {settings.namespace}", groups=(group,))
                found |= {(reader, settings.namespace, b.secret) for b in bundles.values()}
        return found

    def allowed(self, questions: Iterable[Question]) -> set[Question]:
        """Those which the API server's authorizer answers with yes."""
        asked = list(questions)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(self._is_allowed, asked))
        return {question for question, answer in zip(asked, answers, strict=True) if answer}

    def _is_allowed(self, question: Question) -> bool:
        attributes = {
            "verb": question.verb,
            "namespace": question.namespace,
            "name": question.name,
            "group": question.group,
            "resource": question.resource,
            "subresource": question.subresource,
        }
        who = question.who
        groups = ["system:unauthenticated"] if who.name == "system:anonymous" else who.all_groups
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "metadata": {},
            "spec": {"user": who.user, "groups": groups, "resourceAttributes": attributes},
        }
        return self.cluster.api.create(body)["status"]["allowed"]

    def status(
        self,
        who: Identity,
        method: str,
        path: str,
        body: Manifest | None = None,
        **params: str,
    ) -> int:
        """The HTTP status of a request with the ServiceAccount's own token; a write is tried and
        not stored."""
        if who not in self._apis:
            token = self.cluster.token(who.namespace, who.name)
            self._apis[who] = self.cluster.api_as(token)
        content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        params |= {} if method == "GET" else {"dryRun": "All"}
        try:
            self._apis[who].request(method, path, body, content_type=content_type, params=params)
        except KubernetesApiError as error:
            return error.status
        return httpx.codes.OK

    def gets(self, who: Identity, namespace: str, name: str) -> int:
        """The status of a real get of a Secret."""
        return self.status(who, "GET", self.cluster.api.path("v1", "Secret", name, namespace))


@pytest.fixture(scope="module")
def world(cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[World]:
    """Production and staging with synced Secrets, and development with basic ones, on one
    cluster."""
    environments = [settings_of(STACK_FILES[stack], {}) for stack in STACKS]
    for settings in environments[:2]:
        stores.prepare(settings)
        stores.put(settings, made_values(settings))
    with operated(cluster, operator, environments):
        made = World(cluster, environments)
        basic = environments[2].namespace
        for name in (name for namespace, name in made.secrets if namespace == basic):
            metadata = {"name": name, "namespace": basic}
            content = {"stringData": {"key": secrets.token_hex(12)}}
            cluster.api.apply(
                {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **content}
            )
        for namespace, name in made.secrets:
            wait_until(
                lambda ns=namespace, n=name: secret_values(cluster, ns, n),
                f"{namespace}/{name} is there",
                timeout_seconds=PATIENCE_SECONDS,
            )
        yield made


def test_everybody_of_whom_the_layer_knows_is_asked_about(world: World) -> None:
    """The list comes from the cluster, so it is held against what must be on it."""
    accounts = {(account.namespace, account.name) for account in world.accounts}
    services = [service.account for service in world.environments[0].catalogue.services.values()]
    assert len(services) == 4
    for settings in world.environments:
        assert {(settings.namespace, name) for name in (*services, "default")} <= accounts
    assert world.store_accounts | {world.operator} <= world.accounts
    assert {person.groups for person in world.people} >= {
        ("veza-secrets-production",),
        ("veza-secrets-staging",),
        (),
    }


def test_the_api_server_allows_exactly_what_the_catalogue_says(world: World) -> None:
    """Every identity, with every verb, for each Secret and for all of a namespace at once."""
    places = [*world.secrets, *((settings.namespace, "") for settings in world.environments)]
    questions = itertools.product(world.everybody, VERBS, places)
    allowed = world.allowed(Question(who, verb, *place) for who, verb, place in questions)
    expected = {Question(who, "get", *place) for who, *place in world.catalogued_reads}
    expected |= {
        Question(who, verb, *place)
        for who, verbs in world.of_chart.items()
        for verb, place in itertools.product(verbs, places)
    }
    assert allowed == expected


def test_a_real_request_with_an_accounts_own_token_is_answered_alike(world: World) -> None:
    """Every account tries to get every Secret."""
    reads = [(who, *place) for who, place in itertools.product(world.accounts, world.secrets)]
    statuses = {read: world.gets(*read) for read in reads}
    may_read = {read for read, status in statuses.items() if status == httpx.codes.OK}
    by_chart = {(who, *place) for who, place in itertools.product(world.of_chart, world.secrets)}
    assert may_read == {read for read in world.catalogued_reads if read[0].namespace} | by_chart
    assert set(statuses.values()) == {httpx.codes.OK, httpx.codes.FORBIDDEN}


def test_a_reader_can_neither_list_nor_change_what_it_may_get(world: World) -> None:
    """With the own token of a service that may get it."""
    namespace, name = world.environments[0].namespace, "wren-secrets"
    backend = Identity("wren-backend-api", namespace)
    whole = world.cluster.api.path("v1", "Secret", None, namespace)
    assert world.gets(backend, namespace, name) == httpx.codes.OK
    metadata = {"name": name, "namespace": namespace}
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    one: Any = {"fieldSelector": f"metadata.name={name}"}
    statuses = {
        "list": world.status(backend, "GET", whole),
        "list one": world.status(backend, "GET", whole, **one),
        "watch": world.status(backend, "GET", whole, watch="true", timeoutSeconds="1"),
        "create": world.status(backend, "POST", whole, obj),
        "update": world.status(backend, "PUT", f"{whole}/{name}", obj),
        "patch": world.status(backend, "PATCH", f"{whole}/{name}", {"data": {}}),
        "delete": world.status(backend, "DELETE", f"{whole}/{name}"),
        "deletecollection": world.status(backend, "DELETE", whole),
    }
    assert statuses == dict.fromkeys(statuses, httpx.codes.FORBIDDEN)


def test_a_person_of_the_readers_group_reads_and_others_do_not(world: World) -> None:
    production, staging, _ = (settings.namespace for settings in world.environments)
    get = ("get", "secret", "wren-secrets", "--output=name")
    group = "--as-group=veza-secrets-production"
    found = world.cluster.kubectl(*get, f"--namespace={production}", "--as=somebody", group)
    assert found.strip() == "secret/wren-secrets"
    for refused in (
        (f"--namespace={staging}", "--as=somebody", group),
        (f"--namespace={production}", "--as=somebody", "--as-group=veza-secrets-staging"),
        (f"--namespace={production}", "--as=somebody"),
    ):
        with pytest.raises(CalledProcessError):
            world.cluster.kubectl(*get, *refused)


def test_the_operator_gets_tokens_of_the_stores_accounts_and_nobody_of_any(world: World) -> None:
    """The chart's right to every account's token is off: each store's Role names its account."""
    tokens = {"resource": "serviceaccounts", "subresource": "token"}
    pairs = list(itertools.product(world.everybody, world.accounts))
    allowed = world.allowed(
        Question(who, "create", whose.namespace, whose.name, **tokens) for who, whose in pairs
    )
    assert allowed == {
        Question(world.operator, "create", whose.namespace, whose.name, **tokens)
        for whose in world.store_accounts
    }
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    for whose in world.accounts:
        path = world.cluster.api.path("v1", "ServiceAccount", whose.name, whose.namespace)
        status = world.status(world.operator, "POST", f"{path}/token", request)
        assert (status == 200) == (whose in world.store_accounts), whose


def test_nobody_has_a_way_round_his_missing_right(world: World) -> None:
    """What the rotators create, admission compares with what they may."""
    namespaces = [settings.namespace for settings in world.environments]
    allowed = world.allowed(
        Question(who, verb, namespace, "", *what)
        for who in world.everybody - {world.operator}
        for verb, *what in WAYS_ROUND
        for namespace in namespaces
    )
    assert allowed == {
        Question(Identity(ROTATION, namespace), "create", namespace, "", ESO_GROUP, resource)
        for namespace in namespaces[:2]
        for resource in ("externalsecrets", "pushsecrets")
    }
