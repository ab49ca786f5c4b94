"""The alarm of an AWS half, on moto's own reading of EventBridge's language: which of CloudTrail's
events reach the topic. In its place stands a queue, since moto delivers nothing to a topic."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from platform_secrets.components.backends.aws_alarm import (
    denied_calls,
    failed_rotations,
    unusual_reads,
)
from platform_secrets.settings import AwsStore
from tests.e2e.aws import REGION, Aws
from tests.e2e.environments import settings_of
from tests.e2e.process import Run
from tests.platform import STACK_FILES

ACCOUNT = "123456789012"
EXAMPLE = STACK_FILES["production-aws"]
CALL, EVENT = "AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"
ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
NOT_ALLOWED = "User: arn is not authorized to perform: secretsmanager:GetSecretValue on resource: "
ALARM = {"topic-arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:security", "other-readers": ["rotate"]}

Heard = Callable[[str, dict[str, Any]], list[str]]


@pytest.fixture(scope="module")
def heard(run: Run) -> Heard:
    """Which rules pass on an event of a kind and with this content."""
    aws = Aws(run, "moto-alarm")
    settings = settings_of(EXAMPLE, {"stores": {"aws": {"alarm": ALARM}}})
    store = settings.environment.stores["aws"]
    assert isinstance(store, AwsStore)
    assert store.alarm
    events, queues = aws.client("events"), aws.client("sqs")
    rules = {
        "denied": denied_calls(settings, "aws"),
        "unusual": unusual_reads(settings, "aws", store.alarm),
        "failed": failed_rotations("wren/production/database-url"),
    }
    urls = {}
    for name, pattern in rules.items():
        urls[name] = queues.create_queue(QueueName=name)["QueueUrl"]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue}])

    def found(kind: str, content: dict[str, Any]) -> list[str]:
        detail = {"eventSource": "secretsmanager.amazonaws.com", **content}
        source = "aws.secretsmanager"
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}
        events.put_events(Entries=[entry])
        return [name for name, url in urls.items() if took(queues, url)]

    return found


def took(queues: Any, url: str) -> bool:
    """Whether the queue holds a message; it is empty afterwards."""
    messages = queues.receive_message(QueueUrl=url).get("Messages", [])
    for message in messages:
        queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bool(messages)


def read(entry: str, role: str | None, **more: Any) -> dict[str, Any]:
    """A read as CloudTrail tells it; without a role by an IAM user."""
    issuer = {"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}}
    return {
        "eventID": str(uuid.uuid4()),
        "eventName": "GetSecretValue",
        "requestParameters": {"secretId": entry},
        "userIdentity": {"sessionContext": issuer} if role else {"type": "IAMUser"},
        **more,
    }


@pytest.mark.parametrize("role", ["wren-production-read", "wren-production-rotation", "rotate"])
def test_nobody_hears_of_a_reader_s_read(heard: Heard, role: str) -> None:
    assert heard(CALL, read("wren/production/jwt-secret", role)) == []


@pytest.mark.parametrize("role", ["wren-staging-read", "wren-production-read-2", "admin", None])
@pytest.mark.parametrize("prefix", ["", f"{ARN}:"])
def test_a_stranger_s_read_is_heard_of(heard: Heard, role: str | None, prefix: str) -> None:
    assert heard(CALL, read(f"{prefix}wren/production/jwt-secret", role)) == ["unusual"]


@pytest.mark.parametrize("entry", ["wren/staging/jwt-secret", "wren/production-eu/jwt-secret"])
def test_another_environment_s_reads_are_none_of_ours(heard: Heard, entry: str) -> None:
    assert heard(CALL, read(entry, "admin")) == []


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_a_denied_call_is_heard_of_with_and_without_what_it_asked_for(
    heard: Heard, code: str
) -> None:
    entry = "wren/production/jwt-secret"
    denied = read(entry, "wren-production-read", errorCode=code)
    assert heard(CALL, denied) == ["denied"]
    told = denied | {"requestParameters": None, "errorMessage": f"{NOT_ALLOWED}{entry} because …"}
    assert heard(CALL, told) == ["denied"]
    other = told | {"errorMessage": f"{NOT_ALLOWED}wren/staging/jwt-secret because …"}
    assert heard(CALL, other) == []


def test_another_error_than_a_denial_is_not_heard_of(heard: Heard) -> None:
    entry = "wren/production/jwt-secret"
    assert heard(CALL, read(entry, "admin", errorCode="ResourceNotFoundException")) == []


def test_a_failed_rotation_is_heard_of_and_one_that_succeeds_is_not(heard: Heard) -> None:
    secret = {"SecretId": f"{ARN}:wren/production/database-url-AbCdEf"}
    for name, expected in (("RotationFailed", ["failed"]), ("RotationSucceeded", [])):
        assert heard(EVENT, {"eventName": name, "additionalEventData": secret}) == expected
