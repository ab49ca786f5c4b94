"""One bundle, kept in step with its store by the operator."""

from collections.abc import Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.settings import Settings

from .declare import declare


class ExternalSecret(ComponentResource):
    """Declares `external_secret_manifests`; the operator, not Pulumi, owns the Secret itself."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        bundle: str,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:secrets:ExternalSecret", name, None, opts)
        self.ready = declare(
            self,
            external_secret_manifests(settings, bundle),
            after=after,
            # The Secret dies with its ExternalSecret, whatever its deletion policy says.
            protect=settings.environment.protect,
        )
        self.register_outputs({})
