"""What a bundle's database key is read through."""

from typing import Unpack

from platform_secrets.manifests.database import database_manifests
from platform_secrets.settings import Settings

from .declare import Part, Placed, declare


class DatabaseKey(Part):
    """Declares `database_manifests`; which account is in use is the rotation's to say."""

    def __init__(
        self, name: str, *, settings: Settings, bundle: str, **placed: Unpack[Placed]
    ) -> None:
        *generators, pointer = database_manifests(settings, bundle)
        super().__init__("platform-secrets:secrets:DatabaseKey", name, generators, placed)
        self.ready += declare(
            self,
            [pointer],
            after=placed.get("after", ()),
            protect=settings.environment.protect,
            ignore_changes=["data"],
        )
