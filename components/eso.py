"""The External Secrets Operator, where this stack owns it."""

from collections.abc import Sequence

from pulumi import ComponentResource, Resource, ResourceOptions

from platform_secrets.manifests.eso import operator_namespace, operator_release
from platform_secrets.settings import Settings

from .declare import declare, declare_release


class Operator(ComponentResource):
    """The operator's namespace, and its chart as a Helm release that is waited for: its webhook
    answers, and its CRDs exist, once this is there."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        after: Sequence[Resource] = (),
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:eso:Operator", name, None, opts)
        protect = settings.environment.protect
        self.namespace = declare(self, [operator_namespace(settings)], after=after, protect=protect)
        # ExternalSecrets that outlive the stack need their operator: it alone takes away the
        # finalizer that it puts on them.
        release = declare_release(
            self, operator_release(settings), after=self.namespace, protect=protect
        )
        self.ready: list[Resource] = [release]
        self.register_outputs({})
