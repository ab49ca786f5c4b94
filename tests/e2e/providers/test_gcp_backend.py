"""The provider half of GCP: declared by the real engine, and then what the operator's own tokens
are checked against. Google's IAM itself is not here; docs/providers/gcp.md says what that means."""

import itertools
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core import exceptions

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.gcp import service_account_email
from platform_secrets.manifests.providers.provider import metadata_of_push
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import GcpStore, Settings
from tests.e2e import gcp_provider
from tests.e2e.cloud_clients import CloudClients
from tests.e2e.cluster import ISSUER, PEOPLE, Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import EngineError, Outcome
from tests.e2e.environments import secret_values, sync
from tests.e2e.eso import copied_store, has_condition
from tests.e2e.gcp_provider import GcpProvider
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.stores import GCP_CLUSTER, GCP_PROJECT, Stores, made_values
from tests.platform import STACK_FILES

POOL = f"{GCP_PROJECT}.svc.id.goog"
CLUSTER_URL = f"https://container.googleapis.com/v1/{GCP_CLUSTER}"
ROLE = f"projects/{GCP_PROJECT}/roles/wren_secrets_push"
IDENTITIES = ("read", "rotation", "seed")
ACCESS, ADD, GET, UPDATE = "access", "add", "get", "update"
MAY = {"read": {ACCESS}, "rotation": {ACCESS, ADD, GET}, "seed": {ACCESS, ADD, GET}}


@dataclass
class Halves:
    """Production, which owns the project's role, and staging, its guest, in one project. Staging
    had no seeder and no reminders at first."""

    production: Deployment
    staging: Deployment
    provider: GcpProvider
    again: list[Outcome]
    values: dict[str, dict[str, str]]

    def __iter__(self) -> Iterator[Deployment]:
        return iter((self.production, self.staging))


def soon() -> str:
    return (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%d")


def gcp_store(shared: str, **more: Any) -> dict[str, Any]:
    cluster = {"project": GCP_PROJECT, "location": "europe-west3", "name": GCP_PROJECT}
    return {
        "gcp": {
            "provider": "gcp",
            "project": GCP_PROJECT,
            "cluster": cluster,
            "backend": "declare",
            "shared": shared,
            **more,
        }
    }


@pytest.fixture(scope="module")
def halves(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Halves]:
    provider = GcpProvider(stores.gcp)
    kinds: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        ("production", "own", {"seeding": {"groups": [PEOPLE]}}, {"reminders": {"next": soon()}}),
        ("staging", "existing", {}, {}),
    ]
    with ExitStack() as stack:
        ports = {"gcp": stack.enter_context(provider.serve())}
        made = [
            stack.enter_context(
                deployment(
                    *(run, cluster, operator, STACK_FILES[f"shared-cluster-{name}"]),
                    name=f"gcp-{name}",
                    ports=ports,
                    environment=f"gcp-{name}",
                    stores=gcp_store(shared, **more),
                    **seeding,
                )
            )
            for name, shared, seeding, more in kinds
        ]
        for one in made:
            one.stack.up()
        later = "platform-secrets:environment"
        made[1].stack.set_config(f"{later}.seeding.groups[0]", PEOPLE)
        made[1].stack.set_config(f"{later}.stores.gcp.reminders.next", soon())
        made[1].stack.up()
        for one in made:
            one.stack.remove_config(f"{later}.stores.gcp.reminders.next")
        values = {one.settings.namespace: made_values(one.settings) for one in made}
        for one in made:
            stores.put(one.settings, values[one.settings.namespace])
        again = [one.stack.preview() for one in made] + [one.stack.refresh() for one in made]
        yield Halves(made[0], made[1], provider, again, values)


@pytest.fixture(scope="module")
def clients(stores: Stores) -> CloudClients:
    return CloudClients(stores.proxy.url, stores.trust)


def test_a_second_run_finds_nothing_to_do(halves: Halves) -> None:
    assert [outcome.changes for outcome in halves.again] == [{}] * 4


def test_the_operator_reads_through_what_was_declared(cluster: Cluster, halves: Halves) -> None:
    for one in halves:
        namespace = one.settings.namespace
        for bundle in one.settings.catalogue.bundles.values():
            sync(cluster, namespace, bundle.secret)
            found = secret_values(cluster, namespace, bundle.secret) or {}
            expected = {key: halves.values[namespace][key] for key in bundle.keys}
            assert {key: found[key] for key in bundle.keys} == expected


def test_the_operator_pushes_into_an_empty_entry_that_holds_a_generated_key(
    cluster: Cluster, stores: Stores, halves: Halves
) -> None:
    value = secrets.token_hex(24)
    entry = "wren-gcp-production-jwt-secret-next"
    assert push(cluster, halves.production.settings, "rotation", entry, value) == "True"
    assert stores.gcp.get(entry) == value
    assert stores.gcp.labels(entry) == {"managed-by": "external-secrets"}
    assert halves.production.stack.refresh().changes == {}
    assert halves.production.stack.preview().changes == {}


def test_labels_that_others_put_on_an_entry_stay_and_do_not_stop_a_push(
    cluster: Cluster, stores: Stores, halves: Halves
) -> None:
    settings, value = halves.production.settings, secrets.token_hex(24)
    entry = "wren-gcp-production-jwt-secret-previous"
    metadata = provider_of(settings.environment.stores["gcp"]).push_metadata
    stores.gcp.labels(entry)["cost-centre"] = "shop"
    assert push(cluster, settings, "rotation", entry, value, metadata) == "True"
    assert stores.gcp.get(entry) == value
    labels = stores.gcp.labels(entry)
    assert labels == {"managed-by": "external-secrets", "cost-centre": "shop"}
    del labels["cost-centre"]


def test_the_operator_pushes_into_an_entry_of_which_it_was_told_later(
    cluster: Cluster, stores: Stores, halves: Halves
) -> None:
    value = halves.values[halves.staging.settings.namespace]["smtp-password"] = secrets.token_hex()
    entry, settings = "wren-gcp-staging-smtp-password", halves.staging.settings
    topic = f"projects/{GCP_PROJECT}/topics/wren-gcp-staging-reminders"
    metadata = metadata_of_push({"topics": [topic]})
    assert push(cluster, settings, "seed", entry, value, metadata) == "True"
    assert stores.gcp.get(entry) == value


def test_a_push_that_does_not_name_the_entry_s_reminders_is_refused_and_changes_nothing(
    cluster: Cluster, stores: Stores, halves: Halves
) -> None:
    entry, made_up = "wren-gcp-production-smtp-password", secrets.token_hex(24)
    before = stores.gcp.get(entry)
    assert push(cluster, halves.production.settings, "seed", entry, made_up) == "False"
    assert stores.gcp.get(entry) == before


def test_keys_that_people_change_have_a_reminder_and_google_moves_it(halves: Halves) -> None:
    for one in halves:
        name = one.settings.environment.environment
        topic = f"projects/{GCP_PROJECT}/topics/wren-{name}-reminders"
        entry = f"projects/{GCP_PROJECT}/secrets/wren-{name}-s3-access-key"
        declared = halves.provider.of_type(gcp_provider.SECRET)[entry]
        assert declared["topics"] == [{"name": topic}]
        due = {"nextRotationTime": f"{soon()}T00:00:00Z", "rotationPeriod": "7776000s"}
        assert declared["rotation"] == due
        declared["rotation"] = {**due, "nextRotationTime": "2099-01-01T00:00:00Z"}
        assert one.stack.refresh().changes == {"update": 1}
        assert one.stack.preview().changes == {}


def test_the_operator_s_push_elsewhere_is_refused(
    cluster: Cluster, stores: Stores, halves: Halves
) -> None:
    for entry in ("wren-gcp-production-stripe-api-key", "wren-gcp-staging-jwt-secret"):
        before = stores.gcp.get(entry)
        made_up = secrets.token_hex(24)
        assert push(cluster, halves.production.settings, "rotation", entry, made_up) == "False"
        assert stores.gcp.get(entry) == before


def test_every_identity_may_do_with_every_entry_what_it_is_for_and_nothing_else(
    cluster: Cluster, stores: Stores, clients: CloudClients, halves: Halves
) -> None:
    for one, identity in itertools.product(halves, IDENTITIES):
        client = client_of(cluster, clients, one.settings, identity)
        for other in halves:
            for entry, generated in entries_of(other.settings).items():
                may = MAY[identity] if identity != "rotation" or generated else set()
                assert allowed(stores, client, entry) == (may if one is other else set()), (
                    identity,
                    entry,
                )
        new = {"parent": f"projects/{GCP_PROJECT}", "secret_id": "wren-new"}
        with pytest.raises(exceptions.PermissionDenied):
            client.create_secret(new | {"secret": {"replication": {"automatic": {}}}})


def test_another_account_or_audience_is_refused(
    cluster: Cluster, clients: CloudClients, halves: Halves
) -> None:
    settings = halves.production.settings
    for account, namespace, identity in (
        ("gcp-store", settings.namespace, "rotation"),
        ("gcp-rotation-store", settings.namespace, "read"),
        ("wren-backend-api", settings.namespace, "read"),
        ("gcp-store", halves.staging.settings.namespace, "read"),
    ):
        token = cluster.token(namespace, account, audience=POOL)
        google = clients.bind_identity(token, POOL, CLUSTER_URL).content["access_token"]
        with pytest.raises(exceptions.PermissionDenied):
            clients.impersonate(google, email_of(settings, identity))
    token = cluster.token(settings.namespace, "gcp-store", audience=ISSUER)
    assert clients.bind_identity(token, POOL, CLUSTER_URL).status == 400


def test_no_value_is_in_the_state(halves: Halves) -> None:
    for one in halves:
        state = one.stack.state_text
        assert not [v for v in halves.values[one.settings.namespace].values() if v in state]


def test_a_guest_s_destroy_takes_what_is_its_own_and_production_refuses(halves: Halves) -> None:
    with pytest.raises(EngineError, match="protect"):
        halves.production.stack.destroy_by_command()
    guest = halves.staging
    guest.stack.unprotect()
    guest.stack.destroy()
    left = halves.provider.declared
    assert not [id_ for id_ in left if "gcp-staging" in id_]
    assert ROLE in left
    assert len(halves.provider.of_type(gcp_provider.AUDIT)) == 1
    assert halves.production.stack.preview().changes == {}


def entries_of(settings: Settings) -> dict[str, bool]:
    """Each entry, and whether it holds a generated key."""
    keys = settings.catalogue.keys
    return {
        entry.key: key not in keys or keys[key].is_generated
        for bundle in settings.catalogue.bundles
        for key, entry in bundle_entries(settings, bundle).items()
    }


def email_of(settings: Settings, identity: Any) -> str:
    store = settings.environment.stores["gcp"]
    assert isinstance(store, GcpStore)
    return service_account_email(store, settings.identity_name("gcp", identity))


def client_of(cluster: Cluster, clients: CloudClients, settings: Settings, identity: Any) -> Any:
    """Google's own client, signed in as the operator does it for an identity."""
    account = naming.secret_store("gcp", identity)
    token = cluster.token(settings.namespace, account, audience=POOL)
    google = clients.bind_identity(token, POOL, CLUSTER_URL).content["access_token"]
    return clients.secret_manager(clients.impersonate(google, email_of(settings, identity)))


def allowed(stores: Stores, client: Any, entry: str) -> set[str]:
    """What the client may do with an entry; a write leaves its value as it is."""
    path = f"projects/{GCP_PROJECT}/secrets/{entry}"
    try:
        present = stores.gcp.get(entry)
    except IndexError:
        present = secrets.token_hex(24)
    changed = {"secret": {"name": path}, "update_mask": {"paths": ["annotations"]}}
    calls = {
        ACCESS: lambda: client.access_secret_version(name=f"{path}/versions/latest"),
        ADD: lambda: client.add_secret_version(parent=path, payload={"data": present.encode()}),
        GET: lambda: client.get_secret(name=path),
        UPDATE: lambda: client.update_secret(changed),
    }
    found = set()
    for word, call in calls.items():
        try:
            call()
            found.add(word)
        except exceptions.NotFound:
            found.add(word)
        except exceptions.PermissionDenied:
            pass
    return found


def push(
    cluster: Cluster,
    settings: Settings,
    identity: Any,
    entry: str,
    value: str,
    told: Manifest | None = None,
) -> str:
    """The Ready status of a PushSecret of its own, with this metadata, once the operator has tried
    it."""
    name, namespace = f"push-{secrets.token_hex(4)}", settings.namespace
    metadata = {"name": name, "namespace": namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    cluster.api.apply({**secret, "stringData": {"value": value}})
    kind = ("external-secrets.io/v1alpha1", "PushSecret")
    match = {"secretKey": "value", "remoteRef": {"remoteKey": entry}}
    store = copied_store(cluster, namespace, naming.secret_store("gcp", identity), name)
    spec = {
        "secretStoreRefs": [store],
        "selector": {"secret": {"name": name}},
        "refreshInterval": "0s",
        "updatePolicy": "Replace",
        "deletionPolicy": "None",
        "data": [{"match": match, **({"metadata": told} if told else {})}],
    }
    pushed = {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": spec}
    cluster.api.apply(pushed)

    def tried() -> str:
        found = cluster.api.get(*kind, name, namespace) or {}
        return next((s for s in ("True", "False") if has_condition(found, "Ready", s)), "")

    status = wait_until(tried, f"{name} was tried", timeout_seconds=60)
    cluster.api.delete(*kind, name, namespace)
    cluster.api.delete("external-secrets.io/v1", "SecretStore", name, namespace)
    cluster.api.delete("v1", "Secret", name, namespace)
    return status
