"""What keeps data from being deleted by mistake."""

from typing import Unpack

from platform_secrets.manifests.deletion import deletion_manifests
from platform_secrets.settings import Settings

from .declare import Part, Placed


class DeletionGuard(Part):
    """Declares `deletion_manifests`, after all that it guards: so a destroy takes it away first."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        super().__init__(
            "platform-secrets:deletion:DeletionGuard",
            name,
            deletion_manifests(settings),
            placed,
            prefix=f"{settings.namespace}-",
        )
