"""What AWS does when Secrets Manager rotates an entry, and moto does not: it calls a function, here
one for two alternating users of a real PostgreSQL, and tells of the rotation once it is finished.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

from tests.e2e.aws import Aws
from tests.e2e.aws_policies import DeclaredAwsGate
from tests.e2e.postgres import Postgres

USERS = ("wren", "wren_clone")
_STEP_SECONDS = 0.1
_JSON = "application/x-amz-json-1.1"


@dataclass
class AlternatingUsers:
    """Rotates `entry` beside the caller. One that it has not got through with, since it does not
    work (`works`), stays in the entry as AWSPENDING."""

    aws: Aws
    postgres: Postgres
    entry: str
    works: bool = True
    rotated_at: list[float] = field(default_factory=list)
    """When it has finished, each time."""
    _lock: Lock = field(default_factory=Lock)
    _is_at_work: bool = False

    def prepare(self, database: str) -> None:
        """Makes both users, and the entry that its owner fills with the first one's account."""
        password = secrets.token_hex(16)
        for user in USERS:
            self.postgres.query(f"create role {user} login")
        self.postgres.query(f"alter role {USERS[0]} password '{password}'")
        account = {"username": USERS[0], "password": password, "host": "127.0.0.1"}
        content = json.dumps(account | {"port": self.postgres.port, "dbname": database})
        self._client.put_secret_value(SecretId=self.entry, SecretString=content)

    def forget_what_moto_staged(self) -> None:
        """Moto begins a rotation where one is only declared."""
        self._drop_pending()

    def begin(self, token: str) -> str | None:
        """Begins a rotation; says why not if there is one."""
        with self._lock:
            pending = self._pending
            if pending is None:
                Thread(target=self._rotate, args=(token,), daemon=True).start()
                self._is_at_work = True
            elif not self._is_at_work:
                Thread(target=self._rotate, args=(pending,), daemon=True).start()
                self._is_at_work = True
        return pending and "A previous rotation isn't complete. That rotation will be reattempted."

    def rotate_by_itself(self) -> None:
        """As its schedule has it; returns once it has."""
        self._rotate(secrets.token_hex(16))

    @property
    def _client(self) -> Any:
        return self.aws.client("secretsmanager")

    def _version(self, stage: str) -> str | None:
        stages = self._client.describe_secret(SecretId=self.entry)["VersionIdsToStages"]
        return next((version for version, of in stages.items() if stage in of), None)

    @property
    def _pending(self) -> str | None:
        found = self._version("AWSPENDING")
        return found if found != self._version("AWSCURRENT") else None

    def _rotate(self, token: str) -> None:
        """createSecret, setSecret, testSecret and finishSecret; the first may find itself done."""
        current = self._client.get_secret_value(SecretId=self.entry, VersionStage="AWSCURRENT")
        account = json.loads(current["SecretString"])
        account["username"] = next(one for one in USERS if one != account["username"])
        account["password"] = secrets.token_hex(16)
        content, stages = json.dumps(account), ["AWSPENDING"]
        if self._pending is None:
            self._client.put_secret_value(
                SecretId=self.entry,
                ClientRequestToken=token,
                SecretString=content,
                VersionStages=stages,
            )
        pending = self._client.get_secret_value(SecretId=self.entry, VersionId=token)
        account = json.loads(pending["SecretString"])
        time.sleep(_STEP_SECONDS)
        if self.works:
            user, password = account["username"], account["password"]
            self.postgres.query(f"alter role {user} password '{password}'")
            assert self.postgres.can_log_in(user, password)
            time.sleep(_STEP_SECONDS)
            self._client.update_secret_version_stage(
                SecretId=self.entry,
                VersionStage="AWSCURRENT",
                MoveToVersionId=token,
                RemoveFromVersionId=current["VersionId"],
            )
            self._drop_pending()
            self.rotated_at.append(time.time())
        self._is_at_work = False

    def _drop_pending(self) -> None:
        pending = self._version("AWSPENDING")
        if pending:
            self._client.update_secret_version_stage(
                SecretId=self.entry, VersionStage="AWSPENDING", RemoveFromVersionId=pending
            )


@dataclass
class RotatingAwsGate(DeclaredAwsGate):
    """Has `function` rotate what is asked for, and tells when it did. `meddle` gets each call of
    Secrets Manager by the rotator, and what forwards it."""

    function: AlternatingUsers
    rotator: str
    """Its subject."""
    meddle: Callable[[str, Callable[[], None]], None] = lambda _, forward: forward()

    def pass_on(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, str]:
        caller, _ = self._caller(headers)
        if not method or caller is None or caller.subject != self.rotator:
            return super().pass_on(method, path, headers, body)
        answers = [(500, b"{}", _JSON)]

        def forward() -> None:
            if method == "RotateSecret":
                answers.append(self._rotate(json.loads(body)))
            else:
                answers.append(
                    self._dated(super(RotatingAwsGate, self).pass_on(method, path, headers, body))
                )

        self.meddle(method, forward)
        return answers[-1]

    def _rotate(self, asked: Mapping[str, str]) -> tuple[int, bytes, str]:
        why_not = self.function.begin(asked["ClientRequestToken"])
        error = {"__type": "InvalidRequestException", "Message": why_not}
        return (400, json.dumps(error).encode(), _JSON) if why_not else (200, b"{}", _JSON)

    def _dated(self, answer: tuple[int, bytes, str]) -> tuple[int, bytes, str]:
        status, content, content_type = answer
        said = json.loads(content)
        if status == 200:
            said["LastRotatedDate"] = (self.function.rotated_at or [None])[-1]
        return status, json.dumps(said).encode(), content_type
