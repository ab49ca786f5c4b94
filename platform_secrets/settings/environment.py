"""One stack's settings: where the catalogue's keys live in one environment, and who acts there."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from platform_secrets.settings.charts import OperatorChart
from platform_secrets.settings.control_plane import ControlPlane
from platform_secrets.settings.model import (
    HOST_AND_PORT,
    DnsLabel,
    DnsSubdomain,
    HttpsUrl,
    Line,
    MinuteOrMore,
    Model,
    Namespace,
    PathSegments,
    ServiceName,
    text_of,
)
from platform_secrets.settings.monitoring import Monitoring
from platform_secrets.settings.namespaces import OtherNamespace
from platform_secrets.settings.network import Network
from platform_secrets.settings.places import BundlePlace, Without
from platform_secrets.settings.rotator import Rotator
from platform_secrets.settings.store_texts import StoreName, Uuid
from platform_secrets.settings.stores import Store
from platform_secrets.settings.vault_server import VaultServer

PodSecurityLevel = Literal["privileged", "baseline", "restricted"]


class Cluster(Model):
    """The cluster that the stack belongs to."""

    uid: Uuid | None = None
    """The UID of the namespace kube-system. Pulumi changes nothing until it is set."""
    context: Line | None = None
    """The kubeconfig's context; the current one unless it is set."""

    def problem(self, actual: str) -> str | None:
        """What is wrong with `uid` where the cluster at hand has the UID `actual`."""
        if self.uid is None:
            return (
                "is not set; if this is the right cluster, write beside `environment`: "
                f"cluster: {{uid: {actual}}}"
            )
        if self.uid != actual:
            return (
                f"is {self.uid}, but this is the cluster {actual}; "
                "nothing was changed. Use the kubeconfig of the stack's cluster."
            )
        return None


class PodSecurity(Model):
    """Pod Security Admission for the environment's namespace, where this program creates it."""

    enforce: PodSecurityLevel = "baseline"
    """Pods below this level are refused."""
    audit: PodSecurityLevel = "restricted"
    """Pods below this level are noted in the audit log."""
    warn: PodSecurityLevel = "restricted"
    """Whoever makes pods below this level is warned."""


_EVERYBODY = "Kubernetes' own (system:…) stand for everybody or for its parts, and * for nobody"
Group = Annotated[
    str,
    text_of(r"(?!system:)(?!\*$).+", f"a group of your identity provider: {_EVERYBODY}", 1000),
]
User = Annotated[
    str,
    text_of(
        r"(?!\*$)(?!system:(?!serviceaccount:[a-z0-9-]+:[a-z0-9.-]+$)).+",
        f"a user, or one system:serviceaccount:<namespace>:<name>: {_EVERYBODY}",
        1000,
    ),
]


EnvironmentName = Annotated[
    str,
    text_of(
        r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
        "a name of lower-case letters, digits and single hyphens",
        20,
    ),
]


class Readers(Model):
    """People who may read this environment's Secrets."""

    groups: list[Group] = []
    """As the cluster knows them, from its identity provider."""
    users: list[User] = []
    """As the cluster knows them; better are groups, which people can join and leave."""


class Seeding(Model):
    """People who may put values into the stores, through the operator."""

    groups: Annotated[list[Group], Field(min_length=1)]
    """As the cluster knows them; admission refuses everybody else."""


def _not_a_word(given: object) -> object:
    if given == "enabled":
        raise ValueError("names the people who may: `seeding: {groups: [...]}`")
    if given == "disabled":
        raise ValueError("is off without it: leave it out")
    return given


def _not_off(given: object) -> object:
    if given == "off":
        raise ValueError("is off without it: leave it out")
    return given


class ArgoCd(Model):
    """Where Argo CD runs, and which of its projects may deploy this environment."""

    namespace: DnsLabel = "argocd"
    """Where Argo CD runs."""
    project: DnsLabel = "default"
    """The project of its Applications."""
    destination: HttpsUrl = "https://kubernetes.default.svc"
    """The cluster, as Argo CD knows it."""


class Flux(Model):
    """Where Flux runs, and the Secret there with which it reads a private repository."""

    namespace: DnsLabel = "flux-system"
    """Where Flux runs."""
    secret: DnsSubdomain | None = None
    """What it reads a private repository with."""


_BRANCH = r"(?![-/])(?!.*(\.\.|//|/\.|[./]$))[A-Za-z0-9._/-]+"


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
    """Its address, without password."""
    branch: Annotated[str, text_of(_BRANCH, "a branch, as Git has them", 200)] = "main"
    """What is applied."""
    path: PathSegments = "rendered"
    """The rendered tree's folder in the repository."""
    environments: list[EnvironmentName] = []
    """Others on the same cluster, in the same folder, that come with this one's root."""
    argocd: ArgoCd = ArgoCd()
    flux: Flux = Flux()


class Environment(Model):
    """Everything that differs between environments."""

    environment: EnvironmentName
    """Its name, in every name that it has of its own."""
    cluster: Cluster = Cluster()
    delivery: Literal["pulumi", "gitops"] = "pulumi"
    """Who declares the Kubernetes half: the Pulumi program, or the rendered tree."""
    protect: bool = True
    """Whether what holds Secrets is protected from deletion."""
    refuse_deletion: bool = False
    """Whether admission refuses it too, whoever asks, kubectl's `apply --prune` included."""
    admission: Annotated[Literal["audit", "warn", "deny"] | None, BeforeValidator(_not_off)] = None
    """What admission does, in the environment's namespaces, with stores, ExternalSecrets,
    PushSecrets and references to Secrets that nobody has declared; nothing unless it is set."""

    namespace: Literal["create", "existing"] = "create"
    """Whether this program creates the environment's namespace."""
    namespace_name: Namespace | None = None
    """`<platform>-<environment>` unless it is set."""
    namespaces: dict[DnsLabel, OtherNamespace] = {}
    """Other namespaces of the environment, by name; what is in none of them is in its own."""
    pod_security: PodSecurity = PodSecurity()
    network: Network = Network()
    readers: Readers = Readers()

    secrets: Literal["external", "basic"] = "external"
    """`basic`: plain Kubernetes Secrets from secrets.env, without operator and stores."""
    stores: dict[StoreName, Store] = {}
    """Where values are kept, by a name for each store."""
    default_store: StoreName | None = None
    """Needed where there are several stores."""
    bundles: dict[ServiceName, BundlePlace] = {}
    """Bundles that are kept elsewhere than in the default store, or elsewhere in their store than
    its convention says: in entries that are there already."""
    without: Without = Without()
    refresh_interval: MinuteOrMore = timedelta(hours=1)
    """How often the operator reads the stores; each bundle up to 5 % off, so not all at once."""

    rotation: Literal["leader", "follower"] = "leader"
    """Exactly one stack of an environment leads."""
    rotator: Rotator = Rotator()
    seeding: Annotated[Seeding | None, BeforeValidator(_not_a_word)] = None
    """Has an identity that may write every entry, and says who may use it."""
    migrating: list[ServiceName] = []
    """Bundles whose Secrets are there already, made by others: `secretsctl migrate` copies each
    into its store, and only then the operator takes it over."""

    operator: Literal["install", "existing"] | None = None
    """Whether this stack owns the External Secrets Operator that serves it."""
    operator_scope: Literal["cluster", "namespace"] = "cluster"
    """`cluster`: one operator serves every namespace, and may write every Secret. `namespace`: one
    of this environment's own, which may write the Secrets of its namespace alone."""
    operator_crds: Literal["install", "existing"] = "install"
    """Whether the operator that this stack installs brings its kinds, of which a cluster has one
    set: of several operators exactly one does."""
    operator_namespace: Namespace = "external-secrets-system"
    """Where the operator runs; nothing else does."""
    operator_service_account: DnsSubdomain = "external-secrets"
    """Whose tokens the operator's controller has."""
    chart: OperatorChart = OperatorChart()
    expected_external_secrets: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """How many ExternalSecrets the operator serves besides this environment's own."""
    vault_server: VaultServer | None = None
    """A Vault or OpenBao that this stack installs on its cluster; one exists unless it is set."""

    control_plane: ControlPlane = ControlPlane()
    monitoring: Monitoring | None = None
    """What Prometheus watches; nothing unless it is set."""

    gitops: GitOps | None = None
