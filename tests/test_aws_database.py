"""An AWS store whose database entry Secrets Manager rotates, and that raises an alarm."""

import json

import pytest

from platform_secrets.manifests.entries import bundle_entries, expected_entries, identity_entries
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.settings import SettingsError
from tests.aws_shop import ACCOUNT, ROLE

LAMBDA = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:rotate-postgres"
DATABASE = {"database": {"rotation-lambda-arn": LAMBDA}}
TOPIC = f"arn:aws:sns:eu-central-1:{ACCOUNT}:security"
ALARM = {"alarm": {"topic-arn": TOPIC, "other-readers": ["rotate-postgres"]}}


def test_secrets_manager_rotates_the_database_s_entry_as_often_as_the_catalogue_says(aws_backend):
    found = aws_backend(DATABASE)
    rotation, permission = found["aws-rotation"], found["aws-rotation-permission"]
    assert rotation.inputs == {
        "secretId": "aws-entry-orders-url-id",
        "rotationLambdaArn": LAMBDA,
        "rotationRules": {"automaticallyAfterDays": 90},
        "rotateImmediately": False,
        "region": "eu-central-1",
    }
    assert permission.inputs == {
        "statementId": "shop-test-secrets-manager",
        "action": "lambda:InvokeFunction",
        "function": LAMBDA,
        "principal": "secretsmanager.amazonaws.com",
        "sourceAccount": ACCOUNT,
        "region": "eu-central-1",
    }
    assert permission.urn in rotation.depends_on


def scheduled(schedule):
    return {"database": DATABASE["database"] | {"schedule": schedule}}


def test_a_schedule_may_be_another_that_is_no_rarer(aws_backend, aws_settings):
    found = aws_backend(scheduled("cron(0 3 ? * SUN *)"))["aws-rotation"]
    assert found.inputs["rotationRules"] == {"scheduleExpression": "cron(0 3 ? * SUN *)"}
    with pytest.raises(SettingsError, match=r"database.schedule: is rarer"):
        aws_settings(scheduled("rate(91 days)"))
    with pytest.raises(SettingsError, match=r"database.schedule: is missing"):
        aws_settings(DATABASE, every="36h")


@pytest.mark.parametrize("layout", ["per-key", "bundle"])
def test_the_rotated_entry_is_read_and_written_by_no_identity_of_ours(aws_settings, layout):
    settings = aws_settings(DATABASE, {"layout": layout}, seeding={"groups": ["wren-operators"]})
    entry = "shop/test/orders-url"
    may = {
        identity: entry in identity_entries(settings, "aws", identity).values()
        for identity in ("read", "rotation", "seed")
    }
    assert may == {"read": True, "rotation": False, "seed": False}
    assert expected_entries(settings)["aws"][entry] == ["orders-url"]
    assert "orders-url" not in bundle_entries(settings, "shared")


@pytest.mark.parametrize("layout", ["per-key", "bundle"])
def test_the_url_is_made_of_the_entry_s_json_with_user_and_password_encoded(aws_settings, layout):
    settings = aws_settings(DATABASE, {"layout": layout})
    spec = external_secret_manifests(settings, "shared")[0]["spec"]
    assert spec["data"][-1] == {
        "secretKey": "orders-url",
        "remoteRef": {"key": "shop/test/orders-url"},
    }
    assert spec["target"]["template"]["data"]["orders-url"] == (
        '{{ $v := index . "orders-url" | fromJson }}{{ if or (not $v) (not $v.username)'
        " (not $v.password) (not $v.host) (not $v.port) (not $v.dbname) }}"
        '{{ fail "shop/test/orders-url is no JSON with username, password, host, port, dbname" }}'
        '{{ end }}postgresql://{{ $v.username | urlquery | replace "+" "%20" }}'
        ':{{ $v.password | urlquery | replace "+" "%20" }}'
        "@{{ $v.host }}:{{ $v.port }}/{{ $v.dbname }}?sslmode=verify-full"
    )
    assert "api-token" in spec["target"]["template"]["data"]


def test_an_alarm_tells_of_denied_calls_strangers_reads_and_failed_rotations(aws_backend):
    found = aws_backend(ALARM, DATABASE, seeding={"groups": ["wren-operators"]})
    rules = {one.inputs["name"]: one for one in found.values() if one.type.endswith("EventRule")}
    patterns = {name: json.loads(one.inputs["eventPattern"]) for name, one in rules.items()}
    call = {"source": ["aws.secretsmanager"], "detail-type": ["AWS API Call via CloudTrail"]}
    source = {"eventSource": ["secretsmanager.amazonaws.com"]}
    entry = {"requestParameters": {"secretId": [{"wildcard": "*shop/test/*"}]}}
    readers = [
        f"{ROLE}/shop-test-read",
        f"{ROLE}/shop-test-rotation",
        f"{ROLE}/shop-test-seed",
        f"{ROLE}/rotate-postgres",
    ]
    strangers = [{"anything-but": readers}, {"exists": False}]
    rotated = {"SecretId": [{"wildcard": "*:secret:shop/test/orders-url-*"}]}
    assert patterns == {
        "shop-test-denied-calls": call
        | {
            "detail": source
            | {
                "errorCode": ["AccessDenied", "AccessDeniedException"],
                "$or": [{"errorMessage": [{"wildcard": "*shop/test*"}]}, entry],
            }
        },
        "shop-test-unusual-reads": call
        | {
            "detail": source
            | entry
            | {
                "eventName": ["GetSecretValue"],
                "errorCode": [{"exists": False}],
                "userIdentity": {"sessionContext": {"sessionIssuer": {"arn": strangers}}},
            }
        },
        "shop-test-failed-rotations": {
            "source": ["aws.secretsmanager"],
            "detail-type": ["AWS Service Event via CloudTrail"],
            "detail": source | {"eventName": ["RotationFailed"], "additionalEventData": rotated},
        },
    }
    state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    assert {one.inputs["state"] for one in rules.values()} == {state}
    targets = [one.inputs for one in found.values() if one.type.endswith("EventTarget")]
    assert {one["rule"]: one["arn"] for one in targets} == dict.fromkeys(rules, TOPIC)


def test_in_layout_bundle_the_alarm_knows_the_environment_s_own_entry_too(aws_backend):
    rule = aws_backend(ALARM, {"layout": "bundle"})["aws-alarm-unusual-reads"]
    detail = json.loads(rule.inputs["eventPattern"])["detail"]
    assert detail["requestParameters"]["secretId"] == [
        {"wildcard": "*shop/test/*"},
        "shop/test",
        {"wildcard": "*:secret:shop/test-*"},
    ]


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ({"database": {}}, "stores.aws.database.rotation-lambda-arn"),
        ({"alarm": {"topic-arn": "security"}}, "stores.aws.alarm.topic-arn"),
    ],
)
def test_what_is_missing_or_wrong_is_told_with_the_setting_s_name(aws_settings, option, place):
    with pytest.raises(SettingsError, match=place):
        aws_settings(option)


@pytest.mark.parametrize(
    "schedule",
    ["rate(3 hours)", "cron(99 77 * * ? *)", "cron(5 3 ? * SUN *)", "cron(0 3 ? * SUN 2027)"],
)
def test_a_schedule_that_secrets_manager_refuses_is_told(aws_settings, schedule):
    with pytest.raises(SettingsError, match=r"database\.schedule: must be rate"):
        aws_settings(scheduled(schedule))


@pytest.mark.parametrize("schedule", ["rate(4 hours)", "rate(90 days)", "cron(0 8/4 1 * ? *)"])
def test_a_schedule_that_it_takes_is_taken(aws_backend, schedule):
    found = aws_backend(scheduled(schedule))["aws-rotation"]
    assert found.inputs["rotationRules"] == {"scheduleExpression": schedule}
