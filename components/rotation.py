"""What rotates: its bounds and memory, what makes each key's values, and the CronJobs."""

from collections.abc import Mapping, Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from platform_secrets.manifests.rotation.admission import admission_manifests
from platform_secrets.manifests.rotation.cron_jobs import (
    generator_manifests,
    memory_config_map,
    rotation_manifests,
)
from platform_secrets.settings import Settings

from .declare import declare


class RotationAdmission(ComponentResource):
    """Declares `admission_manifests`: there before anything can act as the rotator."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:rotation:RotationAdmission", name, None, opts)
        policies = admission_manifests(settings)
        self.ready = declare(self, policies, after=after, prefix=f"{settings.namespace}-")
        self.register_outputs({})


class RotationMemory(ComponentResource):
    """Declares `memory_config_map`; what is in it is the rotator's own."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:rotation:RotationMemory", name, None, opts)
        memory = memory_config_map(settings)
        self.ready = declare(self, [memory], after=after, protect=settings.environment.protect)
        self.register_outputs({})


class RotatedKey(ComponentResource):
    """Declares `generator_manifests` of one key."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        key: str,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:rotation:RotatedKey", name, None, opts)
        self.ready = declare(self, generator_manifests(settings, key), after=after)
        self.register_outputs({})


class Rotation(ComponentResource):
    """Declares `rotation_manifests`: what acts, so after all that it needs and is bound by."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        program: Mapping[str, str],
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:rotation:Rotation", name, None, opts)
        declare(self, rotation_manifests(settings, program), after=after)
        self.register_outputs({})
