"""AWS as one entry needs it: STS, and Secrets Manager with its function for two alternating users.

A rotation is moved on by each DescribeSecret. The services' URL is the entry's; of the two accounts
`user-0` and `user-1` the database takes each one's last password.
"""

import json
import re
import secrets
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from tests.rotator_api import Cluster, FakeClock

ENTRY = "shop/production/database-url"
ROLE = "arn:aws:iam::123456789012:role/shop-production-rotator"
SECRETS_MANAGER = "https://secretsmanager.eu-central-1.amazonaws.com"
AGENT = "http://169.254.170.23/v1/credentials"
STS = "https://sts.eu-central-1.amazonaws.com"


class FakeAws:
    """`send` is what the rotator posts with. `rotations` counts what the function has finished."""

    def __init__(self, cluster: Cluster, token: str, start: datetime) -> None:
        self._cluster, self._token, self.clock = cluster, token, FakeClock(start)
        self._looks = 0
        self._key = secrets.token_hex(8)
        self.stages: dict[str, list[str]] = {}
        self.last_rotated: float | None = None
        self.is_enabled = self.function_works = True
        self.answers: list[tuple[int, bytes]] = []
        """What is answered first, in place of what is asked for."""
        self.calls: list[str] = []
        self.tokens: list[str] = []
        self.rotations = 0
        self.accepted = {"user-0": "", "user-1": ""}
        self._change("first")

    @property
    def current(self) -> str:
        return next(one for one, stages in self.stages.items() if "AWSCURRENT" in stages)

    @property
    def refused(self) -> list[str]:
        """The values of running pods that the database would refuse."""
        held = {pod["database-url"] for pods in self._cluster.pods.values() for pod in pods}
        return [value for value in held if value not in self.accepted.values()]

    def rotate_by_itself(self) -> None:
        """As its schedule has it, at this moment."""
        self._begin(secrets.token_hex(16))
        self._finish()

    def send(self, url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        if self.answers:
            return self.answers.pop(0)
        if url == AGENT:
            return self._give(headers["Authorization"])
        assert body is not None
        if url == STS:
            return self._assume({k: v[0] for k, v in parse_qs(body.decode()).items()})
        assert url == SECRETS_MANAGER
        scope = r"Credential=(\w+)/\d{8}/eu-central-1/secretsmanager/aws4_request, "
        found = re.search(scope, headers["authorization"])
        asked = json.loads(body)
        if not found or found[1] != self._key or asked["SecretId"] != ENTRY:
            return _refused("AccessDeniedException", "not authorized")
        action = headers["x-amz-target"].removeprefix("secretsmanager.")
        self.calls.append(action)
        return self._describe() if action == "DescribeSecret" else self._rotate(asked)

    def _assume(self, form: dict[str, str]) -> tuple[int, bytes]:
        self.calls.append(form["Action"])
        if (form["RoleArn"], form["WebIdentityToken"]) != (ROLE, self._token):
            return 403, b"<Error><Code>AccessDenied</Code></Error>"
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        return 200, "".join(f"<{one}>{self._key}</{one}>" for one in names).encode()

    def _give(self, token: str) -> tuple[int, bytes]:
        self.calls.append("agent")
        if token != self._token:
            return 403, b"no association"
        names = ("AccessKeyId", "SecretAccessKey", "Token")
        return 200, json.dumps(dict.fromkeys(names, self._key)).encode()

    def _describe(self) -> tuple[int, bytes]:
        self._looks += 1
        if self.function_works and self._looks % 3 == 0 and self._pending:
            self._finish()
        said: dict[str, Any] = {"VersionIdsToStages": self.stages, "Name": ENTRY}
        if self.is_enabled:
            said["RotationEnabled"] = True
        if self.last_rotated:
            said["LastRotatedDate"] = self.last_rotated
        return 200, json.dumps(said).encode()

    def _rotate(self, asked: dict[str, str]) -> tuple[int, bytes]:
        self.tokens.append(asked["ClientRequestToken"])
        assert 32 <= len(self.tokens[-1]) <= 64
        if self._pending:
            message = "A previous rotation isn't complete. That rotation will be reattempted."
            return _refused("InvalidRequestException", message)
        self._begin(asked["ClientRequestToken"])
        return 200, b"{}"

    @property
    def _pending(self) -> str | None:
        found = (one for one, stages in self.stages.items() if stages == ["AWSPENDING"])
        return next(found, None)

    def _begin(self, version: str) -> None:
        self.stages.setdefault(version, ["AWSPENDING"])
        self._looks = 0

    def _finish(self) -> None:
        pending = self._pending
        if pending:
            self.rotations += 1
            self._change(pending)
            self.last_rotated = self.clock.now().timestamp()

    def _change(self, version: str) -> None:
        """The user that is not in use has another password, and the entry shows it."""
        user = f"user-{self.rotations % 2}"
        value = f"{user}-{secrets.token_hex(8)}"
        self.accepted[user] = value
        before = {one: ["AWSPREVIOUS"] for one, of in self.stages.items() if "AWSCURRENT" in of}
        self.stages = before | {version: ["AWSCURRENT", "AWSPENDING"]}
        self._cluster.entries[ENTRY] = value


def _refused(kind: str, message: str) -> tuple[int, bytes]:
    return 400, json.dumps({"__type": kind, "Message": message}).encode()
