"""Secrets of short-lived tokens, for which the real operator asks: a login to AWS' registries, and
a GitHub App's token."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from platform_secrets.settings import Document, Settings, load
from tests.e2e.aws_gate import LOG_IN
from tests.e2e.cluster import Cluster
from tests.e2e.environments import fails, operated, secret_values, sync, touch
from tests.e2e.https_server import HttpsServer, Reply, Request
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import wait_until
from tests.e2e.stores import GITHUB_HOST, Stores

NAMESPACE = "harbour-tokens"
REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
APP, INSTALLATION = "4711", "81500"
CATALOGUE: dict[str, Any] = {
    "platform": "harbour",
    "bundles": {
        "app": {"secret": "app-env", "keys": {"private-key": {"description": "of the App"}}},
        "images": {
            "secret": "images-pull",
            "registries": {REGISTRY: {"username": "username", "password": "password"}},
            "keys": {
                name: {"description": "of the registry", "hidden": True}
                for name in ("username", "password")
            },
        },
        "repository": {
            "secret": "repository-login",
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
            "texts": {"url": "https://github.com/harbour", "username": "x-access-token"},
            "keys": {"password": {"description": "of the repository"}},
        },
    },
}
AWS = {"region": "eu-central-1", "account-id": "123456789012"}
STACK: dict[str, Any] = {
    "environment": "tokens",
    "operator": "install",
    "protect": False,
    "stores": {
        "vault": {"provider": "vault", "server": "https://vault.example.com:8200"},
        "ecr": {"provider": "ecr-token", **AWS},
        "github": {
            "provider": "github-token",
            "app-id": APP,
            "installation-id": INSTALLATION,
            "private-key": {"name": "app-env", "key": "private-key"},
            "permissions": {"contents": "read"},
            "repositories": ["charts"],
        },
    },
    "default-store": "vault",
    "bundles": {
        "images": {"store": "ecr"},
        "repository": {"store": "github", "keys": {"password": {"property": "token"}}},
    },
}


class GitHub:
    """Issues a new token to whoever has signed as the App."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def answer(self, request: Request) -> Reply:
        if request.path != f"/app/installations/{INSTALLATION}/access_tokens":
            return Reply(404, {"message": "Not Found"})
        signed = request.headers["Authorization"].removeprefix("Bearer ")
        try:
            jwt.decode(signed, self.private_key.public_key(), algorithms=["RS256"], issuer=APP)
        except jwt.InvalidTokenError:
            return Reply(401, {"message": "A JSON web token could not be decoded"})
        self.asked.append(json.loads(request.body))
        self.issued.append(f"ghs_{secrets.token_hex(18)}")
        return Reply(201, {"token": self.issued[-1]})


def pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


@pytest.fixture(scope="module")
def settings() -> Settings:
    [found] = load([Document("Pulumi.tokens.yaml", STACK)], Document("catalogue.yaml", CATALOGUE))
    return found


@pytest.fixture(scope="module")
def github(
    cluster: Cluster, stores: Stores, operator: OperatorRelease, settings: Settings
) -> Iterator[GitHub]:
    """What stands for GitHub, in an environment with all of it."""
    github = GitHub()
    server = HttpsServer(github.answer, stores.certificates)
    server.start()
    stores.proxy.ports[GITHUB_HOST] = server.port
    stores.prepare(settings)
    stores.put(settings, {"private-key": pem(github.private_key)})
    with operated(cluster, operator, [settings]):
        yield github
    del stores.proxy.ports[GITHUB_HOST]
    server.stop()


def test_a_pull_secret_logs_in_with_the_role_of_its_own_account(
    github: GitHub, cluster: Cluster, stores: Stores
) -> None:
    sync(cluster, NAMESPACE, "images-pull")
    made = cluster.api.get("v1", "Secret", "images-pull", NAMESPACE) or {}
    assert made["type"] == "kubernetes.io/dockerconfigjson"
    found = secret_values(cluster, NAMESPACE, "images-pull") or {}
    login = json.loads(found[".dockerconfigjson"])["auths"][REGISTRY]
    assert (login["username"], bool(login["password"])) == ("AWS", True)
    asked = [call for call in stores.aws_gate.calls if call.method == LOG_IN]
    assert {call.subject for call in asked} == {f"system:serviceaccount:{NAMESPACE}:ecr-store"}


def password(cluster: Cluster) -> str:
    found = secret_values(cluster, NAMESPACE, "repository-login") or {}
    assert found.keys() == {"url", "username", "password"}
    return found["password"]


def test_a_repository_s_login_is_new_at_each_refresh_and_may_do_what_was_asked_for(
    github: GitHub, cluster: Cluster
) -> None:
    """The App's private key arrives by a bundle of its own, which the operator reads first."""
    sync(cluster, NAMESPACE, "app-env")
    sync(cluster, NAMESPACE, "repository-login")
    before = password(cluster)
    assert before in github.issued, "it was not issued here"
    sync(cluster, NAMESPACE, "repository-login")
    wait_until(lambda: password(cluster) in {*github.issued} - {before}, "there is a new token")
    wanted = {"permissions": {"contents": "read"}, "repositories": ["charts"]}
    assert all(asked == wanted for asked in github.asked)


def test_a_refused_token_leaves_the_secret_as_it_is(
    github: GitHub, cluster: Cluster, stores: Stores, settings: Settings
) -> None:
    another = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    stores.put(settings, {"private-key": another})
    sync(cluster, NAMESPACE, "app-env")
    before = {*github.issued}
    touch(cluster, NAMESPACE, "repository-login")
    fails(cluster, NAMESPACE, "repository-login")
    assert password(cluster) in before, "it was not issued before"
    stores.put(settings, {"private-key": pem(github.private_key)})
    sync(cluster, NAMESPACE, "app-env")
    sync(cluster, NAMESPACE, "repository-login")
    wait_until(lambda: password(cluster) in {*github.issued} - before, "there is a new token")
