"""The External Secrets Operator, where this stack owns it."""

from typing import Unpack

from pulumi import Resource

from platform_secrets.manifests.eso import operator_bounds, operator_namespace, operator_release
from platform_secrets.settings import Settings

from .declare import Part, Placed, declare_release


class Operator(Part):
    """The operator's namespace and bounds, and its chart as a Helm release that is waited for: what
    it has of webhook and CRDs answers and exists once this is there."""

    def __init__(self, name: str, *, settings: Settings, **placed: Unpack[Placed]) -> None:
        protect = settings.environment.protect
        objects = [operator_namespace(settings), *operator_bounds(settings)]
        super().__init__("platform-secrets:eso:Operator", name, objects, placed, protect=protect)
        # The namespace comes before its bounds.
        self.bounds = self.ready
        # ExternalSecrets that outlive the stack need their operator: it alone takes away the
        # finalizer that it puts on them.
        release = declare_release(
            self, operator_release(settings), after=self.bounds, protect=protect
        )
        self.ready: list[Resource] = [release]
