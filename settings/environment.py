"""One stack's settings: where the catalogue's keys live in one environment, and who acts there."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from settings.charts import OperatorChart
from settings.model import (
    HOST_AND_PORT,
    Cidr,
    DnsLabel,
    DnsSubdomain,
    Duration,
    HttpsUrl,
    Model,
    PathSegments,
    Port,
    ServiceName,
    Text,
    text_of,
)
from settings.rotator import Rotator
from settings.store_texts import StoreName, Uuid
from settings.stores import Store
from settings.vault_server import VaultServer

PodSecurityLevel = Literal["privileged", "baseline", "restricted"]


class Cluster(Model):
    """The cluster that the stack belongs to."""

    uid: Uuid | None = None
    """The UID of the namespace kube-system. Pulumi changes nothing until it is set."""
    context: Text | None = None
    """The kubeconfig's context; the current one unless it is set."""


class PodSecurity(Model):
    """Pod Security Admission for the environment's namespace, where this program creates it."""

    enforce: PodSecurityLevel = "baseline"
    audit: PodSecurityLevel = "restricted"
    warn: PodSecurityLevel = "restricted"


class ApiServer(Model):
    """Where pods reach the API server: its endpoints, not its Service. Any address if empty."""

    cidrs: list[Cidr] = []
    ports: Annotated[list[Port], Field(min_length=1)] = [443, 6443]


class Providers(Model):
    """Where the operator and the rotator reach the stores. Any address if empty."""

    cidrs: list[Cidr] = []
    ports: list[Port] = []
    """Besides those of this stack's own stores: of other environments on the cluster, of an HTTP
    proxy, of the pods behind a Service whose own port is another."""


class Dns(Model):
    """Where pods resolve names. Any cluster's usual servers unless it is set (docs/network.md)."""

    namespaces: list[DnsLabel] = ["kube-system", "openshift-dns"]
    """Of the cluster's DNS servers."""
    cidrs: list[Cidr] = ["169.254.0.0/16"]
    """Link-local addresses, unless it is set: caches on the pod's own node, clouds' own servers."""
    ports: Annotated[list[Port], Field(min_length=1)] = [53, 5353]
    """Of the servers themselves, not of their Service; UDP and TCP."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Dns":
        if not self.namespaces and not self.cidrs:
            raise ValueError("needs namespaces or cidrs: without names no store is found")
        return self


class Network(Model):
    """Addresses for the NetworkPolicies."""

    api_server: ApiServer = ApiServer()
    providers: Providers = Providers()
    dns: Dns = Dns()


class BundlePlace(Model):
    """Where a bundle differs from the stack's default."""

    store: StoreName


class Readers(Model):
    """People who may read this environment's Secrets."""

    groups: list[Text] = []
    users: list[Text] = []


class ArgoCd(Model):
    """Where Argo CD runs, and which of its projects may deploy this environment."""

    namespace: DnsLabel = "argocd"
    project: DnsLabel = "default"
    destination: HttpsUrl = "https://kubernetes.default.svc"


class Flux(Model):
    """Where Flux runs, and the Secret there with which it reads a private repository."""

    namespace: DnsLabel = "flux-system"
    secret: DnsSubdomain | None = None


class GitOps(Model):
    """The repository that holds the rendered tree."""

    repository: Annotated[
        str,
        text_of(
            rf"(https://|ssh://git@){HOST_AND_PORT}/[A-Za-z0-9._~/-]+",
            "an https:// or ssh://git@ address without password",
            2048,
        ),
    ]
    branch: Annotated[str, text_of(r"[A-Za-z0-9._/-]+", "a branch", 200)] = "main"
    path: PathSegments = "rendered"
    """The rendered tree's folder in the repository."""
    argocd: ArgoCd = ArgoCd()
    flux: Flux = Flux()


class Environment(Model):
    """Everything that differs between environments."""

    environment: Annotated[
        str,
        text_of(
            r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
            "a name of lower-case letters, digits and single hyphens",
            20,
        ),
    ]
    cluster: Cluster = Cluster()
    delivery: Literal["pulumi", "gitops"] = "pulumi"
    """Who declares the Kubernetes half: the Pulumi program, or the rendered tree."""
    protect: bool = True
    """Whether what holds Secrets is protected from deletion."""

    namespace: Literal["create", "existing"] = "create"
    namespace_name: DnsLabel | None = None
    """`<platform>-<environment>` unless it is set."""
    pod_security: PodSecurity = PodSecurity()
    network: Network = Network()
    readers: Readers = Readers()

    secrets: Literal["external", "basic"] = "external"
    """`basic`: plain Kubernetes Secrets from secrets.env, without operator and stores."""
    stores: dict[StoreName, Store] = {}
    default_store: StoreName | None = None
    """Needed where there are several stores."""
    bundles: dict[ServiceName, BundlePlace] = {}
    refresh_interval: Duration = timedelta(hours=1)
    """How often the operator reads the stores; each bundle up to 5 % off, so not all at once."""

    rotation: Literal["leader", "follower"] = "leader"
    """Exactly one stack of an environment leads."""
    rotator: Rotator = Rotator()
    seeding: Literal["enabled", "disabled"] = "disabled"
    """Whether an identity exists that may write every entry."""

    operator: Literal["install", "existing"] | None = None
    """Whether this stack owns the External Secrets Operator, of which a cluster has one."""
    operator_namespace: DnsLabel = "external-secrets-system"
    operator_service_account: DnsSubdomain = "external-secrets"
    chart: OperatorChart = OperatorChart()
    expected_external_secrets: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """How many ExternalSecrets the operator serves besides this environment's own."""
    vault_server: VaultServer | None = None
    """A Vault or OpenBao that this stack installs on its cluster; one exists unless it is set."""

    gitops: GitOps | None = None
