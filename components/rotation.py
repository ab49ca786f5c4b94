"""What rotates: its bounds and memory, what makes each key's values, and the CronJobs."""

from collections.abc import Mapping
from typing import Unpack

from platform_secrets.manifests.rotation.admission import admission_manifests
from platform_secrets.manifests.rotation.cron_jobs import (
    generator_manifests,
    memory_config_map,
    rotation_manifests,
)
from platform_secrets.settings import Settings

from .declare import Part, Placed


class RotationAdmission(Part):
    """Declares `admission_manifests`: there before anything can act as the rotator."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        super().__init__(
            "platform-secrets:rotation:RotationAdmission",
            name,
            admission_manifests(settings),
            placed,
            prefix=f"{settings.namespace}-",
        )


class RotationMemory(Part):
    """Declares `memory_config_map`; what is in it is the rotator's own."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        super().__init__(
            "platform-secrets:rotation:RotationMemory",
            name,
            [memory_config_map(settings)],
            placed,
            protect=settings.environment.protect,
        )


class RotatedKey(Part):
    """Declares `generator_manifests` of one key."""

    def __init__(
        self, name: str, *, settings: Settings, key: str, **placed: Unpack[Placed]
    ) -> None:
        objects = generator_manifests(settings, key)
        super().__init__("platform-secrets:rotation:RotatedKey", name, objects, placed)


class Rotation(Part):
    """Declares `rotation_manifests`: what acts, so after all that it needs and is bound by."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        program: Mapping[str, str],
        **placed: Unpack[Placed],
    ) -> None:
        objects = rotation_manifests(settings, program)
        super().__init__("platform-secrets:rotation:Rotation", name, objects, placed)
