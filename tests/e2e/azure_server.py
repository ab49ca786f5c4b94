"""Entra ID's token service and one Key Vault, as far as the operator asks them."""

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qs

import jwt

from tests.e2e.certificates import Certificates
from tests.e2e.cluster_issuer import ClusterIssuer
from tests.e2e.https_server import HttpsServer, Reply, Request
from tests.e2e.lag import Lag

LOGIN_HOST = "login.microsoftonline.com"
AUDIENCE = "api://AzureADTokenExchange"

GET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
SET = "Microsoft.KeyVault/vaults/secrets/setSecret/action"
ACTIONS = {"GET": GET, "PUT": SET}

SECRET_PATH = re.compile(r"/secrets/([0-9A-Za-z-]{1,127})/?([0-9a-f]{32})?")
UNAUTHENTICATED = "AKV10000: Request is missing a Bearer or PoP token."
ASSERTION_FAULTS = {
    jwt.InvalidSignatureError: "AADSTS50013: Assertion failed signature validation.",
    jwt.ExpiredSignatureError: "AADSTS700024: Client assertion is not within its valid time range.",
    jwt.InvalidAudienceError: "AADSTS700212: No matching federated identity record: audience.",
    jwt.InvalidIssuerError: "AADSTS700211: No matching federated identity record: issuer.",
}


class Call(NamedTuple):
    """`method`: the vault's HTTP method, `openid-configuration` or `token`.

    `target`: a secret's name, or empty.
    """

    method: str
    target: str
    subject: str


class Caller(NamedTuple):
    subject: str
    client_id: str


class Version(NamedTuple):
    id: str
    value: str
    tags: dict[str, str]
    made_at: float


@dataclass
class AzureServer:
    """One tenant with one vault. `calls` lists what was asked, in order.

    `federated_credentials`: (client ID, subject), all for the cluster's issuer; those that a stack
    declares are asked for, since its SecretStores want them as soon as they are there.
    `grants`: client ID -> (`GET` or `SET`, secret's name).
    """

    certificates: Certificates
    issuer: ClusterIssuer
    tenant: str
    vault: str
    federated_credentials: set[tuple[str, str]]
    grants: dict[str, set[tuple[str, str]]]
    declared_credentials: Callable[[], set[tuple[str, str]]] = field(default=set, init=False)
    calls: list[Call] = field(default_factory=list, init=False)
    refusals: dict[tuple[str, str], Reply] = field(default_factory=dict, init=False)
    """By call (`token` or the vault's method) and namespace: what its ServiceAccounts are answered
    instead."""
    lag: Lag = field(default_factory=Lag, init=False)
    _versions: dict[str, list[Version]] = field(default_factory=dict, init=False, repr=False)
    _callers: dict[str, Caller] = field(default_factory=dict, init=False, repr=False)

    def set(self, name: str, value: str, tags: Mapping[str, str] | None = None) -> str:
        """Adds a version and returns its ID; it has only these tags, as in a real vault."""
        version = Version(secrets.token_hex(16), value, dict(tags or {}), time.monotonic())
        self._versions.setdefault(name, []).append(version)
        return version.id

    def remove(self, name: str) -> None:
        """Deletes a secret with all its versions."""
        del self._versions[name]

    def get(self, name: str) -> str:
        return self._versions[name][-1].value

    def newest(self, name: str) -> str:
        """The ID of the newest version."""
        return self._versions[name][-1].id

    def tags(self, name: str) -> dict[str, str]:
        return self._versions[name][-1].tags

    def start(self) -> None:
        self._https = HttpsServer(self._answer, self.certificates)
        self.ports = dict.fromkeys(host_names(self.vault), self._https.port)
        self._https.start()

    def stop(self) -> None:
        self._https.stop()

    def __enter__(self) -> "AzureServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answer(self, request: Request) -> Reply:
        path = request.path.partition("?")[0]
        if request.host != LOGIN_HOST:
            return self._answer_of_vault(request, path)
        if path == f"/{self.tenant}/v2.0/.well-known/openid-configuration":
            self.calls.append(Call("openid-configuration", "", ""))
            return Reply(200, self._openid_configuration())
        if path == f"/{self.tenant}/oauth2/v2.0/token":
            form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            return self._token(form)
        return entra_error(400, "invalid_request", "AADSTS90002: Tenant not found.")

    def _openid_configuration(self) -> dict:
        tenant = f"https://{LOGIN_HOST}/{self.tenant}"
        return {
            "issuer": f"{tenant}/v2.0",
            "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
            "token_endpoint": f"{tenant}/oauth2/v2.0/token",
            "jwks_uri": f"{tenant}/discovery/v2.0/keys",
        }

    def _token(self, form: Mapping[str, str]) -> Reply:
        try:
            subject = self.issuer.subject(form.get("client_assertion", ""), AUDIENCE)
        except jwt.InvalidTokenError as error:
            self.calls.append(Call("token", "", ""))
            fault = ASSERTION_FAULTS.get(type(error), "AADSTS50027: The JWT token is invalid.")
            return entra_error(401, "invalid_client", fault)
        self.calls.append(Call("token", "", subject))
        if told := self.refusals.get(("token", _namespace(subject))):
            return told
        caller = Caller(subject, form.get("client_id", ""))
        known = self.federated_credentials | self.declared_credentials()
        if (caller.client_id, subject) not in known:
            fault = "AADSTS700213: No matching federated identity record: subject."
            return entra_error(401, "invalid_client", fault)
        token = secrets.token_urlsafe()
        self._callers[token] = caller
        return Reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3599})

    def _answer_of_vault(self, request: Request, path: str) -> Reply:
        found = SECRET_PATH.fullmatch(path)
        name, version_id = found.groups() if found else ("", None)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        caller = self._callers.get(token)
        self.calls.append(Call(request.method, name, caller.subject if caller else ""))
        if caller is None:
            tenant = f"https://{LOGIN_HOST}/{self.tenant}"
            challenge = f'Bearer authorization="{tenant}", resource="https://vault.azure.net"'
            return vault_error(
                401, "Unauthorized", UNAUTHENTICATED, {"WWW-Authenticate": challenge}
            )
        if told := self.refusals.get((request.method, _namespace(caller.subject))):
            return told
        action = ACTIONS.get(request.method)
        if not found or action is None:
            return vault_error(400, "BadParameter", "The request URI or method is invalid.")
        if (action, name) not in self.grants.get(caller.client_id, set()):
            message = f"Caller is not authorized. Action: '{action}' Secret: '{name}'"
            return vault_error(403, "Forbidden", message)
        if action == SET:
            asked = json.loads(request.body)
            version_id = self.set(name, asked["value"], asked.get("tags"))
        return self._secret_bundle(name, version_id)

    def _secret_bundle(self, name: str, version_id: str | None) -> Reply:
        versions = self._versions.get(name, [])
        if version_id:
            versions = [version for version in versions if version.id == version_id]
        else:
            versions = [one for one in versions if one.made_at <= self.lag.moment]
        if not versions:
            message = f"A secret with (name/id) {name} was not found in this key vault."
            return vault_error(404, "SecretNotFound", message)
        version = versions[-1]
        bundle = {
            "id": f"https://{self.vault}.vault.azure.net/secrets/{name}/{version.id}",
            "value": version.value,
            "attributes": {"enabled": True},
            "tags": version.tags,
        }
        return Reply(200, bundle)


def host_names(vault: str) -> list[str]:
    return [LOGIN_HOST, f"{vault}.vault.azure.net"]


def _namespace(subject: str) -> str:
    return subject.split(":")[2]


def entra_error(status: int, code: str, description: str) -> Reply:
    """As the token service words a refusal."""
    return Reply(status, {"error": code, "error_description": description})


def vault_error(
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    *,
    inner: str | None = None,
) -> Reply:
    """As a vault words a refusal; `inner` is the inner error's code."""
    error: dict[str, object] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return Reply(status, {"error": error}, headers or {})
