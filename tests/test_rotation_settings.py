"""What the settings and the catalogue may say about rotation, and what is said of the rest."""

from datetime import timedelta
from pathlib import Path

import pytest

from platform_secrets.secretsctl.projects import loaded
from platform_secrets.settings import SettingsError
from platform_secrets.settings.rotator import Rotator
from tests.settings_files import CATALOGUE, STACK, changed, lines, text_of

TOKEN = "bundles.shared.keys.token"  # noqa: S105 - the place of a key
PLACE = "catalogue.yaml:9: bundles.shared.keys.token"
IMAGE = "must be an image with its registry, and a tag or a digest, at most 500 characters"
ZONE = "must be a time zone such as Etc/UTC or Europe/Berlin"
WINDOW = {"days": ["sat"], "from": "01:00", "until": "05:00"}
FREEZE = {"from": "2026-12-20", "until": "2027-01-02", "reason": "year's end"}
WRONG = {
    "image": ("python", f"image: {IMAGE}"),
    "schedule": ("@daily", "schedule: must be five fields of cron, such as 17 3 * * *"),
    "time-zone": ("Local", f"time-zone: {ZONE}"),
    "bundles-at-once": (0, "bundles-at-once: must be at least 1"),
    "sync-deadline": ("7m", "sync-deadline must be longer than 7m, the operator's longest pause"),
    "rollout-deadline": ("2h", "sync-deadline and rollout-deadline must be 1h at most"),
    "schedule ": ("17 6 * * *", "schedule is never within window, so nothing would ever rotate"),
    "window": (WINDOW | {"until": "01:00"}, "window: from and until must differ"),
    "window.days": ([], "window.days: must not be empty"),
    "window.from": ("1:00", "window.from: must be a time such as 02:00, quoted"),
    "freezes.0": (FREEZE | {"until": "2026-12-19"}, "freezes.0: until must not be before from"),
    "freezes.0.from": ("2026-02-30", "freezes.0.from: must be a day such as 2027-01-31, quoted"),
    "freezes.0.until": ("20270102", "freezes.0.until: must be a day such as 2027-01-31, quoted"),
}


@pytest.mark.parametrize("path", WRONG)
def test_a_wrong_setting_of_the_rotator_is_said_with_its_place(path, tmp_path):
    value, sentence = WRONG[path]
    whole = STACK | {"rotator": {"window": WINDOW, "freezes": [FREEZE]}}
    [found] = lines(tmp_path, stack=changed(whole, f"rotator.{path.strip()}", value))
    assert sentence in found
    assert ": rotator" in found


@pytest.mark.parametrize(
    ("schedule", "is_within"),
    [
        ("17 3 * * *", True),
        ("0 1 * * *", True),
        ("0 5 * * *", False),
        ("30 */4 * * *", True),
        ("0 6-23 * * *", False),
        ("59 0,4 * * 6", True),
        ("59 0,4 * * 1", False),  # Saturday is its only day
        ("*/15 * * * *", True),
        ("0 22/1 * * *", False),
    ],
)
def test_some_run_of_the_schedule_is_within_the_window(schedule, is_within, tmp_path):
    rotator = {"window": WINDOW, "schedule": schedule}
    found = lines(tmp_path, stack=STACK | {"rotator": rotator})
    assert (found == []) is is_within


@pytest.mark.parametrize("schedule", ["17 23 * * *", "0 1 * * *"])
def test_a_window_may_last_past_midnight(schedule, tmp_path):
    window = WINDOW | {"from": "22:00", "until": "02:00"}
    rotator = {"window": window, "schedule": schedule}
    assert lines(tmp_path, stack=STACK | {"rotator": rotator}) == []


@pytest.mark.parametrize(
    "image",
    [
        "docker.io/library/python:3.13-alpine",
        "registry.example.com:5000/python:3.13",
        f"docker.io/library/python@sha256:{'0' * 64}",
        f"docker.io/library/python:3.13-alpine@sha256:{'0' * 64}",
    ],
)
def test_an_image_has_a_tag_or_a_digest(image, tmp_path):
    assert lines(tmp_path, stack=STACK | {"rotator": {"image": image}}) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("pattern", "[a-f0-9]+"), ("format", "redis-url"), ("format", "postgres-url")],
)
def test_a_generated_key_has_no_form_beside_its_alphabet(field, value, tmp_path):
    found = lines(tmp_path, changed(CATALOGUE, f"{TOKEN}.{field}", value))
    sentence = "`alphabet` and `length` say what a generated value is: it takes no"
    assert found == [f"{PLACE}: {sentence} {field}"]


def test_a_secret_s_name_leaves_the_rotation_its_own(tmp_path):
    [found] = lines(tmp_path, changed(CATALOGUE, "bundles.mail.secret", "rotation-mail"))
    assert "bundles.mail.secret" in found
    assert "not beginning with rotation-" in found


@pytest.mark.parametrize("name", ["lock", "run"])
def test_a_key_is_not_called_like_what_else_the_memory_holds(name, tmp_path):
    [found] = lines(tmp_path, changed(CATALOGUE, f"bundles.mail.keys.{name}", {"description": "x"}))
    assert "nor lock or run" in found


@pytest.mark.parametrize("account", ["secrets-rotation", "secrets-age-check"])
def test_no_service_runs_as_the_rotator(account, tmp_path):
    catalogue = changed(CATALOGUE, "services.web.service-account-name", account)
    [found] = lines(tmp_path, catalogue)
    assert "the rotator's ServiceAccount and the one of service web have one name" in found
    assert lines(tmp_path, catalogue, STACK | {"rotation": "follower"}) == []


def test_two_stacks_that_lead_one_environment_are_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("catalogue.yaml").write_text(text_of(CATALOGUE))
    for name, more in (("a", {}), ("b", {}), ("c", {"rotation": "follower"})):
        content = {"config": {"platform-secrets:environment": STACK | more}}
        Path(f"Pulumi.{name}.yaml").write_text(text_of(content))
    stacks = [Path(f"Pulumi.{name}.yaml") for name in "abc"]
    with pytest.raises(SettingsError) as raised:
        loaded(stacks, Path("catalogue.yaml"), None)
    found = [str(one) for one in raised.value.problems if one.path == ("rotation",)]
    assert found == [
        "Pulumi.b.yaml: rotation: Pulumi.a.yaml leads this environment too; one is a `follower`"
    ]


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ("17 3 * * *", 1),
        ("*/5 * * * *", 1),
        ("17 3 * * 1,4", 7),
        ("17 3 1 * *", 62),
        ("17 3 1 * 1", 7),
        ("17 3 * 1-6 *", 366),
    ],
)
def test_runs_are_so_far_apart_at_most(schedule, days):
    assert Rotator.model_validate({"schedule": schedule}).longest_pause == timedelta(days=days)
