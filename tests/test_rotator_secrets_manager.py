"""The rotation of a database's password by AWS: triggered when it is due, else awaited."""

import json
from datetime import UTC, datetime

import pytest

from platform_secrets.rotator.__main__ import FAILED, RESTORED
from platform_secrets.rotator.aws import Credentials, signed
from platform_secrets.rotator.keys import SecretsManager
from tests.rotator_api import MEMORY, Killed, Mortal
from tests.rotator_aws import AGENT, ENTRY, ROLE, SECRETS_MANAGER, STS
from tests.rotator_world import DUE, ONE_DAY, World, generated, secrets_manager

WEB, CHAT = "Deployment/web", "StatefulSet/chat"
KEY = "database-url"


@pytest.fixture
def world():
    found = World({KEY: secrets_manager(KEY, readers=[WEB])}, {WEB: ["shared"]}).age()

    def every_password_is_right(cluster):
        assert found.aws.refused == []

    found.cluster.observers.append(every_password_is_right)
    return found


def verdict(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])["message"]


def passwords_in_use(world):
    return {pod[KEY] for pod in world.cluster.pods[WEB]}


def test_when_it_is_due_aws_is_asked_and_every_reader_gets_the_new_password(world):
    before = world.aws.current
    assert world.run() == 0
    assert world.aws.calls.count("RotateSecret") == world.aws.rotations == 1
    assert world.aws.current != before
    assert passwords_in_use(world) == {world.cluster.entries[ENTRY]}
    assert world.cluster.restarts == {WEB: 1}
    assert world.cluster.memory(KEY)["rotated"].startswith("2026-06-10")
    assert world.run(at=DUE + ONE_DAY) == 0
    assert world.aws.rotations == 1


def test_a_first_run_rotates_nothing_however_old_the_password_is():
    world = World({KEY: secrets_manager(KEY, readers=[WEB])}, {WEB: ["shared"]})
    world.aws.rotate_by_itself()
    assert world.age().aws.rotations == 1
    assert world.cluster.restarts == {WEB: 0}


def test_what_aws_rotated_by_itself_restarts_the_readers_once_and_is_recorded_with_its_date(world):
    world.aws.clock.seconds = 40 * 86400
    world.aws.rotate_by_itself()
    at = world.aws.clock.now()
    assert world.run(at=at + ONE_DAY) == 0
    assert world.run(at=at + 2 * ONE_DAY) == 0
    assert world.cluster.restarts == {WEB: 1}
    assert passwords_in_use(world) == {world.cluster.entries[ENTRY]}
    assert world.cluster.memory(KEY)["rotated"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    assert world.aws.rotations == 1
    assert "RotateSecret" not in world.aws.calls


@pytest.mark.parametrize("call", range(1, 40))
def test_killed_at_any_call_it_is_one_rotation_and_one_restart(world, call):
    def is_killed(at):
        try:
            return world.run(at=at, transport=Mortal(world.cluster, call)) and False
        except Killed:
            return True

    if is_killed(DUE):
        assert world.run(at=DUE + ONE_DAY) == 0
    assert world.aws.rotations == 1
    assert world.cluster.restarts == {WEB: 1}
    assert passwords_in_use(world) == {world.cluster.entries[ENTRY]}
    assert world.cluster.memory(KEY)["rotated"].startswith("2026-06")


@pytest.mark.parametrize("call", range(4, 20))
def test_killed_at_any_call_to_aws_it_is_one_rotation(world, call):
    def send(*arguments):
        if len(world.aws.calls) == call:
            raise Killed
        return true_send(*arguments)

    true_send, world.aws.send = world.aws.send, send
    try:
        world.run()
    except Killed:
        world.aws.send = true_send
        assert world.run(at=DUE + ONE_DAY) == 0
    assert world.aws.rotations == 1
    assert world.cluster.restarts == {WEB: 1}


def test_a_memory_that_is_lost_midway_costs_a_restart_and_no_password(world):
    """Readers may have the password before: they get the current one first, then the next one."""
    world.aws.rotate_by_itself()
    world.cluster.objects["ConfigMap", MEMORY]["data"] = {}
    assert world.run(at=DUE) == 0
    assert world.cluster.restarts == {WEB: 0}
    assert world.run(at=DUE + 100 * ONE_DAY) == 0
    assert world.cluster.restarts == {WEB: 2}
    assert world.aws.rotations == 2
    assert passwords_in_use(world) == {world.cluster.entries[ENTRY]}


def test_a_function_that_fails_is_told_of_and_tried_again(world, capsys):
    world.aws.function_works = False
    assert world.run() == FAILED
    said = verdict(capsys)
    assert f"{KEY}: promote: Secrets Manager did not rotate {ENTRY} in 600 s, version " in said
    assert " is AWSPENDING: the log of its function says why" in said
    assert world.cluster.restarts == {WEB: 0}
    world.aws.function_works = True
    assert world.run(at=DUE + ONE_DAY) == 0
    assert world.aws.rotations == 1
    assert world.cluster.restarts == {WEB: 1}


def test_a_workload_that_does_not_come_up_keeps_the_new_password_and_the_next_run_goes_on(
    world, capsys
):
    world.cluster.broken[WEB] = "ProgressDeadlineExceeded"
    assert world.run() == FAILED
    assert "the one before works until the next rotation: mend the workload" in verdict(capsys)
    assert world.cluster.memory(KEY)["rotated"] is None
    world.cluster.broken.clear()
    assert world.run(at=DUE + ONE_DAY) == 0
    assert world.aws.rotations == 1
    assert passwords_in_use(world) == {world.cluster.entries[ENTRY]}


def test_a_workload_that_does_not_come_up_takes_back_its_generated_keys_alone(capsys):
    keys = {
        KEY: secrets_manager(KEY, readers=[WEB]),
        "api-token": generated("api-token", readers=[WEB]),
    }
    world = World(keys, {WEB: ["shared"]}).age()
    world.cluster.broken[WEB] = "ProgressDeadlineExceeded"

    def mend(cluster):
        if ("PushSecret", "rotation-restore-api-token") in cluster.objects:
            cluster.broken.clear()

    world.cluster.observers.append(mend)
    assert world.run() == RESTORED
    said = verdict(capsys)
    assert f"failed: {KEY}: {WEB} is stuck" in said
    assert "failed and restored: api-token" in said
    assert world.cluster.value("shared", "api-token") == "old-api-token"
    assert world.aws.rotations == 1


def test_without_aws_the_other_keys_rotate_and_the_run_fails(capsys):
    keys = {
        KEY: secrets_manager(KEY, readers=[WEB]),
        "api-token": generated("api-token", readers=[WEB]),
    }
    world = World(keys, {WEB: ["shared"]}).age()
    world.aws.answers = [(503, b"busy")] * 1000
    assert world.run() == FAILED
    said = verdict(capsys)
    assert f"failed: {KEY}: to assume {ROLE}: AWS answers 503: busy" in said
    assert "rotated: api-token" in said


def test_aws_is_asked_again_when_it_is_busy_and_not_when_it_refuses(world, capsys):
    world.aws.answers = [(503, b""), (400, b'{"__type": "ThrottlingException"}'), (500, b"")]
    assert world.run() == 0
    assert world.aws.rotations == 1
    world.aws.answers = [(403, b"<Code>AccessDenied</Code>")]
    assert world.run(at=DUE + ONE_DAY) == FAILED
    assert "AWS answers 403: <Code>AccessDenied</Code>" in verdict(capsys)


def test_a_dry_run_says_what_would_be_done_and_asks_aws_for_nothing(world, capsys):
    assert world.run("--dry-run") == 0
    assert f"would rotate {KEY}: promote, restart {WEB}" in capsys.readouterr().out
    world.aws.clock.seconds = 50 * 86400
    world.aws.rotate_by_itself()
    assert world.run("--dry-run") == 0
    assert f"would finish the rotation 2026-07-30 of {KEY}" in capsys.readouterr().out
    assert "RotateSecret" not in world.aws.calls
    assert world.cluster.restarts == {WEB: 0}


def test_with_pod_identity_the_agent_gives_the_credentials():
    key = secrets_manager(KEY, readers=[WEB], role=None, credentials=AGENT)
    world = World({KEY: key}, {WEB: ["shared"]}).age()
    assert world.run() == 0
    assert world.aws.rotations == 1
    assert "AssumeRoleWithWebIdentity" not in world.aws.calls


def test_an_answer_that_is_lost_has_the_same_rotation_asked_for_again(world):
    def send(*arguments):
        asked = len(world.aws.tokens)
        answer = true_send(*arguments)
        if asked == 0 and world.aws.tokens:
            raise ConnectionResetError
        return answer

    true_send, world.aws.send = world.aws.send, send
    assert world.run() == 0
    assert (len(world.aws.tokens), len({*world.aws.tokens})) == (2, 1)
    assert world.aws.rotations == 1


def test_however_many_runs_ask_for_it_a_version_is_rotated_once(world):
    world.aws.function_works = False
    assert world.run() == FAILED
    assert world.run(at=DUE + ONE_DAY) == FAILED
    assert (len(world.aws.tokens), len({*world.aws.tokens})) == (2, 1)
    world.aws.function_works = True
    assert world.run(at=DUE + 2 * ONE_DAY) == 0
    assert world.aws.rotations == 1
    assert world.run(at=DUE + 200 * ONE_DAY) == 0
    assert world.aws.rotations == 2
    assert len({*world.aws.tokens}) == 2


def test_an_entry_without_rotation_is_named_with_the_remedy(world, capsys):
    world.aws.is_enabled = False
    assert world.run() == FAILED
    assert f"{ENTRY} has no rotation in AWS: declare it" in verdict(capsys)


def test_who_asks_after_aws_has_rotated_gets_another_rotation(world):
    """Say, because the password has leaked; first the readers follow the one that AWS made."""
    world.aws.clock.seconds = 10 * 86400
    world.aws.rotate_by_itself()
    at = world.aws.clock.now() + ONE_DAY
    asked = (f"--key={KEY}", f"--asked-at={at.isoformat()}")
    assert world.run(*asked, at=at) == 0
    assert world.aws.rotations == 2
    assert world.run(*asked, at=at) == 0
    assert world.aws.rotations == 2
    assert world.cluster.restarts == {WEB: 2}


def test_a_call_is_signed_with_version_4():
    """The expected signature is botocore's, for the same request."""
    key = SecretsManager(
        *("database-url", "database-url", "shared", None, 1, 1),
        *(["database-url"], "shared", "aws-store", []),
        secret_id=ENTRY,
        region="eu-central-1",
        role=ROLE,
        secrets_manager=SECRETS_MANAGER,
        credentials=STS,
    )
    credentials = Credentials("access-key", "no-key", "no-token")
    now = datetime(2026, 3, 2, 3, 17, 5, tzinfo=UTC)
    headers = signed(credentials, key, "DescribeSecret", b'{"SecretId": "a"}', now)
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=access-key/20260302/eu-central-1/secretsmanager/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
        "Signature=392f57f09087989645e916fa177eb64b8dba62d861935d0a3f26d68c47fa2e28"
    )
