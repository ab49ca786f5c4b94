"""The External Secrets Operator, where this stack owns it."""

from collections.abc import Sequence

from pulumi import ComponentResource, Resource, ResourceOptions
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

from components.declare import declare
from manifests import naming
from manifests.eso import chart_values, operator_namespace
from settings import Settings

_TIMEOUT_SECONDS = 600


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
        self.namespace = declare(
            self, [operator_namespace(settings)], after=after, protect=settings.environment.protect
        )
        self.release = self._release(name, settings)
        self.objects = [*self.namespace, self.release]
        self.register_outputs({})

    def _release(self, name: str, settings: Settings) -> Release:
        chart = settings.environment.chart
        is_oci = chart.repository.startswith("oci://")
        located = f"{chart.repository.rstrip('/')}/{naming.OPERATOR_RELEASE}"
        repository = RepositoryOptsArgs(repo=chart.repository)
        return Release(
            f"{name}-release",
            name=naming.OPERATOR_RELEASE,
            namespace=settings.environment.operator_namespace,
            chart=chart.path or (located if is_oci else naming.OPERATOR_RELEASE),
            version=None if chart.path else chart.version,
            repository_opts=None if chart.path or is_oci else repository,
            values=chart_values(settings),
            timeout=_TIMEOUT_SECONDS,
            # ExternalSecrets that outlive the stack need their operator: it alone takes away the
            # finalizer that it puts on them.
            opts=ResourceOptions(
                parent=self,
                depends_on=self.namespace,
                protect=settings.environment.protect or None,
                retain_on_delete=settings.environment.protect or None,
            ),
        )
