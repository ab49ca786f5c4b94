"""How each key of an environment changes, how old it may become, and when the rotator looks."""

from collections.abc import Iterator
from dataclasses import dataclass

from platform_secrets.manifests.rotation.names import not_restarted, restarted
from platform_secrets.settings import Settings
from platform_secrets.settings.cron import cron
from platform_secrets.settings.model import duration_text
from platform_secrets.settings.rotations import Generated

_EARLY = 0.1
"""The rotator takes a key up to so much of its period early, so that not all fall on one day."""


@dataclass(frozen=True)
class RotationPlan:
    """One key that is rotated or whose age is watched. Durations are as in the catalogue: 90d."""

    key: str
    """As bundle/key."""
    by: str
    """Who changes it, as `settings.layout.Kind` has it."""
    is_rotated: bool
    """Whether the rotator has it changed, rather than only looks at its age."""
    every: str
    """How old it may become."""
    earliest: str
    """The age at which the rotator may already have it changed."""
    overdue: str
    """The age at which the age check reports it."""
    overlap: str | None
    """How long the value before stays valid beside the new one."""
    owner: str | None
    source: str | None
    """Where the limit comes from."""
    restarts: list[str]
    """The workloads that a rotation restarts."""
    others: dict[str, str]
    """The other readers, each with how it gets the new value."""
    times_a_year: float

    @property
    def in_words(self) -> str:
        """How it changes, in a few words."""
        overlap = f", overlapping {self.overlap}" if self.overlap else ""
        how = (
            f"changed every {self.every}{overlap}" if self.is_rotated else f"watched, {self.every}"
        )
        return f"{how}, by {self.by}"


@dataclass(frozen=True)
class RotationSchedule:
    """When the rotator works, in an environment that has one."""

    rotation: str
    age_check: str
    time_zone: str
    window: str | None
    freezes: list[str]
    """Each with its days and its reason."""


def rotation_plans(settings: Settings) -> Iterator[RotationPlan]:
    """Every key with a limit, in the catalogue's order; none where another stack leads rotation."""
    for name, key in settings.keys.items() if settings.has_rotation else ():
        if not (rule := key.key.rotate):
            continue
        is_rotated = key.kind.is_rotated
        early = rule.period * _EARLY if is_rotated else 0 * rule.period
        overlap = rule.overlap if isinstance(rule, Generated) else None
        yield RotationPlan(
            key=name,
            by=key.kind.value,
            is_rotated=is_rotated,
            every=duration_text(rule.period),
            earliest=duration_text(rule.period - early),
            overdue=duration_text(rule.period + rule.grace),
            overlap=duration_text(overlap) if overlap else None,
            owner=key.key.owner,
            source=getattr(rule, "source", None),
            restarts=restarted(key.readers) if is_rotated else [],
            others=not_restarted(key.readers) if is_rotated else {},
            times_a_year=365 * 86400 / rule.period.total_seconds(),
        )


def rotation_schedule(settings: Settings) -> RotationSchedule | None:
    """None where nothing is rotated, or another stack does it."""
    if not settings.has_rotation:
        return None
    rotator = settings.environment.rotator
    window = rotator.window
    return RotationSchedule(
        rotation=_in_words(rotator.schedule),
        age_check=_in_words(rotator.age_check_schedule),
        time_zone=rotator.time_zone,
        window=f"{', '.join(window.days)}, {window.start} to {window.until}" if window else None,
        freezes=[f"{one.start} to {one.until}: {one.reason}" for one in rotator.freezes],
    )


def _in_words(schedule: str) -> str:
    """An expression of cron, where it is a time of every day; else as it is."""
    times = sorted(cron(schedule).times)
    is_daily = schedule.split(" ")[2:] == ["*", "*", "*"]
    return f"every day at {', '.join(times)}" if is_daily and len(times) <= 4 else schedule
