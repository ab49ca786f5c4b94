"""The local clouds refuse what the real ones refuse, and answer what they answer."""

import secrets
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.api_core import exceptions
from jwt.algorithms import ECAlgorithm

from tests.e2e import azure_server, gcp_server
from tests.e2e.azure_server import AzureServer
from tests.e2e.certificates import certificates_for
from tests.e2e.cloud_clients import CloudClients
from tests.e2e.cluster_issuer import ClusterIssuer
from tests.e2e.gcp_identity import GcpIdentity
from tests.e2e.gcp_server import GcpServer
from tests.e2e.proxy import Proxy

ISSUER = "https://cluster.example"
POOL = "shop-clusters.svc.id.goog"
CLUSTER = "https://container.googleapis.com/v1/projects/shop-clusters/locations/l/clusters/c"
READER = "system:serviceaccount:shop:reader"
WRITER = "system:serviceaccount:shop:writer"
WRITER_EMAIL = "writer@shop.iam.gserviceaccount.com"
PATH = "projects/shop/secrets/shop-api-key"
MANAGED = {"managed-by": "external-secrets"}
VAULT_HOST = "shop-vault.vault.azure.net"

CLUSTER_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
FAULTS = {
    "another issuer": {"issuer": "https://other.example"},
    "another audience": {"audience": "https://kubernetes.default.svc"},
    "a forged signature": {"key": OTHER_KEY},
    "an unknown key": {"key": OTHER_KEY, "key_id": "other"},
    "expired": {"lifetime_seconds": -60},
}


def token(
    subject, audience, issuer=ISSUER, key=CLUSTER_KEY, key_id="cluster", lifetime_seconds=600
):
    claims = {"sub": subject, "aud": [audience], "iss": issuer}
    claims["exp"] = time.time() + lifetime_seconds
    return jwt.encode(claims, key, "ES256", {"kid": key_id})


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    names = [*gcp_server.HOST_NAMES, *azure_server.host_names("shop-vault")]
    return certificates_for(names, tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def issuer():
    key = ECAlgorithm.to_jwk(CLUSTER_KEY.public_key(), as_dict=True)
    return ClusterIssuer(ISSUER, {"keys": [key | {"kid": "cluster"}]})


@pytest.fixture
def gcp(certificates, issuer):
    reads = {(gcp_server.ACCESS, "shop-api-key")}
    writes = {(gcp_server.GET, "shop-api-key"), (gcp_server.ADD, "shop-api-key")}
    writes |= {(gcp_server.UPDATE, "shop-api-key"), (gcp_server.CREATE, gcp_server.PROJECT)}
    identity = GcpIdentity(issuer, POOL, CLUSTER, {WRITER: WRITER_EMAIL})
    with GcpServer(certificates, identity, "shop", {READER: reads, WRITER_EMAIL: writes}) as server:
        yield server


@pytest.fixture
def azure(certificates, issuer):
    grants = {
        "reader-id": {(azure_server.GET, "shop-api-key")},
        "writer-id": {(azure_server.GET, "shop-api-key"), (azure_server.SET, "shop-api-key")},
    }
    federated = {("reader-id", READER), ("writer-id", WRITER)}
    with AzureServer(certificates, issuer, "tenant", "shop-vault", federated, grants) as server:
        yield server


@pytest.fixture
def proxy(gcp, azure):
    with Proxy(gcp.ports | azure.ports) as started:
        yield started


@pytest.fixture
def clients(proxy, certificates):
    return CloudClients(proxy.url, certificates.trust)


@pytest.fixture
def google(clients):
    """Returns Google's own client, signed in as the ServiceAccount, or as whom it impersonates."""

    def google(subject, email=None):
        answer = clients.bind_identity(token(subject, POOL), POOL, CLUSTER)
        google_token = answer.content["access_token"]
        if email:
            google_token = clients.impersonate(google_token, email)
        return clients.secret_manager(google_token)

    return google


@pytest.fixture
def key_vault(clients):
    """Returns a function that asks the vault, signed in with the given identity."""

    def key_vault(client_id, subject):
        answer = clients.sign_in("tenant", client_id, token(subject, azure_server.AUDIENCE))
        return clients.key_vault(VAULT_HOST, answer.content["access_token"])

    return key_vault


def test_google_answers_the_member_that_holds_the_right(gcp, google):
    value = secrets.token_hex()
    gcp.set("shop-api-key", value)
    answer = google(READER).access_secret_version(name=f"{PATH}/versions/latest")
    assert answer.payload.data.decode() == value


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_google_refuses_a_token_with_a_fault(clients, fault):
    faulty = token(**{"subject": READER, "audience": POOL} | fault)
    assert clients.bind_identity(faulty, POOL, CLUSTER).status == 400


def test_google_refuses_a_token_for_another_cluster(clients):
    answer = clients.bind_identity(token(READER, POOL), POOL, CLUSTER + "-other")
    assert answer.status == 400


def test_google_refuses_a_call_without_its_own_token(clients):
    with pytest.raises(exceptions.Unauthenticated):
        clients.secret_manager(token(READER, POOL)).get_secret(name=PATH)


def test_google_refuses_the_member_without_the_right(gcp, google):
    gcp.set("shop-api-key", secrets.token_hex())
    gcp.set("shop-other", secrets.token_hex())
    other_subject, reader = google("system:serviceaccount:other:reader"), google(READER)
    with pytest.raises(exceptions.PermissionDenied):
        other_subject.access_secret_version(name=f"{PATH}/versions/latest")
    with pytest.raises(exceptions.PermissionDenied):
        reader.access_secret_version(name="projects/shop/secrets/shop-other/versions/latest")
    with pytest.raises(exceptions.PermissionDenied):
        reader.access_secret_version(name="projects/else/secrets/shop-api-key/versions/latest")
    with pytest.raises(exceptions.PermissionDenied):
        reader.add_secret_version(parent=PATH, payload={"data": b"x"})


def test_google_lets_only_the_bound_account_impersonate(google):
    with pytest.raises(exceptions.PermissionDenied):
        google(READER, WRITER_EMAIL)


def test_google_keeps_what_the_impersonated_account_writes(gcp, google):
    writer = google(WRITER, WRITER_EMAIL)
    made = {"labels": MANAGED, "replication": {"automatic": {}}}
    asked = {"parent": "projects/shop", "secret_id": "shop-api-key", "secret": made}
    writer.create_secret(asked)
    value = secrets.token_hex()
    writer.add_secret_version(parent=PATH, payload={"data": value.encode()})
    changed = {"name": PATH, "labels": MANAGED | {"team": "shop"}}
    writer.update_secret(secret=changed, update_mask={"paths": ["labels"]})
    assert gcp.get("shop-api-key") == value
    assert writer.get_secret(name=PATH).labels == MANAGED | {"team": "shop"}


def test_google_has_no_version_of_an_empty_secret(gcp, google):
    gcp.create("shop-api-key", MANAGED)
    with pytest.raises(exceptions.NotFound):
        google(READER).access_secret_version(name=f"{PATH}/versions/latest")


def test_every_call_to_google_is_listed(gcp, google):
    gcp.set("shop-api-key", secrets.token_hex())
    google(READER).access_secret_version(name=f"{PATH}/versions/1")
    assert gcp.identity.calls == [
        ("identitybindingtoken", "", READER),
        ("AccessSecretVersion", "shop-api-key", READER),
    ]


def test_the_vault_answers_the_latest_and_each_version(azure, key_vault):
    first, second = secrets.token_hex(), secrets.token_hex()
    first_id = azure.set("shop-api-key", first)
    azure.set("shop-api-key", second)
    ask = key_vault("reader-id", READER)
    assert ask("GET", "/secrets/shop-api-key/").content["value"] == second
    assert ask("GET", f"/secrets/shop-api-key/{first_id}").content["value"] == first


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_entra_refuses_a_token_with_a_fault(clients, fault):
    faulty = token(**{"subject": READER, "audience": azure_server.AUDIENCE} | fault)
    assert clients.sign_in("tenant", "reader-id", faulty).status == 401


def test_entra_refuses_an_identity_that_is_not_federated_with_the_subject(clients):
    token_of_reader = token(READER, azure_server.AUDIENCE)
    assert clients.sign_in("tenant", "writer-id", token_of_reader).status == 401


def test_entra_refuses_another_tenant(clients):
    token_of_reader = token(READER, azure_server.AUDIENCE)
    assert clients.sign_in("other", "reader-id", token_of_reader).status == 400


def test_the_vault_refuses_the_identity_without_the_right(azure, key_vault):
    azure.set("shop-other", secrets.token_hex())
    ask = key_vault("reader-id", READER)
    assert ask("GET", "/secrets/shop-other/").status == 403
    assert ask("PUT", "/secrets/shop-api-key", {"value": secrets.token_hex()}).status == 403


def test_the_vault_replaces_the_tags_with_the_value(azure, key_vault):
    azure.set("shop-api-key", secrets.token_hex(), MANAGED | {"team": "shop"})
    value = secrets.token_hex()
    ask = key_vault("writer-id", WRITER)
    ask("PUT", "/secrets/shop-api-key", {"value": value, "tags": MANAGED})
    assert (azure.get("shop-api-key"), azure.tags("shop-api-key")) == (value, MANAGED)


def test_the_vault_has_no_absent_secret(key_vault):
    assert key_vault("reader-id", READER)("GET", "/secrets/shop-api-key/").status == 404


def test_the_vault_tells_an_unknown_caller_where_to_sign_in(clients):
    answer = clients.send("GET", VAULT_HOST, "/secrets/shop-api-key/")
    assert answer.status == 401
    sign_in_at = 'authorization="https://login.microsoftonline.com/tenant"'
    assert sign_in_at in answer.headers["WWW-Authenticate"]


def test_every_call_to_azure_is_listed(azure, key_vault):
    key_vault("reader-id", READER)("GET", "/secrets/shop-other/")
    assert azure.calls == [("token", "", READER), ("GET", "shop-other", READER)]


def test_the_proxy_refuses_and_lists_every_other_host(proxy, clients):
    with pytest.raises(OSError, match="403"):
        clients.send("GET", "sts.googleapis.com", "/")
    assert proxy.refused == ["sts.googleapis.com:443"]
