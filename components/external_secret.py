"""One bundle, kept in step with its store by the operator."""

from typing import Unpack

from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.migration import record_manifest
from platform_secrets.settings import Settings

from .declare import Part, Placed, declare


class ExternalSecret(Part):
    """Declares `external_secret_manifests`; the operator, not Pulumi, owns the Secret itself. While
    the bundle is migrated, also `record_manifest`, whose data is the migration's own."""

    def __init__(
        self, name: str, *, settings: Settings, bundle: str, **placed: Unpack[Placed]
    ) -> None:
        super().__init__(
            "platform-secrets:secrets:ExternalSecret",
            name,
            external_secret_manifests(settings, bundle),
            placed,
            # The Secret dies with its ExternalSecret, whatever its deletion policy says.
            protect=settings.environment.protect,
        )
        if bundle in settings.environment.migrating:
            declare(self, [record_manifest(settings, bundle)], after=placed.get("after", ()))
