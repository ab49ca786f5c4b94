"""An environment with its rotation on a real API server, and what the rotator's token may do there.

No operator runs: what is written is looked at as it is admitted, and mostly only tried.
"""

from collections.abc import Container

from platform_secrets.manifests import layer
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator.preflight import one_shots
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import Settings
from platform_secrets.settings.rotator import ROTATION
from tests.e2e.cluster import Cluster
from tests.e2e.kubelet import workload_manifest
from tests.e2e.kubernetes_api import KubernetesApi, KubernetesApiError, Manifest
from tests.e2e.process import wait_until

ROTATION_ID = "2026-03-01"
MERGE = "application/merge-patch+json"
# What a cluster's own policies add, and names by which some program acts on an object.
STAMPS = {"team": "payments", "example.com/cost-center": "4711", "policies.kyverno.io/seen": "x"}
ACTED_ON = (
    "platform-secrets/rotated",
    "platform-secrets/restarted",
    "external-secrets.io/force-sync",
    "reconcile.external-secrets.io/managed",
    "app.kubernetes.io/instance",
    "app_kubernetes_io_name",
    "applyset.kubernetes.io/part-of",
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/reconcile",
    "meta.helm.sh/release-name",
    "pulumi.com/patchForce",
    "cleanup.kyverno.io/ttl",
    "janitor/ttl",
    "objectset.rio.cattle.io/hash",
    "kapp.k14s.io/app",
    "name",
    "namespace",
)


class Admitted:
    """One environment; `rotator` bears the token of its rotator's ServiceAccount. Objects of the
    kinds in `absent` are not made."""

    def __init__(
        self, cluster: Cluster, settings: Settings, *, absent: Container[str] = ()
    ) -> None:
        self.cluster = cluster
        self.settings = settings
        self.namespace = settings.namespace
        waves = layer.waves(settings, rotator_source())
        self.objects = [
            obj for wave in waves if wave.name != layer.OPERATOR for obj in wave.objects
        ]
        for obj in self.objects:
            if obj["kind"] not in absent:
                cluster.api.apply(obj, manager="platform-secrets")
        self.rotator = cluster.api_as(cluster.token(self.namespace, ROTATION))
        self.plan = rotation_plan(settings)
        for workload in dict.fromkeys(one for key in self.plan.rotated for one in key.readers):
            made = workload_manifest(self.namespace, workload, {"some-secret": True})
            cluster.api.apply(made, manager="application")
        self._wait_for_policies()

    def declared(self, kind: str, name: str) -> Manifest:
        """An object as it is rendered."""
        [found] = [
            obj for obj in self.objects if (obj["kind"], obj["metadata"]["name"]) == (kind, name)
        ]
        return found

    def one_shots(self) -> list[Manifest]:
        """Every object that the rotator ever makes, as it makes it."""
        keys = self.plan.rotated
        return [obj for key in keys for obj in one_shots(self.plan, key, ROTATION_ID)]

    def one_shot(self, name: str) -> Manifest:
        """The first one of this name."""
        return next(obj for obj in self.one_shots() if obj["metadata"]["name"] == name)

    def creating(self, obj: Manifest, by: KubernetesApi | None = None) -> str:
        """What the API server says to the rotator's wish, or another's, to create this; "" if it
        would."""
        namespace = obj["metadata"].get("namespace")
        path = self.cluster.api.path(obj["apiVersion"], obj["kind"], None, namespace)
        return self.asking("POST", path, obj, by=by)

    def patching(
        self, kind: tuple[str, str], name: str, change: Manifest, by: KubernetesApi | None = None
    ) -> str:
        """The same of a merge patch; `kind` with its apiVersion."""
        path = self.cluster.api.path(*kind, name, self.namespace)
        return self.asking("PATCH", path, change, MERGE, by=by)

    def asking(
        self,
        method: str,
        path: str,
        body: Manifest | None,
        content_type: str = "application/json",
        *,
        by: KubernetesApi | None = None,
    ) -> str:
        params = {"dryRun": "All", "fieldValidation": "Strict"}
        try:
            somebody = by or self.rotator
            somebody.request(method, path, body, content_type=content_type, params=params)
        except KubernetesApiError as error:
            return str(error)
        return ""

    def _wait_for_policies(self) -> None:
        """A policy takes effect a moment after it was made."""
        change = {"metadata": {"labels": {ACTED_ON[0]: "x"}}}
        for kind in ("ExternalSecret", "PushSecret"):
            obj = next(obj for obj in self.one_shots() if obj["kind"] == kind)
            other = {**obj, "metadata": {**obj["metadata"], "labels": {}}}
            wait_until(lambda o=other: self.creating(o), f"the policy for {kind} is in force")
        push, admin = self.one_shot("rotation-promote-jwt-secret"), self.cluster.api
        wait_until(lambda: self.creating(push, admin), "the policy for the stores is in force")
        secret = self.plan.rotated[0].external_secret
        memory = names.MEMORY
        for kind, name in ((EXTERNAL_SECRET, secret), (("v1", "ConfigMap"), memory)):
            wait_until(lambda k=kind, n=name: self.patching(k, n, change), f"{kind} is guarded")


EXTERNAL_SECRET = ("external-secrets.io/v1", "ExternalSecret")


def is_denied(answer: str, world: Admitted, policy: str) -> bool:
    """Whether one of the policies refused, by a condition and not by an error in it."""
    name = f"ValidatingAdmissionPolicy '{world.namespace}-rotation-{policy}'"
    return name in answer and "denied request" in answer and "resulted in error" not in answer
