"""When an environment's rotator runs next."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from platform_secrets.rotator.due import held_back
from platform_secrets.rotator.plan import Plan
from platform_secrets.settings import Settings
from platform_secrets.settings.cron import Cron, cron

_MOST_DAYS = 400


class Runs:
    """When the rotator runs, and may begin something."""

    def __init__(self, settings: Settings, plan: Plan, now: datetime) -> None:
        rotator = settings.environment.rotator
        self._cron, self._zone = cron(rotator.schedule), ZoneInfo(rotator.time_zone)
        self._plan, self._now = plan, now
        self._known: dict[datetime, datetime | None] = {}

    def following(self, due: datetime) -> datetime | None:
        """The first run that may begin what is due then; None where none is in sight."""
        begin = max(due, self._now)
        hour = begin.replace(minute=0, second=0, microsecond=0)
        if hour not in self._known:
            self._known[hour] = self._first(hour)
        found = self._known[hour]
        return found if found is None or found >= begin else self._first(begin)

    def _first(self, begin: datetime) -> datetime | None:
        runs = _times(self._cron, self._zone, begin)
        return next((run for run in runs if not held_back(self._plan, run)), None)


def _times(runs: Cron, zone: ZoneInfo, begin: datetime) -> Iterator[datetime]:
    times = sorted((hour, minute) for hour in runs.hours for minute in runs.minutes)
    first = begin.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for days in range(_MOST_DAYS):
        day = first + timedelta(days=days)
        is_day, is_weekday = day.day in runs.days, day.isoweekday() % 7 in runs.weekdays
        is_one = (is_day or is_weekday) if runs.is_either else (is_day and is_weekday)
        if day.month in runs.months and is_one:
            for hour, minute in times:
                at = day.replace(hour=hour, minute=minute).astimezone(UTC)
                if at >= begin:
                    yield at
