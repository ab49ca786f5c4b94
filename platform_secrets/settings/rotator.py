"""When and how the rotator works: the two CronJobs, and how long they wait for what."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from platform_secrets.settings.cron import Schedule, cron
from platform_secrets.settings.model import Duration, Line, MinuteOrMore, Model, text_of
from platform_secrets.settings.pod import Pod, Resources
from platform_secrets.settings.store_texts import Day
from platform_secrets.settings.time_zones import TimeZone

ROTATION = "secrets-rotation"
"""The CronJob that rotates, and its ServiceAccount."""
AGE_CHECK = "secrets-age-check"
"""The CronJob that looks at ages, and its ServiceAccount."""

# The operator's longest pause between two attempts: 2^n seconds, at most seven minutes.
_LONGEST_BACK_OFF = timedelta(minutes=7)

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
TimeOfDay = Annotated[
    str, text_of(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a time such as 02:00, quoted", 5)
]
Image = Annotated[
    str,
    text_of(
        r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+"
        r"(:[A-Za-z0-9._-]+|(:[A-Za-z0-9._-]+)?@sha256:[0-9a-f]{64})",
        "an image with its registry, and a tag or a digest",
        500,
    ),
]


class Window(Model):
    """When rotations may start; what has begun is finished at any time."""

    days: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)
    ]
    """Days of the week on which it begins."""
    start: Annotated[TimeOfDay, Field(alias="from")]
    """The time at which it begins."""
    until: TimeOfDay
    """Earlier than `from` is on the day after."""

    @model_validator(mode="after")
    def _is_some_time(self) -> "Window":
        if self.start == self.until:
            raise ValueError("from and until must differ")
        return self

    def is_open(self, weekday: int, time: str) -> bool:
        """Whether a time of day, as `HH:MM`, is within it; Sunday is weekday 0."""
        if self.start < self.until:
            return self.start <= time < self.until and _WEEKDAYS[weekday] in self.days
        # The night belongs to the evening before.
        evening = _WEEKDAYS[weekday - 1] if time < self.until else _WEEKDAYS[weekday]
        return (time >= self.start or time < self.until) and evening in self.days


class Freeze(Model):
    """Days on which no rotation starts."""

    start: Annotated[Day, Field(alias="from")]
    """The first of them."""
    until: Day
    """The last of them."""
    reason: Line
    """Why, for the log of what was not done."""

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "Freeze":
        # Days written so are in the order of their texts.
        if self.until < self.start:
            raise ValueError("until must not be before from")
        return self


class Rotator(Model):
    """The rotator's two CronJobs, in the environment that leads rotation."""

    image: Image = "docker.io/library/python:3.13-alpine"
    """Any image with Python 3.11 or newer, and nothing else; `secretsctl pin-image` adds its tag's
    digest."""
    schedule: Schedule = "17 3 * * *"
    """When it looks for keys that are due."""
    age_check_schedule: Schedule = "47 6 * * *"
    """When it looks for keys that are too old."""
    time_zone: TimeZone = "Etc/UTC"
    """An IANA name. Of the schedules and the window; of the freezes too where there is a window."""
    window: Window | None = None
    freezes: list[Freeze] = []
    bundles_at_once: Annotated[int, Field(ge=1, le=50)] = 4
    """The keys of one bundle follow each other, since a push is read, merge, write."""
    sync_deadline: Duration = timedelta(minutes=10)
    """How long the operator may take for one object."""
    rollout_deadline: MinuteOrMore = timedelta(minutes=10)
    """How long one workload's rollout may take before the value before is restored."""
    resources: Resources = Resources()
    """Of its pods. The defaults pass quotas of limits, and the usual bounds of a LimitRange."""
    pod: Pod = Pod()
    """What else this cluster wants of its pods."""

    @property
    def longest_pause(self) -> timedelta:
        """No two rotations in sequence are further apart by the schedule."""
        return _longest_pause(self.schedule)

    @property
    def longest_pause_of_age_checks(self) -> timedelta:
        """No two age checks in sequence are further apart by the schedule."""
        return _longest_pause(self.age_check_schedule)

    @model_validator(mode="after")
    def _deadlines_can_be_kept(self) -> "Rotator":
        if self.sync_deadline <= _LONGEST_BACK_OFF:
            raise ValueError("sync-deadline must be longer than 7m, the operator's longest pause")
        if max(self.sync_deadline, self.rollout_deadline) > timedelta(hours=1):
            raise ValueError("sync-deadline and rollout-deadline must be 1h at most")
        return self

    @model_validator(mode="after")
    def _some_run_is_in_the_window(self) -> "Rotator":
        runs = cron(self.schedule)
        starts = ((day, time) for day in runs.possible_weekdays for time in runs.times)
        if self.window and not any(self.window.is_open(day, time) for day, time in starts):
            raise ValueError("schedule is never within window, so nothing would ever rotate")
        return self


def _longest_pause(schedule: str) -> timedelta:
    *_, days, months, weekdays = schedule.split(" ")
    if months != "*":
        return timedelta(days=366)
    # From the 31st of a month to that of the one after the next. Where both are given, one of
    # the two is enough for cron.
    apart = {"days": 1} if days == "*" else {"days": 62}
    return timedelta(days=7) if weekdays != "*" else timedelta(**apart)
