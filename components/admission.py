"""What may be declared in a namespace."""

from typing import Unpack

from platform_secrets.manifests.admission.objects import namespace_bounds
from platform_secrets.settings import Settings

from .declare import Part, Placed


class Admission(Part):
    """Declares `namespace_bounds` of a namespace: there before what they allow."""

    def __init__(
        self, name: str, *, settings: Settings, view: Settings, **placed: Unpack[Placed]
    ) -> None:
        super().__init__(
            "platform-secrets:admission:Admission",
            name,
            namespace_bounds(settings, view),
            placed,
            prefix=f"{view.namespace}-",
        )
