"""What a bundle's database key is read through."""

from collections.abc import Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from platform_secrets.manifests.database import database_manifests
from platform_secrets.settings import Settings

from .declare import declare


class DatabaseKey(ComponentResource):
    """Declares `database_manifests`; which account is in use is the rotation's to say."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        bundle: str,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:secrets:DatabaseKey", name, None, opts)
        manifests = database_manifests(settings, bundle)
        *generators, pointer = manifests
        self.ready = declare(self, generators, after=after)
        self.ready += declare(
            self,
            [pointer],
            after=after,
            protect=settings.environment.protect,
            ignore_changes=["data"],
        )
        self.register_outputs({})
