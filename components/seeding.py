"""Who may write to the stores as *seed*."""

from typing import Unpack

from platform_secrets.manifests.seeding import seeding_manifests
from platform_secrets.settings import Settings

from .declare import Part, Placed


class Seeding(Part):
    """Declares `seeding_manifests` of a namespace."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        super().__init__(
            "platform-secrets:seeding:Seeding",
            name,
            seeding_manifests(settings),
            placed,
            prefix=f"{settings.namespace}-",
        )
