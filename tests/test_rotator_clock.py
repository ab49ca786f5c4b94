"""Tasks side by side in one thread."""

from platform_secrets.rotator.clock import pauses, side_by_side
from tests.rotator_api import FakeClock
from tests.rotator_world import START


def looks(tasks, seconds=10.0):
    """When each of so many tasks, all at once, looked at what it waits for."""
    clock, seen = FakeClock(START), []

    def waiting():
        for pause in pauses(clock, seconds):
            seen.append(clock.seconds)
            yield pause

    side_by_side(clock, [waiting() for _ in range(tasks)], tasks, lambda: None)
    return seen


def in_the_first_seconds(seen, seconds):
    return len([at for at in seen if 0 < at <= seconds])


def test_one_that_waits_alone_looks_often_at_first():
    assert in_the_first_seconds(looks(1), 0.2) >= 3


def test_many_that_wait_look_no_more_often_than_forty_times_a_second_in_all():
    assert in_the_first_seconds(looks(100), 5) <= 5 * 40
