"""Clients that reach the local clouds as the operator does: through the proxy, by their names."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPSConnection
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import NamedTuple
from urllib.parse import urlencode

import grpc
import httpx
from google.cloud import iam_credentials_v1 as iam
from google.cloud import secretmanager_v1 as sm

from tests.e2e import azure_server, gcp_server


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: dict


@dataclass(frozen=True)
class CloudClients:
    proxy_url: str
    trust: Path

    def send(
        self, method: str, host: str, path: str, body: str | None = None, bearer: str = ""
    ) -> Answer:
        proxy = self.proxy_url.removeprefix("http://")
        connection = HTTPSConnection(proxy, context=self._context, timeout=5)
        connection.set_tunnel(host, 443)
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        answer = Answer(reply.status, httpx.Headers(reply.getheaders()), json.loads(reply.read()))
        connection.close()
        return answer

    @cached_property
    def _context(self) -> SSLContext:
        return create_default_context(cafile=self.trust)

    def bind_identity(self, token: str, pool: str, cluster: str) -> Answer:
        """Trades a ServiceAccount's token for one of Google's."""
        asked = {"subject_token": token, "audience": f"identitynamespace:{pool}:{cluster}"}
        path = "/v1/identitybindingtoken"
        return self.send("POST", gcp_server.IDENTITY_HOST, path, json.dumps(asked))

    def impersonate(self, google_token: str, email: str) -> str:
        """Returns the access token of the Google service account."""
        transport = iam.IAMCredentialsClient.get_transport_class("grpc")
        channel = self._channel(gcp_server.IAM_HOST, google_token)
        client = iam.IAMCredentialsClient(transport=transport(channel=channel))
        name = f"projects/-/serviceAccounts/{email}"
        return client.generate_access_token(name=name, scope=["cloud-platform"]).access_token

    def secret_manager(self, google_token: str) -> sm.SecretManagerServiceClient:
        transport = sm.SecretManagerServiceClient.get_transport_class("grpc")
        channel = self._channel(gcp_server.SECRETS_HOST, google_token)
        return sm.SecretManagerServiceClient(transport=transport(channel=channel))

    def sign_in(self, tenant: str, client_id: str, token: str) -> Answer:
        """Trades a ServiceAccount's token for one of Entra ID's."""
        form = {"client_id": client_id, "client_assertion": token}
        path = f"/{tenant}/oauth2/v2.0/token"
        return self.send("POST", azure_server.LOGIN_HOST, path, urlencode(form))

    def key_vault(self, host: str, entra_token: str) -> Callable[..., Answer]:
        """Returns a function that asks the vault: method, path, content."""

        def ask(method: str, path: str, content: dict | None = None) -> Answer:
            body = json.dumps(content) if content else None
            return self.send(method, host, f"{path}?api-version=7.0", body, entra_token)

        return ask

    def _channel(self, host: str, access_token: str) -> grpc.Channel:
        credentials = grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(self.trust.read_bytes()),
            grpc.access_token_call_credentials(access_token),
        )
        options = [("grpc.http_proxy", self.proxy_url)]
        return grpc.secure_channel(f"{host}:443", credentials, options)
