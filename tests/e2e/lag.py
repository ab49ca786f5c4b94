"""How late a store answers: for a while after a write it gives what was there before."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Lag:
    """None, except inside `of`: then what is answered is so old, but not from before `of` began."""

    def __init__(self) -> None:
        self._seconds, self._began = 0.0, 0.0

    @contextmanager
    def of(self, seconds: float) -> Iterator[None]:
        self._seconds, self._began = seconds, time.monotonic()
        try:
            yield
        finally:
            self._seconds = 0.0

    @property
    def moment(self) -> float:
        """The moment whose state is answered, of `time.monotonic`."""
        now = time.monotonic()
        return max(now - self._seconds, self._began) if self._seconds else now
