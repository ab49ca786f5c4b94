"""Time, which is an input: tests and `--now` choose it."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

# A task that runs beside others: it yields the seconds after which it wants to go on.
Steps = Generator[float, None, Any]

_SHORTEST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
# Between the looks of all tasks together: many that wait must not take the API server's time, nor
# the operator's, which answers each look with its work.
_BETWEEN_SECONDS = 0.025


class Clock:
    """The time of day from `start` on, and a monotonic one for deadlines."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start or datetime.now(UTC)
        self._started = self.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic() - self._started)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def pauses(clock: Clock, seconds: float, *, is_first_at_once: bool = False) -> Iterator[float]:
    """Pauses before looks at something, a fifth of the time waited so far, until `seconds` have
    passed. The first may be 0: a task that yields even that waits for its turn."""
    began = clock.monotonic()
    if is_first_at_once:
        yield 0
    while (waited := clock.monotonic() - began) < seconds:
        yield min(max(_SHORTEST_PAUSE_SECONDS, waited / 5), _LONGEST_PAUSE_SECONDS)


def side_by_side(
    clock: Clock, tasks: Iterable[Steps], at_once: int, meanwhile: Callable[[], None]
) -> None:
    """Runs tasks in one thread, at most `at_once` begun and not ended; `meanwhile` is called each
    time that one goes on."""
    waiting, next_at = deque(tasks), dict[Steps, float]()
    while waiting or next_at:
        while waiting and len(next_at) < at_once:
            next_at[waiting.popleft()] = clock.monotonic()
        task = min(next_at, key=next_at.__getitem__)
        if (early := next_at[task] - clock.monotonic()) > 0:
            clock.sleep(early)
        meanwhile()
        try:
            pause = next(task)
            next_at[task] = clock.monotonic() + max(pause, _BETWEEN_SECONDS * len(next_at))
        except StopIteration:
            del next_at[task]
