"""When a cron expression comes, as Kubernetes' own parser (robfig/cron 3) reads it.

Own code, since other parsers know words and fields that this one refuses.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS_AT_MOST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _field(numbers: str, words: tuple[str, ...] = ()) -> str:
    spelled = [form for word in words for form in (word, word.upper(), word.title())]
    one = "|".join([numbers, *spelled])
    part = rf"(\*|({one})(-({one}))?)(/[1-9][0-9]{{0,2}})?"
    return f"{part}(,{part})*"


_PATTERN = " ".join(
    (
        _field("[0-5]?[0-9]"),
        _field("[01]?[0-9]|2[0-3]"),
        _field("0?[1-9]|[12][0-9]|3[01]"),
        _field("0?[1-9]|1[0-2]", _MONTHS),
        _field("[0-6]", _WEEKDAYS),
    )
)
_RULE = (
    "must be five fields of cron, such as 17 3 * * *: minutes 0-59, hours 0-23, days 1-31, "
    "months 1-12 or jan-dec, weekdays 0-6 or sun-sat"
)


@dataclass(frozen=True)
class Cron:
    """The times of an expression; Sunday is weekday 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either: bool
    """Whether one of day and weekday is enough: where both are restricted."""

    @property
    def comes(self) -> bool:
        """Whether there is any day of it."""
        if self.is_either:
            return True
        return any(min(self.days) <= _DAYS_AT_MOST[month - 1] for month in self.months)

    @property
    def possible_weekdays(self) -> frozenset[int]:
        """Those on which it comes sooner or later."""
        return frozenset(range(7)) if self.is_either else self.weekdays

    @property
    def times(self) -> list[str]:
        """Of a day, as `HH:MM`."""
        return [f"{hour:02}:{minute:02}" for hour in self.hours for minute in self.minutes]


def cron(text: str) -> Cron:
    """What an expression stands for. Raises ValueError where Kubernetes refuses it."""
    if len(text) > 100 or not re.fullmatch(_PATTERN, text):
        raise ValueError(_RULE)
    minutes, hours, days, months, weekdays = text.lower().split(" ")
    return Cron(
        _values(minutes, 0, 59),
        _values(hours, 0, 23),
        _values(days, 1, 31),
        _values(months, 1, 12, _MONTHS),
        _values(weekdays, 0, 6, _WEEKDAYS),
        not _is_any(days) and not _is_any(weekdays),
    )


def _is_any(field: str) -> bool:
    """A step makes a field a restriction, also beside `*`."""
    return any(part in ("*", "*/1") for part in field.split(","))


def _values(field: str, lowest: int, highest: int, words: tuple[str, ...] = ()) -> frozenset[int]:
    numbers = {word: lowest + place for place, word in enumerate(words)}
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = lowest if first == "*" else int(numbers.get(first, first))
        end = int(numbers.get(last, last)) if last else start
        if first == "*" or (step and not last):
            end = highest
        if end < start:
            raise ValueError("has a range that ends before it begins; write it as two")
        found |= {*range(start, end + 1, int(step or 1))}
    return frozenset(found)


def _schedule(text: str) -> str:
    if not cron(text).comes:
        raise ValueError("never comes: none of its months has such a day")
    return text


Schedule = Annotated[
    str,
    AfterValidator(_schedule),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$"}),
]
