"""AWS Secrets Manager, as far as a rotation needs it: two calls on one entry, never its value."""

import hashlib
import hmac
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .clock import Clock
from .contract import POD_IDENTITY_AUDIENCE, STS_AUDIENCE
from .keys import SecretsManager
from .operator_objects import StepError
from .trust import trust

Send = Callable[[str, dict[str, str], bytes | None], tuple[int, bytes]]
"""Posts a body to a URL, or gets what is there; raises OSError or HTTPException without answer."""

_SESSION_SECONDS = 900  # the fewest that AWS gives; each run asks anew
_REQUEST_SECONDS = 10
# Less than a lock lasts. STS says `IDPCommunicationError` when it can't reach the issuer.
_PATIENCE_SECONDS = 15
_TRY_AGAIN = re.compile("Throttl|TooManyRequests|InternalServiceError|IDPCommunicationError")
_IN_PROGRESS = re.compile("previous rotation", re.IGNORECASE)
_FIELD = "<{0}>([^<]+)</{0}>"


def send(url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
    """By the proxy of the environment if there is one."""
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - the plan's own address
    try:
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=_REQUEST_SECONDS, context=trust()
        ) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@dataclass(frozen=True)
class Credentials:
    """What an assumed role signs with."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)


class Aws:
    """AWS as the rotator's pod sees it: `tokens` holds its ServiceAccount's, by audience. Every
    method may raise StepError."""

    def __init__(self, clock: Clock, tokens: Path, to: Send = send) -> None:
        self._clock, self._tokens, self._send = clock, tokens, to

    def describe(self, key: SecretsManager) -> dict[str, Any]:
        """What Secrets Manager says of the entry, its value apart."""
        return self._call(key, "DescribeSecret", {"SecretId": key.secret_id})

    def rotate(self, key: SecretsManager, token: str) -> None:
        """Has Secrets Manager begin a rotation, once for a token; one that it is at already, or
        has not got through with, goes on."""
        try:
            self._call(
                key, "RotateSecret", {"SecretId": key.secret_id, "ClientRequestToken": token}
            )
        except StepError as fault:
            if not _IN_PROGRESS.search(str(fault)):
                raise

    def _call(self, key: SecretsManager, action: str, content: dict[str, str]) -> dict[str, Any]:
        credentials = self._assume(key) if key.role else self._given(key)
        body = json.dumps(content).encode()

        def signed_headers() -> dict[str, str]:
            return signed(credentials, key, action, body, datetime.now(UTC))

        what = f"{action} {key.secret_id}"
        return json.loads(self._ask(what, key.secrets_manager, signed_headers, body))

    def _assume(self, key: SecretsManager) -> Credentials:
        """As the key's role; STS asks for no signature here."""
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": str(key.role),
            "RoleSessionName": "secrets-rotation",
            "DurationSeconds": str(_SESSION_SECONDS),
            "WebIdentityToken": self._token(STS_AUDIENCE),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urllib.parse.urlencode(form).encode()
        answer = self._ask(f"to assume {key.role}", key.credentials, lambda: headers, body).decode()
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        found = [re.search(_FIELD.format(name), answer) for name in names]
        return Credentials(*(one[1] if one else "" for one in found))

    def _given(self, key: SecretsManager) -> Credentials:
        """As the role that EKS Pod Identity has for the pod's ServiceAccount."""
        headers = {"Authorization": self._token(POD_IDENTITY_AUDIENCE)}
        said = json.loads(self._ask("Pod Identity's agent", key.credentials, lambda: headers, None))
        return Credentials(said["AccessKeyId"], said["SecretAccessKey"], said["Token"])

    def _token(self, audience: str) -> str:
        try:
            return (self._tokens / audience).read_text().strip()
        except OSError as fault:
            raise StepError(f"the pod has no token for AWS: {fault}") from None

    def _ask(
        self, what: str, url: str, headers: Callable[[], dict[str, str]], body: bytes | None
    ) -> bytes:
        began, pause = self._clock.monotonic(), 0.2
        while True:
            try:
                status, answer = self._send(url, headers(), body)
            except (OSError, http.client.HTTPException) as error:
                status, answer = 0, repr(error).encode()
            if status == 200:
                return answer
            said = " ".join(answer[:500].decode(errors="replace").split())
            is_passing = status in (0, 429) or status >= 500 or _TRY_AGAIN.search(said)
            if not is_passing or self._clock.monotonic() - began + pause > _PATIENCE_SECONDS:
                raise StepError(f"{what}: AWS answers {status or 'nothing'}: {said}")
            self._clock.sleep(pause)
            pause *= 2


def signed(
    credentials: Credentials, key: SecretsManager, action: str, body: bytes, now: datetime
) -> dict[str, str]:
    """The headers of a call of Secrets Manager, signed with Signature Version 4
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)."""
    moment, day = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}"
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": urllib.parse.urlsplit(key.secrets_manager).netloc,
        "x-amz-date": moment,
        "x-amz-security-token": credentials.session_token,
        "x-amz-target": f"secretsmanager.{action}",
    }
    names = ";".join(headers)
    lines = [f"{name}:{value}" for name, value in headers.items()]
    request = "\n".join(["POST", "/", "", *lines, "", names, _digest(body)])
    scope = f"{day}/{key.region}/secretsmanager/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, _digest(request.encode())])
    secret = f"AWS4{credentials.secret_key}".encode()
    for part in [*scope.split("/"), text]:
        secret = hmac.digest(secret, part.encode(), "sha256")
    credential = f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}"
    headers["authorization"] = f"{credential}, SignedHeaders={names}, Signature={secret.hex()}"
    return headers


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
