"""The environment's namespace."""

from typing import Unpack

from platform_secrets.manifests.namespace import namespace_manifests
from platform_secrets.settings import Settings

from .declare import Part, Placed


class EnvironmentNamespace(Part):
    """Declares `namespace_manifests`; retained always, since it holds more than is ours."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        super().__init__(
            "platform-secrets:namespace:EnvironmentNamespace",
            name,
            namespace_manifests(settings),
            placed,
            protect=settings.environment.protect,
            retain=True,
        )
