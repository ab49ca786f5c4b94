"""Schedules and time zones: what Kubernetes refuses is refused, and what never comes too."""

import pytest

from platform_secrets.settings.cron import cron
from tests.settings_files import STACK, changed, lines

KUBERNETES_ACCEPTS = [
    "17 3 * * *",
    "0 0 1 1 0",
    "59 23 31 12 6",
    "*/5 * * * *",
    "3/20 * * * *",
    "1,2,30-40/3 0-23 * * *",
    "07 03 * * *",
    "0 3 * jan-mar,DEC Mon-fri",
    "0 3 29 2 *",
    "0 3 31 2 1",
    "0 3 30,31 2,4 *",
    "0 3 */100 * *",
]
KUBERNETES_REFUSES = [
    "99 77 * * *",
    "60 3 * * *",
    "0 24 * * *",
    "0 3 0 * *",
    "0 3 32 * *",
    "0 3 * 13 *",
    "0 3 * * 7",
    "0 3 * * funday",
    "0 3 * mon *",
    "*/0 3 * * *",
    "5-1 3 * * *",
    "0 3 * * fri-mon",
    "0 3 * *",
    "0 3 * * * *",
    "0-5-9 3 * * *",
    "0 3 * * -1",
    "",
]
NEVER = ["0 3 31 2 *", "0 3 30 feb *", "0 3 31 4,6,9,11 *", "0 3 30-31 2 *"]


@pytest.mark.parametrize("text", KUBERNETES_ACCEPTS)
def test_what_kubernetes_accepts_is_accepted(tmp_path, text):
    for setting in ("schedule", "age-check-schedule"):
        assert lines(tmp_path, stack=changed(STACK, f"rotator.{setting}", text)) == []


@pytest.mark.parametrize("text", [*KUBERNETES_REFUSES, *NEVER, "@daily", "TZ=UTC 0 3 * * *"])
def test_what_it_refuses_and_what_never_comes_is_told(tmp_path, text):
    for setting in ("schedule", "age-check-schedule"):
        [line] = lines(tmp_path, stack=changed(STACK, f"rotator.{setting}", text))
        assert f"rotator.{setting}: " in line


def test_a_date_that_never_comes_has_a_sentence_of_its_own(tmp_path):
    [line] = lines(tmp_path, stack=changed(STACK, "rotator.schedule", NEVER[0]))
    assert line.endswith("rotator.schedule: never comes: none of its months has such a day")


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("0 3 * * mon", {1}),
        ("0 3 */1 * mon", {1}),
        ("0 3 * * *", {*range(7)}),
        ("0 3 1 * *", {*range(7)}),
        ("0 3 1 * mon", {*range(7)}),
        ("0 3 */2 * mon", {*range(7)}),
    ],
)
def test_day_and_weekday_are_both_needed_unless_both_are_restricted(text, weekdays):
    assert cron(text).possible_weekdays == weekdays


@pytest.mark.parametrize(
    ("schedule", "days", "start", "until", "meets"),
    [
        ("0 3 * * 0", ["mon"], "02:00", "05:00", False),
        ("0 3 * * mon", ["mon"], "02:00", "05:00", True),
        ("0 3 * * tue", ["mon"], "22:00", "05:00", True),
        ("0 3 * * mon", ["mon"], "22:00", "05:00", False),
        ("0 23 * * mon", ["mon"], "22:00", "05:00", True),
        ("0 12 * * *", ["mon"], "22:00", "05:00", False),
        ("0 3 1 * *", ["mon"], "02:00", "05:00", True),
    ],
)
def test_a_schedule_meets_its_window_by_day_and_by_time(
    tmp_path, schedule, days, start, until, meets
):
    rotator = {
        "schedule": schedule,
        "window": {"days": days, "from": start, "until": until},
    }
    found = lines(tmp_path, stack=changed(STACK, "rotator", rotator))
    assert [line.partition(": ")[2] for line in found] == (
        [] if meets else ["rotator: schedule is never within window, so nothing would ever rotate"]
    )


@pytest.mark.parametrize(
    "zone", ["UTC", "Etc/UTC", "Europe/Berlin", "America/Indiana/Knox", "Japan"]
)
def test_a_time_zone_of_the_iana_list_is_accepted(tmp_path, zone):
    assert lines(tmp_path, stack=changed(STACK, "rotator.time-zone", zone)) == []


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Berln", " (did you mean Europe/Berlin?)"),
        ("europe/berlin", " (did you mean Europe/Berlin?)"),
        ("Local", ""),
        ("../../etc/passwd", ""),
    ],
)
def test_another_time_zone_is_told_with_one_that_is_like_it(tmp_path, zone, hint):
    [line] = lines(tmp_path, stack=changed(STACK, "rotator.time-zone", zone))
    said = "must be a time zone such as Etc/UTC or Europe/Berlin"
    assert line.endswith(f"rotator.time-zone: {said}{hint}")
